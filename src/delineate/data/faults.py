"""What can be wrong with an image, with a mask and its image, and with the set; each with its remedy.

`load` raises the first that is serious, `check` reports them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable
from delineate.data.evidence import Evidence
from delineate.data.picture import Picture
from delineate.data.problem import Problem, by, listed
from delineate.data.split import groups


def image_problems(picture: Picture, *, name: str, where: str) -> list[Problem]:
    """What is wrong with the pixels of one image: NaN and infinite ones, or all of one value.

    >>> black = Picture(np.zeros((2, 2, 1)), (1.0, 1.0), "px", None, ".png", ())
    >>> [str(problem) for problem in image_problems(black, name="a.png", where="images/a.png")]
    ['image a.png is 0 everywhere: export it again, or leave it out']
    """
    array = picture.array
    if array.dtype.kind == "f":
        wrong = int(np.count_nonzero(~np.isfinite(array).all(-1)))
        if wrong:
            return [
                Problem(
                    where,
                    f"image {name} holds {wrong} pixels that are NaN or infinite",
                    "replace them, for example by 0, and save it again",
                )
            ]
    low = array.flat[0]
    if (array == low).all():
        fact = f"image {name} is {low.item():g} everywhere"
        return [Problem(where, fact, "export it again, or leave it out", serious=False)]
    return []


def fit_problem(
    image: Picture, mask: Picture, *, image_name: str, mask_name: str, where: str
) -> Problem | None:
    """The problem of a mask whose size is not that of its image, or None."""
    if image.spatial == mask.spatial:
        return None
    fact = f"mask {mask_name} is {by(mask.spatial)} but its image {image_name} is {by(image.spatial)}"
    if len(image.spatial) == len(mask.spatial):
        remedy = "crop or resample one of them (masks by nearest neighbour)"
    elif len(image.spatial) > len(mask.spatial):
        remedy = (
            "if the pages of the image are channels, save it as OME-TIFF with its axes named, or with channels last; if they "
            "are slices, give a mask of as many in the same kind of file"
        )
    else:
        remedy = "save the mask as one page, or give the image as the stack that it belongs to"
    return Problem(where, fact, remedy)


def place_problem(image: Picture, mask: Picture, *, mask_name: str, where: str) -> Problem | None:
    """The problem of a mask that states another spacing or place in space than its image, or None."""
    if image.unit != mask.unit or image.unit == "px" or mask.unit == "px":
        return None
    same = np.allclose(image.spacing, mask.spacing, rtol=0.01)
    if same and image.affine is not None and mask.affine is not None:
        same = bool(np.allclose(image.affine, mask.affine, atol=0.5 * min(image.spacing)))
    if same:
        return None
    fact = (
        f"mask {mask_name} lies elsewhere in space than its image, by the spacing or orientation of the files"
    )
    return Problem(where, fact, "make sure that it belongs to this image, and is not flipped", serious=False)


def set_problems(kinds: Iterable[tuple[str, int, int]]) -> list[Problem]:
    """What is wrong with images taken together; `kinds` has (name, spatial axes, channels) of each.

    >>> [str(problem) for problem in set_problems([("a", 2, 3), ("b", 2, 3), ("c", 2, 1)])]
    ['2 images have 3 channels but 1 has 1 (c): convert all to one kind, or leave some out']
    """
    kinds = list(kinds)
    found = []
    for words, numbers in (("spatial axes", [k[1] for k in kinds]), ("channels", [k[2] for k in kinds])):
        named: dict[int, list[str]] = {}
        for kind, number in zip(kinds, numbers, strict=True):
            named.setdefault(number, []).append(kind[0])
        if len(named) < 2:
            continue
        common, *others = sorted(named, key=lambda n: -len(named[n]))
        fewer = [f"{_have(len(named[n]))} {n} ({listed(named[n], most=3)})" for n in others]
        count = len(named[common])
        most = f"{count} images have" if count > 1 else "1 image has"
        fact = f"{most} {common} {words if common > 1 else words.removesuffix('s')} but {listed(fewer)}"
        found.append(Problem("images", fact, "convert all to one kind, or leave some out"))
    return found


def _have(count: int) -> str:
    return f"{count} have" if count > 1 else "1 has"


def fringes(evidence: Evidence) -> Problem | None:
    """The problem of a mask that was blurred by interpolation or lossy compression, or None."""
    if evidence.soft and 2 * max(evidence.counts.values()) < sum(evidence.counts.values()):
        return Problem(
            evidence.where,
            f"scribble file {evidence.where} holds {len(evidence.counts)} values all over, as a picture with strokes drawn on it "
            "does",
            "save the strokes alone, on a layer of one value",
        )
    if evidence.soft:
        return Problem(
            evidence.where,
            f"scribble file {evidence.where} holds {len(evidence.counts)} values, most of them only along the edges of its "
            "strokes, as pens with soft edges leave them",
            "draw without anti-aliasing, or give the pixels along the edges the value of unlabelled ones",
        )
    if not evidence.fringed:
        return None
    remedy = "save masks as PNG or TIFF, resample them by nearest neighbour, and threshold those that exist"
    if not evidence.where.lower().endswith((".jpg", ".jpeg")):
        remedy += " (or say --masks-are instances if the values number objects)"
    return Problem(
        evidence.where,
        f"mask {evidence.where} holds {len(evidence.counts)} values, most of them only "
        "along edges, as JPEG and smooth resampling leave them",
        remedy,
    )


def mask_problems(masks: Sequence[Evidence], counts: NDArray[np.int64]) -> list[Problem]:
    """Masks that say nothing: all background, or all unlabelled. counts: (masks, 256) pixels by class."""
    found = []
    for evidence, pixels in zip(masks, counts, strict=True):
        mask = evidence.where
        if pixels[:UNLABELLED].sum() == 0:
            remedy = "label some of its pixels; it teaches nothing until then"
            found.append(Problem(mask, f"mask {mask} is unlabelled everywhere", remedy, serious=False))
        elif pixels[1:].sum() == 0:
            remedy = "make sure that there is nothing to label in its image"
            found.append(
                Problem(mask, f"mask {mask} is empty (background everywhere)", remedy, serious=False)
            )
    return found


def contradictions(masks: Iterable[tuple[str, int, int]]) -> list[Problem]:
    """Masks and object ids that do not tell the same story, where that is more than drawing by two hands.

    masks: of each its file, the pixels on which the two contradict each other, and its pixels of foreground.

    >>> [problem.fact for problem in contradictions([("a.png", 30, 100), ("b.png", 0, 100)])]
    ['masks and object ids contradict each other on 30 pixels (15.0% of the foreground), most of them in a.png']
    """
    masks = list(masks)
    apart, foreground = sum(mask[1] for mask in masks), sum(mask[2] for mask in masks)
    if apart <= 0.01 * max(foreground, 1):
        return []
    worst = max(masks, key=lambda mask: mask[1])[0]
    fact = (
        f"masks and object ids contradict each other on {apart} pixels ({apart / max(foreground, 1):.1%} of the "
        f"foreground), most of them in {worst}"
    )
    remedy = "make sure that they belong together; classes follow the masks, objects count only inside them"
    return [Problem("instances", fact, remedy, serious=False)]


def training_problems(counts: NDArray[np.int64], classes: ClassTable, *, weak: bool = False) -> list[Problem]:
    """Classes without a pixel in any training mask. counts: (masks, 256) pixels by class. weak: some labels are strokes.

    >>> [str(p) for p in training_problems(np.zeros((1, 256), np.int64), ClassTable.numbered(2))]
    ['every mask is empty (background everywhere): label at least one object']
    """
    pixels = counts.sum(axis=0)
    missing = [name for i, name in enumerate(classes.names) if not pixels[i]]
    if not missing:
        return []
    if weak:
        remedy = "draw a few"
        if "background" not in {name.lower() for name in missing} and len(classes) - len(missing) > 1:
            remedy += ", or take the class out of the list of classes"
        return [Problem("labels", f"no training image has a stroke or point of {listed(missing)}", remedy)]
    if not pixels[1:UNLABELLED].sum():
        return [Problem("masks", "every mask is empty (background everywhere)", "label at least one object")]
    remedy = "label some, or take the class out of the list of classes"
    return [Problem("masks", f"no training mask holds {listed(missing)}", remedy)]


def same_twice(prints: Mapping[bytes, Sequence[tuple[str, bool]]]) -> list[Problem]:
    """Images whose pixels are the same, and whether validation has seen them in training."""
    found = []
    for same in prints.values():
        if len(same) < 2:
            continue
        names = listed([name for name, _ in same])
        if len({held_out for _, held_out in same}) > 1:
            sides = [f"{name} in {'validation' if held_out else 'training'}" for name, held_out in same]
            fact = f"{listed(sides)} are the same image"
            remedy = "remove it from one of them; the validation score is too good otherwise"
        else:
            side = " in validation" if same[0][1] else ""
            fact, remedy = f"{names}{side} are the same image", "remove all but one"
        found.append(Problem(same[0][0], fact, remedy, serious=False))
    return found


def torn_groups(parts: Sequence[tuple[str, bool]]) -> list[Problem]:
    """Groups (patients, slides) that are on both sides; `parts` has (name, held out) of each image.

    >>> [p.where for p in torn_groups([("p1_a", False), ("p1_b", True), ("p2_a", False)])]
    ['p1']
    """
    sides: dict[str, set[bool]] = {}
    group_of = groups(name for name, _ in parts)
    for name, held_out in parts:
        if name in group_of:
            sides.setdefault(group_of[name], set()).add(held_out)
    return [
        Problem(
            group,
            f"images of {group} are in training and in validation",
            "move them to one side; the validation score is too good otherwise",
            serious=False,
        )
        for group, where in sides.items()
        if len(where) > 1
    ]
