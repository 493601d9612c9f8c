"""Several methods on the same cases, one after the other: taught, timed, scored, and tried under other conditions.

Each entrant is done before the next begins, and is kept in a folder of its own, so that a contest that was interrupted
goes on where it stopped. A method that cannot enter (too many classes, a package that is missing) is named with its
reason.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, ClassTable, DataError, DelineateError, written_whole
from delineate.data.conditions import CONDITIONS
from delineate.data.problem import listed
from delineate.report.entrants import Entrant
from delineate.score import ScoreTable, components, dice, score_case

Fit = Callable[[Path], Any]
"""Teach a method, save it into the folder, give it back."""
Answer = Callable[[Any, NDArray[Any]], tuple[NDArray[Any], NDArray[Any] | None]]
"""Method and image to (probabilities, object ids or None)."""
MEASURED = ("fit_seconds", "seconds_per_megapixel", "labelled_pixels", "brittle")
"""What a result tells besides the answers."""
MOST_TRIED, TRIED_PX = 8, 1.5e6  # cases that conditions are tried on


def contest(
    cases: Sequence[Case],
    judged: Sequence[Case],
    *,
    classes: ClassTable,
    entrants: Mapping[str, Fit],
    answer: Answer,
    folder: Path,
    tell: Callable[[str], None],
) -> Iterator[Entrant]:
    """Entrants, one by one: taught on `cases`, judged on `judged`; results lie in folder/NAME/ and are taken from there.

    Objects are scored where a judged case has ids. A method without objects gives its connected pieces.
    """
    labelled = sum(int((case.labels != UNLABELLED).sum()) for case in cases if case.labels is not None)
    for name, fit in entrants.items():
        home = folder / name
        try:
            if not (home / "result.json").is_file():
                tell(f"{name} ...")
                _enter(home, fit, judged, answer=answer, labelled=labelled)
            yield _entrant(name, home, judged, classes=classes)
        except DelineateError as error:
            yield Entrant(name, None, refused=str(error))


def tried(judged: Sequence[Case]) -> list[Case]:
    """The cases that conditions are tried on: some, evenly, not too large together; at least one."""
    count = min(len(judged), MOST_TRIED)
    some = [judged[i * len(judged) // count] for i in range(count)]
    while len(some) > 1 and sum(case.image[..., 0].size for case in some) > TRIED_PX:
        some.remove(max(some, key=lambda case: case.image[..., 0].size))
    return some


def _enter(home: Path, fit: Fit, judged: Sequence[Case], *, answer: Answer, labelled: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    method = fit(home / "model")
    fitted = time.monotonic()
    answer(method, judged[0].image)  # what is loaded or compiled at the first call is no part of the speed
    begun_predicting = time.monotonic()
    answers = [answer(method, case.image) for case in judged]
    seconds = time.monotonic() - begun_predicting
    brittle = {"as it is": _mean_dice(method, tried(judged), answer)}
    for condition, change in CONDITIONS.items():
        brittle[condition] = _mean_dice(method, tried(judged), answer, change)
    arrays: dict[str, NDArray[Any]] = {}
    for number, (likely, ids) in enumerate(answers):
        labels = likely.argmax(0).astype(np.uint8)
        arrays[f"labels{number}"] = labels
        arrays[f"ids{number}"] = components(labels > 0) if ids is None else ids
    with written_whole(home / "answers.npz") as beside:
        np.savez_compressed(beside, **arrays)  # type: ignore[arg-type]
    pixels = sum(case.image[..., 0].size for case in judged)
    about = {
        "fit_seconds": max(fitted - begun, _recorded_seconds(method)),
        "seconds_per_megapixel": seconds / pixels * 1e6,
        "labelled_pixels": labelled,
        "brittle": brittle,
    }
    with written_whole(home / "result.json") as beside:
        beside.write_text(json.dumps(about, indent=1))


def _recorded_seconds(method: Any) -> float:
    """How long a network says it was trained, of which an interruption may hide a part; 0 of other methods."""
    record = getattr(getattr(method, "learnt", None), "record", None)
    return float(getattr(record, "seconds", 0.0))


def _entrant(name: str, home: Path, judged: Sequence[Case], *, classes: ClassTable) -> Entrant:
    try:
        about = json.loads((home / "result.json").read_text())
        with (home / "answers.npz").open("rb") as file, np.load(file) as answers:
            arrays = dict(answers)
        answered = [f"{what}{number}" for number in range(len(judged)) for what in ("labels", "ids")]
        for held, wanted in ((about, MEASURED), (arrays, answered)):
            if missing := [item for item in wanted if item not in held]:
                raise ValueError(f"it lacks {listed(missing)}")
    except (OSError, ValueError, TypeError, BadZipFile) as error:
        raise DataError(
            f"the result in {home} cannot be read ({error}): remove that folder and go on with --resume"
        ) from error
    scored, labels = [], []
    for number, case in enumerate(judged):
        truth, ids = case.labels, case.objects
        if truth is None:
            continue
        predicted = arrays[f"labels{number}"]
        labels.append(predicted)
        scored.append(
            score_case(
                truth,
                predicted,
                classes=classes,
                name=case.name,
                spacing=case.spacing,
                unit=case.unit,
                group=case.group,
                truth_objects=ids,
                predicted_objects=None if ids is None else arrays[f"ids{number}"],
            )
        )
    return Entrant(
        name,
        ScoreTable(classes, tuple(scored)),
        fit_seconds=about["fit_seconds"],
        seconds_per_megapixel=about["seconds_per_megapixel"],
        labelled_pixels=about["labelled_pixels"],
        brittle=about["brittle"],
        labels=tuple(labels),
    )


def _mean_dice(
    method: Any,
    cases: Sequence[Case],
    answer: Answer,
    change: Callable[[NDArray[Any]], NDArray[Any]] = lambda image: image,
) -> float:
    """Mean Dice over classes and cases; nan where no case holds any class."""
    values = []
    for case in cases:
        if case.labels is not None:
            likely, _ = answer(method, change(case.image))
            predicted = likely.argmax(0)
            values += [dice(case.labels, predicted, label=label) for label in range(1, len(likely))]
    return float(np.nanmean(values)) if values and not np.isnan(values).all() else float("nan")
