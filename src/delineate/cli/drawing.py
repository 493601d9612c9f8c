"""The verb that opens the page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Labels, MasksAre, Unlabelled, labels_known, masks_are_known
from delineate.cli.progress import tell_below


def studio(
    images: Annotated[
        str | None,
        typer.Argument(
            help="An image, a folder (its labels come along), or a glob in quotes; or a project. None: pictures of coins."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of the project; one that is there goes on."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Names with commas between them, background first, such as background,nucleus."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Other images with full masks, to test and audit models on.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port on this machine; else a free one.")] = None,
    browse: Annotated[
        bool, typer.Option("--browse/--no-browse", help="Open the page in the browser.")
    ] = True,
    labels: Labels = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Draw strokes in the browser, teach, look, and draw where it helps most: a page for this machine alone."""
    from delineate.studio import serve

    serve(
        images,
        out=out,
        names=None if classes is None else [name.strip() for name in classes.split(",")],
        test=test,
        port=port,
        browse=browse,
        labels=labels_known(labels),
        unlabelled=unlabelled,
        masks_are=masks_are_known(masks_are),
        tell=tell_below,
    )
