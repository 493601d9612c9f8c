"""Every container, every folder layout and every kind of mask, from the command line, end to end.

Files are written as other programs write them (Pillow, tifffile, nibabel, SimpleITK, pydicom), and what comes out
is read by those same libraries and never by ours: a scientist opens our results elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from commands import run
from delineate import flow, load
from delineate.data import entry_image, images
from delineate.report import figures

TINY = (
    "--steps",
    25,
    "--width",
    4,
    "--levels",
    2,
    "--patch",
    32,
    "--batch",
    2,
    "--learning-rate",
    0.03,
    "--normalisation",
    "percentiles",
)
FLAT, DEEP = (40, 48), (5, 40, 48)


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kind of file changes how a report is drawn, which would take half of the time here."""
    monkeypatch.setattr(figures, "png", lambda figure, **_: b"")


def scene(seed: int, shape: tuple[int, ...] = FLAT) -> tuple[Any, Any]:
    """A noisy picture (*shape) from 0 to 255 with six bright blobs, and the blobs numbered 1 to 6."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)[-2:]
    ids = np.zeros(shape, np.uint16)
    for number in range(1, 7):
        row, column = 8 + 16 * (number % 2) + rng.integers(6), 6 + 14 * (number % 3) + rng.integers(6)
        ids[np.hypot(grid[0] - row, grid[1] - column) < 5] = number
    picture = 40 + 120 * (ids > 0) + rng.normal(0, 20, shape)
    return np.clip(picture, 0, 255).astype(np.uint8), ids


# ---- containers: how others write them, and how others read what we wrote ----


@dataclass(frozen=True)
class Container:
    """Write an image and a mask, without their suffix; read labels back; say what must stay as it was.

    space: of a file (an image, or labels we wrote), what it says about the size and the place of its pixels.
    """

    write: Callable[[Path, Any], Path]
    mask: Callable[[Path, Any], Path]
    read: Callable[[Path], Any]
    suffix: str
    space: Callable[[Path], Any] = lambda path: None
    shape: tuple[int, ...] = FLAT
    from_bytes: Callable[[Any], Any] = lambda picture: picture


def pillow(suffix: str) -> Callable[[Path, Any], Path]:
    def write(path: Path, array: Any) -> Path:
        path = path.with_name(path.name + suffix)
        Image.fromarray(array).save(path, **({"quality": 95} if suffix == ".jpg" else {}))
        return path

    return write


def pillow_read(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


def tiff(suffix: str = ".tif", **how: Any) -> Callable[[Path, Any], Path]:
    def write(path: Path, array: Any) -> Path:
        path = path.with_name(path.name + suffix)
        tifffile.imwrite(path, array, **how)
        return path

    return write


def imagej_scale(path: Path) -> Any:
    """Depth, height, width and unit, as Fiji shows them."""
    with tifffile.TiffFile(path) as file:
        about = file.imagej_metadata or {}
        tags = file.pages.first.tags
        across = [tags[name].value for name in ("YResolution", "XResolution")]
        sizes = [round(low / high, 5) for high, low in across]
        return (about.get("spacing"), *sizes, about.get("unit"))


OME = {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 1.5} | {
    f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"
}


def ome_scale(path: Path) -> Any:
    """Depth, height, width and unit: of the OME-TIFF we were given, or as Fiji shows them of what we wrote."""
    with tifffile.TiffFile(path) as file:
        if file.ome_metadata is None:
            return imagej_scale(path)
        sizes = dict(re.findall(r'PhysicalSize([XYZ])="([0-9.]+)"', file.ome_metadata))
        return (*(float(sizes[axis]) for axis in "ZYX"), "um")


ANGLE = np.deg2rad(20)
AFFINE = np.array(
    [
        [0.8 * np.cos(ANGLE), -0.9 * np.sin(ANGLE), 0, -30],
        [0.8 * np.sin(ANGLE), 0.9 * np.cos(ANGLE), 0, 12],
        [0, 0, 3.5, 7],
        [0, 0, 0, 1],
    ]
)
"""Of (x, y, z): turned by 20 degrees about z, pixels of 0.8 x 0.9 mm, slices 3.5 mm apart."""


def nifti(suffix: str) -> Callable[[Path, Any], Path]:
    def write(path: Path, array: Any) -> Path:
        path = path.with_name(path.name + suffix)
        nibabel.save(nibabel.Nifti1Image(array.T, AFFINE), path)
        return path

    return write


def nifti_read(path: Path) -> Any:
    return np.asarray(nibabel.load(path).dataobj).T


def nifti_space(path: Path) -> Any:
    return np.round(nibabel.load(path).affine, 4).tolist()


def itk(suffix: str) -> Callable[[Path, Any], Path]:
    def write(path: Path, array: Any) -> Path:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.8, 0.9, 3.5))
        image.SetOrigin((-30, 12, 7))
        image.SetDirection((np.cos(ANGLE), -np.sin(ANGLE), 0, np.sin(ANGLE), np.cos(ANGLE), 0, 0, 0, 1))
        path = path.with_name(path.name + suffix)
        sitk.WriteImage(image, str(path))
        return path

    return write


def itk_read(path: Path) -> Any:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def itk_space(path: Path) -> Any:
    image = sitk.ReadImage(str(path))
    return [np.round(v, 5).tolist() for v in (image.GetSpacing(), image.GetOrigin(), image.GetDirection())]


def dicom_file(path: Path, pixels: Any, *, series: str, number: int = 0) -> Path:
    """A sagittal MR slice, the n-th of slices 2.5 mm apart."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Modality, file.SeriesInstanceUID, file.StudyInstanceUID = "MR", series, "1.2.3"
    file.PatientName, file.InstanceNumber = "Somebody", number + 1
    file.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    file.ImagePositionPatient = [10 - 2.5 * number, 20, 30]
    file.PixelSpacing, file.SliceThickness = [0.65, 0.7], 2.5
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    file.PixelData = pixels.astype(np.uint16).tobytes()
    file.save_as(path, enforce_file_format=True)
    return path


def dicom(path: Path, array: Any) -> Path:
    """A series in a folder, its file names in no order and without a suffix."""
    path.mkdir(parents=True)
    series = generate_uid()
    for number, pixels in enumerate(array):
        dicom_file(path / f"IM{number * 7 % 11:04d}", pixels, series=series, number=number)
    return path


def x_ray(path: Path, array: Any) -> Path:
    """One image in one file, a series of its own."""
    return dicom_file(path.with_name(f"{path.name}.dcm"), array, series=generate_uid())


def x_ray_space(path: Path) -> Any:
    return [float(n) for n in pydicom.dcmread(path).PixelSpacing]


def dicom_slices(folder: Path) -> list[Any]:
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    return sorted(slices, key=lambda one: -one.ImagePositionPatient[0])


def dicom_read(folder: Path) -> Any:
    return np.stack([one.pixel_array for one in dicom_slices(folder)])


def dicom_space(folder: Path) -> Any:
    tags = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    return [
        [np.round([float(n) for n in one[tag]], 5).tolist() for tag in tags] for one in dicom_slices(folder)
    ]


def as_colour(picture: Any) -> Any:
    return np.stack([picture, picture // 2, picture // 4], -1)


def as_four_channels(picture: Any) -> Any:
    return np.stack([picture, picture // 2, 255 - picture, picture // 3], 0).astype(np.uint16) * 16


def as_16_bit(picture: Any) -> Any:
    return picture.astype(np.uint16) * 16


def as_float(picture: Any) -> Any:
    return picture.astype(np.float32) / 255


PNG, TIF = pillow(".png"), tiff()
CONTAINERS = {
    "PNG": Container(PNG, PNG, pillow_read, ".png"),
    "PNG of 16 bits": Container(PNG, PNG, pillow_read, ".png", from_bytes=as_16_bit),
    "PNG in colour": Container(PNG, PNG, pillow_read, ".png", from_bytes=as_colour),
    "JPEG": Container(pillow(".jpg"), PNG, pillow_read, ".png", from_bytes=as_colour),
    "BMP": Container(pillow(".bmp"), pillow(".bmp"), pillow_read, ".bmp"),
    "GIF": Container(pillow(".gif"), pillow(".gif"), pillow_read, ".gif"),
    "TIFF of 16 bits": Container(TIF, TIF, tifffile.imread, ".tif", from_bytes=as_16_bit),
    "TIFF of floats": Container(TIF, TIF, tifffile.imread, ".tif", from_bytes=as_float),
    "TIFF with four channels": Container(
        tiff(metadata={"axes": "CYX"}, photometric="minisblack"),
        TIF,
        tifffile.imread,
        ".tif",
        from_bytes=as_four_channels,
    ),
    "TIFF of pages": Container(
        tiff(metadata=None, photometric="minisblack"), TIF, tifffile.imread, ".tif", shape=DEEP
    ),
    "ImageJ stack": Container(
        tiff(imagej=True, resolution=(4, 5), metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"}),
        TIF,
        tifffile.imread,
        ".tif",
        imagej_scale,
        DEEP,
    ),
    "OME-TIFF": Container(
        tiff(".ome.tif", metadata=OME), TIF, tifffile.imread, ".tif", ome_scale, DEEP, as_16_bit
    ),
    "NIfTI": Container(nifti(".nii.gz"), nifti(".nii.gz"), nifti_read, ".nii.gz", nifti_space, DEEP),
    "NIfTI, not compressed": Container(
        nifti(".nii"), nifti(".nii.gz"), nifti_read, ".nii", nifti_space, DEEP, as_float
    ),
    "NRRD": Container(itk(".nrrd"), itk(".nrrd"), itk_read, ".nrrd", itk_space, DEEP),
    "MetaImage": Container(itk(".mha"), itk(".mha"), itk_read, ".mha", itk_space, DEEP, as_16_bit),
    "X-rays": Container(
        x_ray, PNG, lambda path: pydicom.dcmread(path).pixel_array, ".dcm", x_ray_space, FLAT, as_16_bit
    ),
    "DICOM series": Container(dicom, dicom, dicom_read, "", dicom_space, DEEP, as_16_bit),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_goes_all_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    kind, data, model = CONTAINERS[name], tmp_path / "data", tmp_path / "model"
    for folder in ("images", "masks"):
        (data / folder).mkdir(parents=True)
    originals = {}
    for seed in range(2):
        picture, ids = scene(seed, kind.shape)
        originals[f"p{seed}.x"] = kind.write(data / "images" / f"p{seed}.x", kind.from_bytes(picture))
        kind.mask(data / "masks" / f"p{seed}.x", (ids > 0).astype(np.uint8))

    assert run("check", data) == 0, capsys.readouterr().out
    assert run("train", data, "-o", model, *TINY) == 0, capsys.readouterr().err
    engine = ("--engine", "torch")  # what `method.outline` below is run by
    assert run("predict", model, data, "-o", tmp_path / "out", *engine) == 0
    assert run("predict", model, data, "-o", tmp_path / "ids", "--objects", "--probabilities", *engine) == 0

    method = load(model)
    values = set()
    for entry in images(data):
        likely, ids = method.outline(entry_image(entry).array)
        labels = likely.argmax(0)
        values |= set(labels.ravel().tolist())
        suffix = {".bmp": ".png", ".gif": ".png"}.get(kind.suffix, kind.suffix)  # 8 bits do not hold ids
        for written, truth in (
            (tmp_path / "out" / f"{entry.name}{kind.suffix}", labels),
            (tmp_path / "ids" / "classes" / f"{entry.name}{kind.suffix}", labels),
            (tmp_path / "ids" / f"{entry.name}{suffix}", ids),
        ):
            np.testing.assert_array_equal(kind.read(written), truth, err_msg=str(written))
            assert kind.space(written) == kind.space(originals[entry.name])
        assert (tmp_path / "ids" / "overlays" / f"{entry.name}.png").is_file()
        (there,) = (tmp_path / "ids" / "probabilities").glob(f"{entry.name}.*")
        assert there.suffix == ".nrrd" if kind.suffix in ("", ".dcm") else there.stat().st_size > 1000

    assert not flow.score(tmp_path / "out", data).unscored
    assert run("score", tmp_path / "ids", data, "-o", tmp_path / "report") == 0
    scores = json.loads((tmp_path / "report" / "scores.json").read_text(encoding="utf-8"))
    assert len(scores["cases"]) == 2
    assert values == {0, 1}, "the test means nothing where everything is of one class"


# ---- layouts: where the files lie ----


def put(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".nii.gz"):
        nibabel.save(nibabel.Nifti1Image(array.T, AFFINE), path)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        Image.fromarray(array).save(path)


LAYOUTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "images and masks": ({"images/{}.png": "picture", "masks/{}.png": "mask"}, ["a", "b"]),
    "endings and other suffixes": (
        {"img/{}_img.tif": "picture", "labels/{}_mask.png": "mask"},
        ["a_img", "b_img"],
    ),
    "instances": ({"images/{}.png": "picture", "instances/{}.tif": "ids"}, ["a", "b"]),
    "masks and instances": (
        {"images/{}.png": "picture", "masks/{}.png": "mask", "instances/{}.png": "ids"},
        ["a", "b"],
    ),
    "Cellpose": ({"{}.tif": "picture", "{}_masks.tif": "ids"}, ["a", "b"]),
    "MMSegmentation": (
        {
            f"{kind}_dir/{part}/{{}}{n}.png": what
            for kind, what in (("img", "picture"), ("ann", "mask"))
            for n, part in enumerate(("train", "val"))
        },
        ["a0", "a1", "b0", "b1"],
    ),
    "BiaPy": (
        {
            f"{part}/{kind}/{{}}.tif": what
            for kind, what in (("x", "picture"), ("y", "mask"))
            for part in ("train", "val")
        },
        ["a", "b", "val/a", "val/b"],
    ),
    "annotators": (
        {"images/{}.png": "picture", "masks/anna/{}.png": "mask", "masks/ben/{}.png": "mask"},
        ["a", "b"],
    ),
    "scribbles": ({"images/{}.png": "picture", "scribbles/{}.png": "scribbles"}, ["a", "b"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_goes_all_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    files, names = LAYOUTS[name]
    data, model, out = tmp_path / "data", tmp_path / "model", tmp_path / "out"
    for seed, stem in enumerate("ab"):
        picture, ids = scene(seed)
        mask = (ids > 0).astype(np.uint8)
        scribbles = np.where(np.arange(FLAT[0])[:, None] % 8 == 0, mask, np.uint8(255))
        for number, (path, what) in enumerate(files.items()):
            arrays = {"picture": np.roll(picture, number), "mask": mask, "ids": ids, "scribbles": scribbles}
            put(data / path.format(stem), arrays[what])
    assert run("check", data) == 0, capsys.readouterr().out
    assert run("train", data, "-o", model, *TINY) == 0, capsys.readouterr().err
    objects = ["--objects"] if "ids" in files.values() else []
    assert json.loads((model / "model.json").read_text(encoding="utf-8"))["plan"]["objects"] == bool(objects)
    assert run("predict", model, data, "-o", out, *objects) == 0
    about = json.loads((out / "prediction.json").read_text(encoding="utf-8"))
    assert sorted(about["files"]) == names
    table = flow.score(out, data)
    assert sorted(case.name for case in table.cases) == names
    assert not table.unscored
    assert (table.objects is not None) == bool(objects)


def nnunet(root: Path) -> Path:
    """Two cases of two channels and their labels; one more case to predict on. Label 3 is to be ignored."""
    about = {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "edge": 1, "core": 2, "ignore": 3},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    for seed, case in enumerate(("p_01", "p_02", "p_03")):
        picture, ids = scene(seed, DEEP)
        labels = np.where(ids > 0, 1 + ids % 2, 0).astype(np.uint8)
        labels[:, -4:] = 3
        images_folder = "imagesTs" if case == "p_03" else "imagesTr"
        put(root / images_folder / f"{case}_0000.nii.gz", picture)
        put(root / images_folder / f"{case}_0001.nii.gz", 255 - picture)
        if case != "p_03":
            put(root / "labelsTr" / f"{case}.nii.gz", labels)
    (root / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    return root


def test_an_nnunet_data_set_goes_all_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = nnunet(tmp_path / "Dataset001_Heart"), tmp_path / "model"
    assert run("check", data) == 0, capsys.readouterr().out
    assert "unlabelled: 10.00% of the mask pixels" in capsys.readouterr().out  # 4 of 40 rows
    assert run("train", data, "-o", model, *TINY) == 0, capsys.readouterr().err
    assert load(model).classes.names == ("background", "edge", "core")
    assert run("predict", model, data / "imagesTs", "-o", tmp_path / "new", "--objects") == 0
    written = tmp_path / "new" / "classes" / "p_03.nii.gz"
    assert set(np.unique(nifti_read(written)).tolist()) <= {0, 1, 2}
    assert nifti_space(written) == nifti_space(data / "imagesTs" / "p_03_0000.nii.gz")
    assert run("predict", model, data / "imagesTs" / "p_03_0001.nii.gz", "-o", tmp_path / "one") == 0
    np.testing.assert_array_equal(nifti_read(tmp_path / "one" / "p_03.nii.gz"), nifti_read(written))
    assert run("predict", model, data / "imagesTr", "-o", tmp_path / "known") == 0
    assert run("score", tmp_path / "known", data, "-o", tmp_path / "report") == 0
    scores = json.loads((tmp_path / "report" / "scores.json").read_text(encoding="utf-8"))
    assert sorted(case["name"] for case in scores["cases"]) == ["p_01", "p_02"]
    assert set(scores["classes"]) == {"edge", "core"}


def test_a_file_a_flat_folder_a_glob_and_a_data_folder_give_the_same(tmp_path: Path) -> None:
    data, model = tmp_path / "data", tmp_path / "model"
    for seed, stem in enumerate("ab"):
        picture, ids = scene(seed)
        put(data / "train" / "images" / f"{stem}.png", picture)
        put(data / "train" / "masks" / f"{stem}.png", (ids > 0).astype(np.uint8) * 255)
        put(data / "test" / "images" / f"{stem}.png", picture)
    assert run("train", data / "train", "-o", model, *TINY) == 0
    flat = data / "train" / "images"
    givens = {
        "file": flat / "a.png",
        "flat": flat,
        "glob": flat / "*.png",
        "set": data / "train",
        "all": data,
    }
    for name, given in givens.items():
        assert run("predict", model, given, "-o", tmp_path / name) == 0
    known = pillow_read(tmp_path / "file" / "a.png")
    for name in givens:
        np.testing.assert_array_equal(pillow_read(tmp_path / name / "a.png"), known)
    np.testing.assert_array_equal(pillow_read(tmp_path / "all" / "test" / "a.png"), known)
    assert (tmp_path / "all" / "overlays" / "test" / "b.png").is_file()
    assert run("score", tmp_path / "all", data / "train", "-o", tmp_path / "report") == 0


# ---- masks: what their values mean ----

RED, GREEN = (230, 20, 30), (20, 200, 90)
COLOURS = np.array([(0, 0, 0), RED, GREEN], np.uint8)


def palette(path: Path, array: Any) -> Path:
    image = Image.fromarray(array)
    image.putpalette([7, 7, 7, *RED, *GREEN])
    path = path.with_name(path.name + ".png")
    image.save(path)
    return path


def one_bit(path: Path, array: Any) -> Path:
    path = path.with_name(path.name + ".tif")
    Image.fromarray(array > 0).save(path, compression="group4")
    return path


@dataclass(frozen=True)
class Sort:
    """A sort of mask: how 0, 1, 2 (or object ids) become a file, what to say on the command line, what is meant."""

    write: Callable[[Path, Any], Path]
    change: Callable[[Any], Any]
    of_ids: bool = False
    options: tuple[str, ...] = ()
    classes: tuple[str, ...] = ("background", "foreground")


def with_unlabelled(value: int, dtype: Any) -> Callable[[Any], Any]:
    """Class numbers of which a band at the bottom is not labelled."""

    def change(classes: Any) -> Any:
        changed = classes.astype(dtype)
        changed[-6:] = value
        return changed

    return change


NUMBERED = ("background", "class_1", "class_2")
SORTS = {
    "0 and 255": Sort(PNG, lambda c: (c > 0).astype(np.uint8) * 255),
    "0 and 1": Sort(PNG, lambda c: (c > 0).astype(np.uint8)),
    "class numbers": Sort(PNG, lambda c: c, options=("--masks-are", "classes"), classes=NUMBERED),
    "values with gaps": Sort(
        PNG,
        lambda c: c * np.uint8(100),
        options=("--masks-are", "classes"),
        classes=("background", "value_100", "value_200"),
    ),
    "255 beside class numbers": Sort(
        PNG, with_unlabelled(255, np.uint8), options=("--masks-are", "classes"), classes=NUMBERED
    ),
    "-1 beside class numbers": Sort(
        TIF, with_unlabelled(-1, np.int16), options=("--masks-are", "classes"), classes=NUMBERED
    ),
    "0 for unlabelled": Sort(
        PNG,
        lambda c: with_unlabelled(0, np.uint8)(c + 1),
        options=("--unlabelled", "0", "--masks-are", "classes"),
        classes=("background", "value_2", "value_3"),
    ),
    "ids of 16 bits": Sort(PNG, lambda ids: ids, of_ids=True, options=("--masks-are", "instances")),
    "ids as floats": Sort(
        TIF, lambda ids: ids.astype(np.float32), of_ids=True, options=("--masks-are", "instances")
    ),
    "colours": Sort(PNG, lambda c: COLOURS[c], classes=("background", "colour_14c85a", "colour_e6141e")),
    "colours with alpha": Sort(
        PNG,
        lambda c: np.concatenate([COLOURS[c], np.where(c > 0, 255, 0).astype(np.uint8)[..., None]], -1),
        classes=("background", "colour_14c85a", "colour_e6141e"),
    ),
    "grey stored as colour": Sort(PNG, lambda c: np.repeat((c > 0).astype(np.uint8)[..., None] * 255, 3, -1)),
    "palette": Sort(palette, lambda c: c, options=("--masks-are", "classes"), classes=NUMBERED),
    "one bit": Sort(one_bit, lambda c: c),
    "one bit, GIF": Sort(pillow(".gif"), lambda c: c > 0),
    "truth values": Sort(TIF, lambda c: c > 0),
}


@pytest.mark.parametrize("name", SORTS)
def test_a_sort_of_mask_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    sort, data, model = SORTS[name], tmp_path / "data", tmp_path / "model"
    (data / "masks").mkdir(parents=True)
    for seed, stem in enumerate("ab"):
        picture, ids = scene(seed)
        classes = np.where(ids > 0, 1 + ids % 2, 0).astype(np.uint8)
        put(data / "images" / f"{stem}.png", picture)
        sort.write(data / "masks" / stem, sort.change(ids if sort.of_ids else classes))
        meant = (classes > 0).astype(np.uint8) if len(sort.classes) == 2 else classes
        if "colour" in sort.classes[-1]:  # in the order of their numbers: green first
            meant = np.array([0, 2, 1], np.uint8)[classes]
        if "--unlabelled" in sort.options:  # then 0 is unlabelled on both sides, and classes count from 1
            meant = classes + 1
        put(tmp_path / "plain" / f"{stem}.png", meant)
    assert run("check", data, *sort.options) == 0, capsys.readouterr().out
    assert run("train", data, "-o", model, *TINY, "--steps", 2, *sort.options) == 0, capsys.readouterr().err
    method = load(model)
    assert method.classes.names == sort.classes
    assert method.learnt.plan.objects == sort.of_ids
    unlabelled = 0 if "--unlabelled" in sort.options else None
    table = flow.score(
        tmp_path / "plain", data, masks_are=sort.options[-1] if sort.options else None, unlabelled=unlabelled
    )
    assert [table.summary(label, "dice").mean for label in sort.classes[1:]] == [1.0] * (
        len(sort.classes) - 1
    )


def test_masks_in_jpeg_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, stem in enumerate("ab"):
        picture, ids = scene(seed)
        put(tmp_path / "data" / "images" / f"{stem}.jpg", picture)
        put(tmp_path / "data" / "masks" / f"{stem}.jpg", (ids > 0).astype(np.uint8) * 255)
    assert run("check", tmp_path / "data") == 1
    assert run("train", tmp_path / "data", "-o", tmp_path / "model", *TINY) == 2
    said = capsys.readouterr()
    assert "as JPEG and smooth resampling leave them: save masks as PNG" in said.out
    assert "as JPEG and smooth resampling leave them: save masks as PNG" in said.err
