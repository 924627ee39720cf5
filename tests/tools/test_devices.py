"""The page of devices is what its command makes, and what devices send is checked."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from pleinair.benchmarks.results.devices import read_devices
from pleinair.errors import PleinairError
from pleinair.export.targets import TARGETS
from pleinair.tools.devices import main, page, schema

DOCS = Path(__file__).parents[2] / "docs"
AGAIN = "run python tools/devices.py"
SENT = [path for path in (DOCS / "devices").glob("*.json") if path.name != "schema.json"]


def test_the_page_is_what_its_command_makes() -> None:
    assert (DOCS / "devices.md").read_text() == page(DOCS), AGAIN
    assert json.loads((DOCS / "devices" / "schema.json").read_text()) == schema(), AGAIN


@pytest.mark.parametrize("path", SENT, ids=lambda path: path.name)
def test_what_devices_sent(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(path.read_text()), schema())
    assert read_devices([path])


def test_every_target_says_what_was_verified() -> None:
    assert SENT
    text = page(DOCS)
    for target in TARGETS.values():
        assert target.verified, f"{target.name}: say in export/targets what was seen to work"
        assert f"| {target.name} | " in text


def test_a_device_is_added_by_its_file_alone(tmp_path: Path, capsys) -> None:
    docs = tmp_path / "docs"
    (docs / "devices").mkdir(parents=True)
    shutil.copy(DOCS / "aarch64.json", docs)
    shutil.copy(SENT[0], docs / "devices" / "a.json")
    value = json.loads(SENT[0].read_text())
    value["devices"][0]["machine"]["cpu"] = "Jetson Orin Nano"
    (docs / "devices" / "b.json").write_text(json.dumps(value))
    assert main([str(docs)]) == 0
    text = (docs / "devices.md").read_text()
    assert "| Jetson Orin Nano, 2 cores | onnxruntime | int8 |" in text
    assert {p.name for p in (docs / "devices").iterdir()} == {"a.json", "b.json", "schema.json"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("devices", lambda v: v.update(devices=[])),
        ("devices.0.machine.hostname", lambda v: v["devices"][0]["machine"].update(hostname="x")),
        ("devices.0.results.0.fps", lambda v: v["devices"][0]["results"][0].update(fps=-1)),
        ("devices.0.results.0.p50_ms", lambda v: v["devices"][0]["results"][0].pop("p50_ms")),
        ("devices.0.bundle.artifacts", lambda v: v["devices"][0]["bundle"].update(artifacts=3)),
        ("devices.0.command", lambda v: v["devices"][0].update(command="pleinair bench /home/me")),
    ],
)
def test_what_is_no_submission(tmp_path: Path, field: str, change, capsys) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    value = copy.deepcopy(json.loads(SENT[0].read_text()))
    change(value)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(value))
    wrong = rf"mine\.json is not a table of devices: field {field}"
    with pytest.raises(PleinairError, match=wrong):
        read_devices([path])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema())
