"""A data set as it would be if people had only scribbled or clicked on it: to know what cheap labels would be worth."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from delineate.core import (
    UNLABELLED,
    DataError,
    checked_seed,
    linked,
    made_folder,
    new_folder,
    written_whole,
)
from delineate.data.formats import label_suffix, read_image, stem_of, suffix_of, write_image, write_labels
from delineate.data.marks import Point
from delineate.data.masks import MasksAre
from delineate.data.places import AXES
from delineate.data.scribbles import STEADY, Hand, background_strokes, clicks, scribbled
from delineate.data.sparse import barely_labelled
from delineate.flow.methods import Progress, Tell, data_set


def scribble(
    data: str | Path,
    *,
    out: str | Path,
    share: float | None = None,
    points: bool = False,
    strokes: int | None = None,
    hand: Hand = STEADY,
    seed: int = 0,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a copy of a data set with full masks whose labels are strokes on `share` of the pixels; returns its folder.

    share: 0.01 where it is not given. points: instead of these, a click on every object (points.csv) and `strokes`
    background strokes (3 where it is not given) in each image. hand: how it is drawn. out: a new folder that `train` and
    `check` read, with the parts (train/, val/) that the data have; images are linked where the disk allows it, else
    copied. The same seed draws the same strokes.
    Raises DataError as `load` does, for a share outside (0, 1), for what does not go together, and where masks are not full.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     made = scribble(write(Path(scratch) / "coins") / "train", out=Path(scratch) / "quick", share=0.02)
    ...     sorted(path.name for path in made.iterdir())
    ['classes.json', 'images', 'scribbles']
    """
    if points and share is not None:
        raise DataError("clicks cover no share of the pixels: leave out --points or --share")
    if not points and strokes is not None:
        raise DataError(
            "a number of strokes goes with clicks: add --points, or give --share for strokes alone"
        )
    checked_seed(seed)
    share, strokes = 0.01 if share is None else share, 3 if strokes is None else strokes
    if strokes < 0:
        raise DataError(f"nobody draws {strokes} strokes: give 0 or more, such as 3")
    if not 0 < share < 1:
        raise DataError(
            f"the share of pixels to draw on is {share}: give a number between 0 and 1, such as 0.01"
        )
    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are)
    for note in found.notes:
        (tell or (lambda _: None))(note)
    if found.large:
        raise DataError(
            f"{found.large[0].name} is too large to be drawn on in memory: crop windows out of it and take these"
        )
    for case in (*found.cases, *found.validation):
        if barely_labelled(case):
            raise DataError(
                f"{case.name} has no full mask: strokes are simulated from full masks, so give such images"
            )
    folder = new_folder(Path(out))
    parts = [("", found.cases)]
    if found.validation:
        parts = [("train", found.cases), ("val", found.validation)]
    total, done = sum(len(cases) for _, cases in parts), 0
    for part, cases in parts:
        home = folder / part
        for name in ("images", "scribbles"):
            made_folder(home / name)
        clicked: list[tuple[str, Point]] = []
        for case in cases:
            source = found.sources[case.name]
            like = read_image(source)
            stem = stem_of(source)
            if like.array.shape[-1] == case.channels:
                linked(source, home / "images" / source.name)
            else:  # channel files become one image
                stem = case.name.rpartition("/")[2]
                write_image(home / "images" / f"{stem}.tif", case.image, like=like)
            drawn = (
                background_strokes(case, seed=seed, strokes=strokes, hand=hand)
                if points
                else scribbled(case, share=share, seed=seed, hand=hand)
            )
            if drawn.labels is not None and (drawn.labels != UNLABELLED).any():
                target = home / "scribbles" / f"{stem}{label_suffix(suffix_of(source) or '.tif')}"
                write_labels(target, drawn.labels, like=like, colours=found.classes.colours)
            if points:
                clicked += [(stem, point) for point in clicks(case, seed=seed)]
            done += 1
            if progress:
                progress(done, total)
        if points:
            with written_whole(home / "points.csv") as beside:
                beside.write_text(_table(clicked, found.classes.names), encoding="utf-8")
        with written_whole(home / "classes.json") as beside:
            beside.write_text(json.dumps({name: i for i, name in enumerate(found.classes.names)}) + "\n")
    return folder


def _table(clicked: Iterable[tuple[str, Point]], names: tuple[str, ...]) -> str:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    rows = [(name, *(f"{n:g}" for n in point.place), names[point.label]) for name, point in clicked]
    axes = AXES[0][-(len(rows[0]) - 2) :] if rows else AXES[0][1:]
    writer.writerow(("name", *axes, "class"))
    writer.writerows(rows)
    return held.getvalue()
