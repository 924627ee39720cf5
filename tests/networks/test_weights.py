"""Weights as .safetensors: nothing is lost, half the bytes where that is so, bad files refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pleinair.errors import TrainingError
from pleinair.networks.weights import halved, read_weights, write_weights


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.float64, torch.int64, torch.uint8]),
    seed=st.integers(0, 99),
)
def test_nothing_is_lost(tmp_path_factory, shape, dtype, seed) -> None:
    torch.manual_seed(seed)
    value = (torch.randn(shape) * 50).to(dtype)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    write_weights({"a": value, "b": torch.ones(3)}, {"says": "ü"}, path)
    state, words = read_weights(path)
    assert words == {"says": "ü"}
    assert torch.equal(state["a"].to(dtype), value)
    assert state["b"].tolist() == [1, 1, 1]


def test_what_half_precision_holds_takes_half_the_bytes(tmp_path) -> None:
    torch.manual_seed(0)
    state = {"a": torch.randn(100, 100), "large": torch.full((2,), 1e6)}
    write_weights(state, {}, tmp_path / "whole")
    rounded = halved({"a": state["a"]})
    assert rounded["a"].dtype == torch.float32
    assert (rounded["a"] - state["a"]).abs().max() < 2e-3
    write_weights(rounded | {"large": state["large"]}, {}, tmp_path / "half")
    assert (tmp_path / "half").stat().st_size < 0.51 * (tmp_path / "whole").stat().st_size
    assert torch.equal(read_weights(tmp_path / "half")[0]["a"].float(), rounded["a"])


def written(path: Path, table: object, numbers: bytes = bytes(8)) -> Path:
    head = json.dumps(table).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + numbers)
    return path


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "cut short"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [4, 0]}, "cut short"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}, "cut short"),
        ({"dtype": "F9", "shape": [2], "data_offsets": [0, 8]}, "of the kind F9"),
        # What would take the machine's memory, of a file with a few bytes.
        ({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 0]}, "do not fill the shape"),
        ({"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}, "do not fill the shape"),
        ({"dtype": "F32", "shape": [0, 1 << 62, 1 << 62], "data_offsets": [0, 0]}, "no tensor has"),
        ({"dtype": "F32", "shape": [0.5, 10**400], "data_offsets": [0, 8]}, "number in it is too"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0.5, 10**400]}, "number in it is too"),
        ({"dtype": "F32", "shape": [2]}, "data_offsets"),
        ("no table", "not a complete"),
    ],
)
def test_damaged_files(tmp_path, entry, said) -> None:
    with pytest.raises(TrainingError, match=said):
        read_weights(written(tmp_path / "w.safetensors", {"a": entry}))


@pytest.mark.parametrize("table", [[], 3, "x"])
def test_a_table_that_is_none(tmp_path, table) -> None:
    with pytest.raises(TrainingError, match="not a complete safetensors file"):
        read_weights(written(tmp_path / "w.safetensors", table))


@pytest.mark.parametrize("words", [None, 3, "options", ["options"]])
def test_words_that_are_no_table(tmp_path, words) -> None:
    with pytest.raises(TrainingError, match="no table"):
        read_weights(written(tmp_path / "w.safetensors", {"__metadata__": words}))


def test_tensors_that_share_their_numbers_would_fill_memory(tmp_path):
    entry = {"dtype": "F32", "shape": [2**18], "data_offsets": [0, 2**20]}
    head = json.dumps({str(name): entry for name in range(10_000)}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(2**20))
    with pytest.raises(TrainingError, match="share their numbers"):
        read_weights(path)
