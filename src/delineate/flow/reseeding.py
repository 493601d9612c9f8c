"""The same training again with other seeds, so that the audit can tell luck from skill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from delineate.core import Case, DataError, ModelError
from delineate.data import DataSet
from delineate.data.balance import by_name
from delineate.data.fingerprint import seen
from delineate.data.masks import MasksAre
from delineate.data.problem import counted
from delineate.flow.holding_out import split_off, validation_of
from delineate.flow.methods import Tell, data_set, finished, load
from delineate.flow.nearness import settled
from delineate.flow.teaching import as_drawn, by_everybody
from delineate.score import mean_dice

if TYPE_CHECKING:
    from delineate.learn import Step
    from delineate.learn.learnt import Learnt


def reseeded(
    model: str | Path,
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path,
    number: int = 2,
    val: str | Path | Sequence[Case] | None = None,
    steps: int | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> tuple[Path, ...]:
    """Train `number` models as `model` was, each with another seed, into out/seed1, out/seed2, ...; returns the folders.

    The plan is that of the model, and so is the number of steps (or `steps` of them). data: what it was trained on; of
    several kinds of labels those are taken that it learnt from. val: what it was validated on, where `train` was given that.
    Each seed holds other cases out, or none where the model learnt from all. One that was taught from weak labels has kept
    the best of its steps by what was held out, so its siblings need that too. Called again, it goes on where it was
    interrupted, and a training that is done is taken as it is. Raises DataError for data of other classes, ModelError for a
    method that is no U-Net, OutputError.
    """
    method = load(model, tell=tell)
    if method.name != "unet":
        raise ModelError(f"{method.name} is not trained from a seed: give the folder of a trained U-Net")
    if number < 1:
        raise DataError(f"{number} trainings are none: give 1 or more")
    from delineate.learn import Training
    from delineate.learn.checkpoint import NAME

    say = tell or (lambda _: None)
    before = method.learnt
    if "from" in before.record.data:
        raise ModelError(
            f"{model} began from another model, and so have its siblings to: train them with `delineate train DATA --from` that "
            "other one, each with another --seed, and name them with --sibling"
        )
    everybody: tuple[Case, ...] = ()
    joined = before.plan.weak is not None and "unlabelled" in before.record.data
    if before.plan.annotators == "one":
        found = data_set(
            data,
            unlabelled=unlabelled,
            masks_are=masks_are,
            labels=before.record.data.get("labels"),
            all_images=joined,
        )
    else:
        found, everybody = by_everybody(data, unlabelled=unlabelled, masks_are=masks_are)
    if found.classes.names != before.classes.names:
        raise DataError(
            f"the model tells {', '.join(before.classes.names)} apart, the data {', '.join(found.classes.names)}: give the data "
            "that it was trained on"
        )
    _check_same(found, before)

    def drawn(cases: Sequence[Case]) -> list[Case]:
        by_crop = before.plan.annotators in ("random", "soft")
        return as_drawn(cases, everybody) if by_crop else list(cases)

    apart = list(found.validation)
    whole = before.record.data.get("cases") == len(drawn(found.cases)) + len(found.large)
    if val is not None and not apart and not whole:
        raise DataError(
            "the model held some of its own images out, or learnt from others than these: leave --val out, or correct "
            "--taught-on"
        )
    if val is not None:
        apart = validation_of(
            val,
            classes=found.classes,
            labels=before.record.data.get("labels"),
            unlabelled=unlabelled,
            masks_are=masks_are,
            tell=say,
        )
    elif before.plan.weak is not None and before.record.data.get("validation") and whole and not apart:
        raise DataError(
            "the model kept the best of its steps by images of its own, and its siblings have to do so too: name these images "
            "with --val, as for train"
        )
    folders = []
    for seed in [seed for seed in range(number + 1) if seed != before.record.seed][:number]:
        folder = Path(out) / f"seed{seed}"
        folders.append(folder)
        if finished(folder):
            say(f"{folder} is trained already")
            continue
        cases, validation = list(found.cases), apart
        if not apart and not whole:
            cases, validation = split_off(cases, seed=seed)
        cases = drawn(cases)
        training = Training(
            cases,
            classes=before.classes,
            plan=before.plan,
            validation=validation,
            large=found.large,
            unlabelled=found.unlabelled if joined else (),
            steps=steps or before.record.steps,
            seed=seed,
            judge=partial(mean_dice, classes=len(before.classes)),
            folder=folder,
            resume=(folder / NAME).is_file(),
            labels=found.labels,
            times=by_name(before.record.data.get("times", {}), [*found.cases, *apart], found.large),
        )
        say(f"seed {seed}: {steps or before.record.steps} steps into {folder}")
        for step in training:
            if watch:
                watch(step)
        settled(training.learnt, validation, folder=folder, tell=say)
    return tuple(folders)


def _check_same(found: DataSet, before: Learnt) -> None:
    """Raise DataError for data that the model cannot have been trained on: of other channels, or hardly any image of which it
    has learnt from."""
    from delineate.data.grey import as_grey

    cases = [*found.cases, *found.validation, *(look for one in found.large for look in one.looks)]
    for case in cases:
        count = (as_grey(case.image) if before.plan.grey else case.image).shape[-1]
        if count != before.plan.channels:
            raise DataError(
                f"{case.name} has {counted(count, 'channel')} but the model learnt from {before.plan.channels}: give the data "
                "that it was trained on"
            )
    digests = before.record.data.get("learnt", ())
    known = seen(cases, digests)
    if digests and 2 * len(known) < len(cases):
        raise DataError(
            f"the model has learnt from {len(known)} of these {len(cases)} images: give the data that it was trained on"
        )
