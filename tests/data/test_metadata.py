from __future__ import annotations

from pathlib import Path

import pytest

from delineate.core import DataError
from delineate.data.metadata import metadata_column, metadata_facts


def written(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_recognised(tmp_path: Path, separator: str) -> None:
    path = written(tmp_path, separator.join(["site", "name"]) + "\n" + separator.join(["Bonn", "a"]) + "\n")
    assert metadata_column(path, "site").of(["a"]) == {"a": "Bonn"}


def test_a_first_line_for_spreadsheets_tells_the_separator(tmp_path: Path) -> None:
    path = written(tmp_path, "sep=;\nname;age\na;40,5\n")
    assert metadata_facts(path, ["a"]) == {"age": {"a": "40,5"}}


def test_a_table_of_names_alone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="says nothing of the cases beyond their names"):
        metadata_facts(written(tmp_path, "name\na\n"), ["a"])


def test_names_may_be_files_in_folders_and_others_are_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufefffile,stain\nimages/a.b.tif,HE\nother.png,PAS\n\n")
    assert metadata_column(path, "stain").of(["a.b", "c"]) == {"a.b": "HE"}


def test_without_a_column_of_names_the_first_one_has_them(tmp_path: Path) -> None:
    assert metadata_column(written(tmp_path, "who,age\na,41\n"), "age").of(["a"]) == {"a": "41"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,site\na,Bonn\n", "has no column stain: it has name and site"),
        ("name,stain\na,HE,\n", "line 2 of .* has 3 fields, its header 2"),
        ("name,stain\nx,HE\n", r"names none of the cases \(a\) in its column name"),
        ("name,stain\na,HE\na,PAS\n", "names a twice, with different stain"),
        ("name,stain\n", "has no row of a case"),
    ],
)
def test_a_table_that_does_not_serve_is_refused_with_the_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        metadata_column(written(tmp_path, text), "stain").of(["a"])


def test_a_table_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        metadata_column(tmp_path / "none.csv", "stain").of(["a"])
    (tmp_path / "cases.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="cannot be read as text"):
        metadata_column(tmp_path / "cases.csv", "stain").of(["a"])
