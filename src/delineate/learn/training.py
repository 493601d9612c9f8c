"""Training, as an iterator: `for step in training: ...`.

The command line, a notebook, a browser page and a test drive the same loop. Every batch is a pure function of
the seed and the step, so a run that was killed goes on from its last checkpoint as if nothing had happened.
Read `Training.__iter__` and `Training._step`: the rest serves them.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import (
    Case,
    ClassTable,
    DataError,
    TrainingError,
    ahead,
    checked_seed,
    keep_big_blocks,
    made_folder,
)
from delineate.data.augment import Batch, batch
from delineate.data.large_case import LargeCase
from delineate.learn.adversarial import hardened, unremembered
from delineate.learn.answer import ready
from delineate.learn.checkpoint import NAME, check_interrupted, freeze, thaw
from delineate.learn.descent import LEAST_RATE, finite, follow, optimisers_of, share_of_rate
from delineate.learn.from_model import origin, take_over
from delineate.learn.learnt import Learnt, Record, memory_layout, network, saved
from delineate.learn.many import Crew, gathered, joined
from delineate.learn.pictures import pictures
from delineate.learn.plan import Plan
from delineate.learn.prepare import check_learnable
from delineate.learn.provenance import provenance
from delineate.learn.shares import Labelled, correct, first_guess
from delineate.learn.validation import Judge, Previews, validated
from delineate.learn.weak import Weak, decayed, held_out, leads
from delineate.losses import colour_smoothness, cross_entropy_and_dice, smooth_l1

VALIDATIONS = 12  # over a whole training
CHECKPOINT_SECONDS = 30.0
OFFSETS = 0.5  # what the offsets to the middles of objects weigh in the loss


@dataclass(frozen=True)
class Step:
    """One step of training as seen from outside.

    loss: of this batch. dice: mean validation Dice where this step was validated, else None. seconds: spent so
    far, earlier runs included; remaining: the estimate of what is left. previews: validation cases with their
    predicted labels (*spatial), where this step was validated.
    """

    number: int
    loss: float
    dice: float | None
    seconds: float
    remaining: float
    progress: float
    previews: Previews = ()


class Training:
    """Teaches a network; iterate over it, then take `learnt`.

    cases carry labels; with a plan that learns from several annotators, those of one name are one image as each of them
    labelled it. Validation cases are only looked at; large ones are learnt from as well, crop by crop.
    Exactly one of minutes and steps bounds it.
    judge: (truth, predicted) -> a Dice between 0 and 1, both (*spatial) uint8. folder: where the model and
    checkpoints go (None: nothing is written). resume: go on from the checkpoint in `folder`. clock: seconds, for
    the budget; a test or a bench may bring its own. devices, nodes: processes that share each batch, on each of so many
    machines; where torchrun or srun started them, these numbers are theirs. Only the first process writes. labels: the
    kind of labels that was asked for, where several lay there; the record keeps it. times: name -> how often a case is drawn
    for once that others are. start: a model to begin from, for whose network `plan` was made.

    Raises DataError for data that cannot be learnt from, TrainingError where the loss stops being finite,
    OutputError where the disk is full; the last model saved stays as it was.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import planned
    >>> cases, _ = coins()
    >>> plan = planned(cases)
    >>> training = Training(cases, classes=ClassTable.numbered(2), plan=plan, steps=2)
    >>> [(step.number, step.progress) for step in training], training.learnt.record.steps
    ([(1, 0.5), (2, 1.0)], 2)
    """

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        classes: ClassTable,
        plan: Plan,
        validation: Sequence[Case] = (),
        large: Sequence[LargeCase] = (),
        unlabelled: Sequence[Case] = (),
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        judge: Judge | None = None,
        folder: Path | None = None,
        resume: bool = False,
        clock: Callable[[], float] = time.monotonic,
        devices: int = 1,
        nodes: int = 1,
        labels: str | None = None,
        times: Mapping[str, int] | None = None,
        start: Learnt | None = None,
    ) -> None:
        if (minutes is None) == (steps is None) or not 0 < (minutes or steps or 0) < math.inf:
            raise DataError("a training needs either minutes or steps, a positive number: give one of them")
        self.classes, self.plan, self.validation, self.judge, self.folder = (
            classes,
            plan,
            validation,
            judge,
            folder,
        )
        self.minutes, self.steps, self.seed, self._clock = minutes, steps, checked_seed(seed), clock
        if resume:
            check_interrupted(folder or Path())
        looks = [look for one in large for look in one.looks]
        check_learnable([*cases, *looks], classes)
        for case in validation:
            ready(plan, case.image, name=case.name)
        weak, often = plan.weak is not None, dict(times or {})
        silent = list(unlabelled) if weak else []
        if weak:
            self.validation = [
                held_out(case, dims=plan.dims, normalisation=plan.normalisation, grey=plan.grey)
                for case in validation
            ]
        self._samples = pictures(cases, plan=plan, seed=seed, large=large, unlabelled=silent, times=often)
        keep_big_blocks()
        from lightning_fabric import Fabric  # takes as long to import as torch: a prediction goes without

        self._crew = Crew.found(devices=devices, nodes=nodes)
        self._crew.share_of(plan.batch)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        precision: Any = plan.precision
        several: dict[str, Any] = {"strategy": "ddp"} if self._crew.size > 1 else {}
        self._fabric = Fabric(
            accelerator=device,
            devices=self._crew.devices,
            num_nodes=self._crew.nodes,
            precision=precision,
            **several,
        )
        if self._crew.size > 1:
            self._fabric.launch()
        net: Any = network(plan, classes, seed=seed)
        if start is not None:
            take_over(net, start, plan=plan, classes=classes)
        elif plan.weak is None:  # strokes do not tell how common classes are
            net.shift_logits(first_guess(self._crops(0, share=(0, 1)).labels, len(classes)))
        net = joined(net) if self._crew.size > 1 else net
        net = net.to(memory_format=memory_layout(plan.dims))
        self._average = copy.deepcopy(net)
        optimisers = optimisers_of(net, rate=plan.learning_rate)
        self._rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
        self._net, *self._optimisers = self._fabric.setup(net, *optimisers)
        self._average.to(self._fabric.device)
        chosen = plan.weak is not None and bool(validation) and judge is not None
        self._best = copy.deepcopy(self._average) if chosen else None
        self._labelled = Labelled(len(classes)).to(self._fabric.device) if plan.weak else None
        self._record = Record(
            seed=seed,
            data=provenance(
                cases,
                dims=plan.dims,
                validation=validation,
                large=large,
                unlabelled=silent,
                labels=labels,
                times=often,
            )
            | ({"from": origin(start)} if start is not None else {}),
        )
        if resume:
            self._restore(folder or Path())
        if folder is not None and self.first:
            made_folder(folder)
            for torn in folder.glob(".[0-9]*.*"):  # what a kill left half written
                torn.unlink()

    def __iter__(self) -> Iterator[Step]:
        """Train until the budget is spent; each step is yielded after it was made."""
        begun = self._clock() - self._record.seconds
        saved_at = validated_at = self._record.seconds
        if self.folder and self.first and not self._record.steps:
            self._checkpoint(self.folder)
        validation_seconds = 0.0
        validated = math.floor(self._progress(self._record.steps, self._record.seconds) * VALIDATIONS)
        with closing(ahead(self._crops, itertools.count(self._record.steps))) as batches:
            while (progress := self._agreed(self._progress(self._record.steps, self._clock() - begun))) < 1:
                number, crops = next(batches)
                loss = self._step(number, crops.result(), progress)
                seconds = self._agreed(self._clock() - begun)
                self._record = replace(self._record, steps=self._record.steps + 1, seconds=seconds)
                progress = min(1.0, self._progress(self._record.steps, seconds))
                dice: float | None = None
                previews: Previews = ()
                due = math.floor(progress * VALIDATIONS)
                rested = seconds - validated_at > 10 * validation_seconds
                if due > validated and (progress >= 1 or rested or (self._best and self.steps)):
                    started = self._clock()
                    dice, previews = self._validated()
                    validation_seconds = self._agreed(self._clock() - started)
                    validated, validated_at = due, seconds
                    entry = {"step": self._record.steps, "seconds": seconds, "loss": loss} | (
                        {} if dice is None else {"dice": dice}
                    )
                    self._record = replace(self._record, history=(*self._record.history, entry))
                    if self._best and leads(self._record.history):
                        self._best.load_state_dict(self._average.state_dict())
                if self.folder and seconds - saved_at > CHECKPOINT_SECONDS and progress < 1:
                    if self.first:
                        self._checkpoint(self.folder)
                    saved_at = seconds
                yield Step(
                    number=self._record.steps,
                    loss=loss,
                    dice=dice,
                    seconds=seconds,
                    remaining=seconds * (1 - progress) / max(progress, 1e-6),
                    progress=progress,
                    previews=previews,
                )
        if self._best and (step_kept := decayed(self._record.history)):
            self._average.load_state_dict(self._best.state_dict())
            self._record = replace(self._record, data=self._record.data | {"kept_step": step_kept})
        if self._labelled:
            self._settle(self._labelled.shares)
        self._check_finite()
        if self.folder and self.first:
            saved(self.learnt, self.folder)
            (self.folder / NAME).unlink(missing_ok=True)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells; the only one, mostly."""
        return self._crew.rank == 0

    @property
    def learnt(self) -> Learnt:
        """The model as it stands now, with the averaged weights."""
        net = network(self.plan, self.classes, seed=self.seed)
        net.load_state_dict(self._average.state_dict())
        return Learnt(net.eval(), self.plan, self.classes, self._record)

    def _settle(self, labelled: NDArray[np.float64]) -> None:
        """Correct the averaged network for what strokes misjudge; see `delineate.learn.shares`."""
        seen = correct(self._average, self._samples, labelled)
        shares = {"labelled": labelled.tolist(), "images": seen.tolist()}
        self._record = replace(self._record, data=self._record.data | {"class_shares": shares})

    def _progress(self, steps: int, seconds: float) -> float:
        """Share of the budget that is spent."""
        return steps / self.steps if self.steps else seconds / (60 * (self.minutes or 1))

    def _agreed(self, number: float) -> float:
        """A number as the first process has it."""
        return float(self._fabric.broadcast(number)) if self._crew.size > 1 else number

    def _crops(self, number: int, *, share: tuple[int, int] | None = None) -> Batch:
        """What a step learns from, or this process's share of it; cut in a thread of its own while the step before is made."""
        return batch(
            self._samples,
            size=self.plan.batch,
            patch=self.plan.patch,
            augmentation=self.plan.augmentation,
            seed=self.seed,
            step=number,
            share=share or (self._crew.rank, self._crew.size),
            everybody=self.plan.annotators == "soft",
        )

    def _step(self, number: int, crops: Batch, progress: float) -> float:
        """One batch: forward, loss, backward, a step down, the average updated. Returns the loss."""
        plan = self.plan
        share = share_of_rate(number, progress)
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share + LEAST_RATE
        images = self._fabric.to_device(crops.images.contiguous(memory_format=memory_layout(plan.dims)))
        if plan.adversarial:
            images = self._hardened(images, crops, number)
        logits = self._net(images)
        loss = self._loss(logits, crops)
        if plan.weak is not None:
            loss = loss + self._roughness(plan.weak, logits, images)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._lost("loss", value, number)
        self._net.zero_grad()
        self._fabric.backward(loss)
        norm = float(torch.nn.utils.clip_grad_norm_(self._net.parameters(), 1.0))
        if not math.isfinite(norm):
            raise self._lost("gradient", norm, number)
        for optimiser in self._optimisers:
            optimiser.step()
        follow(self._average, self._net.module, number=number)
        return value

    def _hardened(self, images: Tensor, crops: Batch, number: int) -> Tensor:
        """The crops, changed to what the network finds hardest within the limits of the plan."""
        net = self._net.module

        def logits(changed: Tensor) -> Tensor:
            with self._fabric.autocast():
                answer: Tensor = net(changed.contiguous(memory_format=memory_layout(self.plan.dims)))
            return answer[:, : len(self.classes)]

        span = self._fabric.to_device(crops.span)
        limits = torch.where(span > 0, self.plan.adversarial / span, 0.0)
        labels = self._fabric.to_device(crops.labels)
        with unremembered(net):
            return hardened(logits, images, labels, limits=limits, seed=self.seed, step=number)

    def _check_finite(self) -> None:
        """Raise where weights have grown beyond all numbers, which a loss need not show."""
        if not finite(self._average):
            raise self._lost("average of a weight", math.nan, self._record.steps - 1)

    def _lost(self, what: str, value: float, number: int) -> TrainingError:
        kept = self.folder is not None and (self.folder / "model.json").exists()
        return TrainingError(
            f"the {what} is {value} at step {number + 1}: train again with a lower --learning-rate or --precision "
            "32-true" + (f"; the last good model is in {self.folder}" if kept else "")
        )

    def _loss(self, logits: Tensor, crops: Batch) -> Tensor:
        """Cross-entropy plus soft Dice of the classes; where objects are learnt, the error of the offsets too."""
        count = len(self.classes)
        labels, middles = crops.labels, crops.offsets
        if crops.everybody is not None:  # each crop once with each person's labels: the loss of their mean
            several = crops.everybody[0].shape[1]
            logits = logits.repeat_interleave(several, 0)
            labels, middles = (each.flatten(0, 1) for each in crops.everybody)
        logits = gathered(logits)
        labels = gathered(self._fabric.to_device(labels))
        if self._labelled:
            self._labelled.count(labels)
        loss: Tensor = cross_entropy_and_dice(logits[:, :count], labels)
        if self.plan.objects:
            offsets = gathered(self._fabric.to_device(middles)) / self.plan.object_radius_px
            loss = loss + OFFSETS * smooth_l1(logits[:, count:], offsets)
        return loss

    def _roughness(self, weak: Weak, logits: Tensor, images: Tensor) -> Tensor:
        """What it costs that neighbours of similar colour have different classes."""
        logits = gathered(logits[:, : len(self.classes)])
        return weak.smoothness * colour_smoothness(logits, gathered(images), contrast=weak.contrast)

    def _validated(self) -> tuple[float | None, Previews]:
        """How the model as it stands is judged; only the first process is asked."""
        if not self.first or self.judge is None:
            return None, ()
        return validated(self.learnt, self.validation, judge=self.judge)

    def _frozen(self) -> dict[str, Any]:
        """What a checkpoint holds, and what must be the same to continue it."""
        return {
            "modules": {"net": self._net.module, "average": self._average}
            | ({"best": self._best} if self._best else {})
            | ({"labelled": self._labelled} if self._labelled else {}),
            "optimisers": self._optimisers,
            "identity": {
                "plan": {k: v for k, v in self.plan.to_json().items() if k != "reasons"},
                "classes": self.classes.names,
                "data": self._record.data,
                "seed": self.seed,
                "minutes": self.minutes,
                "steps": self.steps,
            },
        }

    def _checkpoint(self, folder: Path) -> None:
        """Everything needed to go on, and the model as it stands once there is one."""
        self._check_finite()
        record = self._record
        done = {"steps": record.steps, "seconds": record.seconds, "history": record.history}
        freeze(folder, done=done, **self._frozen())
        if record.steps:
            halfway = replace(record, data=record.data | {"unfinished": True})
            saved(replace(self.learnt, record=halfway), folder)

    def _restore(self, folder: Path) -> None:
        """Go on where the checkpoint in the folder stopped."""
        done = thaw(folder, **self._frozen())
        self._record = replace(
            self._record, steps=done["steps"], seconds=done["seconds"], history=tuple(done["history"])
        )
