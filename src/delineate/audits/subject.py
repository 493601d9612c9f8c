"""The model under audit, seen from outside: what it can be asked, whatever it is made of.

A trained model of ours answers everything; a torch module from anywhere answers all that needs no training; an ONNX file has
no gradients; a folder of predictions has masks and nothing else. An audit that asks for what is not there raises
DelineateError with a sentence, and the other audits still run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case, ClassTable, DataError, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from delineate.learn import UNetMethod


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, by what it can be asked.

    predict: image (*spatial, channels), any real dtype -> probabilities (classes, *spatial) float32.
    logits: (n, channels, *spatial) float32 raw intensities on the device of `network` -> (n, classes, *spatial) float32,
    differentiable, evaluation mode, the normalisation inside and differentiated through; where a volume is read slice by
    slice, n counts slices. network: the module itself, without normalisation. through: for anybody's module, `logits` by
    another one in its place. read: what it answers, (n, classes or 1, *spatial), as logits (n, classes, *spatial).
    method: of ours, with its plan. masks: predicted labels (*spatial) uint8 by the name of the case. source: the path that
    commands name. notes: what was understood of it and what was left out, a sentence each.
    """

    name: str
    classes: ClassTable
    dims: int = 2
    channels: int | None = None
    divisor: int = 1
    reach_px: int | None = None
    predict: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None
    logits: Callable[[Tensor], Tensor] | None = None
    network: nn.Module | None = None
    through: Callable[[nn.Module], Callable[[Tensor], Tensor]] | None = None
    read: Callable[[Tensor], Tensor] | None = None
    method: UNetMethod | None = None
    masks: Mapping[str, NDArray[np.uint8]] | None = None
    source: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def taught(self) -> str | None:
        """What commands call a U-Net of ours, whose folder can be calibrated; None for an ONNX file and for anybody else's."""
        return None if self.method is None or self.method.learnt is None else str(self.source or "MODEL")

    def has(self, case: Case) -> bool:
        """Whether it can say anything of a case: a folder of predictions cannot where there is none that fits."""
        return self.predict is not None or case.name in (self.masks or {})

    def labels(self, case: Case) -> NDArray[np.uint8]:
        """The predicted labels (*spatial) of a case; raises DataError where there are none."""
        if self.predict is not None:
            return np.asarray(self.predict(case.image).argmax(0), np.uint8)
        if self.masks is None or case.name not in self.masks:
            raise DataError(
                f"{self.name} has no prediction for {case.name}: outline it, or leave the case out"
            )
        return self.masks[case.name]

    def asked(self) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """`predict`; raises ModelError where the subject is a folder of masks."""
        if self.predict is None:
            raise ModelError(
                f"{self.name} is a folder of predictions, which cannot be asked again: audit the model itself"
            )
        return self.predict

    def differentiable(self) -> Callable[[Tensor], Tensor]:
        """`logits`; raises ModelError where there are no gradients."""
        if self.logits is None:
            raise ModelError(
                f"{self.name} gives no gradients: audit the trained folder or the torch module, or use a black-box attack"
            )
        return self.logits


@contextlib.contextmanager
def at_rest(network: nn.Module | None) -> Iterator[None]:
    """While it lasts, a network is in evaluation mode and its weights ask for no gradient; after that it is as it was.

    Batch norms would otherwise mix the images of a batch, and learn from what is asked.
    """
    modes = {} if network is None else {module: module.training for module in network.modules()}
    weights = [] if network is None else [one for one in network.parameters() if one.requires_grad]
    try:
        for module in modes:
            module.training = False
        for weight in weights:
            weight.requires_grad_(False)
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for weight in weights:
            weight.requires_grad_(True)


def subject_of_method(method: Any, *, name: str = "the model", source: Path | None = None) -> Subject:
    """A method of ours, fitted: a U-Net with gradients, an old way or an ONNX file without."""
    learnt = getattr(method, "learnt", None)
    if learnt is None:
        return Subject(
            name,
            method.classes,
            dims=getattr(method, "dims", 2),
            channels=getattr(method, "channels", None),
            predict=method.predict,
            source=source,
            notes=getattr(method, "notes", ()),
        )
    from delineate.learn.portable import scaled, seen

    plan, net, count = learnt.plan, learnt.net, len(learnt.classes)

    def logits(images: Tensor) -> Tensor:
        answer = net(scaled(seen(images, plan), plan.normalisation))[:, :count].float()
        return answer / learnt.temperature  # type: ignore[no-any-return]

    return Subject(
        name,
        learnt.classes,
        dims=plan.dims,
        channels=plan.channels,
        divisor=net.divisor,
        reach_px=net.halo,
        predict=method.predict,
        logits=logits,
        network=net,
        method=method,
        source=source,
    )
