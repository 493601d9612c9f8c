"""Verbs about labels: what there is, what strokes would be worth, where the next one should go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import (
    Data,
    Labels,
    MasksAre,
    Unlabelled,
    counts,
    labels_known,
    masks_are_known,
    numbers,
    outside_known,
)
from delineate.cli.progress import bar, tell_below, training_bar


def check(
    data: Data,
    val: Annotated[Path | None, typer.Option(help="A validation folder to compare with.")] = None,
    labels: Labels = None,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Say what a data set holds and every problem it has, each with its remedy. Exit status 1 if one is serious."""
    from delineate import flow

    with bar("reading") as progress:
        found = flow.check(
            data,
            val=val,
            labels=labels_known(labels),
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            progress=progress,
        )
    from delineate.report.check_text import check_lines

    for line in check_lines(found):
        print(line)
    if not found.trainable:
        raise typer.Exit(1)


def masks(
    outlines: Annotated[
        Path,
        typer.Argument(help="A file of outlines (GeoJSON, COCO, labelme, .roi, .zip), or a folder of them."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for images and masks.")],
    images: Annotated[
        str | None, typer.Argument(help="The images; where not given, they lie where the outlines lie.")
    ] = None,
    outside: Annotated[
        str | None,
        typer.Option(
            help="What pixels without an outline are: background or unlabelled; else the outlines tell."
        ),
    ] = None,
    named: Annotated[
        str | None, typer.Option(help="The class of all outlines, whatever they are called.")
    ] = None,
    objects: Annotated[
        bool, typer.Option("--objects/--no-objects", help="Each outline is an object: write ids as well.")
    ] = True,
) -> None:
    """Make masks of outlines drawn in QuPath, ImageJ, labelme or whatever writes COCO."""
    from delineate import flow

    with bar("filling") as progress:
        made = flow.masks(
            outlines,
            images,
            out=out,
            outside=outside_known(outside),
            named=named,
            objects=objects,
            tell=tell_below,
            progress=progress,
        )
    print(f"Masks: {made}; teach with: delineate train {made} -o model")


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
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one draws the same strokes.")] = 0,
    unlabelled: Unlabelled = None,
    masks_are: MasksAre = None,
) -> None:
    """Draw strokes or clicks from full masks as a person in a hurry would, to learn what they would be worth."""
    from delineate import flow
    from delineate.data.scribbles import Hand

    with bar("drawing") as progress:
        made = flow.scribble(
            data,
            out=out,
            share=share,
            points=points,
            strokes=strokes,
            hand=Hand(length_px=length, width_px=width, wobble_deg=wobble, border_px=border),
            seed=seed,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell_below,
            progress=progress,
        )
    print(f"Strokes: {made}; teach with: delineate train {made} -o model")


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

    with training_bar() as (tell, watch):
        found = flow.budget(
            data,
            out=out,
            val=val,
            shares=numbers(shares, "--shares") or (),
            images=counts(images, "--images"),
            clicked=counts(clicked, "--clicked"),
            minutes=minutes,
            steps=steps,
            seeds=seeds,
            overrides=Overrides(patch=patch, width=width),
            resume=resume,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell,
            watch=watch,
        )
    print("\n".join(found.lines))
    print(f"Page: {found.page}")


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

    with bar("looking") as progress:
        regions, ranked = flow.suggest(
            model,
            images,
            out=out,
            count=count,
            region_px=region,
            labelled=labelled,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell_below,
            progress=progress,
        )
    for one in ranked[:5]:
        print(f"{one.rank}. {one.image} (uncertainty {one.uncertainty:.3f})")
    print(f"{len(regions)} regions: {out / 'next.csv'}, pictures in {out / 'overlays'}")
