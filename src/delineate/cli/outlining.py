"""Verbs that use a model on new images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.progress import bar, pixel_bar, tell_below


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model, or an ONNX file.")],
    images: Annotated[str, typer.Argument(help="An image, a folder, or a glob in quotes.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the results.")],
    objects: Annotated[
        bool, typer.Option("--objects", help="Write 16-bit ids that keep objects apart.")
    ] = False,
    watershed: Annotated[
        bool,
        typer.Option("--watershed", help="With --objects: split touching ones, if the model learnt none."),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Where a snake, chan-vese or geodesic model starts: masks, or a CSV of points or boxes."
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities as well.")
    ] = False,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirrored images: slower, a little better.")
    ] = False,
    shifts: Annotated[
        int, typer.Option(help="Average over so many copies moved by a few pixels: slower, steadier.")
    ] = 1,
    tile: Annotated[
        int | None, typer.Option(help="Pixels per axis that a tile keeps; only memory changes.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="torch, torch-float32, openvino, onnxruntime, compiled or int8; else the fastest that agrees."
        ),
    ] = None,
    guarantee: Annotated[
        float | None,
        typer.Option(help="An alpha of `calibrate`: miss at most this share of the foreground, on average."),
    ] = None,
    memory: Annotated[
        float | None, typer.Option(help="Gigabytes that a process may take; larger images go in parts.")
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Kind of labels of large images: .ome.tif, .ome.zarr or .nii.")
    ] = None,
    skip_empty: Annotated[
        bool, typer.Option("--skip-empty/--no-skip-empty", help="Leave out empty parts of large images.")
    ] = True,
    geojson: Annotated[bool, typer.Option("--geojson", help="Write polygons for QuPath as well.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine, through Dask.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT where a run was interrupted.")
    ] = False,
) -> None:
    """Outline every object in new images, whatever their size."""
    from delineate import flow

    with bar("predicting") as progress, pixel_bar() as watch:
        written = flow.predict(
            model,
            images,
            out=out,
            objects=objects,
            watershed=watershed,
            start=start,
            probabilities=probabilities,
            tta=tta,
            shifts=shifts,
            tile=tile,
            engine=engine,
            guarantee=guarantee,
            memory=memory,
            suffix=suffix,
            skip_empty=skip_empty,
            geojson=geojson,
            workers=workers,
            scheduler=scheduler,
            resume=resume,
            tell=tell_below,
            progress=progress,
            watch=watch,
        )
    count = f"{len(written)} image{'s' if len(written) > 1 else ''}"
    masks = f"object ids in {out}, classes in {out / 'classes'}" if objects else f"classes in {out}"
    print(f"{count} outlined: {masks}, pictures in {out / 'overlays'}")


def features(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    image: Annotated[Path, typer.Argument(help="One image.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG to write.")],
) -> None:
    """Draw what each block of a trained U-Net answers to one image."""
    from delineate import flow

    if out.exists():
        from delineate.core import OutputError

        raise OutputError(f"{out} exists already: choose another name or remove it")
    print(f"Feature maps: {flow.features(model, image, out=out)}")
