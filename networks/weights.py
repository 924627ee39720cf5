"""Weights as ``.safetensors``: a length, a JSON table and the numbers; nothing in it can run.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..errors import TrainingError, shown
from ..reading import parse_json

_DTYPES: Final = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}
_LARGEST = 2**40  # elements of a tensor, also of one that has none in one of its dimensions
_NAMES: Final = {dtype: name for name, dtype in _DTYPES.items()}


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rounds the weights of a state dict to what float16 can hold; they stay float32."""
    return {
        name: value.half().float() if value.dtype == torch.float32 else value
        for name, value in state.items()
    }


def write_weights(state: Mapping[str, Tensor], words: Mapping[str, str], path: Path) -> None:
    """Writes a state dict; tensors that float16 holds exactly are stored as such.

    Args:
        state: Tensors by name, on the CPU.
        words: What the file says of itself.
        path: The file to write.

    Raises:
        OSError: It cannot be written.
    """
    table: dict[str, Any] = {"__metadata__": dict(words)}
    numbers = bytearray()
    for name, value in state.items():
        stored = value.half() if _fits_half(value) else value
        data = stored.contiguous().numpy().tobytes()
        table[name] = {
            "dtype": _NAMES[stored.dtype],
            "shape": [*stored.shape],
            "data_offsets": [len(numbers), len(numbers) + len(data)],
        }
        numbers += data
    head = json.dumps(table, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)  # numbers begin at a multiple of 8 bytes
    path.write_bytes(len(head).to_bytes(8, "little") + head + numbers)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns what a file holds: tensors by name, and what it says of itself.

    Raises:
        TrainingError: It is damaged, cut short, or cannot be read.
    """
    try:
        data = path.read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        table = parse_json(data[8:begin])
        words = table.pop("__metadata__", {})
        if not isinstance(words, dict):
            raise ValueError("what it says of itself is no table")
        numbers = memoryview(data)[begin:]
        places = (entry["data_offsets"] for entry in table.values())
        if sum(abs(end - start) for start, end in places) > len(numbers):  # each has a copy
            raise ValueError("its tensors share their numbers, or it is cut short")
        return {name: _tensor(entry, numbers) for name, entry in table.items()}, words
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} is not a complete safetensors file: {error}") from error


def _fits_half(value: Tensor) -> bool:
    return value.dtype == torch.float32 and torch.equal(value.half().float(), value)


def _tensor(entry: dict[str, Any], numbers: memoryview) -> Tensor:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(numbers):
        raise ValueError("it is cut short")
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"it has numbers of the kind {shown(entry['dtype'])}")
    dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != end - start:
        raise ValueError(f"its numbers do not fill the shape {shown(shape)}")
    if math.prod(filter(None, shape)) > _LARGEST:
        raise ValueError(f"no tensor has the shape {shown(shape)}")
    if start == end:
        return torch.zeros(shape, dtype=dtype)
    return torch.frombuffer(bytearray(numbers[start:end]), dtype=dtype).reshape(shape)
