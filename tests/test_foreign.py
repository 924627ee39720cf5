"""Whatever a stranger hands over, what leaves the package is a sentence of its own."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pleinair.bundle.bundle import Bundle
from pleinair.errors import PleinairError, UsageError, shown
from pleinair.reading import Malformed, parse_json, parse_toml, read_text
from pleinair.runtime import tuning
from pleinair.runtime.cache import cache_path
from pleinair.runtime.controls import Controls, read_settings, settings_file

DEEP = 100_000
TEXTS = [
    b"",
    b"\xff\xfe\x00",
    b"{",
    b"null",
    b"[]",
    b"3",
    b'"text"',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"[" * 500 + b"]" * 500,
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b'{"a": "\\ud800"}',
    b'{"a": 1, "a": 2}',
    '{"a": "\u2028"}'.encode(),
]

TEXT = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))


@TEXT
def test_any_text_is_parsed_or_refused(text):
    for parse in (parse_json, lambda t: parse_toml(t.decode("latin-1"))):
        try:
            parse(text)
        except Malformed as error:
            assert len(str(error)) < 300


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data):
    for parse in (parse_json, lambda t: parse_toml(t.decode("latin-1"))):
        with contextlib.suppress(Malformed):
            parse(data)


def test_limits(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 11)
    with pytest.raises(Malformed, match="more than 10 bytes"):
        read_text(tmp_path / "a", 10)
    assert parse_json(b"[" * 60 + b"]" * 60)
    for wrong in (b"[" * 70 + b"]" * 70, b'{"a": 18446744073709551616}', b'{"a": -1e400}'):
        with pytest.raises(Malformed, match=r"nested more than|too large"):
            parse_json(wrong)
    with pytest.raises(Malformed, match="nested more than"):
        parse_toml("a = " + "[" * DEEP)
    for name in ("a." * 4000 + "a", '"\u2028" . ' * 4000 + "a"):  # whose prefixes take memory
        for text in (f"{name} = 1", f"[{name}]", f"x = {{{name} = 1}}"):
            with pytest.raises(Malformed, match="line 2 has more than 200 dots"):
                parse_toml("\n" + text)
    assert parse_toml("a = [" + "0.5, " * 150 + "]\nb = '" + "It is so. " * 150 + "'")


def test_values_are_shown_short():
    assert shown(10**5000) == "a int"
    assert len(shown("x" * 1000)) < 70
    assert shown(0.5) == "0.5"


@TEXT
def test_damaged_manifests(bundle, text):
    (bundle / "manifest.json").write_bytes(text)
    with pytest.raises(PleinairError, match=r"manifest\.json"):
        Bundle.open(bundle)


def test_a_manifest_has_a_size_that_manifests_have(bundle):
    """Millions of numbers would fill memory before a field is looked at."""
    path = bundle / "manifest.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"artifacts": values["artifacts"] * 1001}))
    with pytest.raises(PleinairError, match=r"artifacts.* at most 1000|more than 4194304 bytes"):
        Bundle.open(bundle)
    path.write_text(json.dumps(values) + " " * 2**22)
    with pytest.raises(PleinairError, match=r"more than 4194304 bytes"):
        Bundle.open(bundle)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=JSON)
def test_manifests_with_something_else_at_any_place(bundle, data, value):
    path = bundle / "manifest.json"
    whole = path.read_text()
    values = json.loads(whole)
    at = values
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        inner = [key for key in keys if isinstance(at[key], dict | list) and at[key]]
        if not inner:
            break
        at = at[data.draw(st.sampled_from(inner))]
    keys = list(at) if isinstance(at, dict) else list(range(len(at)))
    at[data.draw(st.sampled_from(keys))] = value
    path.write_text(json.dumps(values))
    try:
        opened = Bundle.open(bundle)
        for artifact in opened.manifest.artifacts:
            opened.path(artifact)
    except PleinairError as error:
        assert str(error)
    finally:
        path.write_text(whole)


@TEXT
def test_damaged_settings_and_caches(text, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(text)
    try:
        read_settings()
    except UsageError as error:
        assert "live.json" in str(error)
    for name in ("choices/a.json", "choices/b.json"):
        cache_path(name).parent.mkdir(parents=True, exist_ok=True)
        cache_path(name).write_bytes(text)
    assert list(tuning.remembered()) == []
    task = tuning.Task(Bundle.open("monet-conv"), "auto", "auto", 1, None)
    choice = {"backend": ["x"], "precision": {}, "way": "", "path": ""}
    for found in (text, json.dumps({"key": task.key(), "choice": choice, "measured": []}).encode()):
        cache_path(tuning._name(task.key())).write_bytes(found)
        assert tuning.recall(task) is None


@pytest.mark.parametrize("value", [10**400, -1, float("nan"), "1", None, [], True])
def test_controls_of_any_value(value):
    for name in ("strength", "divider"):
        with pytest.raises(UsageError, match=f"{name} must be a number"):
            Controls().set({name: value})
    with pytest.raises(UsageError, match="mirror must be"):
        Controls().set({"mirror": value if value is not True else 1})


GOOD = {"recipe": {"name": "tiny"}, "step": 1, "options": {}}


@pytest.mark.parametrize("key", ["architecture", "options", "recipe", "step", "state", "processes"])
@pytest.mark.parametrize("value", [None, [], {}, 3, -1, "text", [["a"]], {"a": {"b": 1}}, 10**30])
def test_generators_with_something_else(tmp_path, key, value):
    from pleinair.networks.generators import create_generator
    from pleinair.networks.load import load_generator

    state = {"format": "pleinair-generator-1", "architecture": "edge_s", **GOOD}
    state["state"] = create_generator("edge_s").state_dict()
    torch.save({**state, key: value}, tmp_path / "generator.pt")
    try:
        loaded = load_generator(tmp_path / "generator.pt")
    except PleinairError as error:
        assert "generator.pt" in str(error)
    else:
        assert isinstance(loaded.recipe["name"], str)
        assert loaded.step >= 0


def test_a_generator_that_would_be_huge_costs_nothing(tmp_path):
    from pleinair.networks.load import load_generator

    state = {"format": "pleinair-generator-1", "architecture": "resnet_9blocks", **GOOD}
    state |= {"options": {"ngf": 8192}, "state": {"a": torch.zeros(1)}}
    torch.save(state, tmp_path / "generator.pt")
    with pytest.raises(PleinairError, match="does not fit resnet_9blocks"):
        load_generator(tmp_path / "generator.pt")


def test_a_checkpoint_that_unpacks_without_end(tmp_path):
    """PyTorch stores its tensors as they are; what is compressed may be a bomb."""
    from pleinair.networks.checkpoint import load_state

    torch.save({"a": torch.zeros(2**22)}, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as whole,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in whole.namelist():
            bomb.writestr(name, whole.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 50_000
    assert load_state(tmp_path / "whole.pt")["a"].shape == (2**22,)
    with pytest.raises(PleinairError, match=r"bomb\.pt .*its parts are compressed"):
        load_state(tmp_path / "bomb.pt")


def test_a_tensor_that_repeats_one_number(tmp_path):
    from pleinair.networks.checkpoint import load_state

    torch.save({"a": torch.zeros(1).expand(2**33)}, tmp_path / "a.pt")
    with pytest.raises(PleinairError, match="larger than its data"):
        load_state(tmp_path / "a.pt")
    torch.save({"a": torch.zeros(8)[2:4], "b": torch.zeros(1).expand(9)}, tmp_path / "a.pt")
    assert load_state(tmp_path / "a.pt")["b"].shape == (9,)


RECIPES = [
    "a = " + "[" * DEEP,
    "[data]\nroot = " + "{a=" * 500,
    "seed = 99999999999999999999999999",
    "name = 3",
    "name = 'a'\n[optim]\nsteps = 1\nlr = inf\n[data]\nroot = 'x'",
    "name = 'a'\n[optim]\nsteps = 1\nlr = nan\n[data]\nroot = 'x'",
    "name = 'a'\n[optim]\nsteps = 1\nbatch = 9000000000000\n[data]\nroot = 'x'",
    "name = 'a'\noptim = []\ndata = 3",
    "stages = 3",
    "stages = [{name = 'a', optim = 3}]\nname = 'a'\noptim = 3",
    "\x00",
    "name = 'a'\n[model]\ngenerator = ''\n[data]\nroot='x'\n[optim]\nsteps=1",
]


@pytest.mark.parametrize("text", RECIPES, ids=range(len(RECIPES)))
def test_damaged_recipes(tmp_path, text):
    from pleinair.train.stages import load_stages

    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(PleinairError, match=r"r\.toml"):
        load_stages(path)


def test_damaged_overrides():
    from pleinair.train.shipped import find_recipe
    from pleinair.train.stages import load_stages

    for override in ("a=" + "[" * DEEP, "." * 500 + "=1", "=", "a", "optim=3"):
        with pytest.raises(PleinairError):
            load_stages(find_recipe(Path("hand")), [override])


@TEXT
def test_damaged_results(tmp_path, text):
    from pleinair.benchmarks.results.devices import put_into, read_devices
    from pleinair.benchmarks.results.file import read_results

    path = tmp_path / "r.json"
    path.write_bytes(text)
    for read in (read_results, lambda p: read_devices([p]), lambda p: put_into(p, "table")):
        with pytest.raises(PleinairError, match=r"r\.json"):
            read(path)


def test_results_without_a_key(tmp_path):
    from pleinair.benchmarks.results.compare import compare
    from pleinair.benchmarks.results.devices import read_devices
    from pleinair.benchmarks.results.file import SCHEMA, read_results

    names = ("p50_ms", "p90_ms", "p99_ms", "fps", "rss_mb", "psnr_db", "ssim", "delta_e")
    row = dict.fromkeys(names, 1.0) | {"flicker_ratio": None, "artifact_bytes": 1}
    row |= {"backend": "b", "device": "", "precision": "int8", "scenario": "live"}
    row |= {"size": [4, 4], "rounds_p50_ms": [1.0], "rounds_fps": [1.0]}
    software = {"libraries": {}, "pleinair": "0"}
    environment = {"machine": {}, "software": software, "method": {"threads": 1}, "bundle": {}}
    value = {
        "schema": SCHEMA,
        "warnings": [],
        "skipped": [],
        "results": [row],
        "environment": environment | {"when": "2026"},
    }
    path = tmp_path / "r.json"
    path.write_text(json.dumps(value))
    assert compare(read_results(path), read_results(path)).regressions == []
    wrong = [{**value, "results": [{**row, "size": ["a", 2]}]}, {**value, "results": 3}]
    wrong += [{**value, "results": [{k: v for k, v in row.items() if k != key}]} for key in row]
    wrong += [{k: v for k, v in value.items() if k != key} for key in value]
    for one in wrong:
        path.write_text(json.dumps(one))
        with pytest.raises(PleinairError, match=r"r\.json"):
            read_results(path)
        with pytest.raises(PleinairError, match=r"r\.json"):
            read_devices([path])


@pytest.mark.parametrize("at", [30, 300, 900, 1100])
def test_a_damaged_certificate_is_made_anew(monkeypatch, tmp_path, at):
    pytest.importorskip("cryptography")
    import ssl

    from pleinair.deploy.web import certificate

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = certificate.make(["localhost"])
    assert certificate.make(["localhost"]) == made
    data = bytearray(made.path.read_bytes())
    data[at % len(data)] ^= 1
    made.path.write_bytes(data)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate.make(["localhost"]).path)


VERBS = [
    ("translate", "in.jpg", "o.png", "--strength", "1" + "0" * 400),
    ("translate", "in.mp4", "o.mp4", "--start", "9" * 400),
    ("translate", "in.mp4", "o.mp4", "--start", "2", "--end", "1"),
    ("translate", "x" * 5000, "o.png"),
    ("translate", "9" * 5000, "o.png"),
    ("translate", "in.jpg", "o.png", "--model", "x" * 5000),
    ("translate", "in.jpg", "o.png", "--backend", ":" * 50),
    ("live", "--source", "9" * 5000, "--sink", "null"),
    ("live", "--size", "9" * 5000 + "x1"),
    ("live", "--source", "in.mp4", "--sink", "http:" + "9" * 5000),
    ("export", "in.jpg", "--out", "b"),
    ("export", "monet-conv", "--out", "b", "--max-drift", "psnr=" + "9" * 400),
    ("export", "monet-conv", "--out", "b", "--input-range", "1e999,2"),
    ("verify", "in.jpg"),
    ("train", "in.jpg", "--out", "r"),
    ("import", "in.jpg", "--out", "g.pt"),
    ("evaluate", "in.jpg", "--data", "."),
    ("bench", "in.jpg", "--out", "b"),
    ("bench", "compare", "in.jpg", "in.mp4"),
    ("bench", "table", "in.jpg"),
    ("serve", "in.jpg"),
    ("deploy", "jetson", "in.jpg", "--out", "k"),
    ("deploy", "engines", "in.jpg", "in.jpg"),
    ("doctor", "x" * 5000),
    ("train", "x" * 5000, "--out", "r"),
    ("export", "monet-conv", "--out", "b/" + "y/" * 1900),
]


@pytest.mark.parametrize("arguments", VERBS, ids=range(len(VERBS)))
def test_verbs_end_in_one_sentence(cli, tmp_path, monkeypatch, photos, make_video, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jpg").write_bytes((photos / "00.jpg").read_bytes())
    make_video(tmp_path / "in.mp4", (64, 48))
    run = cli(*arguments)
    assert run.code in (1, 2)
    assert "bug in pleinair" not in run.error()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jpg", "in.mp4"]


def test_what_nobody_foresaw_is_a_sentence_too(cli, monkeypatch):
    def surprise(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("pleinair.runtime.doctor.examine", surprise)
    run = cli("doctor")
    assert run.code == 1
    assert "KeyError ('x'); this is a bug in pleinair" in run.error()


class Planted:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_nothing_is_unpickled(tmp_path, bundle, cli):
    """Neither checkpoints, nor states of videos, nor weights, wherever they are read."""
    from pleinair.files import write_record
    from pleinair.networks.checkpoint import load_state
    from pleinair.runtime.sinks.video import VideoSink, WriteOptions
    from pleinair.runtime.sources.source import EmptySource

    mark = tmp_path / "ran"
    planted = np.array([Planted(mark)], object)
    job = tmp_path / ".o.mp4.job"
    job.mkdir()
    np.savez(tmp_path / "s.npz", state=planted)
    write_record(job / "000001.npz", (tmp_path / "s.npz").read_bytes())
    write_record(job / "000000.segment", b"")
    sink = VideoSink(tmp_path / "o.mp4", EmptySource(), writing=WriteOptions(True, True))
    assert sink.done == 0
    sink.discard()
    for data in (pickle.dumps(Planted(mark)), b"\x80\x05." * 9):
        (tmp_path / "p.pt").write_bytes(data)
        with pytest.raises(PleinairError):
            load_state(tmp_path / "p.pt")
    torch.save({"a": Planted(mark)}, tmp_path / "t.pt")
    for verb in ("import", "export"):
        assert cli(verb, tmp_path / "t.pt", "--out", tmp_path / "out").code == 1
    with pytest.raises(PleinairError):
        load_state(tmp_path / "t.pt")
    assert not mark.exists()
