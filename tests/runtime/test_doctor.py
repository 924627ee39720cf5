"""What doctor says of the system."""

from __future__ import annotations

import pytest
from pleinair.runtime import doctor


@pytest.mark.parametrize(
    ("caps", "said"),
    [("Y,N,N", "/dev/video9 (Pleinair)"), ("N,N,N", "browsers do not list it without exclusive")],
)
def test_devices_for_calls(tmp_path, monkeypatch, caps, said):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(doctor, "_LOOPBACKS", tmp_path)
    monkeypatch.setattr(doctor, "_EXCLUSIVE", tmp_path / "exclusive_caps")
    [row] = [row for row in doctor.examine()["system"] if row["name"] == "devices for calls"]
    assert not row["available"]
    assert "sudo modprobe v4l2loopback devices=1" in row["about"]
    (tmp_path / "video9").mkdir()
    (tmp_path / "video9" / "name").write_text("Pleinair\n")
    (tmp_path / "exclusive_caps").write_text(f"{caps}\n")
    [row] = [row for row in doctor.examine()["system"] if row["name"] == "devices for calls"]
    assert row["available"]
    assert said in row["about"]
