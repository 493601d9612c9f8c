"""Other people's packages give the same numbers wherever they ask the same question; docs/correctness/tools.md says where not.

MONAI and surface-distance are in no extra that tests install: with them (bench/agreement.py says how) these tests run.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import directed_hausdorff
from skimage.metrics import hausdorff_distance
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from delineate.score import (
    dice,
    hausdorff,
    iou,
    precision,
    recall,
    specificity,
    surface_distances,
    volume_difference,
)
from delineate.score.border import border_voxels

flat = arrays(np.uint8, (7, 8), elements=st.integers(0, 1))
deep = arrays(np.uint8, (4, 5, 4), elements=st.integers(0, 1))
pairs = st.one_of(st.tuples(flat, flat, st.just((1.5, 0.5))), st.tuples(deep, deep, st.just((2.0, 1.0, 0.7))))
Drawn = tuple[np.ndarray, np.ndarray, tuple[float, ...]]


@given(pairs)
def test_overlap_is_that_of_scikit_learn(drawn: Drawn) -> None:
    truth, predicted, _ = drawn
    assume(truth.any() and predicted.any())
    a, b = truth.ravel(), predicted.ravel()
    for ours, theirs in (
        (dice, f1_score),
        (iou, jaccard_score),
        (precision, precision_score),
        (recall, recall_score),
    ):
        assert ours(truth, predicted, label=1) == pytest.approx(theirs(a, b)), ours.__name__
    if not truth.all():
        assert specificity(truth, predicted, label=1) == pytest.approx(recall_score(a, b, pos_label=0))


@given(pairs)
def test_overlap_is_that_of_simpleitk(drawn: Drawn) -> None:
    truth, predicted, _ = drawn
    assume(truth.any() and predicted.any())
    measured = sitk.LabelOverlapMeasuresImageFilter()
    measured.Execute(sitk.GetImageFromArray(predicted), sitk.GetImageFromArray(truth))
    assert dice(truth, predicted, label=1) == pytest.approx(measured.GetDiceCoefficient())
    assert iou(truth, predicted, label=1) == pytest.approx(measured.GetJaccardCoefficient())
    assert recall(truth, predicted, label=1) == pytest.approx(1 - measured.GetFalseNegativeError())
    similar = measured.GetVolumeSimilarity()  # 2 (|B| - |A|) / (|A| + |B|), so |B| / |A| = (2 + s) / (2 - s)
    assert volume_difference(truth, predicted, label=1) == pytest.approx((2 + similar) / (2 - similar) - 1)


@given(pairs)
def test_hausdorff_is_that_of_scipy_between_border_voxels(drawn: Drawn) -> None:
    truth, predicted, spacing = drawn
    assume(truth.any() and predicted.any())
    a, b = (at * np.array(spacing) for at in border_voxels(truth == 1, predicted == 1))
    theirs = max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])
    assert hausdorff(truth, predicted, label=1, spacing=spacing) == pytest.approx(theirs)


@given(pairs)
def test_hausdorff_is_that_of_scikit_image_between_border_voxels_a_pixel_apart(drawn: Drawn) -> None:
    truth, predicted, _ = drawn
    assume(truth.any() and predicted.any())
    edges = [np.zeros(mask.shape, bool) for mask in (truth, predicted)]
    for edge, at in zip(edges, border_voxels(truth == 1, predicted == 1), strict=True):
        edge[tuple(at.T)] = True
    assert hausdorff(truth, predicted, label=1) == pytest.approx(hausdorff_distance(*edges))


@given(pairs)
def test_hausdorff_is_that_of_simpleitk_between_masks_that_are_all_border(drawn: Drawn) -> None:
    truth, predicted, spacing = drawn
    masks = [np.zeros_like(array) for array in (truth, predicted)]
    for thin, at in zip(masks, border_voxels(truth == 1, predicted == 1), strict=True):
        thin[tuple(at.T)] = 1
    assume(masks[0].any() and masks[1].any())
    again = border_voxels(masks[0] == 1, masks[1] == 1)
    assume(all(len(at) == mask.sum() for at, mask in zip(again, masks, strict=True)))
    pictures = [sitk.GetImageFromArray(mask) for mask in masks]
    for picture in pictures:
        picture.SetSpacing(spacing[::-1])
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(*pictures)
    assert hausdorff(*masks, label=1, spacing=spacing) == pytest.approx(
        measured.GetHausdorffDistance(), abs=1e-5
    )


@settings(deadline=None)
@given(pairs)
def test_surfaces_of_elements_are_those_of_surface_distance(drawn: Drawn) -> None:
    theirs = pytest.importorskip("surface_distance", reason="surface-distance is not installed")
    truth, predicted, spacing = drawn
    assume(truth.any() and predicted.any())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = theirs.compute_surface_distances(truth == 1, predicted == 1, spacing)
    measured = surface_distances(truth, predicted, label=1, spacing=spacing, convention="elements")
    assert measured.hausdorff == pytest.approx(theirs.compute_robust_hausdorff(found, 100), rel=1e-5)
    assert measured.averages == pytest.approx(theirs.compute_average_surface_distance(found), rel=1e-5)
    assert measured.within(1.01) == pytest.approx(
        theirs.compute_surface_dice_at_tolerance(found, 1.01), rel=1e-5
    )


@settings(deadline=None)
@given(pairs)
def test_surfaces_of_voxels_are_those_of_monai(drawn: Drawn) -> None:
    metrics = pytest.importorskip("monai.metrics", reason="MONAI is not installed")
    torch = pytest.importorskip("torch")
    truth, predicted, spacing = drawn
    assume(truth.any() and predicted.any())
    a, b = (torch.from_numpy(mask)[None, None] for mask in (predicted, truth))
    measured = surface_distances(truth, predicted, label=1, spacing=spacing)
    common = {"include_background": True, "spacing": list(spacing)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        farthest = float(metrics.compute_hausdorff_distance(a, b, **common))
        mean = float(metrics.compute_average_surface_distance(a, b, symmetric=True, **common))
        near = float(metrics.compute_surface_dice(a, b, class_thresholds=[1.01], **common))
    assert measured.hausdorff == pytest.approx(farthest, rel=1e-5)
    assert measured.average == pytest.approx(mean, rel=1e-5)
    assert measured.within(1.01) == pytest.approx(near, rel=1e-5)


def test_the_published_vectors_are_met() -> None:
    two_points = np.zeros((2, 128, 128), np.uint8)
    two_points[0, 50, 70], two_points[1, 50, 72] = 1, 1
    measured = surface_distances(*two_points, label=1, spacing=(2, 1), convention="elements")
    assert (measured.averages, measured.hausdorff, measured.percentile(95)) == ((1.5, 1.5), 2.0, 2.0)
    assert (measured.within(1), dice(*two_points, label=1)) == (0.5, 0.0)
    slabs = np.zeros((2, 100, 100, 100), np.uint8)
    slabs[0, :50], slabs[1, :51] = 1, 1
    measured = surface_distances(*slabs, label=1, spacing=(2, 1, 1), convention="elements")
    assert measured.averages == pytest.approx((0.322, 0.339), abs=5e-4)
    assert (measured.hausdorff, measured.percentile(95)) == (2.0, 2.0)
    assert measured.within(1) == pytest.approx(0.836, abs=5e-4)
    assert measured.overlaps(1) == pytest.approx((0.842, 0.830), abs=5e-4)
    assert dice(*slabs, label=1) == pytest.approx(0.990, abs=5e-4)
    nothing = np.zeros_like(slabs[0])
    missed = surface_distances(slabs[0], nothing, label=1, convention="elements")
    assert (missed.hausdorff, missed.within(1), dice(slabs[0], nothing, label=1)) == (math.inf, 0.0, 0.0)
    assert math.isnan(surface_distances(nothing, nothing, label=1, convention="elements").hausdorff)
