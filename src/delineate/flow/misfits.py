"""Whether outlines fit the images that they are of, and what is said of those that do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from delineate.core import DataError
from delineate.data.outlines import Drawn, Meaning, Outline
from delineate.data.problem import by, counted, listed
from delineate.flow.methods import Tell


def only_marks(drawn: Sequence[Drawn]) -> bool:
    """Whether points, lines or boxes alone are on an image: something is there, and nobody said which pixels it has."""
    return not any(one.outlines for one in drawn) and any(one.left_out for one in drawn)


def left_out_notes(
    taken: dict[str, list[Drawn]], nobodys: Sequence[Drawn], without: Sequence[str]
) -> Iterator[str]:
    """Notes on outlines without an image, several files about one, images without outlines, and what has no area."""
    lost = list(dict.fromkeys(one.image or one.source.name for one in nobodys))
    if lost:
        are = "is" if len(lost) == 1 else "are"
        yield f"outlines of {counted(len(lost), 'image')} that {are} not there left out: {listed(lost, most=3)}"
    sources = {
        name: dict.fromkeys(one.source.name for one in each if one.outlines) for name, each in taken.items()
    }
    sources = {
        name: each for name, each in sources.items() if sum(not n.lower().endswith(".roi") for n in each) > 1
    }
    if sources:
        first = listed(next(iter(sources.values())), most=3)
        yield (
            f"outlines of several files are taken together on {listed(sources, most=3)} ({first}): move all but one elsewhere "
            "if they are the same ones"
        )
    if without:
        yield f"{counted(len(without), 'image')} without outlines left out: {listed(without, most=3)}"
    marks = Counter[str]()
    for each in taken.values():
        for one in each:
            marks.update(one.left_out)
    if marks:
        told = listed(
            f"{count} boxes" if noun == "box" and count > 1 else counted(count, noun)
            for noun, count in sorted(marks.items())
        )
        yield f"{told} left out, which {'has' if marks.total() == 1 else 'have'} no outline"


def checked_size(drawn: Sequence[Drawn], spatial: tuple[int, ...], file: Path) -> None:
    """Raises DataError where an image has another size than the one that was drawn on."""
    for one in drawn:
        if one.size is not None and one.size != spatial[-2:]:
            turned = " (is it turned?)" if one.size[::-1] == spatial[-2:] else ""
            raise DataError(
                f"the outlines in {one.source} are on an image of {by(one.size)} but {file} is {by(spatial[-2:])}{turned}: "
                "give the image that was drawn on"
            )


def checked_seen(
    outlines: Sequence[Outline],
    seen: set[int],
    meaning: Meaning,
    file: Path,
    spatial: tuple[int, ...],
    say: Tell,
) -> None:
    """Say which outlines have no pixel; raises DataError where all lie beside the image."""
    counted_ = [i for i, outline in enumerate(outlines) if outline.said in meaning.values]
    bare = [i for i in counted_ if i not in seen]
    if bare and len(bare) == len(counted_) and all(_beside(outlines[i], spatial) for i in bare):
        raise DataError(
            f"all outlines of {file} lie beside it: give the image that was drawn on, and outlines in pixels of the full image"
        )
    if bare:
        say(
            f"{counted(len(bare), 'outline')} of {file.name} left out, for no pixel lies within: beside the image, or too small"
        )


def _beside(outline: Outline, spatial: tuple[int, ...]) -> bool:
    """Whether an outline lies beside an image, or on a slice that it has not."""
    top, left, bottom, right = outline.extent
    missing = len(spatial) > 2 and outline.plane is not None and outline.plane >= spatial[0]
    return missing or min(bottom, right) <= 0 or top >= spatial[-2] or left >= spatial[-1]
