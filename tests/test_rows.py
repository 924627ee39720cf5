"""One table of targets and one of backends; everything that lists them reads them."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest
from pleinair.export.targets import TARGETS
from pleinair.runtime.backends import BACKENDS, our_backends

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"docs", "dev", "all"}


def folders(room: str) -> set[str]:
    found = (ROOT / room).iterdir()
    return {p.stem for p in found if p.suffix == ".py" or (p / "__init__.py").is_file()}


def named(extra: str) -> set[str]:
    """The distributions that an extra brings, those of the extras in it included."""
    found: set[str] = set()
    for requirement in EXTRAS[extra]:
        if own := re.fullmatch(r"pleinair\[(.+)\]", requirement):
            found |= set().union(*map(named, own[1].split(",")))
        found.add(re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-"))
    return found


def test_rows_are_found_where_they_lie():
    assert set(TARGETS) == folders("export/targets") - {"__init__", "row"}
    assert set(our_backends()) == folders("runtime/backends") - {
        *("__init__", "row", "protocols", "library")
    }
    assert set(BACKENDS) >= set(our_backends())


def test_every_artifact_that_a_target_makes_has_a_backend_or_a_device():
    painted = {target for row in BACKENDS.values() for target in row.targets}
    assert set(TARGETS) - painted == {"jetson"}  # trtexec makes an engine of it there


@pytest.mark.parametrize("row", [*TARGETS.values(), *our_backends().values()], ids=lambda r: r.name)
def test_the_install_line_brings_the_library(row):
    base = {re.match(r"[\w.-]+", r)[0] for r in PROJECT["dependencies"]}
    extra = re.search(r"pleinair\[(.+)\]", row.install)
    brings = base | (named(extra[1]) if extra else {row.install.split()[-1]})
    expected = getattr(row, "distribution", row.library)
    assert {name.lower().replace("_", "-") for name in expected.split(" or ")} & brings


def test_doctor_knows_every_extra(cli, monkeypatch):
    import json

    find = importlib.util.find_spec
    base = {"cv2", "onnxruntime", "av", "numpy"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: find(n) if n in base else None)
    run = cli("doctor", "--json")
    said = json.loads(run.out)
    assert [row["name"] for row in said["targets"]] == list(TARGETS)
    assert [row["name"] for row in said["backends"]] == list(BACKENDS)
    lines = " ".join(
        row["install"] or ""
        for part in said
        if part in ("backends", "parts", "targets")
        for row in said[part]
    )
    unsaid = {extra for extra in EXTRAS if f"[{extra}]" not in lines} - FOR_DEVELOPERS
    assert unsaid == ({"cameras"} if sys.platform == "linux" else set())  # Linux says their names


def test_the_help_lists_what_the_tables_have(cli):
    said = "".join(cli("export", "--help").out.split())
    assert all(name in said for name in TARGETS)
    said = "".join(cli("live", "--help").out.split())
    assert all(name in said for name in our_backends())


def test_results_name_the_versions_of_all_backends(monkeypatch):
    pytest.importorskip("psutil")
    from pleinair.benchmarks.machine import describe_software

    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    libraries = describe_software()["libraries"]
    assert {"ncnn", "executorch", "ai-edge-litert", "openvino", "onnxruntime-gpu"} <= set(libraries)
