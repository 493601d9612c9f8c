"""After a training: which image, and which region of it, should somebody scribble on next?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate import data as files
from delineate.core import DataError, ModelError, new_folder
from delineate.data.large_case import is_too_large
from delineate.data.masks import MasksAre
from delineate.flow.methods import Progress, Tell, load

if TYPE_CHECKING:
    from delineate.report.suggestions import Suggestion

MOST_SAID = 3
UPPER = 0.25  # share of an image's regions, the most uncertain, by which the image is judged


def suggest(
    model: str | Path | Any,
    where: str | Path,
    *,
    out: str | Path,
    count: int = 20,
    region_px: int = 128,
    labelled: str | Path | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> tuple[list[Suggestion], list[Suggestion]]:
    """Rank regions of images, and the images, by how much a scribble there would help a trained U-Net: (regions, images).

    where: images, as `predict` takes them. out: a new folder for next.csv, next.json and overlays/. count: of regions.
    region_px: their side. labelled: the data folder that the model was taught on, so that what is labelled there is not
    asked for again and what looks like it comes later. An image that cannot be read is told of and left out.
    Raises ModelError for a model that is no U-Net or that no image fits, DataError where there is no image.

    >>> import tempfile
    >>> from delineate import train
    >>> from delineate.data.samples import coins, write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     place = write(Path(scratch) / "data") / "test"
    ...     regions, images = suggest(train(coins()[0], steps=1), place, out=Path(scratch) / "next", count=2)
    ...     [one.rank for one in regions], len(images)
    ([1, 2], 3)
    """
    from delineate.learn.suggest import places, ranked, regions_with_labels, survey
    from delineate.report.suggestions import Suggestion, draw_suggestions, write_suggestions

    say = tell or (lambda _: None)
    if count < 1 or region_px < 8:
        raise DataError(
            f"{count} regions of {region_px} pixels are asked for: give at least 1, of at least 8 pixels"
        )
    method = load(model, tell=say) if isinstance(model, (str, Path)) else model
    learnt = getattr(method, "learnt", None)
    if learnt is None:
        raise ModelError(f"{method.name} does not say how unsure it is: train a U-Net and give its folder")
    entries = files.images(where)
    known: list[Any] = []  # looks and features of what is labelled
    taken: set[str] = set()
    if labelled is not None:
        given = files.load(labelled, classes=learnt.classes, unlabelled=unlabelled, masks_are=masks_are)
        for case in (*given.cases, *given.validation):
            if case.labels is not None:
                seen = survey(learnt, case.image, region_px=region_px)
                said = regions_with_labels(seen, case.labels)
                known.append((seen.look[said], seen.features[said]))
                taken.add(case.name)
        say(f"{len(taken)} labelled images are stood for already")
    folder = new_folder(Path(out))
    found: dict[str, Any] = {}
    left_out: list[str] = []
    for done, entry in enumerate(entries, start=1):
        if entry.name not in taken and is_too_large(entry):
            left_out.append(f"{entry.name} is too large to be looked at in memory: crop windows out of it")
        elif entry.name not in taken:
            try:
                seen = survey(learnt, files.entry_image(entry).array, region_px=region_px)
                found[entry.name] = replace(seen, entropy=seen.entropy[..., :0])  # large, quick to make again
            except (DataError, ModelError) as error:
                left_out.append(f"{entry.name} is left out: {error}")
        if progress:
            progress(done, len(entries))
    if not found:
        why = f" ({left_out[0].rpartition(': ')[0]})" if left_out else ""
        raise DataError(f"{where} holds no unlabelled image that the model fits{why}: give other images")
    for sentence in left_out[:MOST_SAID]:
        say(sentence)
    if more := len(left_out[MOST_SAID:]):
        say(f"{more} more images are left out")
    names = [name for name, one in found.items() for _ in one.bounds]
    bounds = [box for one in found.values() for box in one.bounds]
    unsure = np.concatenate([one.uncertainty for one in found.values()])
    every = [(one.look, one.features) for one in found.values()] + known
    points = places(*(np.concatenate(views) for views in zip(*every, strict=True)))
    points, before = points[: len(unsure)], points[len(unsure) :]
    share = np.concatenate([np.full(len(one.bounds), 1 / len(one.bounds)) for one in found.values()])
    order = ranked(unsure, points, count=count, known=before, weight=share)  # each image wants as much
    regions = [
        Suggestion(
            rank,
            names[i],
            tuple(int(a) for a, _ in bounds[i]),
            tuple(int(b) for _, b in bounds[i]),
            float(unsure[i]),
        )
        for rank, i in enumerate(order, start=1)
    ]
    images = _ranked_images(found, points, before, Suggestion)
    write_suggestions(
        folder, regions, images, model=str(getattr(method, "folder", "") or ""), region_px=region_px
    )
    (folder / "overlays").mkdir()
    by_name = {entry.name: entry for entry in entries}
    for name in dict.fromkeys(one.image for one in regions):
        inside = [one for one in regions if one.image == name]
        picture = folder / "overlays" / f"{name.replace('/', '_')}.png"
        image = files.entry_image(by_name[name]).array
        draw_suggestions(image, survey(learnt, image, region_px=region_px).entropy, inside, picture)
    return regions, images


def _ranked_images(
    found: dict[str, Any], points: Any, before: Any, kind: type[Suggestion]
) -> list[Suggestion]:
    """Whole images by their most uncertain regions, and by what these stand for."""
    from delineate.learn.suggest import ranked

    names, unsure, means = list(found), [], []
    ends = np.cumsum([len(one.bounds) for one in found.values()])
    for one, its in zip(found.values(), np.split(points, ends[:-1]), strict=True):
        top = np.argsort(-one.uncertainty)[: max(1, round(UPPER * len(one.bounds)))]
        unsure.append(float(one.uncertainty[top].mean()))
        means.append(its[top].mean(0))
    order = ranked(np.array(unsure), np.array(means), count=len(names), known=before)
    sizes = [tuple(end for _, end in found[name].bounds[-1]) for name in names]
    return [
        kind(rank, names[i], (0,) * len(sizes[i]), sizes[i], unsure[i])
        for rank, i in enumerate(order, start=1)
    ]
