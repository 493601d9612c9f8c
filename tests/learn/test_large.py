"""What is predicted tile by tile is what is predicted at once, whatever the tiles, the mirrors or the process."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from delineate.core import Case, ClassTable, ModelError, OutputError
from delineate.data.large import LargeImage, box_of
from delineate.data.large.labels import LabelStore
from delineate.data.large.sample import is_empty
from delineate.learn import Learnt, Overrides, Record, planned
from delineate.learn import large as module
from delineate.learn.answer import answered
from delineate.learn.footprint import bytes_with, sizes_for
from delineate.learn.large import LargePrediction
from delineate.learn.large_answer import labels_of
from delineate.learn.large_measure import measured, measuring_bytes
from delineate.learn.learnt import network
from delineate.learn.normalisation import Normalisation
from delineate.learn.objects import apart, identified


def untrained(*, channels: int = 1, dims: int = 2, objects: bool = False, **more) -> Learnt:
    """A random network with batch norms that hold statistics of their own, float32."""
    rng = np.random.default_rng(0)
    shape = (64, 64) if dims == 2 else (32, 32, 32)
    case = Case("a", rng.random((*shape, channels)), labels=np.ones(shape, np.uint8))
    classes = ClassTable.numbered(3)
    overrides = Overrides(
        width=4, levels=3, precision="32-true", dims=dims, objects=objects, patch=32, **more
    )
    plan = planned([case], overrides=overrides)
    net = network(plan, classes, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    for layer in net.modules():
        if isinstance(layer, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            layer.running_mean.copy_(torch.rand(layer.running_mean.shape, generator=generator) - 0.5)
            layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) + 0.5)
    return Learnt(net, plan, classes, Record(seed=0))


def begun(tmp_path, learnt, pixels, *, core, name="a", **more) -> LargePrediction:
    return LargePrediction.begin(
        tmp_path / f"{name}.ome.zarr", learnt, LargeImage.of(pixels), model="", core=core, **more
    )


def labels(prediction: LargePrediction) -> np.ndarray:
    list(prediction.predicted(prediction.todo()))
    return prediction.store.read(box_of(prediction.store.levels[0]))


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 32 and blocks of 64 pixels, so that small pictures have many."""
    monkeypatch.setattr("delineate.data.large.labels.CHUNK", {2: 32, 3: 16})
    monkeypatch.setattr("delineate.learn.footprint.CHUNK", {2: 32, 3: 16})
    monkeypatch.setattr(module, "BLOCK", {2: 64, 3: 32})


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("side", [32, 96])
def test_tiles_give_what_the_whole_image_gives(tmp_path, small_chunks, side, flips):
    learnt = untrained(objects=True)
    pixels = np.random.default_rng(1).random((101, 143, 1)).astype(np.float32)
    whole = answered(learnt, pixels, flips=flips)
    prediction = begun(tmp_path, learnt, pixels, core=(side, side), flips=flips)
    for tile in prediction.tiles:
        np.testing.assert_allclose(prediction.answer(tile), whole[(slice(None), *tile)], atol=1e-4)
    found = labels(prediction)
    sure = np.sort(whole[:3], axis=0)[-1] - np.sort(whole[:3], axis=0)[-2] > 1e-3
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(found[sure], whole[:3].argmax(0)[sure])


def test_a_stack_is_predicted_slice_by_slice(tmp_path, small_chunks):
    learnt = untrained()
    pixels = np.random.default_rng(1).random((3, 50, 70, 1)).astype(np.float32)
    prediction = begun(tmp_path, learnt, pixels, core=(1, 32, 32))
    whole = answered(learnt, pixels)
    for tile in prediction.tiles:
        np.testing.assert_allclose(prediction.answer(tile), whole[(slice(None), *tile)], atol=1e-4)


def test_a_volume_has_its_halo_along_every_axis(tmp_path, small_chunks):
    learnt = untrained(dims=3)
    pixels = np.random.default_rng(1).random((37, 50, 44, 1)).astype(np.float32)
    prediction = begun(tmp_path, learnt, pixels, core=(16, 32, 16))
    whole = answered(learnt, pixels)
    for tile in prediction.tiles:
        np.testing.assert_allclose(prediction.answer(tile), whole[(slice(None), *tile)], atol=1e-4)


def test_empty_blocks_are_background_whatever_the_tiles(tmp_path, small_chunks):
    learnt = untrained(channels=3)
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 180, (200, 160, 3)).astype(np.uint8)
    pixels[:150, :140] = rng.integers(236, 242, (150, 140, 3))
    found = {
        side: labels(begun(tmp_path, learnt, pixels, core=(side, side), name=f"{side}")) for side in (32, 96)
    }
    np.testing.assert_array_equal(found[32], found[96])
    assert not found[32][:128, :128].any()  # the blocks that are glass throughout
    every = labels(begun(tmp_path, learnt, pixels, core=(96, 96), name="all", skip_empty=False))
    assert every[:128, :128].any()
    np.testing.assert_array_equal(every[:, 128:], found[32][:, 128:])
    again = begun(tmp_path, learnt, pixels, core=(32, 32), name="counted")
    assert sum(skipped for _, skipped in again.predicted(again.tiles)) == 128 * 128


def test_a_block_that_holds_something_is_read_no_further(tmp_path):
    pixels = np.full((64, 64, 1), 7, np.uint8)
    pixels[3, 3] = 9
    reads = []
    image = LargeImage.of(pixels)
    whole = image.read
    image = replace(image, chunk=(8, 8), read=lambda box, level: reads.append(box) or whole(box, level))
    assert not is_empty(image, (slice(0, 64), slice(0, 64)), None)
    assert [(rows.start, rows.stop) for rows, _ in reads] == [(0, 16)]
    assert not is_empty(image, (slice(0, 64), slice(0, 64)), 8)
    assert is_empty(image, (slice(4, 64), slice(0, 64)), None)
    pixels[:4], pixels[4:] = 240, 9  # glass above, one dark value below: neither throughout
    assert not is_empty(image, (slice(0, 64), slice(0, 64)), 215)


def test_mirrors_are_read_once(tmp_path, small_chunks):
    reads, image = [], LargeImage.of(np.random.default_rng(0).integers(0, 255, (101, 90, 1), np.uint8))
    whole = image.read
    image = replace(image, read=lambda box, level: reads.append(box) or whole(box, level))
    prediction = LargePrediction.begin(
        tmp_path / "a", untrained(), image, model="", core=(32, 32), flips=True, skip_empty=False
    )
    reads.clear()
    assert len(list(prediction.predicted(prediction.tiles))) == len(reads) == 12


def test_only_what_is_missing_is_predicted_again_and_it_is_the_same(tmp_path, small_chunks):
    learnt = untrained()
    pixels = np.random.default_rng(1).random((101, 143, 1)).astype(np.float32)
    whole = labels(begun(tmp_path, learnt, pixels, core=(32, 64)))
    part = begun(tmp_path, learnt, pixels, core=(32, 64), name="b")
    list(part.predicted(part.todo()[:5]))
    again = LargePrediction(tmp_path / "b.ome.zarr", learnt=learnt, image=LargeImage.of(pixels))
    assert again.todo() == list(again.tiles[5:])
    np.testing.assert_array_equal(labels(again), whole)


def test_another_model_does_not_go_on(tmp_path, small_chunks):
    learnt = untrained()
    begun(tmp_path, learnt, np.zeros((64, 64, 1)), core=(32, 32))
    with torch.no_grad():
        next(learnt.net.parameters()).add_(1)
    with pytest.raises(OutputError, match="begun with another model"):
        LargePrediction(tmp_path / "a.ome.zarr", learnt=learnt, image=LargeImage.of(np.zeros((64, 64, 1))))
    with pytest.raises(OutputError, match="not what an interrupted"):
        LabelStore(tmp_path)


@pytest.mark.parametrize("depth", [(), (4,)])
def test_objects_across_seams_are_those_of_the_whole_image(tmp_path, small_chunks, monkeypatch, depth):
    """The image itself holds what a perfect network would say: foreground, and offsets to the middle of each disc."""
    learnt = untrained(channels=3, objects=True)
    learnt = replace(learnt, classes=ClassTable.numbered(2), plan=replace(learnt.plan, object_radius_px=6.0))
    rng = np.random.default_rng(2)
    rows, columns = np.indices((150, 170))
    pixels = np.zeros((*depth, 150, 170, 3), np.float32)
    for _ in range(60):
        y, x = rng.integers(0, 150), rng.integers(0, 170)
        for index in np.ndindex(depth):  # from slice to slice they drift
            y, x = y + len(index), x + len(index)
            disc = (rows - y) ** 2 + (columns - x) ** 2 <= 36
            pixels[index][disc] = np.stack([np.ones_like(rows), y - rows, x - columns], -1)[disc]

    def perfect(windows: torch.Tensor, keep: tuple[slice, ...]) -> torch.Tensor:
        return torch.cat([1 - windows[:, :1], windows], dim=1)[(..., *keep)]

    monkeypatch.setattr("delineate.learn.large_answer.part_runner", lambda _: perfect)
    learnt = replace(
        learnt, plan=replace(learnt.plan, normalisation=Normalisation("fixed", 0, 1), smallest_object_px=5)
    )
    core = sizes_for(learnt, LargeImage.of(pixels), memory=None, tile=1, objects=True).core
    prediction = begun(tmp_path, learnt, pixels, core=(*core[:-1], 64), objects=True)
    assert len(prediction.tiles) == 5 * 3
    found = labels(prediction)
    ids = LabelStore.create(tmp_path / "ids", prediction.image, classes=None, dims=2, dtype=np.uint32)
    table = prediction.objects_of(ids, ids)
    parts = ids.read(box_of(pixels.shape[:-1]))
    answer = np.moveaxis(np.concatenate([1 - pixels[..., :1], pixels], axis=-1), -1, 0)
    whole = identified(learnt, answer, answer[:2].argmax(0))
    pairs = np.unique(np.stack([parts.ravel(), whole.ravel()]), axis=1)
    assert len(table) == whole.max() == parts.max() > 30
    assert pairs.shape[1] == whole.max() + 1, "every object is one object"
    np.testing.assert_array_equal(found > 0, pixels[..., 0] > 0.5)


def test_an_image_of_other_channels_or_axes_is_refused(tmp_path):
    with pytest.raises(ModelError, match="4 channels but the model was trained on 3"):
        begun(tmp_path, untrained(channels=3), np.zeros((20, 20, 4), np.uint8), core=(512, 512))
    with pytest.raises(ModelError, match="flat but the model works on volumes"):
        begun(tmp_path, untrained(dims=3), np.zeros((20, 20, 1), np.uint8), core=(64, 64))


def test_a_colour_image_is_refused_by_a_model_of_grey_ones(tmp_path):
    learnt = untrained()
    learnt = replace(learnt, plan=replace(learnt.plan, grey=True))
    grey = np.repeat(np.random.default_rng(0).random((60, 60, 1)), 3, axis=-1)
    assert labels(begun(tmp_path, learnt, grey, core=(512, 512))).shape == (60, 60)
    grey[5, 5, 1] += 1
    with pytest.raises(ModelError, match="is in colour, and the model was trained on grey images"):
        begun(tmp_path, learnt, grey, core=(512, 512), name="b")


def test_dye_is_told_by_the_light_of_the_whole_image_in_every_tile(tmp_path, small_chunks):
    learnt = untrained()
    plan = replace(learnt.plan, augmentation=replace(learnt.plan.augmentation, robust=("stain",)))
    learnt = replace(learnt, plan=plan)
    stained = np.full((90, 100, 3), 235, np.uint8)
    stained[:40, :40] = np.random.default_rng(0).integers(60, 230, (40, 40, 3))
    whole = answered(learnt, stained).argmax(0)
    np.testing.assert_array_equal(
        labels(begun(tmp_path, learnt, stained, core=(32, 32), skip_empty=False)), whole
    )


def test_pieces_have_the_smallest_size_of_the_model(tmp_path, small_chunks):
    learnt = untrained()
    learnt = replace(learnt, plan=replace(learnt.plan, smallest_object_px=4))
    prediction = begun(tmp_path, learnt, np.zeros((60, 90, 1)), core=(32, 64))
    found = np.random.default_rng(1).integers(0, 3, (60, 90)).astype(np.uint8)
    for tile in prediction.tiles:
        prediction.store.write(tile, found[tile])
    ids, scratch = (
        LabelStore.create(tmp_path / name, prediction.image, classes=None, dims=2, dtype=np.uint32)
        for name in ("ids", "scratch")
    )
    assert 0 < len(prediction.objects_of(ids, scratch)) == apart(found, smallest_px=4).max()


def test_tiles_follow_the_memory_that_is_allowed():
    learnt = untrained(channels=3)
    wide = replace(learnt, plan=replace(learnt.plan, width=64))
    image = LargeImage.of(np.broadcast_to(np.zeros(3, np.uint8), (40_000, 40_000, 3)))
    sides = [sizes_for(wide, image, memory=gigabytes * 1e9).core[0] for gigabytes in (0.9, 1.5, 8)]
    assert sides == sorted(set(sides))
    assert sizes_for(wide, image, memory=8e9).bytes == bytes_with(wide, image, (sides[-1], sides[-1])) < 8e9
    assert sizes_for(learnt, image, memory=None, tile=700).core == (1024, 1024)
    with pytest.raises(ModelError, match=r"0\.5 GB of memory are too little.*give --memory"):
        sizes_for(wide, image, memory=0.5e9)


def test_a_stack_of_objects_that_is_too_deep_for_the_memory_is_refused_and_why_is_said():
    learnt = untrained(objects=True)
    image = LargeImage.of(np.broadcast_to(np.zeros(1, np.uint8), (300, 2000, 2000, 1)))
    flat = sizes_for(learnt, image, memory=1e9)
    assert flat.core[0] == 1
    with pytest.raises(ModelError, match="in all 300 slices, across which objects are joined; give --memory"):
        sizes_for(learnt, image, memory=1e9, objects=True)
    shallow = LargeImage.of(np.broadcast_to(np.zeros(1, np.uint8), (3, 2000, 2000, 1)))
    assert sizes_for(learnt, shallow, memory=2e9, objects=True).core[0] == 3


def test_the_smallest_tiles_may_take_half_of_what_is_free_where_nothing_is_prescribed(monkeypatch):
    learnt = untrained(objects=True)
    image = LargeImage.of(np.broadcast_to(np.zeros(1, np.uint8), (40, 2000, 2000, 1)))
    monkeypatch.setattr("delineate.learn.footprint.available_bytes", lambda: 30e9)
    least = sizes_for(learnt, image, memory=None, objects=True)
    assert (least.core, least.bytes > 2 << 30) == ((40, 512, 512), True)
    monkeypatch.setattr("delineate.learn.footprint.available_bytes", lambda: 1e9)
    with pytest.raises(ModelError, match="GB of memory are too little"):
        sizes_for(learnt, image, memory=None, objects=True)


def test_what_is_stated_counts_mirrors_float32_and_the_decoder():
    learnt = untrained(channels=3)
    image = LargeImage.of(np.broadcast_to(np.zeros(3, np.uint8), (4000, 4000, 3)))
    stated = bytes_with(learnt, image, (512, 512))
    window = (512 + 2 * learnt.net.halo) ** 2
    mirrored = bytes_with(learnt, image, (512, 512), flips=True)
    assert mirrored - stated >= window * (3 * 4 + 2 * 8), "a turned window and a second answer in float32"
    assert bytes_with(learnt, replace(image, decoded=10**9), (512, 512)) - stated == 10**9
    low = replace(learnt, plan=replace(learnt.plan, precision="bf16-mixed"))
    unknown = replace(low, engine=lambda batch: batch)
    assert bytes_with(unknown, image, (512, 512)) == stated, (
        "an engine that does not tell may compute in float32"
    )


def test_measuring_a_large_volume_holds_one_window_at_a_time_and_is_in_what_is_stated(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.data.large.sample.WHOLE", 1000)
    monkeypatch.setattr("delineate.data.large.sample.LATTICE", {3: (5, 40)})
    monkeypatch.setattr("delineate.learn.normalisation.ENOUGH", 1 << 14)
    monkeypatch.setattr("delineate.learn.large_measure.ENOUGH", 1 << 14)
    learnt = untrained(dims=3)
    image = LargeImage.of(np.broadcast_to(np.arange(300, dtype=np.uint16)[:, None], (300, 300, 300, 1)))
    tracemalloc.start()
    LargePrediction.begin(tmp_path / "a.ome.zarr", learnt, image, model="", core=(64, 64, 64))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sample = 125 * 40**3 * 2
    assert taken < measuring_bytes(image, learnt.plan) + (1 << 20) < sample / 2


def test_the_light_of_a_colour_volume_is_told_by_a_part_of_its_sample_and_is_stated(monkeypatch):
    monkeypatch.setattr("delineate.data.large.sample.WHOLE", 1000)
    monkeypatch.setattr("delineate.data.large.sample.LATTICE", {3: (5, 20)})
    monkeypatch.setattr("delineate.learn.large_measure.LIT", 1 << 13)
    plan = untrained().plan
    plan = replace(plan, augmentation=replace(plan.augmentation, robust=("stain",)))
    stained = np.full((100, 100, 100, 3), 235, np.uint8)
    stained[:, :40, :40] = np.random.default_rng(0).integers(60, 230, (100, 40, 40, 3))
    _, lit, glass = measured(LargeImage.of(stained), plan)
    assert lit is not None
    assert (lit.transmitted, glass) == (True, 210)
    assert measured(LargeImage.of(np.repeat(stained[..., :1], 3, axis=-1)), plan)[1] is None


def test_a_run_goes_on_in_smaller_tiles_and_does_no_pixel_twice(tmp_path, small_chunks):
    learnt = untrained()
    pixels = np.random.default_rng(1).random((101, 143, 1)).astype(np.float32)
    prediction = begun(tmp_path, learnt, pixels, core=(64, 64))
    list(prediction.predicted(prediction.tiles[:2]))
    done = prediction.store.read((slice(0, 64), slice(0, 128)))
    prediction.recut((32, 32))
    again = LargePrediction(tmp_path / "a.ome.zarr", learnt=learnt, image=LargeImage.of(pixels))
    assert again.tiles == prediction.tiles
    assert len(again.tiles) == 4 * 5
    assert len(again.todo()) == 20 - 2 * 4
    found = labels(again)
    np.testing.assert_array_equal(found[:64, :128], done)
    assert not again.todo()


def test_tiles_that_keep_their_objects_stay_as_they_are(tmp_path, small_chunks):
    learnt = untrained(objects=True)
    prediction = begun(tmp_path, learnt, np.zeros((101, 143, 1)), core=(64, 64), objects=True)
    with pytest.raises(OutputError, match="begun in tiles of 64 pixels that keep their objects"):
        prediction.recut((32, 32))


def test_labels_are_the_first_of_the_most_likely_classes():
    likely = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (4, 50, 60)).astype(np.float32))
    np.testing.assert_array_equal(labels_of(likely), likely.numpy().argmax(0))
