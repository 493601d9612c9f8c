from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.convention import Convention
from delineate.data.evidence import Evidence, look, plain
from delineate.data.legend import Legend, read_legend
from delineate.data.masks import understand
from delineate.data.picture import Picture


def mask(array: Any, *, suffix: str = ".png", axes: int = 2, palette: Any = None) -> Picture:
    return Picture(np.asarray(array), (1.0,) * axes, "px", None, suffix, (), palette)


def reading(*arrays: Any, **options: Any) -> Convention:
    return understand([look(mask(a), where=f"{i}.png") for i, a in enumerate(arrays)], **options)


def labels(array: Any, convention: Convention) -> list[Any]:
    return convention.read(mask(array), where="a.png")[0].tolist()


def blobs(count: int, *, size: int = 64) -> NDArray[np.uint8]:
    """`count` separate squares, numbered from 1."""
    drawn = np.zeros((size, size), np.uint8)
    for i in range(count):
        row, column = divmod(i, size // 4)
        drawn[4 * row : 4 * row + 3, 4 * column : 4 * column + 3] = i + 1
    return drawn


# --- forms a mask comes in


def test_one_bit_float_and_grey_stored_as_rgb_are_the_same_mask() -> None:
    drawn = np.array([[0, 1], [1, 0]])
    for form in (
        drawn.astype(bool),
        drawn.astype(np.float32),
        np.repeat(drawn[..., None], 3, -1).astype(np.uint8),
    ):
        ints, colour = plain(mask(form), where="a.png")
        assert ints.tolist() == drawn.tolist()
        assert not colour


def test_a_transparent_pixel_is_black() -> None:
    drawn = np.array([[[9, 9, 9, 0], [255, 0, 0, 255]]], np.uint8)
    assert plain(mask(drawn), where="a.png")[0].tolist() == [[0, 0xFF0000]]


def test_constant_alpha_says_nothing() -> None:
    drawn = np.array([[[0, 0, 0, 0], [255, 0, 0, 0]]], np.uint8)
    assert plain(mask(drawn), where="a.png")[0].tolist() == [[0, 0xFF0000]]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        ([[0.0, 0.5]], "holds 0.5 and other values between whole numbers"),
        ([[0.0, np.nan]], "pixels that are NaN"),
        (np.array([[[1, 2, 3, 128], [0, 0, 0, 255]]], np.uint8), "half-transparent"),
        (np.zeros((2, 2, 2), np.uint8), "has 2 channels"),
    ],
)
def test_what_cannot_be_a_mask_is_refused(array: Any, says: str) -> None:
    with pytest.raises(DataError, match=rf"^mask a\.png .*{says}.*: "):
        plain(mask(array), where="a.png")


def test_a_three_pixel_wide_volume_is_no_colour_picture() -> None:
    drawn = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert plain(mask(drawn, axes=3), where="a.tif")[0].shape == (2, 2, 3)


# --- class masks


@pytest.mark.parametrize("high", [1, 7, 128, 255])
def test_zero_and_any_other_value_are_background_and_foreground(high: int) -> None:
    understood = reading([[0, high]])
    assert understood.classes.names == ("background", "foreground")
    assert understood.notes == (f"masks hold 0 and {high}: read as background and foreground",)
    assert labels([[high, 0]], understood) == [[1, 0]]


def test_class_numbers_stay() -> None:
    understood = reading([[0, 1, 2, 1, 2]])
    assert understood.classes.names == ("background", "class_1", "class_2")
    assert labels([[2, 0, 1]], understood) == [[2, 0, 1]]


def test_255_beside_class_numbers_is_unlabelled_and_it_is_said() -> None:
    understood = reading([[0, 1, 255]])
    assert labels([[255, 1, 0]], understood) == [[UNLABELLED, 1, 0]]
    assert understood.notes[-1] == "255 is read as unlabelled"


def test_values_mean_the_same_in_every_file_of_the_set() -> None:
    understood = reading([[0, 10, 30, 10, 30]], [[0, 30]], [[0, 0]])
    assert understood.classes.names == ("background", "value_10", "value_30")
    assert labels([[0, 30]], understood) == [[0, 2]]
    assert "10 = value_10 and 30 = value_30" in understood.notes[0]


def test_masks_that_are_partly_0_1_and_partly_0_255_are_not_guessed_about() -> None:
    with pytest.raises(
        DataError, match="some masks hold 0 and 1 and others 255: save all of them in one way"
    ):
        reading([[0, 1]], [[0, 255]])
    told = reading([[0, 1]], [[0, 255]], unlabelled=255)
    assert labels([[0, 1, 255]], told) == [[0, 1, UNLABELLED]]


def test_a_single_negative_value_is_unlabelled() -> None:
    understood = reading(np.array([[-1, 0, 1]], np.int16))
    assert labels(np.array([[-1, 0, 1]], np.int16), understood) == [[UNLABELLED, 0, 1]]


@pytest.mark.parametrize(
    ("arrays", "options", "says"),
    [
        ([[[-2, -1, 0, 1]]], {}, "which of the negative values"),
        ([[[0, 127, 255, 127, 255]]], {}, "say --unlabelled 255 if it means unlabelled"),
        ([[[0, 255]]], {"kind": "scribbles"}, "255 may be a class or mean unlabelled"),
        ([[[0, 1, 2]]], {"kind": "scribbles"}, "0 may mean background or unlabelled: say --unlabelled 0"),
        ([[[1, 2, 1, 2]]], {}, "never 0"),
        ([[[1, 1]]], {}, "there must be a second value"),
        ([[[255, 255]]], {}, "foreground or unlabelled"),
        ([[[5, 5]]], {"unlabelled": 5}, "every pixel of all masks is unlabelled"),
        ([], {}, "there is no mask"),
    ],
)
def test_what_is_ambiguous_is_asked_for(arrays: list[Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        reading(*(np.asarray(array, np.int16) for array in arrays), **options)


def test_scribbles_take_255_as_unlabelled() -> None:
    understood = reading([[0, 1, 2, 255]], kind="scribbles")
    assert labels([[0, 1, 2, 255]], understood) == [[0, 1, 2, UNLABELLED]]


def test_scribbles_take_0_as_unlabelled_when_told() -> None:
    understood = reading([[0, 1, 2]], kind="scribbles", unlabelled=0)
    assert labels([[0, 1, 2]], understood) == [[UNLABELLED, 0, 1]]
    assert understood.classes.names == ("background", "value_2")
    assert (
        "value 1 is taken for background: name the values in classes.json if it is another"
        in understood.notes
    )


def test_a_model_of_scribbles_reads_other_scribbles_and_masks_by_the_same_values() -> None:
    trained = reading([[0, 10, 20]], kind="scribbles", unlabelled=0)
    again = reading([[0, 10, 20]], kind="scribbles", unlabelled=0, classes=trained.classes)
    assert labels([[0, 10, 20]], again) == [[UNLABELLED, 0, 1]]
    assert "value 10 is taken for background" in "".join(again.notes)
    assert labels([[0, 20]], reading([[0, 20]], classes=trained.classes)) == [[0, 1]]
    as_classes: dict[str, Any] = {"masks_are": "classes", "classes": trained.classes}
    assert labels([[0, 10, 20]], reading([[0, 10, 20]], unlabelled=0, **as_classes)) == [[UNLABELLED, 0, 1]]
    with pytest.raises(DataError, match="masks hold 10 and 20, but the classes are background and value_20"):
        reading([[10, 20]], **as_classes)


def test_scribbles_beside_masks_say_which_value_is_taken_for_background() -> None:
    beside = reading([[0, 1, 2]], kind="scribbles", unlabelled=0, classes=reading([[0, 255]]).classes)
    assert labels([[0, 1, 2]], beside) == [[UNLABELLED, 0, 1]]
    assert "value 1 is taken for background: name the values in classes.json if it is another" in beside.notes


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ([0, 1, 2], "--unlabelled 0 if it means unlabelled, say --unlabelled 255 if it is a class"),
        ([65535, 0, 1], "--unlabelled 65535 if it means unlabelled"),
        ([128, 0, 255], "--unlabelled 128 if it means unlabelled, name it in classes.json if it is a class"),
        ([0, 128, 255], "--unlabelled 0 if it means unlabelled, name it in classes.json if it is a class"),
    ],
)
def test_scribbles_ask_about_the_value_that_lies_on_most_pixels(values: list[int], option: str) -> None:
    drawn = np.array([values[:1] * 9 + values[1:] * 2], np.int32)
    most = f"and {values[0]} lies on most pixels and may mean background or unlabelled"
    with pytest.raises(DataError, match=f"{most}: say {option}.*masks/ if they are full masks"):
        reading(drawn, kind="scribbles")
    told = reading(drawn, kind="scribbles", unlabelled=values[0])
    assert labels([values], told) == [[UNLABELLED, 0, 1]]


def test_a_value_that_was_never_seen_is_refused() -> None:
    with pytest.raises(DataError, match=r"mask a\.png holds 3, but only 0 and 1 have a meaning"):
        labels([[0, 3]], reading([[0, 1]]))


# --- classes or objects


def test_many_connected_values_whose_number_varies_are_objects() -> None:
    understood = reading(blobs(12), blobs(20), blobs(31))
    read, objects = understood.read(mask(blobs(12)), where="a.png")
    assert understood.objects
    assert objects is not None
    assert (int(read.max()), int(objects.max())) == (1, 12)


def test_more_ids_than_there_can_be_classes_are_objects() -> None:
    later = blobs(200).astype(np.uint16)
    later[later > 0] += 300
    assert reading(blobs(200), later).objects


def test_values_in_many_pieces_are_classes() -> None:
    drawn = blobs(30) % 4
    assert reading(drawn).classes.names == ("background", "class_1", "class_2", "class_3")


def test_the_same_few_values_in_every_image_are_classes() -> None:
    assert not reading(blobs(3), blobs(3), blobs(3)).objects


def test_a_few_connected_values_may_be_either_and_are_asked_for() -> None:
    with pytest.raises(DataError, match="--masks-are classes or --masks-are instances"):
        reading(blobs(2), blobs(3))
    assert reading(blobs(2), blobs(3), masks_are="instances").objects
    assert not reading(blobs(2), blobs(3), masks_are="classes").objects
    assert not reading(blobs(2), blobs(3), classes=ClassTable.numbered(4)).objects


def test_a_folder_of_instances_needs_no_evidence_and_255_is_an_id_there() -> None:
    understood = reading([[0, 255]], kind="instances")
    read, objects = understood.read(mask([[0, 255]]), where="a.png")
    assert read.tolist() == [[0, 1]]
    assert objects is not None
    assert objects.tolist() == [[0, 255]]


def test_cellpose_masks_are_ids_unless_they_hold_one_value() -> None:
    assert reading(blobs(2), kind="ids").objects
    assert not reading([[0, 255]], kind="ids").objects


def test_negative_ids_are_unlabelled() -> None:
    drawn = np.array([[-1, 0, 4]], np.int32)
    read, objects = reading(drawn, kind="instances").read(mask(drawn), where="a.tif")
    assert objects is not None
    assert (read.tolist(), objects.tolist()) == ([[UNLABELLED, 0, 1]], [[0, 0, 4]])


def test_ids_too_large_for_32_bits_are_renumbered() -> None:
    drawn = np.array([[0, 2**40, 2**50, 2**40]], np.uint64)
    objects = reading(drawn, kind="instances").read(mask(drawn), where="a.tif")[1]
    assert objects is not None
    assert objects.tolist() == [[0, 1, 2, 1]]


# --- colours and palettes

BLACK, RED, GREEN, WHITE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255)


def test_colours_are_classes_with_black_as_background() -> None:
    understood = reading(np.array([[RED, BLACK, GREEN, RED]], np.uint8))
    assert understood.classes.names == ("background", "colour_00ff00", "colour_ff0000")
    assert labels(np.array([[GREEN, BLACK, RED]], np.uint8), understood) == [[1, 0, 2]]


def test_black_and_white_files_belong_to_a_colour_coded_set() -> None:
    first, second = np.array([[RED, WHITE, BLACK]], np.uint8), np.array([[WHITE, BLACK, BLACK]], np.uint8)
    assert labels(second, reading(first, second)) == [[2, 0, 0]]


STROKES = np.array([[BLACK] * 9 + [RED, GREEN]], np.uint8)


def test_black_on_most_of_coloured_scribbles_is_asked_about() -> None:
    with pytest.raises(DataError, match=r"#000000 lies on most pixels.*: say --unlabelled 0 if it means unl"):
        reading(STROKES, kind="scribbles")
    told = reading(STROKES, kind="scribbles", unlabelled=0)
    assert labels(np.array([[BLACK, GREEN, RED]], np.uint8), told) == [[UNLABELLED, 0, 1]]
    assert told.classes.names == ("background", "colour_ff0000")
    assert "#00ff00 is taken for background: name the colours in classes.json if it is another" in told.notes


def test_another_colour_on_most_pixels_of_scribbles_can_be_named_unlabelled() -> None:
    drawn = np.array([[WHITE] * 9 + [BLACK, RED]], np.uint8)
    with pytest.raises(
        DataError,
        match=r'name all colours in classes.json, with "unlabelled": "#ffffff" or "background": "#ffffff" for',
    ):
        reading(drawn, kind="scribbles")
    legend = Legend("classes.json", {0: "background", 0xFF0000: "cell"}, 0xFFFFFF)
    assert labels(drawn[:, 8:], reading(drawn, kind="scribbles", legend=legend)) == [[UNLABELLED, 0, 1]]


@pytest.mark.parametrize("unlabelled", [None, 0])
def test_where_coloured_scribbles_are_transparent_nobody_drew(unlabelled: int | None) -> None:
    drawn = np.concatenate([STROKES, np.where(STROKES.any(-1, keepdims=True), 255, 0).astype(np.uint8)], -1)
    legend = Legend("classes.json", {0xFF0000: "background", 0x00FF00: "cell"})
    evidence = [look(mask(drawn), where="a.png", strokes=True)]
    told = understand(evidence, kind="scribbles", legend=legend, unlabelled=unlabelled)
    assert labels(drawn[:, 8:], told) == [[UNLABELLED, 0, 1]]
    assert "transparent pixels are read as unlabelled" in told.notes
    with pytest.raises(DataError, match="never black, so that it is not clear which is the background"):
        understand(evidence, kind="scribbles")


def test_black_and_white_strokes_on_a_transparent_ground_are_classes_in_any_file_of_the_set() -> None:
    clear, black, white = (0, 0, 0, 0), (0, 0, 0, 255), (255, 255, 255, 255)
    drawn, empty = (np.array([row], np.uint8) for row in ([clear, black, white], [clear] * 3))
    told = understand([look(mask(m), where="a.png", strokes=True) for m in (drawn, empty)], kind="scribbles")
    assert labels(drawn, told) == [[UNLABELLED, 0, 1]]
    assert labels(empty, told) == [[UNLABELLED] * 3]


def test_a_grey_file_among_coloured_ones_is_refused() -> None:
    with pytest.raises(DataError, match=r"1\.png is grey but 0\.png is in colour"):
        reading(np.array([[RED, BLACK]], np.uint8), [[0, 1]])


def test_colours_without_black_need_a_legend() -> None:
    drawn = np.array([[RED, WHITE]], np.uint8)
    with pytest.raises(DataError, match=r'never black.*\{"background": "#ff0000", "cell": "#ffffff"\}'):
        reading(drawn)
    named = Legend("classes.json", {0xFFFFFF: "background", 0xFF0000: "cell"})
    assert labels(drawn, reading(drawn, legend=named)) == [[1, 0]]


def test_more_than_64_colours_are_no_classes() -> None:
    drawn = np.stack([np.arange(70), np.zeros(70), np.full(70, 9)], -1).astype(np.uint8)[None]
    with pytest.raises(DataError, match="70 different colours"):
        reading(drawn)
    assert reading(drawn, masks_are="instances").objects


def test_palette_files_are_read_by_index() -> None:
    palette = np.array([BLACK, RED, GREEN], np.uint8)
    seen = look(mask([[0, 1, 2, 1, 2]], palette=palette), where="a.png")
    assert understand([seen]).classes.names == ("background", "class_1", "class_2")


def test_a_blurred_mask_that_was_given_a_palette_is_blurred() -> None:
    rows, columns = np.mgrid[:96, :96]
    disc = np.uint8(255) * ((rows - 48) ** 2 + (columns - 45) ** 2 < 600)
    blurred = Image.fromarray(disc).resize((90, 90), Image.Resampling.BILINEAR).resize((96, 96))
    quantised = blurred.convert("RGB").quantize(16)
    palette = np.array(quantised.getpalette(), np.uint8).reshape(-1, 3)
    assert look(mask(np.array(quantised), palette=palette), where="a.png").fringed
    classes = np.repeat(np.arange(6, dtype=np.uint8), 16)[None].repeat(96, axis=0)
    assert not look(mask(classes, palette=palette), where="a.png").fringed


def test_palettes_in_different_orders_are_read_by_colour() -> None:
    one = mask([[0, 1]], palette=np.array([BLACK, WHITE], np.uint8))
    two = mask([[0, 1]], palette=np.array([WHITE, BLACK], np.uint8))
    understood = understand([look(one, where="1.gif"), look(two, where="2.gif")])
    assert understood.read(one, where="1.gif")[0].tolist() == [[0, 1]]
    assert understood.read(two, where="2.gif")[0].tolist() == [[1, 0]]
    assert understood.tally(look(two, where="2.gif"))[:2].tolist() == [1, 1]
    assert "read by colour" in understood.notes[0]


# --- legends and the tables of models


def test_a_legend_names_the_values_and_its_ignore_is_unlabelled(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "rim": 1, "core": 2, "ignore": 3}}')
    understood = reading([[0, 1, 2, 3]], legend=read_legend(tmp_path))
    assert understood.classes.names == ("background", "rim", "core")
    assert labels([[3, 2, 1]], understood) == [[UNLABELLED, 2, 1]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.json", '{"background": 0, "cell": 1}'),
        ("classes.json", '{"0": "background", "1": "cell"}'),
        ("classes.json", '["background", "cell"]'),
        ("classes.txt", "background\ncell\n"),
    ],
)
def test_names_are_written_in_several_ways(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    legend = read_legend(tmp_path)
    assert legend is not None
    assert legend.names == {0: "background", 1: "cell"}
    assert reading([[0, 255]], legend=legend).index == {0: 0, 255: 1}


def test_background_comes_first_whatever_its_value(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('{"cell": "#ff0000", "background": "#ffffff"}')
    legend = read_legend(tmp_path)
    assert legend is not None
    assert list(legend.names.values()) == ["background", "cell"]


def test_regions_name_no_values_but_the_one_to_ignore_is_no_class(tmp_path: Path) -> None:
    regions = '"background": 0, "whole": [1, 2, 3], "core": [2, 3], "spot": 3'
    (tmp_path / "dataset.json").write_text(f'{{"labels": {{{regions}}}}}')
    assert read_legend(tmp_path) is None
    (tmp_path / "dataset.json").write_text(f'{{"labels": {{{regions}, "ignore": 4}}}}')
    understood = reading([[0, 1, 2, 3, 4]], legend=read_legend(tmp_path))
    assert understood.classes.names == ("background", "class_1", "class_2", "class_3")
    assert understood.index == {0: 0, 1: 1, 2: 2, 3: 3, 4: UNLABELLED}


@pytest.mark.parametrize("name", ["unlabelled", "Unlabeled", "ignore", "void"])
def test_what_is_named_unlabelled_is_no_class(tmp_path: Path, name: str) -> None:
    (tmp_path / "classes.json").write_text(f'{{"{name}": 0, "background": 1, "cell": 2}}')
    understood = reading([[0, 1, 2]], kind="scribbles", legend=read_legend(tmp_path))
    assert understood.classes.names == ("background", "cell")
    assert labels([[0, 1, 2]], understood) == [[UNLABELLED, 0, 1]]


@pytest.mark.parametrize("text", ['{"ignore": 0, "void": 3, "cell": 2}', '{"void": 0}'])
def test_one_value_alone_may_be_named_unlabelled_and_some_must_be_classes(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(DataError, match=r"classes\.json"):
        read_legend(tmp_path)


def test_what_a_legend_does_not_name_on_most_pixels_of_scribbles_is_unlabelled() -> None:
    legend = Legend("classes.json", {2: "background", 1: "cell"})
    understood = reading([[0] * 9 + [1, 2]], kind="scribbles", legend=legend)
    assert labels([[0, 1, 2]], understood) == [[UNLABELLED, 1, 0]]
    assert any("0 lies on most pixels and classes.json does not name it" in n for n in understood.notes)
    colours = Legend("classes.json", {0xFF0000: "background", 0x00FF00: "cell"})
    coloured = reading(STROKES, kind="scribbles", legend=colours)
    assert labels(STROKES[:, 8:], coloured) == [[UNLABELLED, 0, 1]]


def test_0_is_no_second_background_beside_the_one_that_is_named() -> None:
    legend = Legend("classes.json", {1: "background", 2: "cell"})
    with pytest.raises(DataError, match=r"masks hold 0 \(in 0\.png\), which classes\.json does not name"):
        reading([[0, 1, 2]], legend=legend)


def test_a_legend_without_background_says_what_is_taken_for_it() -> None:
    legend = Legend("classes.json", {1: "cell", 2: "fibre"})
    understood = reading([[0] * 9 + [1, 2]], kind="scribbles", legend=legend)
    assert any(n.startswith("cell (1) is taken for background: name another") for n in understood.notes)


@pytest.mark.parametrize("text", ["{", "3", "{}", '{"cell": []}', '{"a": 1, "b": 1}'])
def test_a_legend_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(DataError, match=r"classes\.json"):
        read_legend(tmp_path)


def test_a_value_the_legend_does_not_name_is_refused() -> None:
    legend = Legend("dataset.json", {0: "background", 1: "rim", 2: "core"})
    with pytest.raises(DataError, match=r"masks hold 7 \(in 0\.png\), which dataset\.json does not name"):
        reading([[0, 1, 2, 7]], legend=legend)


@pytest.mark.parametrize("values", [[0, 10, 30], [0, 30], [0, 0]])
def test_new_masks_are_read_as_those_the_model_was_trained_on(values: list[int]) -> None:
    trained = reading([[0, 10, 30, 10, 30]])
    again = reading([values], classes=trained.classes)
    assert labels([values], again) == labels([values], trained)


def test_masks_that_lack_classes_of_the_model_keep_their_numbers() -> None:
    assert labels([[0, 2]], reading([[0, 2]], classes=ClassTable.numbered(4))) == [[0, 2]]


def test_255_is_unlabelled_where_the_model_has_several_classes() -> None:
    several = ClassTable.numbered(4)
    assert labels([[0, 2, 255]], reading([[0, 2, 255]], classes=several)) == [[0, 2, UNLABELLED]]
    asked = reading([[0, 255]], classes=several, unlabelled=255)
    assert labels([[0, 255]], asked) == [[0, UNLABELLED]]


def test_0_and_255_alone_are_asked_about_where_the_model_has_several_classes() -> None:
    with pytest.raises(
        DataError, match="masks hold 0 and 255 and nothing else, where several classes are known"
    ):
        reading([[0, 255]], classes=ClassTable.numbered(3))


def test_masks_with_a_class_that_the_model_lacks_are_refused() -> None:
    with pytest.raises(DataError, match="but the classes are background, class_1 and class_2"):
        reading([[0, 3]], classes=ClassTable.numbered(3))


# --- blurred masks


def disc(size: int = 96) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:size, :size]
    return np.where((rows - 40) ** 2 + (columns - 50) ** 2 < 900, 255, 0).astype(np.uint8)


def seen(image: Image.Image, suffix: str = ".png") -> Evidence:
    return look(mask(np.asarray(image), suffix=suffix), where=f"a{suffix}")


@pytest.mark.parametrize("scale", [0.5, 0.77, 2, 3.3])
@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_interpolated_masks_are_recognised(scale: float, how: Image.Resampling) -> None:
    side = int(96 * scale)
    assert seen(Image.fromarray(disc()).resize((side, side), how)).fringed
    assert not seen(Image.fromarray(disc()).resize((side, side), Image.Resampling.NEAREST)).fringed


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_jpeg_masks_are_recognised_even_when_saved_again_as_png(quality: int) -> None:
    held = io.BytesIO()
    Image.fromarray(disc()).save(held, "JPEG", quality=quality)
    assert seen(Image.open(held)).fringed


def test_a_jpeg_with_more_than_two_values_is_never_a_mask() -> None:
    assert seen(Image.fromarray(blobs(3)), suffix=".jpg").fringed


def test_objects_thin_objects_and_thin_classes_are_not_taken_for_blur() -> None:
    assert not seen(Image.fromarray(blobs(100))).fringed
    fibres = np.zeros((64, 200), np.uint8)
    fibres[:, ::2] = np.arange(100)
    assert not seen(Image.fromarray(fibres)).fringed
    outlined = np.kron(np.arange(9).reshape(3, 3), np.ones((12, 12))).astype(np.uint8)
    outlined[::12] = 20
    assert not seen(Image.fromarray(outlined)).fringed
