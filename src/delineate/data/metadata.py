"""A table of what is known about cases besides their pixels: scanner, site, stain, age. CSV, one row a case."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from delineate.core import DataError
from delineate.data.formats import stem_of
from delineate.data.problem import listed

NAMES = ("name", "case", "image", "file", "filename", "id", "image_id", "case_id")


def metadata_column(path: str | Path, column: str, *, cases: Iterable[str]) -> dict[str, str]:
    """What one column of a CSV file says of each case, by the name of the case.

    The file has a header line; its separator (comma, semicolon or tab) is recognised. Names of cases are in the column
    called name, case, image, file or id, else in the first; they may be file names, with or without folder and suffix.
    Rows of other cases are ignored, and cases without a row are left out.
    Raises DataError where the file cannot be read, lacks the column, names a case twice, or names none of them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Path(scratch) / "cases.csv"
    ...     _ = table.write_text("image;scanner\\nscans/a.nii.gz;Siemens\\nb;Philips\\n")
    ...     metadata_column(table, "scanner", cases=["a", "b", "c"])
    {'a': 'Siemens', 'b': 'Philips'}
    """
    file = Path(path)
    header, rows = _table(file)
    if column not in header:
        raise DataError(f"{file} has no column {column}: it has {listed(header, most=12)}")
    lower = [title.strip().lower() for title in header]
    at = next((lower.index(name) for name in NAMES if name in lower), 0)
    wanted, found = set(cases), dict[str, str]()
    for number, row in enumerate(rows, start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {file} has {len(row)} fields, its header {len(header)}: put quotes around text that holds "
                "the separator"
            )
        given = row[at].strip()
        name = next(
            (name for name in (given, Path(given).name, stem_of(Path(given))) if name in wanted), None
        )
        if name is None:
            continue
        if name in found and found[name] != row[header.index(column)]:
            raise DataError(f"{file} names {name} twice, with different {column}: leave one row")
        found[name] = row[header.index(column)].strip()
    if not found:
        raise DataError(
            f"{file} names none of the cases ({listed(sorted(wanted), most=3)}) in its column {header[at]}: name them as "
            "their files are named"
        )
    return found


def _table(file: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {file}: give the CSV that describes the cases") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as text ({error}): save it as CSV in UTF-8") from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    if len(rows) < 2:
        raise DataError(f"{file} has no row of a case: give a header line and one line per case")
    return [title.strip() for title in rows[0]], rows[1:]
