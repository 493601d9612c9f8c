"""How a project begins: images are linked, labels that lie beside them come along, classes get their names."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from delineate import data as files
from delineate.core import UNLABELLED, DataError, made_folder, whole_folder
from delineate.data import DataSet, Entry
from delineate.data.folders import find_folder
from delineate.data.formats import label_suffix, suffix_of, write_labels
from delineate.data.kinds import kind_of
from delineate.data.label_choice import LabelKind
from delineate.data.masks import MasksAre
from delineate.data.outlines import outlines_in
from delineate.data.places import places_of
from delineate.data.problem import counted, listed
from delineate.data.reading import placed
from delineate.data.sparse import barely_labelled
from delineate.flow.methods import Tell
from delineate.studio.project import MARK, Project, named_classes, write_mark, write_names

NAMES = ("background", "object")  # of the classes, where nobody named any


def begun(
    where: str | Path,
    *,
    out: str | Path | None = None,
    names: Sequence[str] | None = None,
    labels: LabelKind | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
) -> Project:
    """The project in `out` with the images at `where`; a new one, or that which is there, with the images that it lacks.

    where: an image, a folder of any layout or a glob, as `delineate.data.images` takes them; its masks and strokes come
    along. Or a project itself, without `out`. names: of the classes of a new project, background first. labels, unlabelled,
    masks_are: as in `delineate.data.load`.
    Raises DataError as `load` does and where names do not go with the masks, OutputError where `out` holds something else.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     place = write(Path(scratch) / "coins") / "test" / "images"
    ...     project = begun(place, out=Path(scratch) / "project", names=("background", "coin"))
    ...     len(project.entries), project.classes.names, project.counts
    (3, ('background', 'coin'), {})
    """
    say = tell or (lambda _: None)
    if out is None:
        if not (Path(where) / MARK).is_file():
            raise DataError(f"{where} is no project yet: say with -o in which new folder it is to be kept")
        return Project(Path(where))
    folder, named = Path(out), _flat_names(files.images(where))
    read = partial(_labelled, where, labels=labels, unlabelled=unlabelled, masks_are=masks_are, say=say)
    if not (folder / MARK).is_file():
        return _made(where, named, folder, found=read(), names=names, say=say)
    if names is not None:
        raise DataError(
            f"the classes of {folder} have names: leave --classes out, and rename them on the page"
        )
    return _grown(where, named, folder, read=read, say=say)


def _made(
    where: str | Path,
    named: Mapping[str, Entry],
    folder: Path,
    *,
    found: DataSet | None,
    names: Sequence[str] | None,
    say: Tell,
) -> Project:
    """A new project with these images, and with the labels that were found."""
    if found is not None and names is not None and len(names) != len(found.classes):
        raise DataError(
            f"the labels of {where} have the classes {listed(found.classes.names)}: give as many names, or leave --classes out"
        )
    classes = named_classes(names or (found.classes.names if found else NAMES))
    with whole_folder(folder, last=MARK) as beside:
        for name, entry in named.items():
            placed(entry, made_folder(beside / "images"), name=name)
        write_names(beside, classes.names)
        write_mark(beside, source=Path(where).absolute())
        if found is not None:
            _bring_labels(Project(beside), found, named, say)
    return Project(folder)


def _grown(
    where: str | Path,
    named: Mapping[str, Entry],
    folder: Path,
    *,
    read: Callable[[], DataSet | None],
    say: Tell,
) -> Project:
    """The project in `folder` with the images that it lacks, and with their labels."""
    there = {entry.name: entry.images[0] for entry in files.images(folder / "images")}
    new = {name: entry for name, entry in named.items() if name not in there}
    found = read() if new else None
    for name, entry in new.items():
        placed(entry, made_folder(folder / "images"), name=name)
    if new:
        joined = "joins" if len(new) == 1 else "join"
        say(f"{counted(len(new), 'new image')} {joined} the {len(there)} of {folder}")
    others = [name for name, entry in named.items() if name not in new and not _alike(entry, there[name])]
    if others:
        say(
            f"the project has other images of these names, so they are left out: {listed(others)}; rename them to add them"
        )
    project = Project(folder)
    if found is None:
        return project
    theirs, ours = found.classes.names, project.classes.names
    if len(theirs) != len(ours):
        say(
            f"the labels of {where} stay out: they have the classes {listed(theirs)}, the project {listed(ours)}"
        )
        return project
    if theirs != ours:
        say(f"the classes {listed(theirs)} of {where} are read as {listed(ours)}, in this order")
    _bring_labels(project, found, new, say)
    return Project(folder)


def _labelled(
    where: str | Path,
    *,
    labels: LabelKind | None,
    unlabelled: int | None,
    masks_are: MasksAre | None,
    say: Tell,
) -> DataSet | None:
    """The labels that lie at `where`; None where there are none, and where none has the name of an image, which is said."""
    if not Path(where).is_dir():
        return None
    try:
        folder = find_folder(where)
    except DataError:  # images of a layout in which no labels can lie, as there are images
        return None
    places = places_of(folder.entries)
    if not any(kind_of(entry, places) for entry in folder.entries):
        if folder.strays:
            strays = listed([path.name for path in folder.strays], most=3)
            say(
                f"labels stay out, as none has the name of an image: {strays}; call them as their images are called"
            )
        elif which := outlines_in(where):
            say(
                f"the outlines in {which} stay out: to have them here, make masks of them first, with "
                f"`delineate masks {which} {where} -o labelled`, and begin with that folder"
            )
        return None
    return files.load(where, labels=labels, all_images=True, unlabelled=unlabelled, masks_are=masks_are)


def _bring_labels(project: Project, found: DataSet, named: Mapping[str, Entry], say: Tell) -> None:
    """Write the labels that a data set has for these images into a project: full ones as masks, the others as strokes."""
    name_of = {entry.images[0]: name for name, entry in named.items()}
    full = drawn = 0
    for case in (*found.cases, *found.validation):
        name = name_of.get(found.sources.get(case.name, Path()))
        if name is None or case.labels is None:
            continue
        picture = project.picture(name)
        if barely_labelled(case):
            planes = case.labels.reshape(-1, *case.labels.shape[-2:])
            for z, plane in enumerate(planes):
                if (plane != UNLABELLED).any():
                    project.draw(name, plane, at=(z, 0, 0))
            drawn += 1
            continue
        full += 1
        suffix = label_suffix(suffix_of(project.entry(name).images[0]) or ".tif")
        masks = made_folder(project.folder / "masks")
        write_labels(masks / f"{name}{suffix}", case.labels, like=picture)
        if case.objects is not None:
            objects = made_folder(project.folder / "instances")
            write_labels(objects / f"{name}{suffix}", case.objects, like=picture)
    for note in found.notes:
        say(note)
    if full:
        say(f"{counted(full, 'full mask')} came along; the page shows such and leaves them as they are")
    if drawn:
        say(f"the strokes of {counted(drawn, 'image')} came along")


def _flat_names(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The images by what each is called in a project; raises DataError for two of one name."""
    named: dict[str, Entry] = {}
    for entry in entries:
        name = entry.name.replace("/", "_")
        if name in named:
            raise DataError(f"two images are called {name}: rename one, or give them one folder at a time")
        named[name] = entry
    return named


def _alike(entry: Entry, there: Path) -> bool:
    """Whether a file of the project is this image; one that was put together or is a folder passes for it."""
    (first, *more) = entry.images
    return bool(more) or first.is_dir() or first.samefile(there) or filecmp.cmp(first, there, shallow=False)
