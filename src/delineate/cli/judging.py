"""Verbs that judge: masks, and the model that drew them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import MasksAre, Unlabelled, masks_are_known, numbers, told_apart
from delineate.cli.progress import bar, complain, status


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
    from delineate.flow import scoring
    from delineate.report.score_text import paired_lines, score_lines, subgroup_lines

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
        "masks_are": masks_are_known(masks_are),
        "objects": objects,
        "also": also or (),
        "tolerance": tolerance,
        "sizes": numbers(sizes),
        "by": by,
        "metadata": metadata,
        "workers": workers or os.cpu_count() or 1,
    }
    with bar("scoring") as progress:
        if len(predicted) == 1:
            tables = {
                "": flow.score(predicted[0], truth, probabilities=probabilities, progress=progress, **asked)
            }
        else:
            tables = flow.score_several(told_apart(predicted), truth, progress=progress, **asked)
    for method, table in tables.items():
        print("\n".join(score_lines(table, method=method)))
    if len(tables) > 1:
        print("\n".join(paired_lines(tables)))
    if by:
        method, table = next(iter(tables.items()))
        column = scoring.asked(truth, sizes=None, by=by, metadata=metadata)
        print("\n".join(subgroup_lines(table, column, method=method)))
    print(f"Report: {out / 'report.html'}")
    for note in dict.fromkeys(note for table in tables.values() for note in table.notes):
        print(f"  {note}", file=sys.stderr)
    for method, table in tables.items():
        for caution in table.cautions:
            print(f"  {method}: {caution}" if method else f"  {caution}", file=sys.stderr)
    left_out = [sentence for table in tables.values() for sentence in table.left_out]
    for sentence in dict.fromkeys(left_out):
        complain(sentence)
    if left_out:
        raise typer.Exit(1)


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
    val: Annotated[
        Path | None,
        typer.Option(help="With --seeds: the data it was validated on, if train was given --val."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Images that a slow audit looks at, at most.")] = 16,
    every_shift: Annotated[
        bool, typer.Option("--every-shift", help="Move images by every shift there is, not a spread of them.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="warn or fail: exit status 1 where a verdict is as bad as this; open: where one is not judged as well."
        ),
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

    stops = {"open": ("open", "warn", "fail"), "warn": ("warn", "fail"), "fail": ("fail",)}
    if fail_on is not None and fail_on not in stops:
        raise typer.BadParameter("give warn, fail or open", param_hint="--fail-on")
    with status() as (tell, watch):
        audited = flow.audit(
            model,
            data,
            out=out,
            only=[name.strip() for name in only.split(",") if name.strip()] if only else None,
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
            val=val,
            every_shift=every_shift,
            most=most,
            seed=seed,
            resume=resume,
            unlabelled=unlabelled,
            masks_are=masks_are_known(masks_are),
            tell=tell,
            watch=watch,
        )
    print("\n".join(audit_lines(audited.sections)))
    print(f"Page: {audited.page}")
    if fail_on and audited.verdict in stops[fail_on]:
        raise typer.Exit(1)
