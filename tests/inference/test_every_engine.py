"""What every engine promises: the reference's answer, for any size and batch, again and again."""

import contextlib
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from delineate.core import ModelError
from delineate.inference import engines
from delineate.inference.engines import ENGINES, candidates, installed, opened, part_of
from delineate.inference.engines.agreement import Trial, compared, fastest
from delineate.nets import UNet, folded

SIZES = {2: [(19, 21), (16, 48), (5, 90)], 3: [(7, 19, 22), (8, 16, 16)]}
NETS = {
    "2D": {"dims": 2, "shuffle": 2},
    "2D, no shuffle": {"dims": 2, "down": "strided", "up": "nearest"},
    "3D": {"dims": 3, "shuffle": 2, "down": "blur", "up": "transposed"},
}
CALLED = [name for name in ENGINES if name != "compiled"]  # compiled: a test of its own


@pytest.fixture(scope="module", params=NETS)
def net(request):
    """A small network with answers of about 1, its batch norms with statistics of their own."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = UNet(3, 4, width=4, levels=2, **NETS[request.param]).eval()
        for module in net.modules():
            if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.05, 0.15)
    return net


@pytest.fixture(scope="module")
def opened_engines(net):
    example = torch.zeros(1, 3, *(16,) * net.dims)
    return {name: opened(name, folded(net), example, low=False) for name in CALLED if installed(name)}


@pytest.fixture(params=CALLED)
def engine(request, opened_engines):
    if request.param not in opened_engines:
        pytest.skip(f"{ENGINES[request.param].library} is not installed")
    return opened_engines[request.param]


def batches(net):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 3, *size, generator=generator) for n in (1, 3) for size in SIZES[net.dims]]


def test_it_gives_the_networks_own_answer_for_any_size_and_batch(engine, net):
    for batch in batches(net):
        with torch.inference_mode():
            expected = net(batch)
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(engine(batch), expected, atol=1e-4, rtol=1e-4)


def test_a_part_is_that_part_of_the_networks_own_answer(engine, net):
    for batch in batches(net):
        with torch.inference_mode():
            expected = net(batch)
        for part in (slice(0, 4), slice(3, 5)):
            keep = (part, *(slice(n // 2, n) for n in batch.shape[3:]))
            torch.testing.assert_close(
                part_of(engine, batch, keep), expected[(..., *keep)], rtol=0, atol=1e-4
            )


@pytest.mark.parametrize("thickness", [1, 2])
def test_a_picture_of_a_row_or_two_has_an_answer_too(engine, net, thickness):
    batch = torch.randn(1, 3, thickness, *(21, 17)[: net.dims - 1])
    with torch.inference_mode():
        expected = net(batch)
    torch.testing.assert_close(engine(batch), expected, atol=1e-4, rtol=1e-4)
    keep = (slice(0, 1), *(slice(3, 9) for _ in batch.shape[3:]))
    torch.testing.assert_close(part_of(engine, batch, keep), expected[(..., *keep)], rtol=0, atol=1e-4)


def test_openvino_keeps_both_its_graphs_and_mends_them(net, tmp_path):
    if not installed("openvino"):
        pytest.skip("OpenVINO is not installed")
    batch = batches(net)[0]
    keep = tuple(slice(0, 4) for _ in batch.shape[2:])
    for _ in range(2):
        engine = opened("openvino", folded(net), batch, low=False, keep=tmp_path / "kept.json")
        answer = part_of(engine, batch, keep)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"kept.xml", "kept.bin", "kept-parts.xml", "kept-parts.bin"}
        (tmp_path / "kept-parts.xml").write_text("damaged")
    torch.testing.assert_close(answer, engine(batch)[(..., *keep)], rtol=0, atol=1e-4)


def test_it_gives_float32_on_the_cpu_and_leaves_the_batch_alone(engine, net):
    for batch in batches(net):
        before = batch.clone()
        answer = engine(batch)
        assert (answer.dtype, answer.device.type) == (torch.float32, "cpu")
        assert answer.is_contiguous()
        assert torch.equal(batch, before)


def test_it_gives_the_same_bytes_again(engine, net):
    batch, other, *_ = batches(net)
    first = engine(batch)
    kept = first.clone()
    engine(other)
    assert torch.equal(first, kept)  # not overwritten by the next call
    assert torch.equal(engine(batch), kept)


def test_it_answers_several_threads_at_once(engine, net):
    from concurrent.futures import ThreadPoolExecutor

    windows = batches(net)
    alone = [engine(window) for window in windows]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine, windows))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or not Path("/proc/self/task").is_dir(),
    reason="only Linux tells on which processors a thread may run",
)
def test_its_threads_may_run_on_every_processor_or_programs_side_by_side_would_share_one(engine, net):
    from concurrent.futures import ThreadPoolExecutor

    allowed, found = os.sched_getaffinity(0), set()
    if len(allowed) < 2:
        pytest.skip("there is one processor only")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine, torch.zeros(1, 3, *((512,) * 2 if net.dims == 2 else (64,) * 3)))
        while not answer.done():
            for thread in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError):  # it has ended
                    found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    assert found == {frozenset(allowed)}


def test_in_bfloat16_it_stays_near_the_network(net):
    batch = batches(net)[0]
    with torch.inference_mode():
        expected = net(batch)
    for name in ("torch", "openvino"):  # ONNX Runtime has no bfloat16 on a CPU
        if installed(name):
            answer = opened(name, folded(net), batch, low=True)(batch)
            assert (answer - expected).abs().max() < 0.05 * expected.abs().max()


def test_compiled_it_gives_the_networks_own_answer(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda net, *, dynamic: net)  # half a minute otherwise
    net = UNet(1, 2, width=2, levels=2).eval()
    batch = torch.rand(1, 1, 9, 11)
    with torch.inference_mode():
        torch.testing.assert_close(opened("compiled", net, batch, low=False)(batch), net(batch))


def test_an_unknown_engine_is_refused_with_those_there_are():
    with pytest.raises(
        ModelError, match="choose from torch, torch-float32, compiled, openvino, onnxruntime, int8"
    ):
        opened("tensorflow", torch.nn.Identity(), torch.zeros(1, 1, 4, 4), low=False)


def test_a_missing_library_is_no_candidate_and_its_engine_is_refused(monkeypatch):
    there = engines.find_spec
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "openvino" else there(name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "openvino" not in candidates()
    with pytest.raises(ModelError, match=r"pip install 'delineate\[fast\]'"):
        opened("openvino", torch.nn.Identity(), torch.zeros(1, 1, 4, 4), low=False)


def test_a_network_that_onnx_cannot_hold_is_refused(tmp_path):
    if not installed("onnxruntime"):
        pytest.skip("onnxruntime is not installed")

    class Odd(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="cannot be written as ONNX"):
        opened("onnxruntime", Odd(), torch.zeros(1, 1, 4, 4), low=False)


def test_without_the_packages_that_write_onnx_the_extra_is_named(monkeypatch, tmp_path):
    from delineate.inference.onnx import write_onnx

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"pip install 'delineate\[export\]'"):
        write_onnx(torch.nn.Identity(), tmp_path / "a.onnx", example=torch.zeros(1, 1, 4, 4))
    assert list(tmp_path.iterdir()) == []


def times(*seconds):
    """A clock on which the calls take these seconds, again and again."""
    state = types.SimpleNamespace(now=0.0, calls=0)

    def clock():
        if state.calls % 2:
            state.now += seconds[(state.calls // 2) % len(seconds)]
        state.calls += 1
        return state.now

    return clock


def answer(logits):
    return logits.softmax(1), logits[:, :0]


def test_the_fastest_of_those_that_agree_is_taken():
    tile = torch.rand(1, 2, 8, 8)
    trials = compared(
        {
            "torch": lambda: torch.clone,
            "onnxruntime": lambda: torch.clone,
            "openvino": lambda: torch.negative,
        },
        torch.clone,
        tile,
        answer=answer,
        clock=times(3.0, 1.0, 0.5),
    )
    assert [trial.agrees for trial in trials] == [True, True, False]
    assert [trial.seconds for trial in trials] == [3.0, 1.0, 0.5]
    assert trials[2].changed == 1.0  # of two classes the other one is always higher
    assert fastest(trials).engine == "onnxruntime"


def test_a_gain_of_less_than_a_tenth_leaves_it_with_torch():
    torch_itself = Trial("torch", 1.0, 0, 0, 0)
    assert fastest([torch_itself, Trial("openvino", 0.95, 0, 0, 0)]).engine == "torch"
    assert fastest([torch_itself, Trial("openvino", 0.85, 0, 0, 0)]).engine == "openvino"


def test_where_none_agrees_there_is_no_fastest():
    assert fastest([Trial("torch", 1.0, changed=0.3), Trial("openvino", failed="no memory")]) is None


def test_other_outputs_have_to_agree_as_well():
    def offsets(logits):
        return logits[:, :1] * 0 + 1, logits

    [trial] = compared(
        {"torch": lambda: lambda x: x + 0.1}, torch.clone, torch.rand(1, 1, 4, 4), answer=offsets
    )
    assert trial.changed == 0
    assert trial.else_apart == pytest.approx(0.1, abs=1e-6)
    assert not trial.agrees


def test_an_engine_that_fails_is_passed_over_and_told():
    def broken(_):
        raise RuntimeError("out of memory\nmore")

    trials = compared(
        {"openvino": lambda: broken, "torch": lambda: torch.clone},
        torch.clone,
        torch.rand(1, 2, 4, 4),
        answer=answer,
    )
    assert str(trials[0]) == "openvino gives no answer (out of memory)"
    assert fastest(trials).engine == "torch"


@pytest.mark.skipif(not installed("openvino"), reason="OpenVINO is not installed")
def test_openvino_tells_nobody_of_its_use():
    code = (
        "import sys, torch; from delineate.inference.engines import opened;"
        "opened('openvino', torch.nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 8, 8), low=False);"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
