"""The container holds what the wheel is made of, and its page is for this machine alone."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SENT = [
    line.removeprefix("!")
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
]


def is_sent(path: str) -> bool:
    # A * of Docker's ends at a slash, Python's does not.
    alike = (kept for kept in SENT if kept.count("/") == path.count("/"))
    return any(fnmatch(path, kept) for kept in alike) or path.startswith(
        tuple(f"{kept}/" for kept in SENT)
    )


def test_docker_is_sent_all_that_the_wheel_is_made_of():
    setup = PROJECT["tool"]["setuptools"]
    rooms = {name.split(".")[1] for name in setup["packages"] if "." in name}
    data = {pattern.replace("*", "x") for pattern in setup["package-data"]["pleinair"]}
    needed = {f"{room}/__init__.py" for room in rooms} | data
    needed |= {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert sorted(path for path in needed if not is_sent(path)) == []
    assert not is_sent("tests/conftest.py")
    assert not is_sent("runs/mine/generator.pt")


def test_what_compose_and_docker_name_is_there():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert set(services) == {"page", "camera"}
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    clip = services["page"]["volumes"][0].split(":")[0]
    assert (ROOT / clip).is_file()
    assert "USER painter" in (ROOT / "Dockerfile").read_text()


def test_the_headless_opencv_is_the_version_that_was_tested():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len([line for line in lines if line.startswith("opencv-python==")]) == 1
