"""Every container gives the windows of its image: the right pixels, at every level, and the right size of a pixel."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from delineate.core import DataError
from delineate.data.formats import read_image
from delineate.data.large import LargeImage, open_large

BOXES = (
    (slice(0, 300), slice(0, 410)),
    (slice(17, 203), slice(250, 410)),
    (slice(128, 129), slice(255, 257)),
)


def picture(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


@pytest.mark.parametrize(
    "how",
    [
        {"tile": (128, 128), "compression": "zlib"},
        {"tile": (128, 64)},
        {"rowsperstrip": 7, "compression": "lzw"},
        {"rowsperstrip": 7},
        {},
        {"tile": (128, 128), "planarconfig": "separate", "compression": "zlib"},
        {"tile": (128, 128), "bigtiff": True, "compression": "zstd", "byteorder": ">"},
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_windows_of_a_tiff_are_those_of_the_whole(tmp_path, how, channels, dtype):
    array = picture(300, 410, channels, dtype=dtype)
    order = {"byteorder": how["byteorder"]} if "byteorder" in how else {}
    options = {k: v for k, v in how.items() if k not in ("byteorder", "bigtiff")}
    stored = array if channels > 1 else array[..., 0]
    if options.get("planarconfig"):
        if channels == 1:
            options.pop("planarconfig")
        else:
            stored = np.moveaxis(array, -1, 0)
    photometric = "rgb" if channels == 3 else "minisblack"
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=how.get("bigtiff", False), **order) as file:
        file.write(stored, photometric=photometric, **options)
    with open_large(tmp_path / "a.tif") as image:
        assert (image.spatial, image.channels, image.dtype) == ((300, 410), channels, dtype)
        for box in BOXES:
            np.testing.assert_array_equal(image.window(box), array[box])


def test_a_stack_with_channels_is_read_by_slab_as_it_is_read_whole(tmp_path):
    array = picture(5, 2, 60, 70, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        array,
        tile=(32, 32),
        metadata={"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0},
    )
    whole = read_image(tmp_path / "a.ome.tif")
    with open_large(tmp_path / "a.ome.tif") as image:
        assert image.spacing == whole.spacing == (2.0, 0.25, 0.5)
        assert image.unit == "µm"
        box = (slice(1, 4), slice(10, 60), slice(30, 65))
        np.testing.assert_array_equal(image.window(box), whole.array[box])


def test_an_imagej_stack_in_one_piece_is_mapped(tmp_path):
    array = picture(4, 50, 60)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "ZYX"})
    with open_large(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.whole()[..., 0], array)


def pyramid(path: Path, array: np.ndarray, *, subifds: bool = True) -> None:
    levels = [array, array[::2, ::2], array[::4, ::4]]
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            file.write(
                level,
                photometric="rgb",
                tile=(64, 64),
                compression="zlib",
                subifds=2 if subifds and not number else None,
                subfiletype=1 if number else 0,
                metadata=None,
            )


@pytest.mark.parametrize("subifds", [True, False])
def test_a_pyramid_offers_its_levels(tmp_path, subifds):
    array = picture(300, 410, 3)
    pyramid(tmp_path / "a.tif", array, subifds=subifds)
    with open_large(tmp_path / "a.tif") as image:
        assert image.levels == ((300, 410), (150, 205), (75, 103))
        box = (slice(3, 75), slice(40, 103))
        np.testing.assert_array_equal(image.window(box, 2), array[::4, ::4][box])
        with pytest.raises(DataError, match="3 levels of resolution: ask for 0 to 2, not 3"):
            image.window(box, 3)
        with pytest.raises(DataError, match=r"0:301, 0:410 is not inside"):
            image.window((slice(0, 301), slice(0, 410)))


def test_a_broken_tile_is_told_with_its_place(tmp_path):
    array = picture(300, 410, 3)
    pyramid(tmp_path / "a.tif", array)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.series[0].levels[1].pages[0]
        offset, count = page.dataoffsets[0], page.databytecounts[0]
    with (tmp_path / "a.tif").open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * count)
    with open_large(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.whole(), array)
        with pytest.raises(DataError, match="cannot be read at 0:150, 0:205 of level 1"):
            image.whole(1)


def test_a_file_that_is_cut_short_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture(300, 410), tile=(64, 64), compression="zlib")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 2 // 3])
    with open_large(tmp_path / "a.tif") as image, pytest.raises(DataError, match="cut short"):
        image.whole()


def test_palette_and_constant_alpha_are_read_as_ever(tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    tifffile.imwrite(
        tmp_path / "p.tif", picture(80, 90), photometric="palette", colormap=colours, tile=(32, 32)
    )
    rgba = np.dstack([picture(80, 90, 3), np.full((80, 90), 255, np.uint8)])
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(32, 32))
    for name in ("p.tif", "a.tif"):
        with open_large(tmp_path / name) as image:
            np.testing.assert_array_equal(image.whole(), read_image(tmp_path / name).array)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_gives_channels_last_and_the_size_of_a_pixel(tmp_path, version):
    ome_zarr = pytest.importorskip("ome_zarr.writer")
    array = picture(2, 6, 60, 70, dtype=np.uint16)
    from ome_zarr.format import format_from_version

    root = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
    ome_zarr.write_multiscale(
        [array, array[..., ::2, ::2]],
        root,
        fmt=format_from_version(version),
        axes=list("czyx"),
        axes_units=dict.fromkeys("zyx", "micrometer"),
        scale={"z": 2.0, "y": 0.5, "x": 0.25},
    )
    with open_large(tmp_path / "a.ome.zarr") as image:
        assert image.levels == ((6, 60, 70), (6, 30, 35))
        assert (image.spacing, image.unit, image.channels) == ((2.0, 0.5, 0.25), "µm", 2)
        box = (slice(1, 3), slice(20, 60), slice(0, 33))
        np.testing.assert_array_equal(image.window(box), np.moveaxis(array, 0, -1)[box])


@pytest.mark.parametrize(
    ("units", "scale", "spacing", "unit"),
    [
        (("nanometer", "nanometer"), (350.0, 325.0), (350.0, 325.0), "nm"),
        (("millimeter", "millimeter"), (2.0, 0.5), (2.0, 0.5), "mm"),
        (("angstrom", "angstrom"), (8.0, 8.0), (8.0, 8.0), "Å"),
        (("micrometer", "nanometer"), (2.0, 500.0), (2000.0, 500.0), "nm"),
        (("nanometer", "micrometer"), (350.0, 0.5), (0.35, 0.5), "µm"),
        ((None, None), (2.0, 3.0), (2.0, 3.0), "px"),
    ],
)
def test_ome_zarr_names_its_units_of_length_in_full_and_each_axis_its_own(
    tmp_path, units, scale, spacing, unit
):
    with open_large(multiscale(tmp_path / "a.ome.zarr", named=1, scale=scale, units=units)) as image:
        assert (image.spacing, image.unit) == (spacing, unit)


def multiscale(path, *, levels=2, axes="yx", scale=(1.0, 1.0), named=3, units=(None, None)):
    """An OME-Zarr whose metadata name `named` levels, of which `levels` are there."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    for level in range(levels):
        root.create_array(
            str(level), shape=(64 >> level,) * len(axes), chunks=(32,) * len(axes), dtype="uint8"
        )[:] = 1
    steps = [{"type": "scale", "scale": list(scale)}]
    datasets = [{"path": str(n), "coordinateTransformations": steps} for n in range(named)]
    named_axes = [
        {"name": axis, "type": "space"} | ({"unit": unit} if unit else {})
        for axis, unit in zip("yx", units, strict=True)
    ]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": named_axes, "datasets": datasets}]}
    return path


def test_of_a_pyramid_without_its_coarse_levels_the_fine_ones_are_used(tmp_path):
    with open_large(multiscale(tmp_path / "a.ome.zarr")) as image:
        assert image.levels == ((64, 64), (32, 32))
        assert image.notes == ("the level 2 that its metadata name is not there: finer levels are used",)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"levels": 0}, "lacks its full resolution, the level 0: copy the folder again"),
        ({"named": 0}, "lacks its full resolution, the level 0: copy the folder again"),
        ({"axes": "zyx"}, "its array has 3 axes, but its metadata name 2"),
        (
            {"scale": (1.0,)},
            "its array has 2 axes, but its metadata name 2 and give scales of 1: export it again",
        ),
    ],
)
def test_a_pyramid_whose_metadata_lie_is_told(tmp_path, how, says):
    with pytest.raises(DataError, match=says):
        open_large(multiscale(tmp_path / "a.ome.zarr", **how))


def test_plain_arrays_that_are_no_image_are_told(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 3, 4, 5, 6), dtype="uint8")
    with pytest.raises(DataError, match="an array of 5 axes without names: save it as OME-Zarr"):
        open_large(tmp_path / "a.zarr")
    zarr.create_array(tmp_path / "b.zarr", shape=(0, 20), dtype="uint8")
    with pytest.raises(DataError, match="has no pixels"):
        open_large(tmp_path / "b.zarr")


def test_a_broken_tile_is_told_by_its_place(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.arange(4096, dtype=np.uint16).reshape(64, 64), tile=(16, 16), compression="zlib"
    )
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[6]
    data = path.read_bytes()
    path.write_bytes(data[:offset] + b"\xff" * 16 + data[offset + 16 :])
    with (
        open_large(path) as image,
        pytest.raises(DataError, match="the tile at row 16, column 32 is damaged"),
    ):
        image.whole()


def test_a_zarr_that_lost_its_chunks_is_told(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), chunks=(32, 32), dtype="uint8")
    with pytest.raises(DataError, match="not one of its 4 chunks"):
        open_large(tmp_path / "a.zarr")
    array[:32] = 1
    assert open_large(tmp_path / "a.zarr").notes == (
        "2 of 4 chunks are not there and read as 0, as Zarr defines it",
    )
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(DataError, match="no Zarr group or array"):
        open_large(tmp_path / "b.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_are_listed_once_and_counted_by_name(tmp_path, monkeypatch, version):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(80, 80), chunks=(8, 8), dtype="uint8", zarr_format=version)
    array[:] = 1
    (path / "stray").write_bytes(b"")
    key = array.metadata.encode_chunk_key
    for lost in ((3, 4), (9, 9)):
        (path / key(lost)).unlink()
    monkeypatch.delattr(zarr.Array, "nchunks_initialized")  # quadratic: it looks for each chunk in a list
    assert open_large(path).notes == ("2 of 100 chunks are not there and read as 0, as Zarr defines it",)


def test_of_a_zarr_in_shards_shards_are_counted(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(90, 90), chunks=(16, 16), shards=(32, 32), dtype="uint8"
    )
    array[:] = 1
    assert open_large(tmp_path / "a.zarr").notes == ()
    (tmp_path / "a.zarr" / "c" / "1" / "2").unlink()
    assert open_large(tmp_path / "a.zarr").notes == (
        "1 of 9 shards are not there and read as 0, as Zarr defines it",
    )


def test_labels_that_are_all_background_are_read(tmp_path):
    """Writers leave out chunks of the fill value, which are then alike lost ones; an image without pixels is none."""
    root = zarr.open_group(multiscale(tmp_path / "a.ome.zarr"), mode="r+")
    for level in "01":
        root[level][:] = 0
    with pytest.raises(DataError, match=r"not one of its 4 chunks.* or leave it out if the image is empty"):
        open_large(tmp_path / "a.ome.zarr")
    root.attrs["ome"] = {**root.attrs["ome"], "image-label": {}}
    with open_large(tmp_path / "a.ome.zarr") as image:
        assert image.notes[-1].startswith("4 of 4 chunks are not there and read as 0")
        assert not image.whole().any()


def test_a_slide_is_read_through_openslide(tmp_path):
    pytest.importorskip("openslide")
    array = picture(300, 410, 3)
    with tifffile.TiffWriter(tmp_path / "a.svs") as file:
        for number, level in enumerate((array, array[::4, ::4])):
            said = (
                f"Aperio Image Library v1\r\n410x300 [0,0 410x300] (240x240)|AppMag = 20|MPP = 0.499{number}"
            )
            file.write(
                level, photometric="rgb", tile=(240, 240), compression="zlib", description=said, metadata=None
            )
    with open_large(tmp_path / "a.svs") as image:
        assert (image.levels[0], image.channels, image.unit) == ((300, 410), 3, "µm")
        assert image.spacing == pytest.approx((0.499, 0.499))
        for box in BOXES:
            np.testing.assert_array_equal(image.window(box), array[box])


class MiraxSlide:
    """What OpenSlide says of a MIRAX slide, of which a part was scanned."""

    def __init__(self, path: str) -> None:
        self.properties = {
            "openslide.bounds-x": "700",
            "openslide.bounds-y": "30",
            "openslide.bounds-width": "100",
            "openslide.bounds-height": "90",
        }
        if "half" in path:
            del self.properties["openslide.bounds-width"]
        self.level_dimensions = ((1000, 400),)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("name", "corner"), [("a.mrxs", (30, 700)), ("half.mrxs", (0, 0))])
def test_a_slide_tells_where_what_was_scanned_begins(tmp_path, monkeypatch, name, corner):
    openslide = pytest.importorskip("openslide")
    monkeypatch.setattr(openslide, "OpenSlide", MiraxSlide)
    (tmp_path / name).touch()
    with open_large(tmp_path / name) as image:
        assert (image.spatial, image.corner) == ((400, 1000), corner)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_a_volume_is_read_by_slab_where_it_lies_in_the_body(tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    array = picture(9, 30, 40, dtype=np.int16)
    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing((0.5, 0.75, 3.0))
    volume.SetOrigin((10.0, -20.0, 5.5))
    volume.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    sitk.WriteImage(volume, str(tmp_path / f"a{suffix}"))
    whole = read_image(tmp_path / f"a{suffix}")
    with open_large(tmp_path / f"a{suffix}") as image:
        assert image.spacing == whole.spacing
        np.testing.assert_allclose(image.affine, whole.affine, atol=1e-5)
        box = (slice(3, 5), slice(0, 30), slice(7, 21))
        np.testing.assert_array_equal(image.window(box), whole.array[box])


def nifti(
    path: Path, array: np.ndarray, *, order: str = "<", slope: float = 1.0, intercept: float = 0.0
) -> Path:
    """`array` (*spatial, components) as a NIfTI file; vectors as x, y, z, one time point, component."""
    nibabel = pytest.importorskip("nibabel")
    stored = (
        np.moveaxis(array, -1, 0).T[..., 0] if array.shape[-1] == 1 else np.moveaxis(array, -1, 0)[:, None].T
    )
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(array.dtype.newbyteorder(order))
    header.set_intent("vector" if array.shape[-1] > 1 else "none")
    image = nibabel.Nifti1Image(stored, np.eye(4), header)
    image.header.set_slope_inter(slope, intercept)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", [(9, 30, 40, 1), (30, 40, 1), (9, 30, 40, 2)])
def test_what_is_not_finite_in_a_volume_is_so_in_its_parts(tmp_path, order, shape):
    array = picture(*shape, dtype=np.float32)
    array.flat[::7], array.flat[1::11] = np.nan, -np.inf
    with open_large(nifti(tmp_path / "a.nii", array, order=order)) as image:
        box = (slice(3, 5), slice(0, 30), slice(7, 21))[-len(image.spatial) :]
        np.testing.assert_array_equal(image.window(box), array[box])
        np.testing.assert_array_equal(image.whole(), read_image(tmp_path / "a.nii").array)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32, np.float64])
def test_parts_of_a_scaled_volume_are_those_of_the_whole(tmp_path, dtype):
    """The values of a scaled file are wider than what is stored, so it is no file that is cut short."""
    nifti(tmp_path / "a.nii", picture(9, 30, 40, 1, dtype=dtype), slope=1.37, intercept=-1024.3)
    whole = read_image(tmp_path / "a.nii").array
    with open_large(tmp_path / "a.nii") as image:
        box = (slice(3, 5), slice(0, 30), slice(7, 21))
        part = image.window(box)
        assert part.dtype == image.dtype == whole.dtype
        np.testing.assert_array_equal(part, whole[box])


def test_a_volume_that_is_cut_short_is_told(tmp_path):
    path = nifti(tmp_path / "a.nii", picture(9, 30, 40, 1, dtype=np.int16))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="is cut short \\(21951 of 21952 bytes\\): copy it again"):
        open_large(path)
    (tmp_path / "a.nrrd").write_text("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 9 5\nencoding: raw\n\nabc")
    with pytest.raises(DataError, match="is cut short"):
        open_large(tmp_path / "a.nrrd")


NRRD = "NRRD0004\n# a comment: of mine\ntype: short\nkey:=sizes: 1\n"


@pytest.mark.parametrize(
    ("shape", "more", "mapped"),
    [
        ((9, 30, 40, 1), "endian: little\nencoding: raw\n", True),
        ((9, 30, 40, 1), "endian: big\nencoding: raw\n", True),
        ((30, 40, 1), "endian: little\nencoding: raw\n", True),
        ((9, 30, 40, 2), "endian: little\nencoding: raw\nkinds: vector domain domain domain\n", True),
        ((9, 30, 40, 1), "endian: little\nencoding: raw\ndata file: voxels.raw\nbyte skip: -1\n", True),
        ((9, 30, 40, 1), "endian: little\nencoding: raw\ndata file: voxels.raw\nbyte skip: 3\n", True),
        ((9, 30, 40, 1), "endian: little\nencoding: gzip\n", False),
        ((3, 30, 40, 3), "endian: little\nencoding: raw\nkinds: vector domain domain domain\n", False),
    ],
)
def test_an_nrrd_is_mapped_where_its_voxels_are_plain_numbers(tmp_path, monkeypatch, shape, more, mapped):
    """Of all others ITK reads everything for any window, and their memory is told so."""
    import gzip

    sitk = pytest.importorskip("SimpleITK")
    array = picture(*shape, dtype=np.int16)
    sizes = [n for n in (shape[-1], *reversed(shape[:-1])) if n > 1]
    head = NRRD + f"dimension: {len(sizes)}\nsizes: {' '.join(map(str, sizes))}\n{more}"
    voxels = array.astype(">i2" if "big" in more else "<i2").tobytes()
    if "data file" in more:
        (tmp_path / "a.nrrd").write_text(head)
        (tmp_path / "voxels.raw").write_bytes(b"abc" + voxels)
    else:
        voxels = gzip.compress(voxels) if "gzip" in more else voxels
        (tmp_path / "a.nrrd").write_bytes(head.encode() + b"\n" + voxels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nrrd").array, array)
    if mapped:
        monkeypatch.setattr(sitk.ImageFileReader, "Execute", None)
    with open_large(tmp_path / "a.nrrd") as image:
        assert image.fixed_whole != mapped
        assert image.decoded == (0 if mapped else 2 * array.nbytes)
        box = (slice(1, 3), slice(0, 30), slice(7, 21))[-len(image.spatial) :]
        part = image.window(box)
        assert part.dtype == np.int16
        np.testing.assert_array_equal(part, array[box])


def test_threads_that_share_a_volume_or_a_picture_get_each_its_own_part(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    sitk = pytest.importorskip("SimpleITK")
    array = np.arange(60 * 100 * 100, dtype=np.uint32).reshape(60, 100, 100)
    sitk.WriteImage(sitk.GetImageFromArray(array), tmp_path / "a.nii")
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(16, 16), compression="zlib", metadata={"axes": "ZYX"})
    slabs = [(slice(z, z + 2), slice(0, 100), slice(0, 100)) for z in range(0, 60, 2)] * 4
    for name in ("a.nii", "a.tif"):
        with open_large(tmp_path / name) as image, ThreadPoolExecutor(8) as threads:
            for slab, part in zip(slabs, threads.map(image.window, slabs), strict=True):
                np.testing.assert_array_equal(part[..., 0], array[slab])


def test_what_is_stored_in_one_piece_is_counted_as_decoded_in_one_piece(tmp_path):
    zarr, h5py = pytest.importorskip("zarr"), pytest.importorskip("h5py")
    array = np.zeros((400, 300), np.uint16)
    tifffile.imwrite(tmp_path / "strip.tif", array, compression="zlib", rowsperstrip=400)
    tifffile.imwrite(tmp_path / "plain.tif", array)
    whole = zarr.create_array(tmp_path / "a.zarr", shape=(400, 300), chunks=(400, 300), dtype="uint16")
    whole[:] = array + np.uint16(1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=array, chunks=(400, 300))
    with open_large(tmp_path / "plain.tif") as plain:
        assert plain.decoded == 0
    for name in ("strip.tif", "a.zarr", "a.h5"):
        with open_large(tmp_path / name) as image:
            assert image.decoded >= array.nbytes, name


def test_hdf5_is_understood_by_its_own_words(tmp_path):
    array = picture(2, 9, 30, 40)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("deep/raw", data=array, chunks=(1, 3, 10, 10))
        data.attrs["axistags"] = '{"axes": [{"key": "c"}, {"key": "z"}, {"key": "y"}, {"key": "x"}]}'
        data.attrs["element_size_um"] = (2.0, 0.5, 0.5)
    with open_large(tmp_path / "a.h5") as image:
        assert (image.spatial, image.channels) == ((9, 30, 40), 2)
        assert (image.spacing, image.unit) == ((2.0, 0.5, 0.5), "µm")
        box = (slice(3, 5), slice(0, 30), slice(7, 21))
        np.testing.assert_array_equal(image.window(box), np.moveaxis(array, 0, -1)[box])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["one"], file["two"] = array[0], array[1]
    with pytest.raises(DataError, match="several arrays"):
        open_large(tmp_path / "b.h5")


def test_an_image_without_pixels_is_refused():
    with pytest.raises(DataError, match="no pixels"):
        LargeImage.of(np.zeros((0, 5, 1)))


def test_what_is_no_file_or_no_container_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        open_large(tmp_path / "a.tif")
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="cannot be read in parts"):
        open_large(tmp_path / "a.png")
    (tmp_path / "a.svs").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be opened as a slide"):
        open_large(tmp_path / "a.svs")
