"""The smoothness priors against naive double loops over pixels, and by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from delineate.core import DataError
from delineate.losses import colour_smoothness, total_variation


def drawn(*spatial, channels=2, classes=3):
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, classes, *spatial, generator=generator, dtype=torch.float64)
    return logits, torch.rand(2, channels, *spatial, generator=generator, dtype=torch.float64)


def naive(logits, images, *, contrast, reach, dilation, distance_px):
    """The equation, pair by pair."""
    likely, above, below = logits.softmax(1), 0.0, 0.0
    places = list(itertools.product(*map(range, logits.shape[2:])))
    for image, (i, j) in itertools.product(range(len(logits)), itertools.product(places, places)):
        steps = [b - a for a, b in zip(i, j, strict=True)]
        if i == j or any(s % dilation or abs(s) > reach * dilation for s in steps):
            continue
        near = math.exp(-sum(s * s for s in steps) / (2 * distance_px**2))
        colours = images[(image, slice(None), *i)] - images[(image, slice(None), *j)]
        gate = near * math.exp(-float(colours.square().sum()) / (2 * contrast**2))
        above += gate * (1 - float(likely[(image, slice(None), *i)] @ likely[(image, slice(None), *j)]))
        below += near
    return above / below


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("spatial", "reach", "dilation"), [((6, 7), 2, 1), ((7, 6), 1, 3), ((3, 4, 5), 1, 1), ((4, 4, 5), 1, 2)]
)
def test_it_is_the_sum_over_pairs_of_its_equation(spatial, reach, dilation, channels):
    logits, images = drawn(*spatial, channels=channels)
    settings = {"contrast": 0.4, "reach": reach, "dilation": dilation, "distance_px": 2.5}
    value = colour_smoothness(logits, images, **settings)
    assert value.item() == pytest.approx(naive(logits, images, **settings), rel=1e-9)


def test_an_outline_along_an_edge_of_colour_is_nearly_free_and_one_across_costs():
    image = torch.zeros(1, 1, 12, 12)
    image[..., 6:] = 1
    along = torch.full((1, 2, 12, 12), 20.0)
    along[:, 0, :, 6:] = -20
    along[:, 1, :, :6] = -20
    across = along.transpose(2, 3)
    assert float(colour_smoothness(along, image)) < 1e-6 < 0.1 < float(colour_smoothness(across, image))
    assert float(total_variation(along)) == float(total_variation(across))  # which is blind to colour


def test_undecided_pixels_cost_as_much_as_a_draw():
    assert float(colour_smoothness(torch.zeros(1, 4, 8, 8), torch.zeros(1, 1, 8, 8))) == pytest.approx(0.75)


def test_no_gradient_goes_to_the_images():
    logits, images = drawn(5, 5)
    images.requires_grad_()
    colour_smoothness(logits.requires_grad_(), images).backward()
    assert images.grad is None
    assert logits.grad.abs().max() > 0


def test_total_variation_is_the_mean_over_adjacent_pairs():
    logits, _ = drawn(3, 4, 5)
    likely, differences = logits.softmax(1), []
    for image in likely:
        for place in itertools.product(*map(range, image.shape[1:])):
            for axis in range(3):
                other = tuple(p + (a == axis) for a, p in enumerate(place))
                if other[axis] < image.shape[axis + 1]:
                    here, there = (slice(None), *place), (slice(None), *other)
                    differences.append(0.5 * float((image[here] - image[there]).abs().sum()))
    assert total_variation(logits).item() == pytest.approx(sum(differences) / len(differences))


def test_differentiating_twice_is_refused_and_not_wrong():
    logits, images = drawn(5, 5)
    (slope,) = torch.autograd.grad(
        colour_smoothness(logits.requires_grad_(), images), logits, create_graph=True
    )
    with pytest.raises(RuntimeError, match="does not require grad"):
        slope.sum().backward()


def test_what_does_not_fit_is_refused():
    logits, images = drawn(5, 5)
    with pytest.raises(DataError, match=r"images have shape \(2, 2, 4, 5\) but logits \(2, 3, 5, 5\)"):
        colour_smoothness(logits, images[:, :, 1:])
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(colour_smoothness)(logits, images[:, :, 1:])
    for setting in ("contrast", "reach", "dilation", "distance_px"):
        with pytest.raises(DataError, match=f"{setting} is 0"):
            colour_smoothness(logits, images, **{setting: 0})
    for setting in ("reach", "dilation"):
        with pytest.raises(DataError, match=f"{setting} is 1.5: give a whole number of pixels"):
            colour_smoothness(logits, images, **{setting: 1.5})
