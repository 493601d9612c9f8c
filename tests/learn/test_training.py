"""Training learns, repeats itself to the byte, survives being killed, and says plainly when it cannot go on."""

import errno
import functools
import hashlib
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from delineate.core import UNLABELLED, Case, ClassTable, DataError, ModelError, OutputError, TrainingError
from delineate.flow.methods import finished, load
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.learn import training as module
from delineate.learn.checkpoint import NAME, freeze, thaw
from delineate.learn.learnt import network

CLASSES = ClassTable(("background", "square"))
SMALL = Overrides(patch=32, batch=4, width=4, levels=2, shuffle=1)


def square(seed: int, *, side: int = 48, marked: bool = True, channels: int = 1) -> Case:
    """A noisy picture with one bright square, labelled."""
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 10, (side, side, channels))
    labels = np.zeros((side, side), np.uint8)
    y, x = rng.integers(4, side - 24, 2)
    labels[y : y + 18, x : x + 20] = 1
    image[labels == 1] += 60
    objects = labels.astype(np.int32) if marked else None
    return Case(f"square{seed}", image.astype(np.uint16), labels=labels, objects=objects)


def training(
    folder: Path | None = None, *, steps: int = 8, seed: int = 0, resume: bool = False, **changes
) -> Training:
    cases = [square(i) for i in range(3)]
    plan = planned(cases, overrides=Overrides(**(vars(SMALL) | changes)))
    return Training(cases, classes=CLASSES, plan=plan, steps=steps, seed=seed, folder=folder, resume=resume)


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def test_a_square_is_learnt():
    method = UNetMethod(CLASSES, steps=150, overrides=SMALL).fit([square(i) for i in range(4)])
    new = square(99)
    found = method.predict(new.image).argmax(0)
    overlap = 2 * ((found == 1) & (new.labels == 1)).sum() / ((found == 1).sum() + (new.labels == 1).sum())
    assert overlap > 0.9
    _, ids = method.outline(new.image)
    assert ids.max() == 1


@pytest.mark.parametrize(("weak", "said"), [(False, np.log([0.75, 0.25])), (True, np.zeros(2))])
def test_before_its_first_step_a_network_knows_how_common_classes_are_unless_strokes_say_so(weak, said):
    labels = np.tile(np.array([0, 0, 0, 1], np.uint8), (48, 12))  # a quarter of any crop
    case = Case("stripes", labels[..., None] * 90, labels=labels)
    wanted = Overrides(patch=32, batch=2, width=4, levels=2, shuffle=1, augmentation="none", weak=weak)
    plan = planned([case], overrides=wanted)
    fresh = network(plan, ClassTable.numbered(2), seed=0).head.bias
    begun = Training([case], classes=ClassTable.numbered(2), plan=plan, steps=1).learnt.net.head.bias
    np.testing.assert_allclose((begun - fresh)[:2].detach(), said, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        list(training(tmp_path / name, seed=seed))
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


def test_another_seed_is_named_and_not_the_images_that_it_holds_out(tmp_path):
    net = torch.nn.Linear(1, 1)
    about = {"modules": {"net": net}, "optimisers": []}
    freeze(tmp_path, **about, identity={"seed": 0, "data": {"learnt": ["a"]}}, done={})
    with pytest.raises(OutputError, match="had other seed: resume it"):
        thaw(tmp_path, **about, identity={"seed": 1, "data": {"learnt": ["b"]}})
    with pytest.raises(OutputError, match=r"had other data \(learnt\): resume it"):
        thaw(tmp_path, **about, identity={"seed": 0, "data": {"learnt": ["b"]}})


def test_resuming_what_is_not_there_is_refused_before_anything_is_looked_at(tmp_path):
    with pytest.raises(OutputError, match="holds no interrupted training"):
        Training([], classes=CLASSES, plan=planned([square(0)]), steps=1, folder=tmp_path, resume=True)


def test_nothing_global_is_seeded():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(training(steps=2))
    assert torch.equal(before, torch.get_rng_state())


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_training as t
t.module.CHECKPOINT_SECONDS = 0.0
for step in t.training(Path({folder!r}), steps=40, resume={resume}):
    print(step.number, flush=True)
"""


def test_killed_at_any_moment_and_resumed_it_ends_in_the_same_bytes(tmp_path):
    def command(folder: Path, *, resume: bool) -> list[str]:
        script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(folder), resume=resume)
        return [sys.executable, "-W", "error", "-c", script]

    list(training(tmp_path / "through", steps=40))
    with subprocess.Popen(
        command(tmp_path / "killed", resume=False), stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout:
            if int(line) == 7:
                time.sleep(0.02)  # somewhere inside a step or a checkpoint
                run.send_signal(signal.SIGKILL)
                break
    assert run.returncode == -signal.SIGKILL
    halfway = json.loads((tmp_path / "killed" / "model.json").read_text())["record"]
    assert halfway["steps"] < 40
    told: list[str] = []
    load(tmp_path / "killed", tell=told.append)
    assert "its training was interrupted after step" in told[0]
    (tmp_path / "killed" / "training.safetensors").rename(tmp_path / "aside")
    with pytest.raises(
        OutputError, match=r"was interrupted, but training\.safetensors, with which it could go on, is gone"
    ):
        training(tmp_path / "killed", steps=40, resume=True)
    assert not finished(tmp_path / "killed")
    (tmp_path / "aside").rename(tmp_path / "killed" / "training.safetensors")
    again = subprocess.run(
        command(tmp_path / "killed", resume=True), capture_output=True, text=True, check=True
    )
    assert int(again.stdout.split()[0]) > 1
    assert weights(tmp_path / "killed") == weights(tmp_path / "through")
    assert not (tmp_path / "killed" / "training.safetensors").exists()
    load(tmp_path / "killed", tell=told.append)
    assert len(told) == 1
    assert finished(tmp_path / "killed")
    with pytest.raises(OutputError, match="is finished already"):
        training(tmp_path / "killed", steps=40, resume=True)


def test_killed_before_the_first_checkpoint_it_can_be_resumed_all_the_same(tmp_path):
    list(training(tmp_path / "through"))
    for step in training(tmp_path / "killed"):
        if step.number == 2:
            break
    with pytest.raises(
        ModelError, match="interrupted before the first save of a model: `train --resume` goes on"
    ):
        load(tmp_path / "killed")
    list(training(tmp_path / "killed", resume=True))
    assert weights(tmp_path / "killed") == weights(tmp_path / "through")
    with pytest.raises(OutputError, match="finished already"):
        training(tmp_path / "killed", resume=True)


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path, monkeypatch):
    run = training(tmp_path)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("inf")))
    with pytest.raises(TrainingError, match=r"gradient is inf at step 1: train again"):
        list(run)
    assert all(torch.isfinite(v).all() for v in run.learnt.net.state_dict().values())


def test_validation_cases_are_looked_at_before_any_time_is_spent():
    cases = [square(0)]
    plan = planned(cases, overrides=SMALL)
    with pytest.raises(ModelError, match="square5 has 2 channels"):
        Training(cases, classes=CLASSES, plan=plan, steps=3, validation=[square(5, channels=2)])


def test_another_run_is_not_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
    for step in training(tmp_path):
        if step.number == 3:
            break
    with pytest.raises(OutputError, match="other seed"):
        training(tmp_path, seed=9, resume=True)
    with pytest.raises(OutputError, match="no interrupted training"):
        training(tmp_path / "elsewhere", resume=True)


@pytest.mark.parametrize(
    "newer",
    [("plan", "annotators"), ("plan", "weak"), ("plan", "augmentation", "robust"), ("data", "learnt")],
)
def test_a_training_goes_on_that_was_begun_before_an_item_was_written(tmp_path, newer):
    stopped(tmp_path)
    *way, item = newer
    reidentified(tmp_path, lambda identity: functools.reduce(dict.get, way, identity).pop(item))
    assert [step.number for step in training(tmp_path, resume=True)] == [4, 5, 6, 7, 8]


def test_a_training_is_not_continued_with_what_an_older_version_could_not_do(tmp_path):
    stopped(tmp_path)
    reidentified(tmp_path, lambda identity: identity["plan"].pop("adversarial"))
    with pytest.raises(OutputError, match=r"had other plan \(adversarial\)"):
        training(tmp_path, resume=True, adversarial=4.0)


def test_a_checkpoint_without_weights_that_are_needed_now_is_told_in_a_sentence(tmp_path):
    stopped(tmp_path)
    held = load_file(tmp_path / NAME)
    about = identity_in(tmp_path)
    (tmp_path / NAME).write_bytes(
        save({name: one for name, one in held.items() if not name.startswith("average.")}, metadata=about)
    )
    with pytest.raises(OutputError, match="kept other weights: train into another folder"):
        training(tmp_path, resume=True)


def stopped(folder: Path) -> None:
    """A training that was killed after its third step."""
    run = training(folder)
    for step in run:
        if step.number == 3:
            run._checkpoint(folder)
            return


def identity_in(folder: Path) -> dict[str, str]:
    with safe_open(folder / NAME, framework="pt") as file:
        return dict(file.metadata())


def reidentified(folder: Path, change) -> None:
    """Change what the checkpoint says of its run, as another version would have written it."""
    about = identity_in(folder)
    identity = json.loads(about["identity"])
    change(identity)
    content = save(load_file(folder / NAME), metadata=about | {"identity": json.dumps(identity)})
    (folder / NAME).write_bytes(content)


def test_minutes_bound_a_training():
    cases = [square(0)]
    plan = planned(cases, minutes=0.01, overrides=SMALL)
    seconds = itertools.count(0, 0.05)  # looked at twice a step
    steps = list(Training(cases, classes=CLASSES, plan=plan, minutes=0.01, clock=lambda: next(seconds)))
    assert 5 <= len(steps) <= 6
    assert steps[-1].progress == 1.0
    assert steps[0].remaining > steps[-2].remaining > steps[-1].remaining == 0


def test_validation_is_judged_and_shown():
    cases, judged = [square(i) for i in range(2)], []
    plan = planned(cases, overrides=SMALL)

    def judge(truth, predicted):
        judged.append((truth.shape, predicted.dtype))
        return 0.25

    run = Training(cases, classes=CLASSES, plan=plan, steps=4, validation=[square(7)], judge=judge)
    looks = [step for step in run if step.previews]
    assert looks[-1].dice == 0.25
    assert judged[0] == ((48, 48), np.uint8)
    case, labels = looks[-1].previews[0]
    assert case.name == "square7"
    assert labels.max() < len(CLASSES)
    assert run.learnt.record.history[-1]["dice"] == 0.25


def test_a_loss_that_is_not_finite_stops_with_a_remedy_and_keeps_the_last_model(tmp_path, monkeypatch):
    list(training(tmp_path, steps=2))
    kept = weights(tmp_path)
    run = training(tmp_path, steps=4)
    monkeypatch.setattr(Training, "_loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(TrainingError, match=r"loss is nan at step 1: train again with .*last good model"):
        list(run)
    assert weights(tmp_path) == kept


def test_a_full_disk_stops_with_a_remedy_and_keeps_the_last_model(tmp_path, monkeypatch):
    list(training(tmp_path, steps=2))
    kept = weights(tmp_path)

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device; free space"):
        list(training(tmp_path, steps=3))
    assert weights(tmp_path) == kept


def test_what_is_painted_on_unlabelled_pixels_changes_nothing():
    pictures = []
    for value in (0, 1):
        case = square(3, marked=False)
        labels = case.labels.copy()
        labels[:20] = UNLABELLED
        hidden = np.where(labels == UNLABELLED, value, 0)
        objects = (case.labels + 5 * hidden).astype(np.int32)
        pictures.append(Case("one", case.image, labels=labels, objects=objects))
    ends = [
        UNetMethod(CLASSES, steps=3, overrides=Overrides(**(vars(SMALL) | {"augmentation": "none"}))).fit(
            [case]
        )
        for case in pictures
    ]
    first, second = (end.learnt.net.state_dict() for end in ends)
    assert torch.equal(first["head.weight"][:2], second["head.weight"][:2])


def broken(name: str) -> list[Case]:
    good = square(0)
    if name == "no cases":
        return []
    if name == "no labels":
        return [Case("bare", good.image)]
    if name == "a class is missing":
        return [Case("empty", good.image, labels=np.zeros((48, 48), np.uint8))]
    if name == "all unlabelled":
        return [Case("blank", good.image, labels=np.full((48, 48), UNLABELLED, np.uint8))]
    if name == "beyond the classes":
        return [Case("five", good.image, labels=good.labels * 5)]
    image = good.image.astype(np.float32)
    image[3, 4] = np.nan if name == "nan" else np.inf
    return [Case("holes", image, labels=good.labels)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no cases", "no labelled image"),
        ("no labels", "bare has no labels: give it a mask"),
        ("a class is missing", "no training mask holds square: label some"),
        ("all unlabelled", "unlabelled everywhere: label some pixels"),
        ("beyond the classes", "label 5 but there are 2 classes: name all"),
        ("nan", "NaN or infinite: replace them"),
        ("infinity", "NaN or infinite: replace them"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(name, sentence):
    plan = planned([square(0)], overrides=SMALL)
    with pytest.raises(DataError, match=sentence):
        Training(broken(name), classes=CLASSES, plan=plan, steps=1)


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"minutes": 1.0, "steps": 3},
        {"steps": 0},
        {"minutes": -1.0},
        *({"minutes": float(n)} for n in ("nan", "inf")),
    ],
)
def test_exactly_one_positive_bound_is_asked_for(bounds):
    plan = planned([square(0)], overrides=SMALL)
    with pytest.raises(DataError, match="either minutes or steps"):
        Training([square(0)], classes=CLASSES, plan=plan, **bounds)


def test_weights_beyond_all_numbers_are_not_saved(tmp_path, monkeypatch):
    """As after a learning rate of 1e9, whose last loss may be finite all the same."""
    monkeypatch.setattr(
        module, "follow", lambda average, net, number: average.head.weight.data.fill_(float("inf"))
    )
    with pytest.raises(
        TrainingError, match="a weight is nan at step 3: train again with a lower --learning-"
    ):
        list(training(tmp_path, steps=3))
    assert not (tmp_path / "model.json").exists()


def test_volumes_are_learnt_as_volumes_and_stacks_of_thick_slices_slice_by_slice():
    rng = np.random.default_rng(0)
    labels = np.zeros((20, 24, 28), np.uint8)
    labels[6:14, 8:16, 8:20] = 1
    image = (rng.normal(0, 1, labels.shape) + 3 * labels)[..., None].astype(np.float32)
    for spacing, dims in (((1.0, 1.0, 1.0), 3), ((8.0, 1.0, 1.0), 2)):
        case = Case("v", image, labels=labels, spacing=spacing)
        method = UNetMethod(CLASSES, steps=2, overrides=Overrides(batch=2, width=2, levels=2)).fit([case])
        assert method.learnt.plan.dims == dims
        assert method.predict(image).shape == (2, 20, 24, 28)
