"""Verbs that teach a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import AllImages, Data, Labels, MasksAre, Unlabelled, labels_known, masks_are_known
from delineate.cli.progress import training_bar


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="New folder; a number is added if it exists.")
    ] = Path("delineate-demo"),
    minutes: Annotated[float, typer.Option(help="Time to train.")] = 1.25,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
) -> None:
    """Train, predict and score on a picture of coins, without a download, and show a threshold beside it."""
    from delineate import flow

    number, free = 1, out
    while free.exists():
        number += 1
        free = out.with_name(f"{out.name}-{number}")
    with training_bar() as (tell, watch):
        report, tables = flow.demo(free, minutes=minutes, seed=seed, tell=tell, watch=watch)
    from delineate.report.score_text import score_lines

    for method, table in tables.items():
        print("\n".join(score_lines(table, method=method)))
    print(f"Report: {report}")


def train(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the model.")],
    val: Annotated[Path | None, typer.Option(help="Folder to validate on; else a tenth is held out.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time to train; 10 where neither is given.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of steps instead of a time: repeatable on a CPU.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed: the same seed and steps give the same weights.")
    ] = 0,
    method: Annotated[
        str, typer.Option(help="unet, or an old way: otsu, watershed, texture-forest ...")
    ] = "unet",
    from_model: Annotated[
        Path | None, typer.Option("--from", help="Begin from what this model knows: it takes fewer images.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted training in OUT.")
    ] = False,
    objects: Annotated[
        bool | None, typer.Option("--objects/--no-objects", help="Learn to separate touching objects.")
    ] = None,
    labels: Labels = None,
    all_images: AllImages = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
    patch: Annotated[int | None, typer.Option(help="Side of the training crops in pixels.")] = None,
    batch: Annotated[int | None, typer.Option(help="Crops per step.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels at the finest level.")] = None,
    levels: Annotated[int | None, typer.Option(help="Resolutions of the network.")] = None,
    shuffle: Annotated[
        int | None, typer.Option(help="1: the finest level sees pixels, 2: blocks of them.")
    ] = None,
    down: Annotated[str | None, typer.Option(help="Down-sampling: max, strided or blur.")] = None,
    up: Annotated[str | None, typer.Option(help="Up-sampling: nearest, linear or transposed.")] = None,
    equivariant: Annotated[
        bool | None,
        typer.Option(
            "--equivariant/--no-equivariant",
            help="Sample on grids that move with the image: no shift changes it.",
        ),
    ] = None,
    dims: Annotated[int | None, typer.Option(help="2: slice by slice, 3: as volumes.")] = None,
    normalisation: Annotated[str | None, typer.Option(help="percentiles, zscore or bytes.")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, light, upright or full.")] = None,
    robust: Annotated[
        str | None,
        typer.Option(help="Learn to bear other conditions: light,camera,stain,inversion,motion or all."),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="32-true or bf16-mixed.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    adversarial: Annotated[
        float | None,
        typer.Option(help="Learn to withstand attacks of so many grey levels of 255, such as 4."),
    ] = None,
    annotators: Annotated[
        str | None,
        typer.Option(help="With masks/NAME/ of several people: random, soft or consensus; else one each."),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(
            help="Column of metadata.csv, such as scanner, whose values are to be learnt from alike."
        ),
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option(help="CSV with a row per image; else metadata.csv in the data folder.")
    ] = None,
    weak: Annotated[
        bool | None, typer.Option("--weak/--no-weak", help="Teach the pixels that strokes leave out.")
    ] = None,
    devices: Annotated[int, typer.Option(help="Processes, or GPUs, that share each batch.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, each with as many devices.")] = 1,
) -> None:
    """Teach a model on a folder of images and masks. What is left out is planned from the data, and said."""
    from delineate import flow

    families = None if robust is None else tuple(name.strip() for name in robust.split(",") if name.strip())
    wanted: dict[str, Any] = {
        "patch": patch,
        "batch": batch,
        "width": width,
        "levels": levels,
        "shuffle": shuffle,
        "down": down,
        "up": up,
        "equivariant": equivariant,
        "dims": dims,
        "normalisation": normalisation,
        "augmentation": augmentation,
        "robust": families,
        "precision": precision,
        "learning_rate": learning_rate,
        "objects": objects,
        "adversarial": adversarial,
        "annotators": annotators,
        "weak": weak,
    }
    overrides = None
    if method == "unet" or any(value is not None for value in wanted.values()):
        from delineate.learn import Overrides

        overrides = Overrides(**wanted)
    with training_bar() as (tell, watch):
        flow.train(
            data,
            out=out,
            val=val,
            minutes=minutes,
            steps=steps,
            seed=seed,
            method=method,
            overrides=overrides,
            from_model=from_model,
            resume=resume,
            labels=labels_known(labels),
            all_images=all_images,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            balance=balance,
            metadata=metadata,
            devices=devices,
            nodes=nodes,
            tell=tell,
            watch=watch,
        )
    if method != "unet" or flow.is_first(devices, nodes):
        print(f"Model: {out}")


def compare(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the page and the methods.")],
    val: Annotated[Path | None, typer.Option(help="Folder to judge on; else a quarter is held out.")] = None,
    methods: Annotated[
        str | None, typer.Option(help="Names with commas between them; all where not given.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time for the U-Net; 5 where neither is given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps for the U-Net instead of a time.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the U-Net and of what is held out.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT where a comparison was interrupted.")
    ] = False,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Do I need a network? Every method on the same cases, in one table and on one page."""
    from delineate import flow

    with training_bar() as (tell, watch):
        compared = flow.compare(
            data,
            out=out,
            val=val,
            methods=methods.replace(" ", "").split(",") if methods else None,
            minutes=minutes,
            steps=steps,
            seed=seed,
            resume=resume,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell,
            watch=watch,
        )
    from delineate.report.entrants import comparison_lines

    print("\n".join(comparison_lines(compared.entrants)))
    print(f"Page: {compared.page}")
