"""What a person sees while a verb works: sentences, and bars. All of it goes to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delineate.learn import Step
    from delineate.streaming import Streamed

SAY_SECONDS = 5.0


def tell_below(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr)


def complain(sentence: str) -> None:
    print(f"delineate: {sentence}", file=sys.stderr)


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for things done and things in all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def status() -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """(tell, watch): lines that stay, and under them, on a terminal, one line about what is being done now."""
    import logging

    from rich.console import Console
    from rich.markup import escape

    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # as in a training
    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        yield (
            lambda sentence: console.print(f"  {escape(sentence)}", soft_wrap=True),
            lambda sentence: status.update(escape(sentence)),
        )


@contextmanager
def pixel_bar() -> Iterator[Callable[[Streamed], None]]:
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
        speed = f", {_millions(now.per_second)} million pixels per second{left}" if now.per_second else ""
        complain(f"{now.name}: {now.done / now.total:.0%} of {_millions(now.total)} million pixels{speed}")

    yield watch


def _millions(number: float) -> str:
    """Two digits, or all before the point: 0.005, 1.5, 1074."""
    return f"{number / 1e6:.0f}" if number >= 1e7 else f"{number / 1e6:.2g}"


@contextmanager
def training_bar() -> Iterator[tuple[Callable[[str], None], Callable[[Step], None]]]:
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
