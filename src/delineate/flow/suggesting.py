"""After a training: which image, and which region of it, should somebody scribble on next?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate import data as files
from delineate.core import Case, DataError, ModelError, folder_to_fill, made_folder
from delineate.data.fingerprint import digests_of
from delineate.data.large_case import is_too_large
from delineate.data.masks import MasksAre
from delineate.data.matching import Entry
from delineate.data.problem import counted
from delineate.flow.methods import Progress, Tell, load

if TYPE_CHECKING:
    from delineate.learn.suggest import Survey
    from delineate.report.suggestions import Suggestion

MOST_SAID = 3
UPPER = 0.25  # share of an image's regions, the most uncertain, by which the image is judged
HARDLY = 0.001  # of a region's pixels: what is labelled on less is asked for as if nothing were labelled


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
    region_px: their side. labelled: the data folder that the model was taught on, so that regions that are labelled there
    are not asked for again and what looks like them comes later; images are known by their pixels, whatever their names.
    An image that cannot be read is told of and left out.
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
    with folder_to_fill(Path(out)) as folder:
        known = _Known([], {})
        if labelled is not None:
            given = files.load(labelled, classes=learnt.classes, unlabelled=unlabelled, masks_are=masks_are)
            known = _known((*given.cases, *given.validation), learnt, region_px=region_px)
            say(f"what is labelled on {counted(len(known.open), 'image')} is stood for already")
        found, sizes = _surveyed(
            entries, learnt, known, where=where, region_px=region_px, say=say, progress=progress
        )
        return _written(method, entries, found, sizes, known, folder=folder, count=count, region_px=region_px)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is labelled: look and features of regions that are, and of each image, by its digest, the regions that are not."""

    views: list[tuple[Any, Any]]
    open: dict[str, Survey]


def _known(cases: Sequence[Case], learnt: Any, *, region_px: int) -> _Known:
    """What is labelled of these cases; those of one image are taken together."""
    from delineate.learn.suggest import only, regions_with_labels, survey

    known = _Known([], {})
    for case in cases:
        if case.labels is not None:
            seen = survey(learnt, case.image, region_px=region_px)
            said = regions_with_labels(seen, case.labels, share=HARDLY)
            known.views.append((seen.look[said], seen.features[said]))
            digest = digests_of(case)[0]
            before = known.open.get(digest, seen).bounds
            known.open[digest] = only(seen, ~said & np.array([box in before for box in seen.bounds], bool))
    return known


def _surveyed(
    entries: Sequence[Entry],
    learnt: Any,
    known: _Known,
    *,
    where: str | Path,
    region_px: int,
    say: Tell,
    progress: Progress | None,
) -> tuple[dict[str, Survey], dict[str, tuple[int, ...]]]:
    """What the network makes of the regions that are not labelled, image by image, and the sizes of the images."""
    from delineate.learn.suggest import only, survey

    found: dict[str, Survey] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    left_out: list[str] = []
    whole = partly = 0
    for done, entry in enumerate(entries, start=1):
        try:
            if is_too_large(entry):
                raise DataError("it is too large to be looked at in memory: crop windows out of it")
            image = files.entry_image(entry).array
            open_ = known.open.get(digests_of(Case(entry.name, image))[0])
            if open_ is None:
                seen = survey(learnt, image, region_px=region_px)
                open_ = only(seen, np.ones(len(seen.bounds), bool))
            else:
                whole += not open_.bounds
                partly += bool(open_.bounds)
            if open_.bounds:
                found[entry.name], sizes[entry.name] = open_, image.shape[:-1]
        except (DataError, ModelError) as error:
            left_out.append(f"{entry.name} is left out: {error}")
        if progress:
            progress(done, len(entries))
    given = counted(len(entries), "image")
    if whole:
        say(f"{whole} of {given} {'are' if whole > 1 else 'is'} left out, being labelled already")
    if partly:
        say(
            f"{partly} of {given} {'are' if partly > 1 else 'is'} labelled in part: only other regions are ranked"
        )
    if not found:
        why = f" ({left_out[0].rpartition(': ')[0]})" if left_out else ""
        smaller = f", or a --region smaller than {region_px} px, in which nobody drew" if whole else ""
        raise DataError(
            f"{where} holds no unlabelled image or region that the model fits{why}: give other images{smaller}"
        )
    for sentence in left_out[:MOST_SAID]:
        say(sentence)
    if more := len(left_out[MOST_SAID:]):
        say(f"{counted(more, 'more image')} {'are' if more > 1 else 'is'} left out")
    return found, sizes


def _written(
    method: Any,
    entries: Sequence[Entry],
    found: dict[str, Survey],
    sizes: dict[str, tuple[int, ...]],
    known: _Known,
    *,
    folder: Path,
    count: int,
    region_px: int,
) -> tuple[list[Suggestion], list[Suggestion]]:
    """Regions and images in their order, listed and drawn in `folder`."""
    from delineate.learn.suggest import places, ranked, survey
    from delineate.report.suggestions import Suggestion, draw_suggestions, write_suggestions

    names = [name for name, one in found.items() for _ in one.bounds]
    bounds = [box for one in found.values() for box in one.bounds]
    unsure = np.concatenate([one.uncertainty for one in found.values()])
    every = [(one.look, one.features) for one in found.values()] + known.views
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
    images = _ranked_images(found, sizes, points, before, Suggestion)
    write_suggestions(
        folder, regions, images, model=str(getattr(method, "folder", "") or ""), region_px=region_px
    )
    made_folder(folder / "overlays")
    by_name = {entry.name: entry for entry in entries}
    for name in dict.fromkeys(one.image for one in regions):
        inside = [one for one in regions if one.image == name]
        image = files.entry_image(by_name[name]).array
        entropy = survey(method.learnt, image, region_px=region_px).entropy
        for at in sorted({one.start[:-2] for one in inside}):  # each slice of a stack that holds some
            slices = "".join(f"_slice{z:03d}" for z in at)
            picture = folder / "overlays" / f"{name.replace('/', '_')}{slices}.png"
            draw_suggestions(image, entropy, [one for one in inside if one.start[:-2] == at], picture)
    return regions, images


def _ranked_images(
    found: dict[str, Survey],
    sizes: dict[str, tuple[int, ...]],
    points: Any,
    before: Any,
    kind: type[Suggestion],
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
    return [
        kind(rank, names[i], (0,) * len(sizes[names[i]]), sizes[names[i]], unsure[i])
        for rank, i in enumerate(order, start=1)
    ]
