"""Which images are drawn how often, where a table says what scanner, site or stain they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate.core import Case, DataError
from delineate.data.balance import times_alike
from delineate.data.large_case import LargeCase
from delineate.data.metadata import metadata_column
from delineate.data.problem import counted
from delineate.flow.methods import Tell


def balanced(
    cases: Sequence[Case],
    large: Sequence[LargeCase],
    *,
    balance: str | None,
    metadata: str | Path | None,
    data: Any,
    tell: Tell,
) -> dict[str, int]:
    """Name -> how often a case is to be drawn, so that all values of the column `balance` are learnt from alike.

    Raises DataError where there is no such table or column, or where it tells nothing apart.
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
    names = list(dict.fromkeys([*(case.name for case in cases), *(one.name for one in large)]))
    values = metadata_column(table, balance).of(names)
    times = times_alike(values, names)
    kinds = Counter((values.get(name, "not stated"), times[name]) for name in names)
    each = [f"{value} ({counted(count, 'image')}) x {often}" for (value, often), count in kinds.items()]
    tell(f"balance: images are drawn by {balance}: {', '.join(each)}")
    return {name: often for name, often in times.items() if often > 1}
