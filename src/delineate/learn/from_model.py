"""A training that begins from a model which is there already: what it takes over of its plan, and of its weights.

Layers that were taught on other pictures, even of another kind, see edges, spots and textures from the first step on (Yosinski et
al. 2014, arXiv:1411.1792). What cannot be the same, the first convolution for another number of channels and the answers for
other classes, is fitted or begun anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from delineate.core import Case, ClassTable, DataError
from delineate.data.grey import as_grey
from delineate.learn.engine import weights_print
from delineate.learn.learnt import Learnt
from delineate.learn.plan import Overrides, Plan
from delineate.nets import UNet

SHAPE = ("dims", "width", "levels", "shuffle", "down", "up", "equivariant")  # of the network, and of the plan


def shaped_like(before: Plan, wanted: Overrides) -> Overrides:
    """What is wanted, with the network's shape as it was before; raises DataError where another shape is wanted.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import planned
    >>> before = planned(coins()[0], overrides=Overrides(width=8))
    >>> shaped_like(before, Overrides(patch=64)).width
    8
    >>> shaped_like(before, Overrides(width=16))
    Traceback (most recent call last):
    delineate.core.errors.DataError: the model to begin from has width 8, not 16: leave --width out, or --from
    """
    for item in SHAPE:
        is_, asked = getattr(before, item), getattr(wanted, item)
        if asked is not None and asked != is_:
            told = "is equivariant" if is_ is True else "is not equivariant" if is_ is False else ""
            told = told or f"has {item} {is_}, not {asked}"
            option = "--no-equivariant" if asked is False else f"--{item}"
            raise DataError(f"the model to begin from {told}: leave {option} out, or --from")
    return replace(wanted, **{item: getattr(before, item) for item in SHAPE})


def shows_as_before(before: Plan, cases: Sequence[Case]) -> bool:
    """Whether these images have the channels that the model learnt from; the dye of colour is seen in prediction alone."""
    channels = {(as_grey(case.image) if before.grey else case.image).shape[-1] for case in cases}
    return channels == {before.channels}


def kept_classes(before: Learnt, classes: ClassTable) -> dict[int, int]:
    """Which class of before each of `classes` is, by position: those of the same name, and the one beside background where both
    know but one, unless their names say otherwise.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> before = UNetMethod(ClassTable(("background", "cell")), steps=1).fit(coins()[0]).learnt
    >>> kept_classes(before, ClassTable(("background", "spot", "cell"))), kept_classes(before, ClassTable(("background", "spot")))
    ({0: 0, 2: 1}, {0: 0, 1: 1})
    """
    places = {name: place for place, name in enumerate(before.classes.names)}
    named = {place: places[name] for place, name in enumerate(classes.names) if name in places}
    if len(classes) == len(before.classes) == 2 and all(now == then for now, then in named.items()):
        return {0: 0, 1: 1}
    return named


@torch.no_grad()
def take_over(net: UNet, before: Learnt, *, plan: Plan, classes: ClassTable) -> None:
    """Copy into a fresh `net` of this plan all that `before` has learnt and that fits.

    The first convolution, where the number of channels is another, sees in each of them an equal share of what it saw in all,
    so that a grey picture in three channels is what it was in one. Logits of classes that are no more are left out, those of
    new ones stay fresh. Offsets to the middles of objects are in units of the typical radius, and scaled where that is another.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> from delineate.learn.learnt import network
    >>> before = UNetMethod(steps=1).fit(coins()[0]).learnt
    >>> net = network(before.plan, before.classes, seed=5)
    >>> take_over(net, before, plan=before.plan, classes=before.classes)
    >>> image = torch.rand(1, 1, 64, 64)
    >>> torch.equal(net.eval()(image), before.net(image))
    True
    """
    new, old = net.state_dict(), before.net.state_dict()
    first, head = "first.0.weight", ("head.weight", "head.bias")
    for name in new:
        if name not in (first, *head):
            new[name].copy_(old[name])
    new[first].copy_(_shared(old[first], before.plan.channels, plan.channels))
    rows = kept_classes(before, classes)
    scale = dict.fromkeys(rows, 1.0)
    if plan.objects and before.plan.objects:
        for axis in range(plan.dims):
            rows[len(classes) + axis] = len(before.classes) + axis
            scale[len(classes) + axis] = before.plan.object_radius_px / plan.object_radius_px
    places = plan.shuffle**plan.dims
    for name in head:
        mine, theirs = new[name].split(places), old[name].split(places)
        for to, of in rows.items():
            mine[to].copy_(theirs[of] * scale[to])


def origin(before: Learnt) -> dict[str, Any]:
    """What a model keeps of the one that it began from: a digest of its weights, its steps and seconds, and the digests of all
    images that were learnt from up to there."""
    return {
        "weights": weights_print(before),
        "steps": before.record.steps,
        "seconds": before.record.seconds,
        "learnt": list(dict.fromkeys(before.record.seen)),
    }


def _shared(weight: Tensor, before: int, now: int) -> Tensor:
    """A convolution's weights (out, before * places, *kernel) for `now` channels in place of `before`.

    >>> _shared(torch.tensor([[[3.0]]]), 1, 3).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    if before == now:
        return weight
    out, _, *kernel = weight.shape
    shared = weight.reshape(out, before, -1, *kernel).sum(1, keepdim=True) / now
    return shared.expand(-1, now, *shared.shape[2:]).flatten(1, 2)
