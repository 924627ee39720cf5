"""ARM's code paints as x86's does: on an emulated processor, where one was made."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from pleinair.deploy.aarch64 import NoEmulator, compare, make_emulator, open_emulator
from pleinair.errors import PleinairError

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
    assert row["psnr_db"] >= 50
    assert row["fp32_psnr_db_there"] >= 38
    with pytest.raises(PleinairError, match=r"the emulated aarch64 ended with 1: .*nonsense"):
        emulator.run(["-c", "import nonsense"])


def test_without_an_emulator(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(NoEmulator, match=r"there is no emulated aarch64 in .*; make one with"):
        open_emulator(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoEmulator, match="needs Linux with apt-get and dpkg"):
        make_emulator(tmp_path / "new")
    assert not (tmp_path / "new").exists()
