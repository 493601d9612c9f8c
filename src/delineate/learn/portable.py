"""A learnt network as one graph from raw intensities to probabilities, for programs that know nothing of Delineate.

The statistics of the normalisation are those of the array that the graph is given. Whoever cuts an image into tiles
must therefore take the graph without normalisation, and scale the whole image before: tiles scaled each by itself
would differ in brightness where they meet.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from delineate.data.conditions.stain import FAINTEST, illumination_of, nuclear_dye
from delineate.learn.answer import softmax
from delineate.learn.learnt import Learnt
from delineate.learn.normalisation import ENOUGH, Normalisation
from delineate.learn.plan import Plan
from delineate.nets import folded


class Portable(nn.Module):
    """Maps (n, channels, *spatial) float32 to probabilities (n, classes, *spatial); with objects to (these, offsets).

    offsets: (n, dims, *spatial), in pixels, from each pixel to the middle of its object. normalise: False where
    the images are normalised before.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> portable = Portable(UNetMethod(steps=1).fit(coins()[0]).learnt, normalise=True)
    >>> [part.shape for part in portable(torch.rand(2, 1, 20, 30))]
    [torch.Size([2, 2, 20, 30]), torch.Size([2, 2, 20, 30])]
    """

    def __init__(self, learnt: Learnt, *, normalise: bool) -> None:
        super().__init__()
        self.net = folded(learnt.net)
        self.classes, self.objects = len(learnt.classes), learnt.plan.objects
        self.radius_px, self.temperature = learnt.plan.object_radius_px, learnt.temperature
        self.normalisation = learnt.plan.normalisation if normalise else None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the graph gives."""
        return ("probabilities", "offsets") if self.objects else ("probabilities",)

    def forward(self, image: Tensor) -> Any:
        """Probabilities, or (probabilities, offsets)."""
        if self.normalisation is not None:
            image = scaled(image, self.normalisation)
        logits = self.net(image)
        likely = softmax(logits[:, : self.classes], self.temperature)
        return (likely, logits[:, self.classes :] * self.radius_px) if self.objects else likely


def scaled(images: Tensor, normalisation: Normalisation) -> Tensor:
    """What `prepare.normalised` does to one image, for a batch (n, channels, *spatial), in operations of a graph.

    >>> scaled(torch.tensor([[[[0.0, 50.0, 100.0]]]]), Normalisation("fixed", 0, 100)).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    ones = (1,) * (images.ndim - 2)
    flat = images.flatten(2)
    if normalisation.kind == "fixed":
        return (images - normalisation.low) / (normalisation.high - normalisation.low)
    if normalisation.kind == "zscore":
        low = flat.mean(2)
        scale = (flat - low[..., None]).square().mean(2).sqrt()
    else:
        number: Any = 1
        for n in images.shape[2:]:
            number = number * n
        few = flat[:, :, :: _at_least_one(number // ENOUGH)]
        low, high = (torch.quantile(few, p / 100, dim=2) for p in (normalisation.low, normalisation.high))
        flat_range = high <= low  # nearly all pixels are equal: the full range stands in
        low = torch.where(flat_range, flat.amin(2), low)
        scale = torch.where(flat_range, flat.amax(2), high) - low
    low, scale = low.reshape(*low.shape, *ones), scale.reshape(*scale.shape, *ones)
    result = torch.where(scale > 0, (images - low) / torch.where(scale > 0, scale, 1.0), 0.0)
    return result.clamp(-1, 3) if normalisation.kind == "percentiles" else result


def seen(images: Tensor, plan: Plan) -> Tensor:
    """What `answer.seen` does to one image, for a batch (n, channels, *spatial) of raw intensities; differentiable.

    What kind of light it was, and how bright, is measured and not differentiated through.
    """
    if images.shape[1] != 3 or not (plan.grey or plan.takes_colour):
        return images
    return torch.stack([_one_seen(image) for image in images]) if plan.takes_colour else images[:, :1]


def _one_seen(image: Tensor) -> Tensor:
    """One channel (1, *spatial) of a colour image (3, *spatial)."""
    if torch.equal(image[0], image[1]) and torch.equal(image[0], image[2]):
        return image[:1]
    light = illumination_of(image.detach().movedim(0, -1).cpu().numpy())
    if not light.transmitted:
        return image.mean(0, keepdim=True)
    ones = (3, *(1,) * (image.ndim - 1))
    through = (image / image.new_tensor(light.brightest).view(ones)).clamp(FAINTEST, 1)
    amounts = (-through.log10() * image.new_tensor(nuclear_dye()).view(ones)).sum(0, keepdim=True)
    return amounts.clamp_min(0)


def _at_least_one(number: Any) -> Any:
    """max(1, number), for a size that a graph does not know yet as well."""
    return torch.sym_max(1, number)  # type: ignore[no-untyped-call]
