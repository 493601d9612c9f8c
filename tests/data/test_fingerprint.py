"""What makes data and models the same."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delineate.core import Case
from delineate.data.fingerprint import digest_of, fingerprint, fingerprint_of, seen


def picture(name: str, value: int) -> Case:
    return Case(name, np.full((2, 3, 1), value, np.uint8), labels=np.zeros((2, 3), np.uint8))


def test_the_order_of_names_does_not_matter_and_labels_do() -> None:
    one, other = picture("a", 1), picture("b", 2)
    assert fingerprint([one, other]) == fingerprint([other, one])
    assert fingerprint([one]) != fingerprint([replace(one, labels=np.ones((2, 3), np.uint8))])


def test_an_image_is_recognised_under_another_name_and_with_other_labels() -> None:
    again = replace(picture("b", 1), labels=None)
    assert seen([again, picture("a", 2)], [digest_of(picture("a", 1))]) == (again,)


def test_pixels_of_another_shape_are_another_image() -> None:
    flat = picture("a", 1)
    assert digest_of(flat) != digest_of(Case("a", flat.image.reshape(3, 2, 1)))


@pytest.mark.parametrize(("then", "now"), [(1, 3), (3, 1), (1, 1), (3, 3)])
def test_a_grey_image_is_recognised_however_it_is_stored(then: int, now: int) -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    again = Case("again", np.repeat(grey, now, axis=-1))
    other = Case("other", np.repeat(grey + 1, now, axis=-1))
    assert seen([other, again], [digest_of(Case("a", np.repeat(grey, then, axis=-1)))]) == (again,)


def test_a_recorded_digest_stays_that_of_the_pixels_as_they_were_stored() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert digest_of(Case("a", grey)) == "fc5dc2d9e0d6bd2a"
    assert digest_of(Case("a", np.repeat(grey, 3, axis=-1))) == "be546dd3fe7272bc"


def test_colours_are_not_the_grey_of_one_of_them() -> None:
    colours = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert seen([Case("a", colours)], [digest_of(Case("a", colours[..., :1]))]) == ()


def test_an_onnx_file_is_known_by_its_content_and_its_sidecar(tmp_path: Path) -> None:
    model, sidecar = tmp_path / "net.onnx", tmp_path / "net.json"
    model.write_bytes(b"one")
    first = fingerprint_of(model)
    os.utime(model, (0, 0))
    assert fingerprint_of(model) == first
    sidecar.write_text("{}")
    second = fingerprint_of(model)
    model.write_bytes(b"two")
    assert len({first, second, fingerprint_of(model)}) == 3


def test_an_export_is_another_once_its_graph_is(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "model.onnx").write_bytes(b"one")
    before = fingerprint_of(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"two")
    assert fingerprint_of(tmp_path) != before
