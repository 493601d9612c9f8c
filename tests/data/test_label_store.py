"""Labels that grow chunk by chunk: what is done is known, viewers find the right place, a full disk loses nothing."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import tifffile

from delineate.core import ClassTable, OutputError
from delineate.data.formats import read_mask
from delineate.data.large import LargeImage, open_large
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.pyramid import write_nifti, write_ome_tiff

CLASSES = ClassTable(("glass", "nucleus", "stroma"))


def image(*spatial: int, tmp_path, unit: str = "µm") -> LargeImage:
    from dataclasses import replace

    spacing = (2.0, 0.5, 0.25)[3 - len(spatial) :]
    blank = LargeImage.of(np.zeros((*spatial, 1), np.uint8))
    return replace(blank, path=tmp_path / "image.tif", spacing=spacing, unit=unit)


def filled(store: LabelStore, labels: np.ndarray) -> LabelStore:
    for box in boxes(labels.shape, store.chunk):
        store.write(box, labels[box])
    store.finish()
    return store


def test_a_store_knows_what_was_written_even_where_it_is_empty(tmp_path):
    store = LabelStore.create(
        tmp_path / "a.ome.zarr", image(1100, 700, tmp_path=tmp_path), classes=CLASSES, dims=2
    )
    first, second = (slice(0, 1024), slice(0, 512)), (slice(1024, 1100), slice(512, 700))
    store.write(first, np.zeros((1024, 512), np.uint8))
    again = LabelStore(tmp_path / "a.ome.zarr")
    assert again.written(first)
    assert not again.written(second)
    assert not again.written((slice(0, 1024), slice(0, 700)))


def test_coarser_levels_hold_labels_of_the_finer_and_no_mixtures(tmp_path):
    labels = np.random.default_rng(0).choice([0, 2], size=(1300, 900)).astype(np.uint8)
    store = filled(
        LabelStore.create(
            tmp_path / "a.ome.zarr", image(1300, 900, tmp_path=tmp_path), classes=CLASSES, dims=2
        ),
        labels,
    )
    assert store.levels == ((1300, 900), (650, 450), (325, 225))
    coarse = store.read((slice(0, 650), slice(0, 450)), 1)
    np.testing.assert_array_equal(coarse, labels[1::2, 1::2])
    assert set(np.unique(store.read((slice(0, 325), slice(0, 225)), 2))) == {0, 2}


def test_the_metadata_put_labels_where_the_image_is(tmp_path):
    store = LabelStore.create(
        tmp_path / "a.ome.zarr", image(5, 700, 600, tmp_path=tmp_path), classes=CLASSES, dims=2
    )
    about = json.loads((tmp_path / "a.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    first, second = about["multiscales"][0]["datasets"]
    assert first["coordinateTransformations"][0]["scale"] == [2.0, 0.5, 0.25]
    assert second["coordinateTransformations"][0]["scale"] == [2.0, 1.0, 0.5]
    assert about["multiscales"][0]["axes"][1] == {"name": "y", "type": "space", "unit": "micrometer"}
    assert about["image-label"]["source"]["image"] == "../image.tif"
    assert about["image-label"]["colors"][1] == {"label-value": 1, "rgba": [*CLASSES.colours[1], 255]}
    assert store.chunk == (1, 512, 512)
    filled(store, np.zeros((5, 700, 600), np.uint8))
    with open_large(tmp_path / "a.ome.zarr") as back:
        assert (back.levels, back.spacing, back.unit) == (
            ((5, 700, 600), (5, 350, 300)),
            (2.0, 0.5, 0.25),
            "µm",
        )


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        (((2100, 1500),), ((2100, 1500), (1050, 750), (525, 375), (263, 188))),
        (((2100, 1500), (700, 500)), ((2100, 1500), (700, 500), (350, 250))),
        (((2100, 1500), (1050, 750), (525, 375), (262, 187)),) * 2,
    ],
)
def test_the_levels_of_an_ome_zarr_are_kept_and_gone_on_with_until_one_is_small(tmp_path, source, labels):
    from dataclasses import replace

    picture = replace(image(2100, 1500, tmp_path=tmp_path), levels=source, suffix=".ome.zarr")
    store = LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=2)
    assert store.levels == labels


def test_labels_of_an_ome_zarr_that_begins_elsewhere_begin_there_too(tmp_path):
    import zarr

    root = zarr.open_group(tmp_path / "image.ome.zarr", mode="w")
    root.create_array("0", shape=(1, 700, 600), chunks=(1, 700, 600), dtype="uint8")[:] = 1
    units = ("micrometer", "nanometer", "micrometer")
    axes = [{"name": a, "type": "space", "unit": unit} for a, unit in zip("zyx", units, strict=True)]
    level = [
        {"type": "scale", "scale": [1, 500, 0.25]},
        {"type": "translation", "translation": [7, -20_000, 4]},
    ]
    every = [{"type": "scale", "scale": [1, 1, 2]}, {"type": "translation", "translation": [0, 0, 100]}]
    datasets = [{"path": "0", "coordinateTransformations": level}]
    about = {"axes": axes, "datasets": datasets, "coordinateTransformations": every}
    root.attrs["ome"] = {"version": "0.5", "multiscales": [about]}
    with open_large(tmp_path / "image.ome.zarr") as picture:
        assert (picture.spacing, picture.origin, picture.unit) == ((0.5, 0.5), (-20.0, 108.0), "µm")
        filled(
            LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=2),
            np.ones((700, 600), np.uint8),
        )
    about = json.loads((tmp_path / "a.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    for dataset in about["multiscales"][0]["datasets"]:
        assert dataset["coordinateTransformations"][1:] == [
            {"type": "translation", "translation": [-20.0, 108.0]}
        ]
    with open_large(tmp_path / "a.ome.zarr") as labels:
        assert (labels.spacing, labels.origin) == ((0.5, 0.5), (-20.0, 108.0))


@pytest.mark.parametrize("unit", ["nm", "mm", "Å", "pm", "cm", "m", "px"])
def test_the_unit_of_the_image_comes_back_from_its_labels(tmp_path, unit):
    picture = image(9, 60, 50, tmp_path=tmp_path, unit=unit)
    store = LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=3)
    filled(store, np.ones((9, 60, 50), np.uint8))
    with open_large(tmp_path / "a.ome.zarr") as back:
        assert (back.spacing, back.unit) == ((2.0, 0.5, 0.25), unit)


def test_the_metadata_pass_an_independent_validator(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05.image_label")
    import zarr

    LabelStore.create(tmp_path / "a.ome.zarr", image(700, 600, tmp_path=tmp_path), classes=CLASSES, dims=2)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    found = models.ImageLabel.from_zarr(group)
    assert found.attributes.ome.image_label.colors[2].label_value == 2


def test_naparis_reader_shows_a_label_layer_in_place(tmp_path):
    io, reader = pytest.importorskip("ome_zarr.io"), pytest.importorskip("ome_zarr.reader")
    labels = np.ones((700, 600), np.uint8)
    filled(
        LabelStore.create(
            tmp_path / "a.ome.zarr", image(700, 600, tmp_path=tmp_path), classes=CLASSES, dims=2
        ),
        labels,
    )
    nodes = list(reader.Reader(io.parse_url(str(tmp_path / "a.ome.zarr")))())
    node = next(n for n in nodes if any(isinstance(s, reader.Label) for s in n.specs))
    assert node.metadata["coordinateTransformations"][0][0]["scale"] == [0.5, 0.25]
    assert [level.shape for level in node.data] == [(700, 600), (350, 300)]


def test_an_ome_tiff_has_levels_colours_and_the_size_of_a_pixel(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (1300, 900)).astype(np.uint8)
    picture = image(1300, 900, tmp_path=tmp_path)
    store = filled(LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=2), labels)
    write_ome_tiff(tmp_path / "a.ome.tif", store, picture, classes=CLASSES)
    back = read_mask(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(back.array, labels)
    assert (back.spacing, back.unit) == ((0.5, 0.25), "µm")
    assert tuple(back.palette[2]) == CLASSES.colours[2]
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        levels = file.series[0].levels
        assert [level.shape for level in levels] == [(1300, 900), (650, 450), (325, 225)]
        assert levels[0].keyframe.is_tiled
        np.testing.assert_array_equal(levels[1].asarray(), labels[1::2, 1::2])
        assert "nucleus" in file.ome_metadata


def test_a_stack_is_a_stack_of_pyramids(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (3, 600, 530)).astype(np.uint8)
    picture = image(3, 600, 530, tmp_path=tmp_path)
    store = filled(LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=2), labels)
    write_ome_tiff(tmp_path / "a.ome.tif", store, picture, classes=CLASSES)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert [level.shape for level in file.series[0].levels] == [(3, 600, 530), (3, 300, 265)]
    np.testing.assert_array_equal(read_mask(tmp_path / "a.ome.tif").array, labels)


def test_a_deep_volume_keeps_its_slices_at_every_level(tmp_path):
    """OME-TIFF has one sub-image for each slice; an OME-Zarr halves the slices as well."""
    labels = np.broadcast_to((np.arange(70) // 2).astype(np.uint8)[:, None, None], (70, 20, 530))
    picture = image(70, 20, 530, tmp_path=tmp_path)
    store = filled(LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=None, dims=3), labels)
    assert store.levels[1] == (35, 10, 265)
    write_ome_tiff(tmp_path / "a.ome.tif", store, picture, classes=None)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        levels = file.series[0].levels
        assert [level.shape for level in levels] == [(70, 20, 530), (70, 10, 265)]
        np.testing.assert_array_equal(levels[1].asarray()[:, 0, 0], labels[:, 0, 0])
    np.testing.assert_array_equal(read_mask(tmp_path / "a.ome.tif").array, labels)


def test_a_store_that_moves_says_from_there_where_its_image_is(tmp_path):
    picture = image(60, 60, tmp_path=tmp_path)
    (tmp_path / "out" / ".unfinished").mkdir(parents=True)
    store = LabelStore.create(
        tmp_path / "out" / ".unfinished" / "b.ids.ome.zarr", picture, classes=CLASSES, dims=2
    )
    filled(store, np.ones((60, 60), np.uint8)).move(tmp_path / "out" / "b.ome.zarr", picture)
    about = json.loads((tmp_path / "out" / "b.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    assert about["image-label"]["source"]["image"] == "../../image.tif"
    assert about["multiscales"][0]["name"] == "b"
    moved = LabelStore(tmp_path / "out" / "b.ome.zarr")
    assert moved.read((slice(0, 60), slice(0, 60))).all()


def test_a_nifti_of_labels_lies_where_the_nifti_of_the_image_lies(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[-0.5, 0.1, 0, 10], [0.1, 0.5, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 30, 9), np.float32), affine), tmp_path / "image.nii")
    labels = np.random.default_rng(0).integers(0, 3, (9, 30, 40)).astype(np.uint8)
    with open_large(tmp_path / "image.nii") as picture:
        store = filled(LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=3), labels)
        write_nifti(tmp_path / "labels.nii", store, picture)
    back = nibabel.load(tmp_path / "labels.nii")
    np.testing.assert_array_equal(np.asarray(back.dataobj).T, labels)
    np.testing.assert_array_equal(back.affine, nibabel.load(tmp_path / "image.nii").affine)
    assert back.get_data_dtype() == np.uint8


def test_a_full_disk_is_one_sentence_and_keeps_what_was_written(tmp_path, monkeypatch):
    store = LabelStore.create(
        tmp_path / "a.ome.zarr", image(600, 600, tmp_path=tmp_path), classes=CLASSES, dims=2
    )
    first, second = (slice(0, 512), slice(0, 512)), (slice(0, 512), slice(512, 600))
    store.write(first, np.ones((512, 512), np.uint8))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.storage._local._put", full)
    with pytest.raises(OutputError, match="No space left on device; what was written is kept"):
        store.write(second, np.ones((512, 88), np.uint8))
    monkeypatch.undo()
    assert LabelStore(tmp_path / "a.ome.zarr").written(first)
    assert not store.written(second)


def test_a_disk_that_fills_up_under_a_nifti_is_one_sentence(tmp_path):
    """The system refuses to let a file grow, as a full disk does; through a memory map that would kill the process."""
    nibabel, resource = pytest.importorskip("nibabel"), pytest.importorskip("resource")
    nibabel.save(nibabel.Nifti1Image(np.zeros((300, 200, 9), np.uint8), np.eye(4)), tmp_path / "image.nii")
    with open_large(tmp_path / "image.nii") as picture:
        store = LabelStore.create(tmp_path / "a.ome.zarr", picture, classes=CLASSES, dims=3)
        filled(store, np.ones((9, 200, 300), np.uint8))
        before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*labels.nii: File too large; free space"):
                write_nifti(tmp_path / "labels.nii", store, picture)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "labels.nii").exists()


@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_a_nifti_are_put_together_from_many_chunks(tmp_path, monkeypatch, order):
    nibabel = pytest.importorskip("nibabel")
    monkeypatch.setattr("delineate.data.large.labels.CHUNK", {2: 16, 3: 16})
    header = nibabel.Nifti1Header(endianness=order)
    for shape in ((40, 50), (20, 40, 50)):
        nibabel.save(
            nibabel.Nifti1Image(np.zeros(shape[::-1], np.uint8), np.eye(4), header), tmp_path / "image.nii"
        )
        labels = np.random.default_rng(0).integers(0, 1 << 20, shape).astype(np.uint32)
        with open_large(tmp_path / "image.nii") as picture:
            store = LabelStore.create(
                tmp_path / f"{len(shape)}.ome.zarr", picture, classes=None, dims=len(shape), dtype=np.uint32
            )
            write_nifti(tmp_path / "labels.nii", filled(store, labels), picture)
        np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "labels.nii").dataobj).T, labels)


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "a.ome.zarr").mkdir()
    with pytest.raises(OutputError, match="not what an interrupted prediction leaves"):
        LabelStore(tmp_path / "a.ome.zarr")
