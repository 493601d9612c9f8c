"""Where the system refuses to write, one sentence says so, whatever else it refuses then."""

import pytest

from delineate.core import OutputError, made_folder, written_whole


@pytest.fixture
def file(tmp_path):
    """A file, under which nothing can be written or removed."""
    path = tmp_path / "file"
    path.touch()
    return path


def test_what_cannot_be_removed_either_does_not_replace_the_sentence(file):
    with (
        pytest.raises(OutputError, match=r"cannot write .*a\.txt: Not a directory; free space"),
        written_whole(file / "a.txt") as beside,
    ):
        beside.write_text("all of it")


def test_a_folder_that_cannot_be_made_is_one_sentence(file):
    with pytest.raises(OutputError, match=r"cannot make .*file/a: Not a directory; free space"):
        made_folder(file / "a")
    with pytest.raises(OutputError, match=r"cannot make .*file: File exists"):
        made_folder(file)


def test_a_folder_is_made_with_those_on_the_way_and_taken_where_it_is(tmp_path):
    for _ in range(2):
        assert made_folder(tmp_path / "a" / "b").is_dir()
