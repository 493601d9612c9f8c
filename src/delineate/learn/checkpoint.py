"""A training frozen in one file that appears whole: weights, their average, moments, and how far it has come.

Since every batch is a function of the seed and the step, this is all that a killed run needs to go on as if nothing
had happened. safetensors with two JSON texts in its header; nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from delineate.core import OutputError, written_whole
from delineate.learn.plan import Plan

NAME = "training.safetensors"


def freeze(
    folder: Path,
    *,
    modules: Mapping[str, nn.Module],
    optimisers: Sequence[Any],
    identity: Mapping[str, Any],
    done: Mapping[str, Any],
) -> None:
    """Write the checkpoint of a run. identity: what must be the same to continue it; done: how far it has come.

    Raises OutputError where it cannot be written; the checkpoint before stays whole. For an example see `thaw`.
    """
    tensors = {f"{name}.{k}": v for name, module in modules.items() for k, v in module.state_dict().items()}
    for which, optimiser in enumerate(optimisers):
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser{which}.{index}.{k}": v for k, v in state.items()}
    about = {"identity": json.dumps(identity), "done": json.dumps(done)}
    with written_whole(folder / NAME) as beside:
        beside.write_bytes(save({k: v.contiguous() for k, v in tensors.items()}, metadata=about))


def thaw(
    folder: Path,
    *,
    modules: Mapping[str, nn.Module],
    optimisers: Sequence[Any],
    identity: Mapping[str, Any],
) -> dict[str, Any]:
    """Load the checkpoint in `folder` into modules and optimisers; returns what was done.

    Raises OutputError where there is none, where it cannot be read, where it is of another run, or keeps less than this
    version needs.

    >>> import tempfile
    >>> from pathlib import Path
    >>> net, other = nn.Linear(2, 2), nn.Linear(2, 2)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     freeze(Path(scratch), modules={"net": net}, optimisers=[], identity={"seed": 0}, done={"steps": 5})
    ...     thaw(Path(scratch), modules={"net": other}, optimisers=[], identity={"seed": 0})
    {'steps': 5}
    >>> torch.equal(net.weight, other.weight)
    True
    """
    path = folder / NAME
    check_interrupted(folder)
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        now = json.loads(json.dumps(identity))
        before, done = _completed(json.loads(about["identity"]), now), json.loads(about["done"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} cannot be read ({error}): train into another folder") from error
    if before != now:
        said = _changed(before, now)
        if "seed" in said:  # by which the images to validate on are chosen
            said = [one for one in said if not one.startswith("data")]
        changed = ", ".join(said)
        same = "data, settings and --from" if "from" in changed else "data and settings"
        raise OutputError(
            f"the interrupted training in {folder} had other {changed}: resume it with the same {same}"
        )
    try:
        for name, module in modules.items():
            module.load_state_dict(_under(f"{name}.", tensors))
        for which, optimiser in enumerate(optimisers):
            _load_moments(optimiser, _under(f"optimiser{which}.", tensors))
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise OutputError(
            f"the interrupted training in {folder} was begun by a version that kept other weights: train into another folder"
        ) from error
    result: dict[str, Any] = done
    return result


def no_model(folder: Path) -> str:
    """What to say of a folder without a `model.json`.

    >>> no_model(Path("runs"))
    'runs has no model.json: it is no model folder, or its training was interrupted before the first save'
    """
    if (folder / NAME).is_file():
        return f"the training in {folder} was interrupted before the first save of a model: `train --resume` goes on with it"
    return f"{folder} has no model.json: it is no model folder, or its training was interrupted before the first save"


def check_interrupted(folder: Path) -> None:
    """Raise OutputError where there is no checkpoint to go on with in `folder`."""
    if not (folder / NAME).is_file():
        raise OutputError(_nothing_to_thaw(folder))


def _nothing_to_thaw(folder: Path) -> str:
    """Why a folder without a checkpoint cannot be gone on with, and what to do."""
    if not (folder / "model.json").is_file():
        return f"{folder} holds no interrupted training: leave --resume out, or name another folder"
    try:
        halfway = json.loads((folder / "model.json").read_text())["record"]["data"].get("unfinished")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # of another method, or damaged
        halfway = False
    if halfway:
        return (
            f"the training in {folder} was interrupted, but {NAME}, with which it could go on, is gone: train into another "
            "folder"
        )
    return f"the training in {folder} is finished already: train into another folder"


def _completed(before: dict[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The identity as this version would have written it: what an older one did not write of the plan is at its default, and
    of the data as it is now, for a fingerprint holds all of that. Parts of weak trainings that are no more stay, and differ.

    >>> _completed({"seed": 0, "data": {"fingerprint": "f"}}, {"data": {"fingerprint": "g", "labels": "masks"}})
    {'seed': 0, 'data': {'fingerprint': 'f', 'labels': 'masks'}}
    """
    completed = dict(before)
    if "plan" in before:
        plan = json.loads(json.dumps(Plan.from_json(before["plan"]).to_json()))
        completed["plan"] = {item: plan[item] for item in plan if item != "reasons"}
        if before["plan"].get("weak"):
            completed["plan"]["weak"] |= before["plan"]["weak"]
    if "fingerprint" in before.get("data", {}):
        completed["data"] = {**now.get("data", {}), **before["data"]}
        for item in (
            "times",
            "from",
        ):  # in no fingerprint: without, all was drawn alike, and begun from nothing
            if item not in before["data"]:
                completed["data"].pop(item, None)
    return completed


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, and within the plan or the data which items do.

    >>> _changed({"seed": 0, "plan": {"width": 4}}, {"seed": 1, "plan": {"width": 8}})
    ['seed', 'plan (width)']
    """
    said = []
    for key in now:
        one, other = before.get(key), now[key]
        if one != other:
            inner = (
                [item for item in {**one, **other} if one.get(item) != other.get(item)]
                if isinstance(one, dict) and isinstance(other, dict)
                else []
            )
            said.append(f"{key} ({', '.join(inner)})" if inner else key)
    return said


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _load_moments(optimiser: Any, tensors: dict[str, Tensor]) -> None:
    """Load "index.key" tensors; moments must lie in memory as their weights do, for fused steps walk through it."""
    groups = optimiser.state_dict()["param_groups"]
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        if tensor.ndim:
            tensor = torch.empty_like(weights[int(index)]).copy_(tensor)
        states.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": groups})
