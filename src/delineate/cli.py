"""The command line: one verb per stage. Each parses, calls `delineate.flow` once, and prints.

A mistake that the user can mend ends in one sentence and exit status 2; an interruption in one sentence and 130.
Nothing heavy is imported before a verb runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from delineate.learn import Step
    from delineate.streaming import Streamed

INTERRUPTED = 130
SAY_SECONDS = 5.0

app = typer.Typer(
    help="Teach a segmentation model on a few labelled images, outline objects in new ones, and say how good that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Segmentation that people can trust."""
    if version:
        import delineate

        print(delineate.__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="New folder; a number is added if it exists.")
    ] = Path("delineate-demo"),
    minutes: Annotated[float, typer.Option(help="Time to train.")] = 1.25,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
) -> None:
    """Train, predict and score on a picture of coins, without a download, and show a threshold beside it."""
    from delineate import flow

    number, free = 1, out
    while free.exists():
        number += 1
        free = out.with_name(f"{out.name}-{number}")
    with _training_bar() as (tell, watch):
        report, tables = flow.demo(free, minutes=minutes, seed=seed, tell=tell, watch=watch)
    from delineate.report.score_text import score_lines

    for method, table in tables.items():
        print("\n".join(score_lines(table, method=method)))
    print(f"Report: {report}")


@app.command()
def check(
    data: Data,
    val: Annotated[Path | None, typer.Option(help="A validation folder to compare with.")] = None,
    labels: Labels = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Say what a data set holds and every problem it has, each with its remedy. Exit status 1 if one is serious."""
    from delineate import flow

    with _bar("reading") as progress:
        found = flow.check(
            data,
            val=val,
            labels=_labels(labels),
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            progress=progress,
        )
    from delineate.report.check_text import check_lines

    for line in check_lines(found):
        print(line)
    if not found.trainable:
        raise typer.Exit(1)


@app.command()
def scribble(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for images and strokes.")],
    share: Annotated[
        float | None, typer.Option(help="Share of the pixels to draw on; 0.01 where not given.")
    ] = None,
    points: Annotated[
        bool, typer.Option("--points", help="A click on every object and a few background strokes instead.")
    ] = False,
    strokes: Annotated[
        int | None, typer.Option(help="With --points: background strokes in each image; 3 where not given.")
    ] = None,
    length: Annotated[int, typer.Option(help="Longest stroke in pixels.")] = 60,
    width: Annotated[int, typer.Option(help="Width of the pen in pixels.")] = 1,
    wobble: Annotated[float, typer.Option(help="Change of direction from pixel to pixel in degrees.")] = 8.0,
    border: Annotated[float, typer.Option(help="By how many pixels borders are seen off.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed: the same one draws the same strokes.")] = 0,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Draw strokes or clicks from full masks as a person in a hurry would, to learn what they would be worth."""
    from delineate import flow
    from delineate.data.scribbles import Hand

    with _bar("drawing") as progress:
        made = flow.scribble(
            data,
            out=out,
            share=share,
            points=points,
            strokes=strokes,
            hand=Hand(length_px=length, width_px=width, wobble_deg=wobble, border_px=border),
            seed=seed,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            tell=_tell,
            progress=progress,
        )
    print(f"Strokes: {made}; teach with: delineate train {made} -o model")


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the model.")],
    val: Annotated[Path | None, typer.Option(help="Folder to validate on; else a tenth is held out.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time to train; 10 where neither is given.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of steps instead of a time: repeatable on a CPU.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed: the same seed and steps give the same weights.")] = 0,
    method: Annotated[
        str, typer.Option(help="unet, or an old way: otsu, watershed, texture-forest ...")
    ] = "unet",
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
    weak: Annotated[
        bool | None, typer.Option("--weak/--no-weak", help="Teach the pixels that strokes leave out.")
    ] = None,
    devices: Annotated[int, typer.Option(help="Processes, or GPUs, that share each batch.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, each with as many devices.")] = 1,
) -> None:
    """Teach a model on a folder of images and masks. What is left out is planned from the data, and said."""
    from delineate import flow
    from delineate.core import DataError

    overrides = None
    if method == "unet" or robust is not None:
        from delineate.learn import Overrides

        overrides = Overrides(
            patch=patch,
            batch=batch,
            width=width,
            levels=levels,
            shuffle=shuffle,
            down=down,
            up=up,
            equivariant=equivariant,
            dims=dims,
            normalisation=normalisation,
            augmentation=augmentation,
            robust=None
            if robust is None
            else tuple(name.strip() for name in robust.split(",") if name.strip()),
            precision=precision,
            learning_rate=learning_rate,
            objects=objects,
            adversarial=adversarial,
            annotators=annotators,
            weak=weak,
        )
    elif annotators is not None:
        raise DataError(f"{method} learns from one person's labels: leave --annotators out, or train a unet")
    with _training_bar() as (tell, watch):
        flow.train(
            data,
            out=out,
            val=val,
            minutes=minutes,
            steps=steps,
            seed=seed,
            method=method,
            overrides=overrides,
            resume=resume,
            labels=_labels(labels),
            all_images=all_images,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            devices=devices,
            nodes=nodes,
            tell=tell,
            watch=watch,
        )
    if method != "unet" or flow.is_first(devices, nodes):
        print(f"Model: {out}")


@app.command()
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

    with _bar("predicting") as progress, _pixel_bar() as watch:
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
            tell=_tell,
            progress=progress,
            watch=watch,
        )
    count = f"{len(written)} image{'s' if len(written) > 1 else ''}"
    masks = f"object ids in {out}, classes in {out / 'classes'}" if objects else f"classes in {out}"
    print(f"{count} outlined: {masks}, pictures in {out / 'overlays'}")


@app.command("next")
def next_(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    images: Annotated[str, typer.Argument(help="An image, a folder, or a glob in quotes.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the list and the pictures.")],
    count: Annotated[int, typer.Option(help="Number of regions.")] = 20,
    region: Annotated[int, typer.Option(help="Side of a region in pixels.")] = 128,
    labelled: Annotated[
        Path | None,
        typer.Option(help="The data folder the model was taught on: what it has is not asked again."),
    ] = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Which image or region should be scribbled on next? A ranked list and pictures to draw by."""
    from delineate import flow

    with _bar("looking") as progress:
        regions, ranked = flow.suggest(
            model,
            images,
            out=out,
            count=count,
            region_px=region,
            labelled=labelled,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            tell=_tell,
            progress=progress,
        )
    for one in ranked[:5]:
        print(f"{one.rank}. {one.image} (uncertainty {one.uncertainty:.3f})")
    print(f"{len(regions)} regions: {out / 'next.csv'}, pictures in {out / 'overlays'}")


@app.command()
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
        tell=_tell,
    )
    print("\n".join(str(path) for path in written))


@app.command()
def quantise(
    model: Annotated[Path, typer.Argument(help="Folder of a trained U-Net.")],
    data: Data,
    most_lost: Annotated[float | None, typer.Option(help="Dice that may be lost; 0.003.")] = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Make an 8-bit version of a model, faster on a CPU, and measure what it costs in Dice."""
    from delineate import flow

    with _bar("judging") as progress:
        cost = flow.quantise(
            model,
            data,
            most_lost=most_lost,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            progress=progress,
        )
    print(f"{cost}\nUse it with: delineate predict {model} IMAGES -o OUT --engine int8")


@app.command()
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

    with _bar("predicting") as progress:
        found = flow.calibrate(
            model,
            data,
            alphas=alpha or (),
            engine=engine,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            tell=_tell,
            progress=progress,
        )
    print("\n".join(found.lines(str(model))))


@app.command()
def score(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTED... TRUTH",
            help="Folder of predicted masks of any tool, or several to compare; last, the folder of true masks.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the report.")],
    objects: Annotated[
        bool | None, typer.Option("--objects/--no-objects", help="Score objects; else where truth has ids.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="One more score: boundary_iou or centre_line_dice; may be repeated."),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Score surface Dice at this tolerance, in the unit of the spacing.")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(help="Edges of classes of object size, such as 10,100: areas or volumes.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Column of the metadata to tell subgroups by, such as scanner.")
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option(help="CSV with a row per image; else metadata.csv beside the truth.")
    ] = None,
    probabilities: Annotated[
        Path | None, typer.Option(help="Folder of predicted probabilities; else those that predict wrote.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; else one per core. Each holds one image in memory.")
    ] = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Say how good masks are and where they are worst: report.html, scores.json, scores.csv.

    With several folders of predictions they are compared case by case: `delineate score OURS THEIRS TRUTH -o report`.
    """
    from delineate import flow
    from delineate.core import DataError, new_folder
    from delineate.report.score_text import paired_lines, score_lines

    if len(folders) < 2:
        raise typer.BadParameter(
            "give one folder of predictions or more, and last the truth", param_hint="PREDICTED... TRUTH"
        )
    *predicted, truth = folders
    if probabilities is not None and len(predicted) > 1:
        raise DataError("--probabilities belong to one prediction: score it alone, without the others")
    if out.exists():
        new_folder(out)  # complains now, not after the work
    asked: dict[str, Any] = {
        "out": out,
        "unlabelled": unlabelled,
        "masks_are": _masks_are(masks_are),
        "objects": objects,
        "also": also or (),
        "tolerance": tolerance,
        "sizes": _numbers(sizes),
        "by": by,
        "metadata": metadata,
        "workers": workers or os.cpu_count() or 1,
    }
    with _bar("scoring") as progress:
        if len(predicted) == 1:
            tables = {
                "": flow.score(predicted[0], truth, probabilities=probabilities, progress=progress, **asked)
            }
        else:
            tables = flow.score_several(_told_apart(predicted), truth, progress=progress, **asked)
    for method, table in tables.items():
        print("\n".join(score_lines(table, method=method)))
    if len(tables) > 1:
        print("\n".join(paired_lines(tables)))
    print(f"Report: {out / 'report.html'}")
    for note in dict.fromkeys(note for table in tables.values() for note in table.notes):
        print(f"  {note}", file=sys.stderr)
    left_out = [sentence for table in tables.values() for sentence in table.left_out]
    for sentence in dict.fromkeys(left_out):
        _complain(sentence)
    if left_out:
        raise typer.Exit(1)


@app.command()
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
    seed: Annotated[int, typer.Option(help="Seed of the U-Net and of what is held out.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT where a comparison was interrupted.")
    ] = False,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Do I need a network? Every method on the same cases, in one table and on one page."""
    from delineate import flow

    with _training_bar() as (tell, watch):
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
            masks_are=_masks_are(masks_are),
            tell=tell,
            watch=watch,
        )
    from delineate.report.comparison import comparison_lines

    print("\n".join(comparison_lines(compared.entrants)))
    print(f"Page: {compared.page}")


@app.command()
def budget(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the page and the trainings.")],
    val: Annotated[Path | None, typer.Option(help="Folder to judge on; else a quarter is held out.")] = None,
    shares: Annotated[
        str, typer.Option(help="Shares of the pixels to draw on, with commas between them; '' for none.")
    ] = "0.001,0.003,0.01,0.03",
    images: Annotated[
        str | None, typer.Option(help="Numbers of images with full masks; else 1, 2, 4 ... all.")
    ] = None,
    clicked: Annotated[
        str | None, typer.Option(help="Numbers of images to click on, once an object; else some and all.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time for each training; 2 where neither is given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps for each training instead of a time.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How often each is repeated.")] = 1,
    patch: Annotated[int | None, typer.Option(help="Side of the training crops in pixels.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels at the finest level.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT where a budget was interrupted.")
    ] = False,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """How much labelling is enough? Dice against strokes, clicks and numbers of masks, on one page."""
    from delineate import flow
    from delineate.learn import Overrides

    with _training_bar() as (tell, watch):
        found = flow.budget(
            data,
            out=out,
            val=val,
            shares=_numbers(shares, "--shares") or (),
            images=_counts(images, "--images"),
            clicked=_counts(clicked, "--clicked"),
            minutes=minutes,
            steps=steps,
            seeds=seeds,
            overrides=Overrides(patch=patch, width=width),
            resume=resume,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            tell=tell,
            watch=watch,
        )
    print("\n".join(found.lines))
    print(f"Page: {found.page}")


@app.command()
def audit(
    model: Annotated[
        Path, typer.Argument(help="Folder of a trained model, an ONNX file, or a folder of predicted masks.")
    ],
    data: Annotated[Path, typer.Argument(help="Images that the model never saw, with masks or without.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the page.")],
    only: Annotated[
        str | None, typer.Option(help="Names of audits with commas between them; all where not given.")
    ] = None,
    shifted: Annotated[
        Path | None, typer.Option(help="A second data set: another stain, site or camera.")
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option(help="CSV with a row per image; else metadata.csv in the data.")
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="TOML that changes when a finding warns and fails.")
    ] = None,
    eps: Annotated[
        float | None, typer.Option(help="What an adversary may change, in grey levels of 255; 4.")
    ] = None,
    attack_steps: Annotated[int | None, typer.Option(help="Steps of each attack; 20.")] = None,
    surrogate: Annotated[
        Path | None, typer.Option(help="Another model of the same task, whose attacks are tried as well.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of foreground that the guarantee lets be missed; 0.1.")
    ] = None,
    sibling: Annotated[
        list[Path] | None, typer.Option(help="A model trained alike with another seed; may be repeated.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=0, help="Train so many more with other seeds; needs --taught-on.")
    ] = 0,
    taught_on: Annotated[
        Path | None, typer.Option(help="With --seeds: the data that the model was trained on.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Images that a slow audit looks at, at most.")] = 16,
    every_shift: Annotated[
        bool, typer.Option("--every-shift", help="Move images by every shift there is, not a spread of them.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    fail_on: Annotated[
        str | None, typer.Option(help="warn or fail: exit status 1 where a verdict is as bad as this.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT where an audit was interrupted.")
    ] = False,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """How far can this model be trusted? One page: a verdict per question, the picture that shows it, the remedy."""
    from delineate import flow
    from delineate.report.audit import audit_lines

    if fail_on not in (None, "warn", "fail"):
        raise typer.BadParameter("give warn or fail", param_hint="--fail-on")
    with _status() as (tell, watch):
        audited = flow.audit(
            model,
            data,
            out=out,
            only=only.replace(" ", "").split(",") if only else None,
            shifted=shifted,
            metadata=metadata,
            thresholds=thresholds,
            eps=eps,
            attack_steps=attack_steps,
            surrogate=surrogate,
            alpha=alpha,
            siblings=sibling or (),
            seeds=seeds,
            taught_on=taught_on,
            every_shift=every_shift,
            most=most,
            seed=seed,
            resume=resume,
            unlabelled=unlabelled,
            masks_are=_masks_are(masks_are),
            tell=tell,
            watch=watch,
        )
    print("\n".join(audit_lines(audited.sections)))
    print(f"Page: {audited.page}")
    if fail_on and audited.verdict in {"warn": ("warn", "fail"), "fail": ("fail",)}[fail_on]:
        raise typer.Exit(1)


@app.command()
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


def main() -> None:
    """Run the command line; the entry point `delineate`."""
    from delineate.core.errors import DelineateError

    # Threads that wait for each other shall sleep, not spin: on a busy machine a step is then several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except DelineateError as error:
        _complain(str(error))
        sys.exit(2)
    except SystemExit as leave:
        if leave.code == INTERRUPTED:
            _complain(
                "interrupted: what was finished is kept; `train`, `predict`, `compare`, `budget` and `audit` go on with --resume"
            )
        raise


def _tell(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr)


def _complain(sentence: str) -> None:
    print(f"delineate: {sentence}", file=sys.stderr)


def _masks_are(value: str | None) -> Any:
    if value not in (None, "classes", "instances"):
        raise typer.BadParameter("give classes or instances", param_hint="--masks-are")
    return value


def _labels(value: str | None) -> Any:
    if value not in (None, "masks", "scribbles", "points", "boxes"):
        raise typer.BadParameter("give masks, scribbles, points or boxes", param_hint="--labels")
    return value


def _numbers(text: str | None, option: str = "--sizes") -> list[float] | None:
    """Numbers between commas."""
    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise typer.BadParameter("give numbers between commas, such as 10,100", param_hint=option) from error


def _counts(text: str | None, option: str) -> list[int] | None:
    """Whole numbers between commas."""
    numbers = _numbers(text, option)
    if numbers and any(number != int(number) for number in numbers):
        raise typer.BadParameter("give whole numbers between commas, such as 2,8", param_hint=option)
    return None if numbers is None else [int(number) for number in numbers]


def _told_apart(paths: list[Path]) -> dict[str, Path]:
    """Paths by the shortest ends of theirs that differ: `a/out` and `b/out` where `out` would not do."""
    for length in range(1, max(len(path.resolve().parts) for path in paths) + 1):
        names = ["/".join(path.resolve().parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return dict(zip(names, paths, strict=True))
    raise typer.BadParameter("the same folder is given twice", param_hint="PREDICTED... TRUTH")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for things done and things in all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _status() -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """(tell, watch): lines that stay, and under them, on a terminal, one line about what is being done now."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        yield (
            lambda sentence: console.print(f"  {escape(sentence)}", soft_wrap=True),
            lambda sentence: status.update(escape(sentence)),
        )


@contextmanager
def _pixel_bar() -> Iterator[Callable[[Streamed], None]]:
    """Lines about the image that is predicted in parts: share done, pixels per second, time left.

    A line every few seconds rather than a bar: there is one already, and a log file shall be readable.
    """
    said_at = 0.0

    def watch(now: Streamed) -> None:
        nonlocal said_at
        if now.done < now.total and now.seconds - said_at < SAY_SECONDS and now.seconds > 0:
            return
        said_at = now.seconds
        left = f", {int(now.remaining) // 60}:{int(now.remaining) % 60:02d} left" if now.per_second else ""
        speed = f", {now.per_second / 1e6:.2f} million pixels per second{left}" if now.per_second else ""
        _complain(f"{now.name}: {now.done / now.total:.0%} of {now.total / 1e6:.0f} million pixels{speed}")

    yield watch


@contextmanager
def _training_bar() -> Iterator[tuple[Callable[[str], None], Callable[[Step], None]]]:
    """(tell, watch): lines of what was understood, then a bar with loss, validation Dice and time left."""
    import logging

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # precision is told as part of the plan
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=1.0, said="", visible=False)
        dice = ""

        def tell(sentence: str) -> None:
            bar.console.print(f"  {escape(sentence)}", soft_wrap=True)

        def watch(step: Step) -> None:
            nonlocal dice
            if step.dice is not None:
                dice = f", validation Dice {step.dice:.3f}"
                if not console.is_terminal:
                    console.print(f"  step {step.number}, {step.seconds:.0f} s: loss {step.loss:.3f}{dice}")
            left = f"{int(step.remaining) // 60}:{int(step.remaining) % 60:02d} left"
            said = f"{left}, step {step.number}, loss {step.loss:.3f}{dice}"
            bar.update(task, completed=step.progress, said=said, visible=True)

        yield tell, watch


if __name__ == "__main__":
    main()
