"""Two processes teach what one does: the same losses, the same weights, from the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from delineate.core import DataError
from delineate.data.augment import Augmentation, batch
from delineate.data.sample import Sample
from delineate.learn.many import Crew, JointBatchNorm, gathered, joined

TEACH = """
from delineate import flow
from delineate.data.samples import coins
from delineate.learn import Overrides

def learnt(out):
    losses = []
    overrides = Overrides(patch=32, batch=4, width=4, levels=2, precision="32-true")
    flow.train(coins()[0], out=out, steps=6, overrides=overrides, watch=lambda step: losses.append(step.loss))
    return losses
"""
TELL = """
import json, sys
losses = learnt(sys.argv[1])
if losses:
    print("LOSSES", json.dumps(losses))
"""


def taught(tmp_path, name: str, *launcher: str) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses of a training in processes of its own, and the weights that it saved."""
    (tmp_path / "teach.py").write_text(TEACH + TELL)
    said = subprocess.run(
        [sys.executable, *launcher, str(tmp_path / "teach.py"), str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    lines = [line for line in said.stdout.splitlines() if line.startswith("LOSSES")]
    assert len(lines) == 1, "one process tells"
    return json.loads(lines[0].removeprefix("LOSSES")), load_file(tmp_path / name / "weights.safetensors")


def learnt_here(folder) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The same of a training in this process."""
    namespace = {}
    exec(TEACH, namespace)
    return namespace["learnt"](folder), load_file(folder / "weights.safetensors")


def test_two_processes_over_gloo_have_the_loss_curve_of_one_with_the_joint_batch(tmp_path):
    """Takes seconds, for processes have to start."""
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29517")
    losses, weights = taught(tmp_path, "two", *launcher)
    alone, expected = learnt_here(tmp_path / "one")
    np.testing.assert_allclose(losses, alone, rtol=1e-4)
    assert alone[-1] != pytest.approx(alone[0], rel=0.01), "something was learnt"
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-2, atol=2e-3)


def test_shares_of_a_batch_are_the_batch():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, 40, 40), dtype=np.float32))
    sample = Sample(image, (image > 0.5).float(), torch.zeros(0, 40, 40), ())
    arguments = {"size": 4, "patch": (16, 16), "augmentation": Augmentation(), "seed": 1, "step": 2}
    whole = batch([sample], **arguments)
    for rank in (0, 1):
        mine = batch([sample], **arguments, share=(rank, 2))
        assert torch.equal(mine.images, whole.images[rank::2])
        assert torch.equal(mine.labels, whole.labels[rank::2])


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.BatchNorm3d])
def test_alone_a_joint_norm_is_a_batch_norm(norm):
    torch.manual_seed(0)
    shape = (3, 5, 6, 7) if norm is nn.BatchNorm2d else (3, 5, 4, 6, 7)
    plain, joint = norm(5), JointBatchNorm(5)
    x = torch.randn(shape) * 3 + 2
    weight = torch.randn(shape)
    outcomes = []
    for layer in (plain, joint):
        given = x.clone().requires_grad_()
        (layer(given) * weight).sum().backward()
        outcomes.append((layer(x), given.grad, layer.weight.grad, layer.running_mean, layer.running_var))
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert torch.equal(
        plain.eval()(x),
        nn.functional.batch_norm(x, plain.running_mean, plain.running_var, plain.weight, plain.bias),
    )
    torch.testing.assert_close(joint.eval()(x), plain.eval()(x), rtol=1e-4, atol=1e-5)


def test_a_joined_network_keeps_its_weights():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Sequential(nn.BatchNorm2d(2)))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    after = joined(net).state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_with_one_process_nothing_is_gathered():
    x = torch.ones(2, 3)
    assert gathered(x) is x


def test_a_batch_that_cannot_be_shared_evenly_is_told():
    with pytest.raises(DataError, match="4 crops cannot be shared evenly by 3 processes: give --batch 6"):
        Crew(3, 1, 0, external=False).share_of(4)
    with pytest.raises(DataError, match="0 devices"):
        Crew.found(devices=0)


def test_torchrun_and_srun_say_who_we_are(monkeypatch):
    for key, value in {
        "TORCHELASTIC_RUN_ID": "a",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
        "RANK": "5",
    }.items():
        monkeypatch.setenv(key, value)
    assert Crew.found() == Crew(4, 2, 5, external=True)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    for key, value in {
        "SLURM_NTASKS": "8",
        "SLURM_NNODES": "2",
        "SLURM_PROCID": "3",
        "SLURM_JOB_NAME": "teach",
    }.items():
        monkeypatch.setenv(key, value)
    assert Crew.found() == Crew(4, 2, 3, external=True)
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert Crew.found().size == 1
