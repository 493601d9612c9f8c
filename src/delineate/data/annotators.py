"""What several people drew in the same images, each read as cases of their own: `masks/ANNOTATOR/` beside `images/`.

Every image is read once and shared by the people who labelled it; all masks are understood together, so that a value means
the same class in every hand. Nobody has to have labelled everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.core import Case, ClassTable, DataError
from delineate.data.beside import Folder, legend_of
from delineate.data.consensus import majority
from delineate.data.evidence import look
from delineate.data.faults import fit_problem, fringes
from delineate.data.folders import find_folder
from delineate.data.formats import read_mask
from delineate.data.image_and_mask import case_of, drawn_labels, label_path
from delineate.data.large_case import is_too_large
from delineate.data.masks import MasksAre, understand
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import listed
from delineate.data.reading import each, entry_image
from delineate.data.split import groups


@dataclass(frozen=True)
class Annotations:
    """people: annotator -> the cases that they labelled, in the order of their names; images of one name are one array.

    classes: what all labels index. notes: what was understood, in words. held_out: the images that the layout keeps for
    validation.
    """

    people: Mapping[str, tuple[Case, ...]]
    classes: ClassTable
    notes: tuple[str, ...]
    held_out: frozenset[str] = frozenset()


def annotator_names(path: str | Path) -> tuple[str, ...]:
    """Who labelled the images of a data folder, by name alone; nobody where it holds the masks of one person.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     annotator_names(write(Path(scratch) / "data") / "train")
    ()
    """
    return tuple(name for name, own in find_folder(path).people.items() if any(e.labels for e in own))


def load_annotators(
    path: str | Path,
    *,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    classes: ClassTable | None = None,
    left_out: Callable[[str], None] | None = None,
) -> Annotations:
    """Everybody's labels in the data folder `path`, training and validation together; arguments as those of `load`.

    left_out: hears of each mask that cannot be read or does not fit its image, and the others are read; None: such a mask is an
    error. Raises DataError where fewer than two people labelled images, where an image is too large to be loaded, and as `load`
    does for what cannot be read or understood.
    """
    folder = find_folder(path)
    drawn = {name: [entry for entry in own if entry.labels] for name, own in folder.people.items()}
    drawn = {name: own for name, own in drawn.items() if own}
    if len(drawn) < 2:
        raise DataError(
            f"{path} holds the masks of {f'{listed(drawn)} alone' if drawn else 'one person'}: to compare people, put each "
            "one's masks into a folder of their own, masks/NAME/"
        )
    images = {entry.name: entry for own in drawn.values() for entry in own}
    if big := next((name for name, entry in images.items() if is_too_large(entry)), None):
        raise DataError(f"{big} is too large to be loaded with everybody's masks: cut it into smaller images")
    pictures = dict(zip(images, each(entry_image, images.values()), strict=True))
    found = groups(images)
    all_entries = [(name, entry) for name, own in drawn.items() for entry in own]
    masks = list(each(lambda one: _mask(one[1], pictures[one[1].name], left_out), all_entries))
    read = [(name, entry, mask) for (name, entry), mask in zip(all_entries, masks, strict=True) if mask]
    closely = folder.doubtful(masks_are)
    evidence = [look(mask, where=_where(entry), closely=closely) for _, entry, mask in read]
    if blurred := next((problem for seen in evidence if (problem := fringes(seen))), None):
        raise blurred.error
    convention = understand(
        evidence,
        kind=folder.kind,
        legend=legend_of(folder),
        unlabelled=unlabelled,
        masks_are=masks_are,
        classes=classes,
    )

    def case(entry: Entry, mask: Picture) -> Case:
        picture = pictures[entry.name]
        labels, objects, _ = drawn_labels(entry, picture, mask, convention=convention, called=_where(entry))
        group = found.get(entry.name, entry.name)
        return case_of(entry, picture, labels=labels, objects=objects, group=group)

    people = {name: tuple(case(entry, mask) for who, entry, mask in read if who == name) for name in drawn}
    notes = (_shared(folder, people), *convention.notes)
    held_out = frozenset(entry.name for entry in folder.validation)
    return Annotations(people, convention.classes, notes, held_out)


def _mask(entry: Entry, picture: Picture, left_out: Callable[[str], None] | None) -> Picture | None:
    """What a person drew; None where it was left out."""
    try:
        mask, where = read_mask(label_path(entry)), _where(entry)
        if fit := fit_problem(picture, mask, image_name=entry.images[0].name, mask_name=where, where=where):
            raise fit.error
    except DataError as error:
        if left_out is None:
            raise
        left_out(str(error))
        return None
    return mask


def agreed(cases: Iterable[Case]) -> tuple[Case, ...]:
    """What the majority drew in every image; cases of one name are one image, as several people labelled it.

    In the order in which the images first come, with objects where everybody gave them; see `majority`. Cases without
    labels are left out.

    >>> import numpy as np
    >>> one, other = (np.array([[0, *row]], np.uint8) for row in ([1, 1, 1], [0, 0, 1]))
    >>> both = agreed(Case("a", np.zeros((1, 4, 1)), labels=labels) for labels in (one, other))
    >>> len(both), both[0].labels
    (1, array([[0, 0, 1, 1]], dtype=uint8))
    """
    found: dict[str, list[Case]] = {}
    for case in cases:
        if case.labels is not None:
            found.setdefault(case.name, []).append(case)
    result = []
    for several in found.values():
        labels = [case.labels for case in several if case.labels is not None]
        ids = [case.objects for case in several if case.objects is not None]
        one = majority(labels, objects=ids if len(ids) == len(several) else None)
        result.append(replace(several[0], labels=one.labels, objects=one.objects))
    return tuple(result)


def _where(entry: Entry) -> str:
    """A mask as its folder and name, for many people's masks have one name."""
    path = label_path(entry)
    return f"{path.parent.name}/{path.name}"


def _shared(folder: Folder, people: Mapping[str, tuple[Case, ...]]) -> str:
    """How many images each labelled, and how many all of them."""
    names = [{case.name for case in own} for own in people.values()]
    both = len(set.intersection(*names))
    each_one = listed(f"{name} ({len(own)})" for name, own in people.items())
    return (
        f"{folder.path.name}: {each_one} labelled {len(set.union(*names))} images, {both} of them everybody"
    )
