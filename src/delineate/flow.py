"""The whole pipeline on one page: check, train, predict, score, demo. Read this first.

    files --data.load--> cases --learn or classical--> a method --predict--> masks --score--> numbers --report--> a page

Every verb takes paths (or cases) and says what it understood through `tell`; long work reports through `watch` or
`progress`. None of them prints. What is imported inside a function is heavy and not always needed: scoring
loads no torch.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate import data as files
from delineate.core import (
    UNLABELLED,
    Case,
    ClassTable,
    DataError,
    Method,
    ModelError,
    new_folder,
)
from delineate.data import DataSet, check, images
from delineate.data.masks import MasksAre

if TYPE_CHECKING:
    from delineate.learn import Overrides, Step
    from delineate.report.comparison import Comparison
    from delineate.score import ScoreTable

__all__ = ["METHODS", "check", "compare", "demo", "features", "load", "predict", "score", "train"]

METHODS: dict[str, str] = {
    "unet": "delineate.learn:UNetMethod",
    "otsu": "delineate.classical:Otsu",
    "multi-otsu": "delineate.classical:MultiOtsu",
    "li": "delineate.classical:Li",
    "triangle": "delineate.classical:Triangle",
    "local-mean": "delineate.classical:LocalMean",
    "sauvola": "delineate.classical:Sauvola",
    "hysteresis": "delineate.classical:Hysteresis",
    "watershed": "delineate.classical:Watershed",
    "snake": "delineate.classical:Snake",
    "chan-vese": "delineate.classical:ChanVese",
    "geodesic": "delineate.classical:Geodesic",
    "texture-forest": "delineate.classical:TextureForest",
    "texture-boosting": "delineate.classical:TextureBoosting",
    "random-walker": "delineate.classical:RandomWalker",
}
"""Every method by name, as module:class, so that a threshold does not load a deep-learning library."""

HELD_OUT, MOST_HELD_OUT = (
    0.1,
    8,
)  # share, and number, of the cases kept for validation where the user gives none

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]


def train(
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path | None = None,
    val: str | Path | Sequence[Case] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    method: str = "unet",
    overrides: Overrides | None = None,
    resume: bool = False,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> Any:
    """Teach a method on a data folder, a DataSet or labelled cases; returns it, with `predict` and `save`.

    out: a new or empty folder for the model; checkpoints and pictures go there as well. val: a folder or cases
    to validate on; without, a tenth (about eight at most; whole groups) is held out of five cases or more. minutes
    (10 where neither is given) or steps bound the training of a U-Net; the same steps, seed, data and machine
    give the same weights. resume: go on with the interrupted training in `out`.
    Raises DataError, TrainingError or OutputError, each with its remedy.

    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> method = train(learn_from, steps=1)  # a real training takes minutes
    >>> method.predict(held_out[0].image).shape  # classes, height, width
    (2, 303, 77)
    """
    say = tell or (lambda _: None)
    chosen = _method(method)
    if method != "unet" and (
        resume or overrides is not None or any(x is not None for x in (val, minutes, steps))
    ):
        raise DataError(f"{method} has no validation, budget, plan or --resume: leave those options out")
    if minutes is None and steps is None:
        minutes = 10.0
    found = _data_set(data, unlabelled=unlabelled, masks_are=masks_are)
    for note in found.notes:
        say(note)
    cases, validation = list(found.cases), list(found.validation)
    if val is not None:
        if isinstance(val, (str, Path)):
            given = files.load(val, classes=found.classes, unlabelled=unlabelled, masks_are=masks_are)
            validation = [*given.cases, *given.validation]
            for note in given.notes:
                say(f"validation: {note}")
        else:
            validation = list(val)
    folder = None if out is None else Path(out)
    if folder is not None and not resume:
        new_folder(folder)
    if method != "unet":
        learnt = chosen(classes=found.classes).fit(cases)
        return learnt if folder is None else _saved(learnt, folder)
    if not validation and len(cases) >= 5:
        share = min(HELD_OUT, MOST_HELD_OUT / len(cases))
        cases, validation = files.split(cases, share=share, seed=seed)
        say(f"{len(validation)} of {len(cases) + len(validation)} cases are held out for validation")
    elif not validation:
        say(
            f"with {len(cases)} labelled images none is held out, so nothing is validated (--val gives others)"
        )

    from delineate.learn import Training, UNetMethod, planned
    from delineate.score import dice

    plan = planned(cases, minutes=minutes, overrides=overrides)
    for item, reason in plan.reasons.items():
        say(f"{item}: {_said(getattr(plan, item))} ({reason})")

    def judge(truth: Any, predicted: Any) -> float:
        values = [dice(truth, predicted, label=label) for label in range(1, len(found.classes))]
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    training = Training(
        cases,
        classes=found.classes,
        plan=plan,
        validation=validation,
        minutes=minutes,
        steps=steps,
        seed=seed,
        judge=judge,
        folder=folder,
        resume=resume,
    )
    for step in training:
        if step.previews and folder is not None:
            _preview(step, folder, found)
        if watch:
            watch(step)
    return UNetMethod.of(training.learnt)


def load(folder: str | Path) -> Any:
    """The trained method in a model folder; raises ModelError where a file is missing, damaged or exchanged.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     _ = train(coins()[0], out=Path(scratch) / "model", method="otsu")
    ...     load(Path(scratch) / "model").name
    'otsu'
    """
    path = Path(folder)
    if not path.is_dir():
        raise ModelError(
            f"there is no model folder {path}: check its name, or train one with `delineate train`"
        )
    try:
        name = json.loads((path / "model.json").read_text())["method"]
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} has no model.json: it is no model folder, or its training stopped before the first save"
        ) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ModelError(
            f"{path / 'model.json'} cannot be read ({error}): restore it from a copy or train again"
        ) from error
    if name not in METHODS:
        raise ModelError(f"{path} holds a model of the unknown method {name}: update Delineate")
    return _method(name).load(path)


def predict(
    model: str | Path | Method,
    where: str | Path,
    *,
    out: str | Path,
    objects: bool = False,
    watershed: bool = False,
    start: str | Path | None = None,
    probabilities: bool = False,
    tta: bool = False,
    tile: int | None = None,
    resume: bool = False,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Outline every object in a file, a folder or a glob of images; returns the label files written into `out`.

    A folder is searched as `delineate.data.images` says: a data folder gives all its images, of nnU-Net's channel
    files each case is one. Each image gets a label file of its own name and kind of container (class indices with a
    palette; 16-bit ids with `objects`, and then the classes in `classes/`), and outlines drawn in `overlays/`.
    watershed: with `objects`, split touching ones at their necks, where the model has not learnt to.
    start: a folder of masks of the images' names, from which an active contour starts in place of a threshold.
    probabilities: float32 (*spatial, classes) in `probabilities/`. tta: average over mirrored images. tile:
    pixels per axis that a tile keeps. resume: go on in an `out` that an interrupted run left behind.
    An image that cannot be read does not stop the others; DataError names it at the end.

    >>> import tempfile
    >>> from delineate.data.samples import coins, write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     written = predict(train(coins()[0], method="otsu"), data / "test", out=Path(scratch) / "outlined")
    ...     [path.name for path in written]
    ['coins_y000_x000.png', 'coins_y000_x247.png', 'coins_y225_x210.png']
    """
    say = tell or (lambda _: None)
    if watershed and not objects:
        raise DataError("watershed splits objects: ask for --objects as well")
    found = images(where)
    names = [entry.name for entry in found]
    if twins := [name for name in names if names.count(name) > 1]:
        raise DataError(f"two images are called {twins[0]}: predict them into separate folders")
    method: Any = load(model) if isinstance(model, (str, Path)) else model
    if watershed and (method.name == "watershed" or _keeps_apart(method)):
        raise DataError("this model keeps objects apart by itself: leave --watershed out")
    starts = {} if start is None else files.load_masks(start).files
    if start is not None and not hasattr(method, "predict_from"):
        raise DataError(
            f"{method.name} starts from nothing: leave --start out, or train snake, chan-vese or geodesic"
        )
    if start is not None and (missing := [name for name in names if name not in starts]):
        raise DataError(f"there is no mask of the name {missing[0]} in {start} to start from: add it")

    from delineate.report.prediction import PredictionFolder

    learnt = getattr(method, "learnt", None)
    folder = PredictionFolder(
        Path(out),
        model=str(model) if isinstance(model, (str, Path)) else method.name,
        classes=method.classes,
        objects=objects,
        settings={
            "tta": tta,
            "watershed": watershed,
            "start": "" if start is None else str(start),
            "probabilities": probabilities,
            "trained": [learnt.record.seed, learnt.record.steps, learnt.record.seconds] if learnt else [],
        },
        history=learnt.record.history if learnt else (),
        resume=resume,
    )
    written, failures = [], []
    for done, entry in enumerate(found):
        if progress:
            progress(done, len(found))
        target, source = folder.written(entry.name), entry.images[0]
        if target is None:
            try:
                picture = files.entry_image(entry)
                given = starts[entry.name].read().labels if starts else None
                likely, ids = _answer(
                    method,
                    picture.array,
                    objects=objects,
                    watershed=watershed,
                    start=None if given is None else (given > 0) & (given != UNLABELLED),
                    tta=tta,
                    tile=tile,
                )
            except (DataError, ModelError) as error:
                failures.append(str(error) if source.name in str(error) else f"{source}: {error}")
                continue
            target = folder.write(
                entry.name, picture, likely, ids, source=source, probabilities=probabilities
            )
        written.append(target)
    if progress:
        progress(len(found), len(found))
    if failures:
        for failure in failures[1:]:
            say(failure)
        rest = (
            f" ({len(failures)} of {len(found)} images failed, the others are done)" if len(found) > 1 else ""
        )
        raise DataError(failures[0] + rest)
    return written


def score(
    predicted: str | Path,
    truth: str | Path,
    *,
    out: str | Path | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    objects: bool | None = None,
    baselines: Mapping[str, ScoreTable] | None = None,
    method: str = "this prediction",
    progress: Progress | None = None,
) -> ScoreTable:
    """Score masks against truth, matched by name; with `out`, write report.html, scores.json and scores.csv.

    Both are folders of masks of any tool, or data folders, or what `predict` wrote; see `score_folders`.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     table = score(data / "test", data / "test")  # the truth, scored against itself
    >>> table.names, table.summary(table.names[0], "dice").mean
    (('foreground',), 1.0)
    """
    from delineate.score import score_folders

    table = score_folders(
        predicted, truth, unlabelled=unlabelled, masks_are=masks_are, objects=objects, progress=progress
    )
    if out is not None:
        from delineate.report import write_score_report
        from delineate.report.prediction import learning_curve_of

        history = learning_curve_of(Path(predicted))
        write_score_report(table, out, history=history, baselines=baselines, method=method)
    return table


def compare(
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path,
    val: str | Path | Sequence[Case] | None = None,
    methods: Sequence[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    overrides: Overrides | None = None,
    resume: bool = False,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> Comparison:
    """Teach every method (or `methods`) on the same cases, judge them on others, and write one page about it.

    out: a new folder for compare.html, compare.json, compare.csv and methods/NAME/model. val: what to judge on; else the
    validation part of the data, else a quarter of the cases (whole groups). minutes (5 where neither is given) or
    steps, and overrides, are for the U-Net alone. resume: go on in an `out` that an interrupted comparison left behind.
    Raises DataError for an unknown method, or where there is nothing to judge on.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     compared = compare(learn_from, val=held_out, out=Path(scratch) / "compared", methods=["otsu", "watershed"])
    ...     [entrant.name for entrant in compared.entrants], compared.page.name
    (['otsu', 'watershed'], 'compare.html')
    """
    from delineate.contest import contest, tried
    from delineate.data.conditions import CONDITIONS
    from delineate.report.comparison import write_comparison

    say = tell or (lambda _: None)
    chosen = list(dict.fromkeys(methods or METHODS))
    for name in chosen:
        if name not in METHODS:
            raise DataError(f"there is no method {name}: choose from {', '.join(METHODS)}")
    found = _data_set(data, unlabelled=unlabelled, masks_are=masks_are)
    for note in found.notes:
        say(note)
    cases, judged = list(found.cases), list(found.validation)
    if val is not None:
        given = (
            files.load(val, classes=found.classes, unlabelled=unlabelled, masks_are=masks_are)
            if isinstance(val, (str, Path))
            else None
        )
        judged = list(val) if given is None else [*given.cases, *given.validation]  # type: ignore[arg-type]
    elif not judged and len(cases) > 1:
        cases, judged = files.split(cases, share=0.25, seed=seed)
        say(f"{len(judged)} of {len(cases) + len(judged)} cases are held out to judge on")
    judged = [case for case in judged if case.labels is not None]
    if not judged:
        raise DataError("there is no labelled image to judge on: label a second one, or give --val")
    folder = Path(out)
    if not (resume and folder.is_dir()):
        new_folder(folder)
    if minutes is None and steps is None:
        minutes = 5.0

    def fitted(name: str) -> Callable[[Path], Any]:
        def fit(home: Path) -> Any:
            if name != "unet":
                return _saved(_method(name)(classes=found.classes).fit(cases), home)
            from delineate.learn import Training, UNetMethod, planned

            plan = planned(cases, minutes=minutes, overrides=overrides)
            again = home.is_dir() and any(home.iterdir())
            training = Training(cases, classes=found.classes, plan=plan, minutes=minutes, steps=steps, seed=seed,
                                folder=home, resume=again)  # fmt: skip
            for step in training:
                if watch:
                    watch(step)
            return UNetMethod.of(training.learnt)

        return fit

    def answer(method: Any, image: Any) -> tuple[Any, Any]:
        return _answer(method, image, objects=method.name == "watershed" or _keeps_apart(method))

    entrants = contest(
        cases,
        judged,
        classes=found.classes,
        entrants={name: fitted(name) for name in chosen},
        answer=answer,
        folder=folder / "methods",
        tell=say,
    )
    return write_comparison(list(entrants), judged, folder, conditions=CONDITIONS, tried=tried(judged))


def features(model: str | Path | Any, image: str | Path | Any, *, out: str | Path) -> Path:
    """Draw what each block of a trained U-Net answers to one image (a file or (*spatial, channels)) into a PNG.

    Raises ModelError for a model without blocks, or an image that does not fit the model.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> method = train(learn_from, steps=1)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     features(method, held_out[1].image, out=Path(scratch) / "maps.png").name
    'maps.png'
    """
    from delineate.learn.answer import feature_maps
    from delineate.report.features import draw_features

    method = load(model) if isinstance(model, (str, Path)) else model
    learnt = getattr(method, "learnt", None)
    if learnt is None:
        raise ModelError("this model has no feature maps: give the folder of a trained U-Net")
    array = files.read_image(Path(image)).array if isinstance(image, (str, Path)) else image
    return draw_features(array, feature_maps(learnt, array), Path(out))


def demo(
    out: str | Path,
    *,
    minutes: float = 1.25,
    seed: int = 0,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> tuple[Path, dict[str, ScoreTable]]:
    """The whole job on coins under uneven light, with labels that we drew: the report, and scores by method.

    Writes data/, model/, outlined/ (U-Net), otsu_model/, otsu/ (a threshold beside it) and report/ into the new
    folder `out`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     report, tables = demo(Path(scratch) / "demo", minutes=0.01)
    ...     report.name, list(tables)
    ('report.html', ['Otsu threshold', 'U-Net'])
    """
    from delineate.data import samples

    folder = new_folder(Path(out))
    samples.write(folder / "data")
    teach, test = folder / "data" / "train", folder / "data" / "test"
    train(teach, out=folder / "otsu_model", method="otsu")
    predict(folder / "otsu_model", test, out=folder / "otsu", objects=True)
    train(teach, out=folder / "model", minutes=minutes, seed=seed, tell=tell, watch=watch)
    predict(folder / "model", test, out=folder / "outlined", objects=True)
    otsu = score(folder / "otsu", test)
    unet = score(
        folder / "outlined", test, out=folder / "report", baselines={"Otsu threshold": otsu}, method="U-Net"
    )
    return folder / "report" / "report.html", {"Otsu threshold": otsu, "U-Net": unet}


def _method(name: str) -> Any:
    if name not in METHODS:
        raise DataError(f"there is no method {name}: choose from {', '.join(METHODS)}")
    module, attribute = METHODS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def _data_set(
    data: str | Path | DataSet | Sequence[Case], *, unlabelled: int | None, masks_are: MasksAre | None
) -> DataSet:
    if isinstance(data, DataSet):
        return data
    if isinstance(data, (str, Path)):
        return files.load(data, unlabelled=unlabelled, masks_are=masks_are)
    seen = [
        int(case.labels[case.labels != UNLABELLED].max(initial=1)) for case in data if case.labels is not None
    ]
    return DataSet(tuple(data), (), ClassTable.numbered(max([1, *seen]) + 1), (), {})


def _keeps_apart(method: Any) -> bool:
    """Whether a U-Net has learnt objects."""
    return method.name == "unet" and bool(method.learnt.plan.objects)


def _saved(method: Any, folder: Path) -> Any:
    method.save(folder)
    return method


def _said(value: Any) -> str:
    """A setting in few words."""
    from delineate.learn.plan import AUGMENTATIONS, NORMALISATIONS

    for name, known in (*AUGMENTATIONS.items(), *NORMALISATIONS.items()):
        if value == known:
            return name
    if isinstance(value, tuple):
        return " x ".join(map(str, value))
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _answer(
    method: Any,
    image: Any,
    *,
    objects: bool,
    watershed: bool = False,
    start: Any = None,
    tta: bool = False,
    tile: int | None = None,
) -> tuple[Any, Any]:
    """Probabilities (classes, *spatial), and ids (*spatial) or None; a method without objects gives components."""
    if method.name == "unet":
        if objects:
            outlined: tuple[Any, Any] = method.outline(image, flips=tta, tile=tile, watershed=watershed)
            return outlined
        return method.predict(image, flips=tta, tile=tile), None
    if tta or tile is not None:
        raise DataError(
            f"{method.name} is neither averaged over mirrored images nor cut: leave --tta and --tile out"
        )
    if objects and method.name == "watershed":
        separated: tuple[Any, Any] = method.outline(image)
        return separated
    likely = method.predict(image) if start is None else method.predict_from(image, start)
    if not objects:
        return likely, None
    from delineate.objects import split
    from delineate.score import components

    foreground = likely.argmax(0) > 0
    return likely, split(foreground) if watershed else components(foreground)


def _preview(step: Step, folder: Path, found: DataSet) -> None:
    """A few validation cases with what is predicted for them now, for whoever looks into the folder."""
    from delineate.report import outlines
    from delineate.report.picture import write_picture

    for case, labels in step.previews:
        path = folder / "validation" / f"{case.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, outlines(case.image, labels, classes=found.classes))
