"""ARM's code paints as x86's does: on an emulated processor, where one was made."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from pleinair.errors import PleinairError
from pleinair.tools.aarch64 import CASES, compare, missed
from pleinair.tools.emulator import NoEmulator, make_emulator, open_emulator

LOG = Path(__file__).parents[2] / "docs" / "aarch64.json"
MADE = Path.home() / ".cache" / "pleinair" / "aarch64"  # not the tests' own: it is 0.6 GB


@pytest.mark.slow
def test_int8_paints_there_as_here(photos: Path) -> None:
    try:
        emulator = open_emulator(MADE)
    except NoEmulator as reason:
        pytest.skip(str(reason))
    found = compare(emulator, photos, cases=[("onnxruntime:cpu", "int8", 2)])
    assert found["there"]["machine"] == "aarch64"
    assert found["here"]["machine"] == platform.machine()
    (row,) = found["rows"]
    assert row["pictures"] == 2
    assert row["psnr_db"] > 70  # ONNX Runtime's INT8 is nearly the same to the byte
    assert missed(found) == []
    with pytest.raises(PleinairError, match=r"the emulated aarch64 ended with 1: .*nonsense"):
        emulator.run(["-c", "import nonsense"])


def test_the_log_is_within_bounds() -> None:
    found = json.loads(LOG.read_text())
    rows = [(row["backend"], row["precision"], row["pictures"]) for row in found["rows"]]
    assert rows == [(backend.partition(":")[0], *rest) for backend, *rest in CASES]
    assert missed(found) == []
    found["rows"][0]["psnr_db"] = 49.9
    found["rows"][2]["fp32_psnr_db_there"] = 59.9
    int8, fp32 = missed(found)
    assert int8.startswith("onnxruntime int8 on aarch64 is ")
    assert "49.9 dB from this machine (at least 50)" in int8
    assert "59.9 dB from FP32 (at least 60)" in fp32


def test_without_an_emulator(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(NoEmulator, match=r"there is no emulated aarch64 in .*; make one with"):
        open_emulator(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoEmulator, match="needs Linux with apt-get and dpkg"):
        make_emulator(tmp_path / "new")
    assert not (tmp_path / "new").exists()
