"""A table of what is known about cases besides their pixels: scanner, site, stain, age. CSV, one row a case."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from delineate.core import DataError
from delineate.data.formats import stem_of
from delineate.data.problem import listed

_SEPARATOR = re.compile(r'"?sep=([^\r\n"])"?[,;\t]*(?:\r?\n|$)', re.I)
NAMES = ("name", "case", "image", "file", "filename", "id", "image_id", "case_id")


@dataclass(frozen=True)
class MetadataColumn:
    """What one column of a CSV file says, row by row.

    named_by: the title of the column that names the cases. rows: name as it stands there, and value.
    """

    path: Path
    title: str
    named_by: str
    rows: tuple[tuple[str, str], ...]

    def of(self, cases: Iterable[str]) -> dict[str, str]:
        """What it says of each of these cases, by name; rows of others are ignored, and cases without a row left out.

        Rows may name files, with or without folder and suffix.
        Raises DataError where it names one case twice with different values, and where it names none of them.
        """
        wanted, found = set(cases), dict[str, str]()
        for given, value in self.rows:
            forms = (given, Path(given).name, stem_of(Path(given)))
            name = next((form for form in forms if form in wanted), None)
            if name is None:
                continue
            if found.setdefault(name, value) != value:
                raise DataError(f"{self.path} names {name} twice, with different {self.title}: leave one row")
        if not found:
            raise DataError(
                f"{self.path} names none of the cases ({listed(sorted(wanted), most=3)}) in its column {self.named_by}: "
                "name them as their files are named"
            )
        return found


def metadata_column(path: str | Path, title: str) -> MetadataColumn:
    """The column `title` of a CSV file with a header line; comma, semicolon or tab is recognised as the separator.

    Names of cases are in the column called name, case, image, file or id, else in the first.
    Raises DataError where the file cannot be read, has no row, or lacks the column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Path(scratch) / "cases.csv"
    ...     _ = table.write_text("image;scanner\\nscans/a.nii.gz;Siemens\\nb;Philips\\n")
    ...     metadata_column(table, "scanner").of(["a", "b", "c"])
    {'a': 'Siemens', 'b': 'Philips'}
    """
    file = Path(path)
    header, rows = table_of(file)
    if title not in header:
        raise DataError(f"{file} has no column {title}: it has {listed(header, most=12)}")
    lower = [name.lower() for name in header]
    at, column = next((lower.index(name) for name in NAMES if name in lower), 0), header.index(title)
    said = []
    for number, row in enumerate(rows, start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {file} has {len(row)} fields, its header {len(header)}: put quotes around text that "
                "holds the separator"
            )
        said.append((row[at].strip(), row[column].strip()))
    return MetadataColumn(file, title, header[at], tuple(said))


def metadata_facts(path: str | Path, cases: Iterable[str]) -> dict[str, dict[str, str]]:
    """All that a CSV file says of these cases: column -> case -> value, without the column that names them.

    Raises DataError as `metadata_column` and `MetadataColumn.of` do, and where the names are all there is.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Path(scratch) / "cases.csv"
    ...     _ = table.write_text("image,scanner,age\\na.png,Siemens,40\\nb.png,Philips,50\\n")
    ...     metadata_facts(table, ["a", "b"])
    {'scanner': {'a': 'Siemens', 'b': 'Philips'}, 'age': {'a': '40', 'b': '50'}}
    """
    names = list(cases)
    columns = [metadata_column(path, title) for title in table_of(Path(path))[0] if title]
    facts = {one.title: one.of(names) for one in columns if one.title != one.named_by}
    if not facts:
        raise DataError(
            f"{path} says nothing of the cases beyond their names: give more columns, with commas, semicolons or tabs between"
        )
    return facts


def table_of(file: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, comma, semicolon or tab between the fields; raises DataError where there is no row."""
    _, rows = lines_of(file)
    if len(rows) < 2:
        raise DataError(f"{file} has no row of a case: give a header line and one line per case")
    return [title.strip() for title in rows[0]], rows[1:]


def lines_of(file: Path) -> tuple[str, list[list[str]]]:
    """What stands between the fields of a CSV file, and the fields of each line; raises DataError where it cannot be read.

    A first line such as `sep=;`, by which spreadsheets are told it, is no line of the table.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {file}: give the CSV that describes the cases") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as text ({error}): save it as CSV in UTF-8") from error
    if told := _SEPARATOR.match(text):
        return told[1], list(csv.reader(text[told.end() :].splitlines(), delimiter=told[1]))
    separator = max(",;\t", key=text.partition("\n")[0].count)
    return separator, list(csv.reader(text.splitlines(), delimiter=separator))
