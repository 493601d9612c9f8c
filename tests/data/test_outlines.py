"""Outlines of other programs: every format as its program writes it, and which pixels an outline holds."""

import base64
import gzip
import io
import json
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiwrite

from delineate.core import UNLABELLED, DataError
from delineate.data import Entry
from delineate.data.formats import stem_of
from delineate.data.outlines import Outline, inside, read_outlines, ring, understand, whose
from delineate.data.outlines.coco import unrolled


def grid(text):
    """A mask drawn as rows of 0 and 1."""
    return np.array([[int(letter) for letter in row.strip()] for row in text.strip().splitlines()])


SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3]]  # x and y: three columns, two rows


def filled(outline, shape=(5, 6)):
    one = understand([outline], named="thing").of([outline], start=(0, 0), shape=shape)
    return one[0]


def blob(seed, *, corners=40, radius=20.0):
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radii = radius * rng.uniform(0.4, 1.2, corners)
    return np.stack([25 + radii * np.sin(angles), 27 + radii * np.cos(angles)], axis=1)


# ---- pixels


def test_a_pixel_belongs_to_the_polygon_that_holds_its_middle():
    triangle = ring([[0, 0], [5, 0], [0, 5]])
    expected = grid("""
        11110
        11100
        11000
        10000
        00000
    """)
    held = inside([triangle], start=(0, 0), shape=(5, 5))
    # middles on the long side lie on x + y = 5: (0.5, 4.5) and so on belong to one of the two sides, here the other
    np.testing.assert_array_equal(held, expected)
    other = ring([[5, 0], [5, 5], [0, 5]])
    np.testing.assert_array_equal(inside([other], start=(0, 0), shape=(5, 5)), ~held)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_matplotlib_says_of_the_middles(seed):
    from matplotlib.path import Path

    corners = blob(seed)
    middles = np.stack(np.meshgrid(np.arange(50) + 0.5, np.arange(60) + 0.5, indexing="ij"), axis=-1)
    expected = Path(corners).contains_points(middles.reshape(-1, 2)).reshape(50, 60)
    np.testing.assert_array_equal(inside([corners], start=(0, 0), shape=(50, 60)), expected)


@given(st.integers(0, 20), st.integers(-5, 30), st.integers(-5, 30))
def test_a_window_holds_what_the_whole_holds_there(seed, top, left):
    corners = blob(seed)
    whole = inside([corners], start=(-10, -10), shape=(80, 80))
    np.testing.assert_array_equal(
        inside([corners], start=(top, left), shape=(17, 23)),
        whole[top + 10 : top + 27, left + 10 : left + 33],
    )


def test_two_sides_that_are_one_line_neither_overlap_nor_leave_a_gap():
    top, bottom = [11, 0], [0, 33]  # through the middle of the pixel in row 22 and column 3, but for rounding
    left = inside([ring([top, bottom, [-1, 33], [-1, 0]])], start=(0, 0), shape=(33, 12))
    right = inside([ring([bottom, top, [13, 0], [13, 33]])], start=(0, 0), shape=(33, 12))
    assert (left ^ right).all()


def test_a_window_costs_what_is_drawn_there_and_not_the_whole_outline(monkeypatch):
    angles = np.linspace(0, 2 * np.pi, 20000, endpoint=False)
    circle = ring(np.stack([5000 + 4000 * np.cos(angles), 5000 + 4000 * np.sin(angles)], axis=1))
    rounded = []
    ceil = np.ceil
    monkeypatch.setattr(np, "ceil", lambda values: rounded.append(np.size(values)) or ceil(values))
    assert inside([circle], start=(5000, 5000), shape=(20, 20)).all()
    assert max(rounded) < 100


@given(st.integers(0, 2**32 - 1), st.integers(0, 90), st.integers(0, 90))
def test_middles_on_a_side_are_in_the_same_polygon_in_every_window(seed, down, right):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 600, (6, 2)) / 6 + [
        70_001,
        90_003,
    ]  # thirds and halves, far from the corner of a slide
    whole = inside([corners], start=(70_000, 90_000), shape=(110, 110))
    window = inside([corners], start=(70_000 + down, 90_000 + right), shape=(20, 20))
    np.testing.assert_array_equal(window, whole[down : down + 20, right : right + 20])


def test_a_hole_in_an_outline_and_an_island_in_the_hole():
    rings = tuple(ring([[a, a], [b, a], [b, b], [a, b]]) for a, b in ((0, 5), (1, 4), (2, 3)))
    np.testing.assert_array_equal(
        filled(Outline("a", (rings,))),
        grid("""
            111110
            100010
            101010
            100010
            111110
        """),
    )


def test_parts_that_overlap_are_one_thing_without_a_hole_between():
    parts = ((ring(SQUARE),), (ring([[3, 2], [6, 2], [6, 5], [3, 5]]),))
    np.testing.assert_array_equal(
        filled(Outline("a", parts)),
        grid("""
            000000
            011100
            011111
            000111
            000111
        """),
    )


def test_a_small_outline_lies_on_a_large_one_whichever_comes_first():
    large, small = (
        Outline("cell", ((ring([[0, 0], [6, 0], [6, 5], [0, 5]]),),)),
        Outline("nucleus", ((ring(SQUARE),),)),
    )
    for order in ((large, small), (small, large)):
        labels, ids, seen = understand(order).of(order, start=(0, 0), shape=(5, 6))
        np.testing.assert_array_equal(
            labels,
            grid("""
                111111
                122211
                122211
                111111
                111111
            """),
        )
        assert ids[1, 1] == order.index(small) + 1
        assert seen == {0, 1}


# ---- what outlines mean


def test_alone_they_stand_on_background():
    meaning = understand([Outline("tumour"), Outline("stroma")])
    assert meaning.classes.names == ("background", "stroma", "tumour")
    assert meaning.outside == 0
    assert meaning.notes == (
        "outlines of stroma (1) and tumour (1)",
        "what has no outline is background (--outside unlabelled if it is not)",
    )


def test_beside_outlines_of_background_nobody_spoke_of_the_rest():
    meaning = understand([Outline("cell"), Outline("Background")])
    assert (meaning.outside, meaning.values["Background"]) == (UNLABELLED, 0)
    assert "what has no outline is unlabelled, as there are outlines of Background" in meaning.notes[-1]
    assert understand([Outline("cell"), Outline("Background")], outside="background").outside == 0


def test_within_qupaths_region_the_rest_is_background_and_beside_it_unlabelled():
    region = Outline("Region*", ((ring([[0, 0], [5, 0], [5, 4], [0, 4]]),),))
    tumour, ignored = (
        Outline("Tumor", ((ring(SQUARE),),)),
        Outline("Ignore*", ((ring([[0, 0], [2, 0], [2, 2], [0, 2]]),),)),
    )
    some = [ignored, tumour, region]
    labels, ids, _ = understand(some).of(some, start=(0, 0), shape=(5, 6))
    u = UNLABELLED
    expected = [[u, u, 0, 0, 0, u], [u, u, 1, 1, 0, u], [0, 1, 1, 1, 0, u], [0, 0, 0, 0, 0, u], [u] * 6]
    np.testing.assert_array_equal(labels, expected)
    assert set(np.unique(ids)) == {0, 2}


@pytest.mark.parametrize("named", ["background", "Background", "ignore", "Void*"])
def test_what_is_no_class_of_objects_is_no_name_for_all_outlines(named):
    with pytest.raises(DataError, match="is no class of objects: say with --named what was drawn around"):
        understand([Outline("cell")], named=named)


def test_classes_without_background_begin_with_the_first_of_them():
    meaning = understand([Outline("tumour"), Outline("stroma")], outside="unlabelled")
    assert meaning.classes.names == ("stroma", "tumour")
    assert not meaning.objects


def test_outlines_without_a_class_are_foreground_where_none_has_one_and_stay_out_where_others_have():
    assert understand([Outline("")]).classes.names == ("background", "foreground")
    mixed = understand([Outline(""), Outline("cell")])
    assert "" not in mixed.values
    assert "1 outline without a class left out" in mixed.notes[1]
    assert understand([Outline(""), Outline("cell")], named="thing").values == {"": 1, "cell": 1}


@pytest.mark.parametrize(
    ("said", "asked", "sentence"),
    [
        (
            ["Tumor", "tumor"],
            {},
            "outlines are called Tumor and tumor, which differ in capital letters alone",
        ),
        (["cell"], {"outside": "unlabelled"}, "all outlines are cell and nothing is said of other pixels"),
        (["Ignore*"], {}, "there is no outline of any object"),
        ([], {}, "there is no outline of any object"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(said, asked, sentence):
    with pytest.raises(DataError, match=sentence):
        understand(map(Outline, said), **asked)


# ---- formats


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


CLOSED = [*SQUARE, SQUARE[0]]
EXPECTED = grid("""
    000000
    011100
    011100
    000000
    000000
""")


@pytest.mark.parametrize(
    "properties",
    [
        {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
        {"object_type": "annotation", "classification": {"name": "Tumor", "colorRGB": -3670016}},
        {"classification": {"names": ["Tumor"], "color": [200, 0, 0]}},
        {"classification": "Tumor"},
        {"label": "Tumor"},
    ],
)
def test_geojson_of_any_version_names_its_class(tmp_path, properties):
    polygon = {"type": "Polygon", "coordinates": [CLOSED]}
    for content in (
        {"type": "FeatureCollection", "features": [feature(polygon, **properties)]},
        [feature(polygon, **properties)],
        feature(polygon, **properties),
    ):
        (drawn,) = read_outlines(written(tmp_path / "slide.geojson", content))
        assert (drawn.image, drawn.outlines[0].said) == ("slide", "Tumor")
        np.testing.assert_array_equal(filled(drawn.outlines[0]), EXPECTED)


def test_geojson_that_qupath_packed_is_read(tmp_path):
    text = json.dumps([feature({"type": "Polygon", "coordinates": [CLOSED]}, label="Tumor")])
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(text.encode()))
    with ZipFile(tmp_path / "b.zip", "w") as held:
        held.writestr("b.geojson", text)
    with ZipFile(tmp_path / "pictures.zip", "w") as held:
        held.writestr("a.png", b"a picture")
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    (tmp_path / "c.geojson.gz").write_bytes(gzip.compress(b"[]"))
    found = read_outlines(tmp_path)
    assert [(one.image, [o.said for o in one.outlines]) for one in found] == [
        ("a", ["Tumor"]),
        ("b", ["Tumor"]),
        ("c", []),
    ]


def test_a_derived_class_of_qupath_is_named_in_full(tmp_path):
    one = feature(
        {"type": "Polygon", "coordinates": [CLOSED]}, classification={"names": ["Tumor", "Positive"]}
    )
    assert read_outlines(written(tmp_path / "a.json", [one]))[0].outlines[0].said == "Tumor: Positive"


def test_geojson_with_holes_pieces_slices_and_what_has_no_area(tmp_path):
    hole = [[2, 1], [3, 1], [3, 3], [2, 3], [2, 1]]
    pieces = {
        "type": "MultiPolygon",
        "coordinates": [[CLOSED, hole], [[[5, 4], [6, 4], [6, 5], [5, 5]]]],
        "plane": {"z": 2},
    }
    bare = {
        "type": "GeometryCollection",
        "geometries": [{"type": "Point", "coordinates": [1, 1]}, {"type": "LineString"}],
    }
    content = [feature(pieces, name="a"), feature(bare), feature(None)]
    (drawn,) = read_outlines(written(tmp_path / "a.geojson", content))
    assert drawn.left_out == {"point": 1, "line": 1}
    assert [one.plane for one in drawn.outlines] == [2]
    np.testing.assert_array_equal(
        filled(drawn.outlines[0]),
        grid("""
            000000
            010100
            010100
            000000
            000001
        """),
    )


def test_outlines_of_qupath_without_a_plane_are_on_the_first_slice_where_others_have_one(tmp_path):
    def planes(*told):
        shapes = (
            {"type": "Polygon", "coordinates": [CLOSED], **({"plane": one} if one else {})} for one in told
        )
        (drawn,) = read_outlines(written(tmp_path / "a.geojson", [feature(each) for each in shapes]))
        return [one.plane for one in drawn.outlines]

    assert planes(None, {"c": -1, "z": 2, "t": 0}, {"c": -1, "z": 0, "t": 4}) == [0, 2, 4]
    assert planes(None, None) == [None, None]


def test_an_image_on_which_qupath_has_nothing_has_no_outlines(tmp_path):
    for content in ([], {"type": "FeatureCollection", "features": []}):
        (drawn,) = read_outlines(written(tmp_path / "a.geojson", content))
        assert (drawn.image, drawn.outlines) == ("a", ())


def about(annotations):
    images = [{"id": 3, "file_name": "in/a.png", "width": 6, "height": 5}, {"id": 9, "file_name": "b.png"}]
    return {"images": images, "annotations": annotations, "categories": [{"id": 4, "name": "cell"}]}


def test_coco_polygons_and_runs_and_an_image_with_nothing_on_it(tmp_path):
    flat = [number for pair in SQUARE for number in pair]
    mask = np.asfortranarray(EXPECTED.astype(np.uint8))
    runs = {"size": [5, 6], "counts": coco.encode(mask)["counts"].decode()}
    numbers = {"size": [5, 6], "counts": [6, 2, 3, 2, 3, 2, 12]}
    each = [flat], runs, numbers
    annotations = [{"image_id": 3, "category_id": 4, "segmentation": one} for one in each]
    first, second = read_outlines(
        written(tmp_path / "c.json", about([*annotations, {"image_id": 3, "bbox": [0, 0, 1, 1]}]))
    )
    assert (first.image, first.size, first.left_out) == ("in/a.png", (5, 6), {"box": 1})
    assert (second.outlines, second.size) == ((), None)
    for outline in first.outlines:
        assert outline.said == "cell"
        np.testing.assert_array_equal(filled(outline), EXPECTED)


def test_polygons_of_coco_may_be_pairs_or_stand_alone(tmp_path):
    flat = [number for pair in SQUARE for number in pair]
    each = [{"image_id": 3, "category_id": 4, "segmentation": one} for one in (flat, [SQUARE])]
    first, _ = read_outlines(written(tmp_path / "c.json", about(each)))
    for outline in first.outlines:
        np.testing.assert_array_equal(filled(outline), EXPECTED)
    assert not first.left_out


def test_ids_of_coco_are_the_same_as_numbers_and_as_text(tmp_path):
    flat = [number for pair in SQUARE for number in pair]
    content = about(
        [{"image_id": i, "category_id": c, "segmentation": [flat]} for i, c in (("3", "4"), (3.0, 4.0))]
    )
    first, _ = read_outlines(written(tmp_path / "c.json", content))
    assert [one.said for one in first.outlines] == ["cell", "cell"]


def test_an_image_that_coco_lists_twice_has_its_outlines_once_and_two_images_of_one_id_are_refused(tmp_path):
    flat = [number for pair in SQUARE for number in pair]
    content = about([{"image_id": 3, "category_id": 4, "segmentation": [flat]}])
    content["images"].append(content["images"][0])
    found = read_outlines(written(tmp_path / "c.json", content))
    assert [(one.image, len(one.outlines)) for one in found] == [("in/a.png", 1), ("b.png", 0)]
    content["images"].append({"id": 3, "file_name": "d.png"})
    with pytest.raises(DataError, match=r"gives in/a.png and d.png one id \(3\): number the images anew"):
        read_outlines(written(tmp_path / "c.json", content))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_runs_are_those_of_cocos_own_tool(seed, height, width):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.0, 0.02, 0.5, 1.0])
    counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    np.testing.assert_array_equal(unrolled(counts.decode(), height, width), mask)


def labelme(*shapes, **more):
    return {
        "version": "5.4.1",
        "shapes": list(shapes),
        "imagePath": "..\\pictures\\a.png",
        "imageData": None,
        **more,
    }


def shape(kind, points, label="cell", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def test_every_shape_of_labelme(tmp_path):
    held = io.BytesIO()
    Image.fromarray(np.ones((2, 3), np.uint8)).save(held, "PNG")
    coded = base64.b64encode(held.getvalue()).decode()
    shapes = [
        shape("polygon", SQUARE),
        shape("rectangle", [[1, 1], [4, 3]]),
        shape("rectangle", [[4, 3], [1, 1]]),
        shape("rectangle", SQUARE),
        shape("rotation", SQUARE, direction=0.0),
        shape("mask", [[1, 1], [3, 2]], mask=coded),
        shape("circle", [[3, 2.5], [3, 4.1]]),
        shape("point", [[1, 1]]),
        shape("linestrip", [[1, 1], [2, 2], [3, 3]]),
    ]
    (drawn,) = read_outlines(written(tmp_path / "a.json", labelme(*shapes, imageHeight=5, imageWidth=6)))
    assert (drawn.image, drawn.size, drawn.left_out) == (
        "..\\pictures\\a.png",
        (5, 6),
        {"point": 1, "line": 1},
    )
    for outline in drawn.outlines[:6]:
        np.testing.assert_array_equal(filled(outline), EXPECTED)
    np.testing.assert_array_equal(
        filled(drawn.outlines[6]),
        grid("""
            000000
            001100
            011110
            001100
            000000
        """),
    )


def test_shapes_of_one_group_of_labelme_are_one_object(tmp_path):
    there = [[5, 4], [6, 4], [6, 5], [5, 5]]
    shapes = [shape("polygon", one, group_id=group) for one, group in ((SQUARE, 1), (there, 1), (there, 2))]
    (drawn,) = read_outlines(written(tmp_path / "a.json", labelme(*shapes)))
    assert [len(one.parts) for one in drawn.outlines] == [2, 1]


def rois():
    corners = np.array(SQUARE)
    ellipse = ImagejRoi(roitype=ROI_TYPE.OVAL, top=1, left=1, bottom=4, right=5, name="ellipse")
    exact = ImagejRoi(roitype=ROI_TYPE.RECT, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, version=228)
    exact.xd, exact.yd, exact.widthd, exact.heightd, exact.name = 0.6, 0.6, 3.0, 2.0, "cell-2"
    exact.top, exact.left, exact.bottom, exact.right = 0, 0, 2, 3
    plain = ImagejRoi(roitype=ROI_TYPE.RECT, top=1, left=1, bottom=3, right=4, name="cell")
    return [
        ImagejRoi.frompoints(corners, name="0001-0002"),
        ImagejRoi.frompoints(corners.astype(np.float32) + 0.01, name="cell 7"),
        plain,
        exact,
        ellipse,
        ImagejRoi(roitype=ROI_TYPE.LINE, x1=1, y1=1, x2=3, y2=3, name="line"),
    ]


def test_regions_of_imagej_and_what_they_are_called(tmp_path):
    for i, roi in enumerate(rois()):
        roi.tofile(tmp_path / f"{i}.roi")
    found = [read_outlines(tmp_path / f"{i}.roi")[0] for i in range(6)]
    assert [[o.said for o in one.outlines] for one in found] == [
        [""],
        ["cell"],
        ["cell"],
        ["cell"],
        ["ellipse"],
        [],
    ]
    assert found[5].left_out == {"line": 1}
    for one in found[:4]:
        np.testing.assert_array_equal(filled(one.outlines[0]), EXPECTED)
    np.testing.assert_array_equal(
        filled(found[4].outlines[0]),
        grid("""
            000000
            001100
            011110
            001100
            000000
        """),
    )


def test_a_set_of_regions_belongs_to_the_image_whose_name_it_begins_with(tmp_path):
    regions = [ImagejRoi.frompoints(np.array(SQUARE), name=f"cell-{n}") for n in (0, 3)]
    regions[1].position = 3
    roiwrite(tmp_path / "cell_04_RoiSet.zip", regions)
    (drawn,) = read_outlines(tmp_path)
    assert drawn.image == "cell_04"
    assert [one.plane for one in drawn.outlines] == [None, 2]


def test_regions_of_a_film_are_on_the_frame_that_they_were_drawn_on(tmp_path):
    regions = [ImagejRoi.frompoints(np.array(SQUARE)) for _ in range(3)]
    for roi, (channel, z, t) in zip(regions, ((1, 1, 3), (2, 4, 1), (2, 0, 0)), strict=True):
        roi.c_position, roi.z_position, roi.t_position = channel, z, t
    roiwrite(tmp_path / "a.zip", regions)
    assert [one.plane for one in read_outlines(tmp_path)[0].outlines] == [2, 3, None]


def test_markers_whose_names_end_in_a_number_stay_apart(tmp_path):
    names = ("CD4", "CD4-1", "CD8", "CD8-1", "Ki67_2", "p53", "cell12", "cell (3)")
    roiwrite(tmp_path / "a.zip", [ImagejRoi.frompoints(np.array(SQUARE), name=name) for name in names])
    said = [one.said for one in read_outlines(tmp_path)[0].outlines]
    assert said == ["CD4", "CD4", "CD8", "CD8", "Ki67", "p53", "cell", "cell"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_a_desktop_packed_is_read_for_its_regions(tmp_path):
    with ZipFile(tmp_path / "a.zip", "w") as held:
        held.writestr("RoiSet/cell.roi", ImagejRoi.frompoints(np.array(SQUARE) + 1, name="other").tobytes())
        held.writestr("RoiSet/", b"")
        held.writestr("RoiSet/cell.roi", ImagejRoi.frompoints(np.array(SQUARE), name="cell").tobytes())
        held.writestr("RoiSet/.DS_Store", b"desktop")
        held.writestr("__MACOSX/RoiSet/._cell.roi", b"desktop")
    (drawn,) = read_outlines(tmp_path)
    assert [one.said for one in drawn.outlines] == ["other", "cell"]  # two files of one name are two


def test_text_and_pictures_laid_over_an_image_are_no_regions(tmp_path):
    box = {"roitype": ROI_TYPE.RECT, "top": 1, "left": 1, "bottom": 3, "right": 4}
    kinds = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.UNDEFINED)
    roiwrite(tmp_path / "a.zip", [ImagejRoi(**box, subtype=kind, name=f"cell-{kind}") for kind in kinds])
    (drawn,) = read_outlines(tmp_path)
    assert (len(drawn.outlines), drawn.left_out) == (1, {"text": 1, "picture": 1})


def test_regions_of_groups_are_classes_where_they_have_no_names(tmp_path):
    ImagejRoi(roitype=ROI_TYPE.RECT, top=1, left=1, bottom=3, right=4, name="0001-0001", group=2).tofile(
        tmp_path / "a.roi"
    )
    assert read_outlines(tmp_path / "a.roi")[0].outlines[0].said == "group_2"


def test_a_name_is_a_class_but_for_qupath_which_names_single_objects(tmp_path):
    polygon = {"type": "Polygon", "coordinates": [CLOSED]}
    content = [feature(polygon, name="gland"), feature(polygon, objectType="annotation", name="my favourite")]
    (drawn,) = read_outlines(written(tmp_path / "a.geojson", content))
    assert [one.said for one in drawn.outlines] == ["gland", ""]


def test_a_file_of_labelme_that_names_no_image_is_of_the_one_called_as_it_is(tmp_path):
    content = {"shapes": [{"label": None, "points": SQUARE}]}
    (drawn,) = read_outlines(written(tmp_path / "a.json", content))
    assert (drawn.image, drawn.outlines[0].said) == ("a", "")


# ---- which image


def entries(*names):
    from pathlib import Path

    return [Entry(stem_of(Path(name)), (Path(name),)) for name in names]


def test_images_are_found_whatever_their_folder_suffix_and_letter_case(tmp_path):
    content = about([{"image_id": 3, "category_id": 4, "segmentation": [[0, 0, 1, 0, 1, 1]]}])
    found = read_outlines(written(tmp_path / "c.json", content))
    taken, nobodys = whose(
        found, entries("x/A.tif", "x/c.tif")
    )  # c.json speaks of two, so it is not about c.tif
    assert (list(taken), [one.image for one in nobodys]) == (["A"], ["b.png"])
    found = read_outlines(written(tmp_path / "c.json", labelme(shape("polygon", SQUARE))))
    assert list(whose(found, entries("x/d.tif", "x/c.tif"))[0]) == [
        "c"
    ]  # was renamed, and its outlines with it


@pytest.mark.parametrize(
    ("said", "image"),
    [
        ("slide.ome", "slide.ome.tif"),
        ("https://a.b/c/my%20cell.png?token=1/2", "my cell.png"),
        ("/data/local-files/?d=day%5Cmy%20cell.png", "my cell.png"),
        ("100%25.png", "100%.png"),
        ("zu\u0308ge", "z\u00fcge.png"),
    ],
)
def test_images_are_found_by_what_other_programs_make_of_their_names(tmp_path, said, image):
    content = about([])
    content["images"][0]["file_name"] = said
    taken, _ = whose(read_outlines(written(tmp_path / "c.json", content)), entries(image, "other.png"))
    assert list(taken) == [entries(image)[0].name]


def test_single_regions_belong_to_the_only_image(tmp_path):
    for name in ("0001-0002", "0003-0004"):
        ImagejRoi.frompoints(np.array(SQUARE)).tofile(tmp_path / f"{name}.roi")
    found = read_outlines(tmp_path)
    assert [len(drawn) for drawn in whose(found, entries("day 4.tif"))[0].values()] == [2]
    assert not whose(found, entries("day 4.tif", "day 5.tif"))[0]


def test_the_only_outlines_and_the_only_image_belong_together(tmp_path):
    roiwrite(tmp_path / "RoiSet.zip", [ImagejRoi.frompoints(np.array(SQUARE))])
    found = read_outlines(tmp_path)
    assert list(whose(found, entries("day 4.tif"))[0]) == ["day 4"]
    assert not whose(found, entries("day 4.tif", "day 5.tif"))[0]


# ---- what is not sound


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"a": 1}, "holds no outlines: give GeoJSON of QuPath, a COCO file"),
        (about([{"image_id": 77, "segmentation": []}]), "an annotation of image 77, which it does not list"),
        (
            about([{"image_id": 3, "category_id": 4, "segmentation": {"size": [5, 6], "counts": [3]}}]),
            "do not make 5 x 6",
        ),
        (about([{"category_id": 4}]), "is not sound COCO .it lacks 'image_id'."),
        (labelme({"label": "a"}), "is not sound labelme .it lacks 'points'."),
        (labelme(shape("cuboid", SQUARE)), "a shape of the kind cuboid, which is not known"),
        ([feature({"type": "Polygon", "coordinates": [[["a", 1]]]})], "not made of pairs of x and y"),
        (
            [feature({"type": "Polygon", "coordinates": [[[1e300, 1], [2, 2], [3, 3]]]})],
            "runs out of any image",
        ),
        ([feature({"type": "Blob", "coordinates": []})], "holds a Blob, which is no outline"),
    ],
)
def test_what_is_not_sound_is_refused_in_one_sentence_that_names_the_file(tmp_path, content, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        read_outlines(written(tmp_path / "odd.json", content))
    assert "odd.json" in str(caught.value)


def test_a_folder_whose_folders_hold_outlines_names_the_first_of_them(tmp_path):
    (tmp_path / "train").mkdir()
    written(tmp_path / "train" / "a.json", about([]))
    with pytest.raises(DataError, match=r"itself holds no outlines: give .*train.a\.json"):
        read_outlines(tmp_path)


def test_damaged_files_are_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"shapes": [')
    (tmp_path / "a.roi").write_bytes(b"Iout but not much more")
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(b"[]")[:-9])
    for name in ("a.json", "a.roi", "a.geojson.gz"):
        with pytest.raises(DataError, match=f"{name} cannot be read as"):
            read_outlines(tmp_path / name)
    with pytest.raises(DataError, match=r"there is no .*b\.json: give a file of outlines"):
        read_outlines(tmp_path / "b.json")
