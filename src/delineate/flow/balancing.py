"""Which images are drawn how often, where a table says what scanner, site or stain they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate.core import Case, DataError
from delineate.data import DataSet
from delineate.data.balance import drawn_by_itself, times_alike
from delineate.data.metadata import metadata_column
from delineate.data.problem import counted
from delineate.flow.methods import Tell
from delineate.score.subgroups import NOT_STATED, told_apart


def balanced(
    found: DataSet,
    learnt: Sequence[Case],
    *,
    dims: int,
    balance: str | None,
    metadata: str | Path | None,
    data: Any,
    tell: Tell,
) -> dict[str, int]:
    """Name -> how often a case is to be drawn, so that all values of the column `balance` are learnt from alike.

    learnt: the cases found, without those that are held out. Numbers of many values are told apart by four ranges, as the audit
    does. Raises DataError where there is no such table or column, or where it tells nothing apart that is learnt from.
    """
    if balance is None:
        if metadata is not None:
            raise DataError(
                "--metadata says what is known of the images, --balance which of it counts: give that too"
            )
        return {}
    if metadata is not None and not Path(metadata).is_file():
        raise DataError(f"there is no file {metadata}: give the CSV that describes the images")
    table = metadata or (Path(data) / "metadata.csv" if isinstance(data, (str, Path)) else None)
    if table is None or not Path(table).is_file():
        raise DataError(
            f"--balance {balance} needs a table that says it of each image: give --metadata FILE, a CSV with a column of names "
            f"and one called {balance}, or put metadata.csv into the data folder"
        )
    sizes = {case.name: case.spatial for case in learnt} | {
        one.name: one.image.spatial for one in found.large
    }
    weights = {name: drawn_by_itself(spatial, dims=dims) for name, spatial in sizes.items()}
    names = list(dict.fromkeys([*weights, *(case.name for case in (*found.cases, *found.validation))]))
    said = metadata_column(table, balance).of(names)
    kinds = dict(zip(said, told_apart(list(said.values())), strict=True))
    kinds = {name: kind for name, kind in kinds.items() if kind != NOT_STATED}
    several = Counter(kinds[name] for name in weights if name in kinds)
    if len(several) < 2:
        raise DataError(
            f"all {len(weights)} images to learn from are of one kind ({next(iter(several), NOT_STATED)}), so there is nothing "
            "to balance: leave --balance out, or name another column"
        )
    times = times_alike(kinds, weights)
    each = Counter((kinds.get(name, NOT_STATED), times.get(name, 1)) for name in weights)
    told = [f"{kind} ({counted(count, 'image')}) x {often}" for (kind, often), count in each.items()]
    tell(f"balance: images are drawn by {balance}: {', '.join(told)}")
    return {name: often for name, often in times.items() if often > 1}
