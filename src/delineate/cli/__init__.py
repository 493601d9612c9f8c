"""The command line: one verb per stage. Each parses, calls `delineate.flow` once, and prints.

A mistake that the user can mend ends in one sentence and exit status 2; an interruption in one sentence and 130.
Nothing heavy is imported before a verb runs, so that `--help` answers at once. The verbs are listed here, in the order of
`--help`; each file beside this one holds those of one purpose.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from typing import Annotated, Any

import typer

from delineate.cli.drawing import studio
from delineate.cli.judging import audit, score
from delineate.cli.labels import budget, check, masks, next_, scribble
from delineate.cli.models import calibrate, export, quantise
from delineate.cli.outlining import features, predict
from delineate.cli.progress import complain
from delineate.cli.teaching import compare, demo, train

INTERRUPTED = 130

app = typer.Typer(
    help="Teach a segmentation model on a few labelled images, outline objects in new ones, and say how good that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Segmentation that people can trust."""
    if version:
        import delineate

        print(delineate.__version__)
        raise typer.Exit


for verb in (
    demo,
    check,
    masks,
    scribble,
    studio,
    train,
    predict,
    next_,
    export,
    quantise,
    calibrate,
    score,
    compare,
    budget,
    audit,
    features,
):
    app.command(verb.__name__.rstrip("_"))(verb)


@cache
def command() -> Any:
    """All verbs with their options, parsed from their signatures once: calling it runs what `sys.argv` says."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command line; the entry point `delineate`."""
    from delineate.core.errors import DelineateError

    # Threads that wait for each other shall sleep, not spin: on a busy machine a step is then several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What Zarr was still reading when a chunk turned out to be damaged is nobody's concern.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        command()()
    except DelineateError as error:
        complain(str(error))
        sys.exit(2)
    except SystemExit as leave:
        if leave.code == INTERRUPTED:
            complain(
                "interrupted: what was finished is kept; `train`, `predict`, `compare`, `budget` and `audit` go on with --resume"
            )
        raise
