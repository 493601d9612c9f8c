"""Options that several verbs share, and what is understood of their text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[Path, typer.Argument(help="Folder with images and masks, in any common layout.")]
Unlabelled = Annotated[
    int | None, typer.Option(help="Mask value that means nobody said, where the files do not tell.")
]
MasksAre = Annotated[
    str | None, typer.Option(help="'classes' or 'instances': what numbers in masks mean, where that is open.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="masks, scribbles, points or boxes: which labels to take, where there are several kinds."
    ),
]
AllImages = Annotated[
    bool | None,
    typer.Option(
        "--all-images/--labelled-images", help="Images without labels join; else they do if labels are weak."
    ),
]


def masks_are_known(value: str | None) -> Any:
    if value not in (None, "classes", "instances"):
        raise typer.BadParameter("give classes or instances", param_hint="--masks-are")
    return value


def labels_known(value: str | None) -> Any:
    if value not in (None, "masks", "scribbles", "points", "boxes"):
        raise typer.BadParameter("give masks, scribbles, points or boxes", param_hint="--labels")
    return value


def outside_known(value: str | None) -> Any:
    if value not in (None, "background", "unlabelled"):
        raise typer.BadParameter("give background or unlabelled", param_hint="--outside")
    return value


def numbers(text: str | None, option: str = "--sizes") -> list[float] | None:
    """Numbers between commas."""
    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise typer.BadParameter("give numbers between commas, such as 10,100", param_hint=option) from error


def counts(text: str | None, option: str) -> list[int] | None:
    """Whole numbers between commas."""
    given = numbers(text, option)
    if given and any(number != int(number) for number in given):
        raise typer.BadParameter("give whole numbers between commas, such as 2,8", param_hint=option)
    return None if given is None else [int(number) for number in given]


def told_apart(paths: list[Path]) -> dict[str, Path]:
    """Paths by the shortest ends of theirs that differ: `a/out` and `b/out` where `out` would not do."""
    for length in range(1, max(len(path.resolve().parts) for path in paths) + 1):
        names = ["/".join(path.resolve().parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return dict(zip(names, paths, strict=True))
    raise typer.BadParameter("the same folder is given twice", param_hint="PREDICTED... TRUTH")
