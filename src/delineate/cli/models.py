"""Verbs that make something else of a model: a file for other programs, a faster one, one whose probabilities come true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Data, MasksAre, Unlabelled, masks_are_known
from delineate.cli.progress import bar, tell_below


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the files.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="An ONNX file and its sidecar.")] = False,
    openvino: Annotated[bool, typer.Option("--openvino", help="An OpenVINO model and its sidecar.")] = False,
    bioimageio: Annotated[bool, typer.Option("--bioimageio", help="A bioimage.io package.")] = False,
    images: Annotated[
        str | None, typer.Option(help="Images to check on, a file, a folder or a glob in quotes.")
    ] = None,
    normalisation: Annotated[
        bool, typer.Option(help="Whether the ONNX or OpenVINO graph normalises what it is given.")
    ] = True,
    name: Annotated[str | None, typer.Option(help="Name of the model; that of its folder.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="For bioimage.io; may be repeated.")] = None,
    licence: Annotated[str | None, typer.Option(help="For bioimage.io: SPDX, as CC-BY-4.0.")] = None,
) -> None:
    """Write a model for other programs, checked against torch before it is written."""
    from delineate import flow

    written = flow.export(
        model,
        out=out,
        onnx=onnx,
        openvino=openvino,
        bioimageio=bioimageio,
        where=images,
        normalisation=normalisation,
        name=name,
        authors=author or (),
        licence=licence,
        tell=tell_below,
    )
    print("\n".join(str(path) for path in written))


def quantise(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    data: Data,
    most_lost: Annotated[float | None, typer.Option(help="Dice that may be lost; 0.003.")] = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Make an 8-bit version of a model, faster on a CPU, and measure what it costs in Dice."""
    from delineate import flow

    with bar("judging") as progress:
        cost = flow.quantise(
            model,
            data,
            most_lost=most_lost,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            progress=progress,
        )
    print(f"{cost}\nUse it with: delineate predict {model} IMAGES -o OUT --engine int8")


def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    data: Data,
    alpha: Annotated[
        list[float] | None,
        typer.Option(help="Share of missed foreground to guarantee, such as 0.1; may be repeated."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="What runs the network, now and under a guarantee: torch-float32.")
    ] = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Make probabilities come true, and choose thresholds that keep misses rare, on cases that were not learnt from."""
    from delineate import flow

    with bar("predicting") as progress:
        found = flow.calibrate(
            model,
            data,
            alphas=alpha or (),
            engine=engine,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell_below,
            progress=progress,
        )
    print("\n".join(found.lines(str(model))))
