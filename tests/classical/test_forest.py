"""What texture tells where brightness tells nothing, from a few strokes; and models that were tampered with."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from delineate.classical import TextureBoosting, TextureForest, forest
from delineate.classical.filters import Bank, filter_maps, sampled, scaled, texture
from delineate.classical.trees import boosting
from delineate.classical.trees import forest as random_forest
from delineate.core import Case, DataError, ModelError


def textures(seed, shape=(64, 72)):
    """Left fine, right coarse noise of one brightness and contrast."""
    rng = np.random.default_rng(seed)
    fine = rng.normal(0, 1, shape)
    coarse = np.kron(rng.normal(0, 1, (shape[0] // 4, shape[1] // 4)), np.ones((4, 4)))
    right = np.arange(shape[1]) >= shape[1] // 2
    image = np.where(right, coarse, fine) * 30 + 120
    labels = np.broadcast_to(right, shape).astype(np.uint8)
    return Case(str(seed), image.clip(0, 255).astype(np.uint8)[..., None], labels=labels)


def strokes(case):
    labels = np.full_like(case.labels, 255)
    labels[::16, ::2] = case.labels[::16, ::2]
    return Case(case.name, case.image, labels=labels)


@pytest.mark.parametrize("method", [TextureForest, TextureBoosting])
def test_two_textures_of_one_brightness_are_told_apart_by_a_few_strokes(method):
    fitted = method().fit([strokes(textures(0)), strokes(textures(1))])
    new = textures(2)
    assert (fitted.predict(new.image).argmax(0) == new.labels).mean() > 0.93


def test_strips_give_what_the_whole_gives(monkeypatch):
    fitted = TextureForest().fit([strokes(textures(0))])
    tall = np.concatenate([textures(seed).image for seed in range(3)])
    whole = fitted.predict(tall)
    monkeypatch.setattr(forest, "STRIP_PX", 72 * 50)
    np.testing.assert_array_equal(fitted.predict(tall), whole)


def test_pixels_that_are_sampled_have_the_values_of_the_maps():
    grey, aligned = scaled(textures(3).image[..., 0])
    bank = Bank(1, (0,))
    maps = np.stack([*filter_maps(grey, aligned, bank), *texture(grey, bank)])
    places = (np.array([0, 5, 63, 30]), np.array([71, 8, 0, 30]))
    assert len(maps) == bank.count
    np.testing.assert_allclose(sampled(grey, aligned, bank, places), maps[:, *places], rtol=1e-5, atol=1e-6)


def test_scribbles_out_of_proportion_do_not_tip_the_balance():
    rng = np.random.default_rng(0)
    truth = np.zeros((80, 80), np.uint8)
    truth[20:40, 20:40] = 1
    image = (100 + 25 * truth + rng.normal(0, 20, truth.shape)).clip(0, 255).astype(np.uint8)[..., None]
    labels = np.full_like(truth, 255)
    labels[22:38:3, 22:38] = 1
    labels[60:66:3, 20:70] = 0
    found = TextureForest().fit([Case("square", image, labels=labels)]).predict(image).argmax(0)
    assert 250 < found.sum() < 650  # of 400; half and half would say more


def test_the_arrays_are_the_forest_of_scikit_learn():
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (400, 5)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] ** 2 > 0.5).astype(np.uint8) * 2  # class 1 has no row
    theirs = RandomForestClassifier(
        n_estimators=7, min_samples_leaf=4, max_features="sqrt", max_samples=0.75, random_state=0
    ).fit(rows, labels)
    ours = random_forest(rows, labels, classes=3, trees=7).probabilities(np.ascontiguousarray(rows.T))
    np.testing.assert_allclose(ours[:, [0, 2]], theirs.predict_proba(rows), atol=1e-5)
    assert ours[:, 1].max() == 0


@pytest.mark.parametrize("count", [2, 3])
def test_the_arrays_are_the_boosting_of_scikit_learn(count):
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (300, 4)).astype(np.float32)
    labels = np.digitize(rows[:, 0] - rows[:, 2], np.linspace(-0.5, 0.5, count - 1)).astype(np.uint8)
    theirs = GradientBoostingClassifier(
        n_estimators=9, learning_rate=0.15, max_depth=4, subsample=0.5, max_features="sqrt",
        min_samples_leaf=8, init="zero", random_state=0,
    ).fit(rows, labels)  # fmt: skip
    ours = boosting(rows, labels, classes=count, trees=9).probabilities(np.ascontiguousarray(rows.T))
    np.testing.assert_allclose(ours, theirs.predict_proba(rows), atol=1e-5)


def test_one_class_alone_is_refused_by_name():
    case = textures(0)
    labels = np.where(case.labels == 1, np.uint8(1), np.uint8(255))
    with pytest.raises(DataError, match="only class_1 is labelled"):
        TextureForest().fit([Case("one", case.image, labels=labels)])


def test_a_constant_image_is_background_and_one_row_is_enough():
    fitted = TextureForest().fit([strokes(textures(0))])
    assert (fitted.predict(np.full((8, 9, 1), 7, np.uint8))[0] == 1).all()
    assert fitted.predict(np.arange(9, dtype=np.uint8).reshape(1, 9, 1)).shape == (2, 1, 9)


@pytest.mark.parametrize("harm", ["missing", "cut short", "exchanged", "leading nowhere"])
def test_trees_that_were_tampered_with_are_refused(tmp_path, harm):
    import hashlib
    import json

    TextureForest().fit([strokes(textures(0))]).save(tmp_path)
    path = tmp_path / "trees.safetensors"
    if harm == "missing":
        path.unlink()
    elif harm == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    elif harm == "exchanged":
        path.write_bytes(path.read_bytes()[:-1] + b"\7")
    else:
        arrays = load(path.read_bytes())
        arrays["left"][0] = 10**6
        path.write_bytes(save(arrays))
        about = json.loads((tmp_path / "model.json").read_text())
        about["settings"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match=r"trees\.safetensors"):
        TextureForest.load(tmp_path)
