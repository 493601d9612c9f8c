"""One training over several processes: each computes its share of every batch, and all of them take the same step.

The batch stays the batch of the plan. Batch norms take the statistics of all shares, the loss is that of all logits
together (a Dice over a batch is no mean of Dices over its parts), so that two processes teach the network what one
would. Processes are started by torchrun, by SLURM's srun, or by Fabric itself (`--devices`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from delineate.core import DataError


@dataclass(frozen=True)
class Crew:
    """The processes of a training: how many on each of how many machines, and which of them this is (0: the first).

    external: they were started by torchrun or srun.

    >>> Crew.found(devices=1, nodes=1).size
    1
    """

    devices: int
    nodes: int
    rank: int
    external: bool

    @property
    def size(self) -> int:
        """All processes."""
        return self.devices * self.nodes

    @classmethod
    def found(cls, *, devices: int = 1, nodes: int = 1) -> Crew:
        """Who works here: what torchrun or srun started, else `devices` processes of ours on each of `nodes` machines.

        Raises DataError for numbers below 1.
        """
        if devices < 1 or nodes < 1:
            raise DataError(f"{devices} devices on {nodes} nodes cannot train: give at least 1 of each")
        say = os.environ
        if "TORCHELASTIC_RUN_ID" in say:
            world, local = int(say["WORLD_SIZE"]), int(say["LOCAL_WORLD_SIZE"])
            return cls(local, world // local, int(say["RANK"]), external=True)
        if _under_srun():
            tasks = int(say["SLURM_NTASKS"])
            machines = int(say.get("SLURM_NNODES", say.get("SLURM_JOB_NUM_NODES", "1")))
            return cls(tasks // machines, machines, int(say["SLURM_PROCID"]), external=True)
        rank = int(say.get("NODE_RANK", 0)) * devices + int(say.get("LOCAL_RANK", 0))
        return cls(devices, nodes, rank if devices * nodes > 1 else 0, external=False)

    def share_of(self, batch: int) -> int:
        """Crops of a batch for each process; raises DataError where they cannot be shared evenly."""
        if batch % self.size:
            fits = -(-batch // self.size) * self.size
            raise DataError(
                f"a batch of {batch} crops cannot be shared evenly by {self.size} processes: give --batch {fits}"
            )
        return batch // self.size


def _under_srun() -> bool:
    """Whether srun started this process with others; not in a shell within an allocation, nor for a single task."""
    say = os.environ
    return (
        int(say.get("SLURM_NTASKS", "1")) > 1
        and "SLURM_PROCID" in say
        and say.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    )


class JointBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm whose statistics are those of the shares of all processes together, on any device.

    torch's SyncBatchNorm does this on GPUs only. With one process it is a batch norm like any other.

    >>> x = torch.rand(2, 3, 4, 5)
    >>> torch.allclose(JointBatchNorm(3)(x), nn.BatchNorm2d(3)(x), atol=1e-5)
    True
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        pass

    def forward(self, x: Tensor) -> Tensor:
        """The normalised x (batch, channels, *spatial), in its dtype."""
        if not self.training:
            normalised: Tensor = super().forward(x)
            return normalised
        values = x.float()
        axes = [0, *range(2, x.ndim)]
        processes = dist.get_world_size() if dist.is_initialized() else 1
        own = torch.stack([values.mean(axes), values.square().mean(axes)])
        mean, square = ((summed(own) if processes > 1 else own) / processes).unbind()
        variance = (square - mean.square()).clamp_min(0)
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            count = processes * values.numel() // values.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean.detach(), self.momentum)
                self.running_var.lerp_(variance.detach() * (count / max(count - 1, 1)), self.momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shape = (1, -1, *(1 for _ in axes[1:]))
        return (values * scale.view(shape) + (self.bias - mean * scale).view(shape)).to(x.dtype)


def joined(net: nn.Module) -> nn.Module:
    """`net` itself, with its batch norms made joint ones; weights and their names stay.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    >>> list(joined(net).state_dict()) == ["0.weight", "0.bias", *(f"1.{k}" for k in nn.BatchNorm2d(2).state_dict())]
    True
    """
    for name, child in net.named_children():
        if isinstance(child, (nn.BatchNorm2d, nn.BatchNorm3d)):
            joint = JointBatchNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            joint.load_state_dict(child.state_dict())
            setattr(net, name, joint)
        else:
            joined(child)
    return net


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        total = mine.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


class _Gather(torch.autograd.Function):
    """The shares of all processes one after the other; each gets the gradients that all of them found for its own."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        every = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(every, mine)
        return torch.cat(every)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        size = len(gradient) // dist.get_world_size()
        return _Sum.forward(ctx, gradient)[dist.get_rank() * size :][:size]


def summed(mine: Tensor) -> Tensor:
    """The sum of all processes' tensors of one shape."""
    total: Tensor = _Sum.apply(mine)  # type: ignore[no-untyped-call]
    return total


def gathered(mine: Tensor) -> Tensor:
    """The shares (n, ...) of all processes as one batch; gradients find their way back to each.

    With one process it is the share itself.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return mine
    every: Tensor = _Gather.apply(mine.contiguous())  # type: ignore[no-untyped-call]
    return every
