"""Every failure is one sentence and a status; nothing half-written stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pleinair
import pleinair.runtime.translate.options
import pytest
from pleinair.pictures import read_picture, write_picture

FAST = ("--backend", "onnxruntime", "--precision", "int8", "--strength", 0)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def here(tmp_path, monkeypatch, photos):
    """An empty folder to stand in, but for one good picture."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "00.jpg", "good.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("content", "source", "out", "code", "message"),
    [
        (None, "missing.mp4", "o.mp4", 2, "missing.mp4 does not exist"),
        (None, "missing.png", "o.png", 2, "missing.png does not exist"),
        (None, "0", "o.mp4", 2, "0 does not exist; to paint a camera use live"),
        (b"", "empty.mp4", "o.mp4", 1, "empty.mp4 is empty"),
        (b"", "empty.png", "o.png", 1, "empty.png is empty"),
        (b"hello\n", "text.mp4", "o.mp4", 1, "text.mp4 cannot be opened: it is no video"),
        (b"hello\n", "text.png", "o.png", 1, "text.png cannot be decoded as a picture"),
        (b"hello\n", "text.txt", "o.mp4", 1, "text.txt cannot be opened"),
        (b"", "[red]x.png", "o.png", 1, "[red]x.png is empty"),
        (None, "[bold].mp4", "o.mp4", 2, "[bold].mp4 does not exist"),
    ],
)
def test_bad_sources(here, cli, content, source, out, code, message):
    if content is not None:
        (here / source).write_bytes(content)
    before = names(here)
    run = cli("translate", source, out, *FAST)
    assert message in run.error()
    assert run.code == code
    assert run.out == ""
    assert names(here) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["o.png", "--model", "mone"], 2, "did you mean 'monet' or 'monet-fine' or 'monet-conv'?"),
        (["o.png", "--backend", "openvin"], 2, "did you mean 'openvino' or 'opencv'?"),
        (["o.png", "--precision", "int4"], 2, "did you mean 'int8'?"),
        (["o.png", "--strength", "1.5"], 2, "'--strength'"),
        (["o.png", "--strength", "nan"], 2, "trength"),
        (["o.png", "--strength", "much"], 2, "'--strength'"),
        (["o.png", "--colour"], 2, "--colour"),
        ([], 2, "Missing argument 'OUT'; see pleinair translate --help"),
        (["good.jpg"], 2, "output good.jpg is the input"),
        (["./good.jpg", "--overwrite"], 2, "output good.jpg is the input"),
        (["."], 2, "is the input"),
        (["o.mp4"], 2, "good.jpg is read as a picture, so the output must end in"),
        (["o"], 2, "good.jpg is read as a picture, so the output must end in"),
        (["good.jpg/below/o.png"], 1, "cannot be written: Not a directory"),
        (["o.png", "--stats", "nowhere/s.json"], 2, "--stats nowhere/s.json"),
        (["o" * 300 + ".png"], 1, "File name too long"),
        (["o.png", "--model", "x" * 300], 1, "File name too long"),
    ],
)
def test_bad_requests(here, cli, arguments, code, message):
    run = cli("translate", "good.jpg", *arguments)
    assert message in run.error()
    assert run.code == code
    assert names(here) == ["good.jpg"]


def test_videos_and_folders_ask_for_their_like(here, cli, make_video, photos):
    make_video(here / "in.mp4")
    assert (
        "is read as a video, so the output must end in"
        in cli("translate", "in.mp4", "o.png").error()
    )
    assert "is a folder, so the output must be one too" in cli("translate", photos, "o.mp4").error()
    (here / "o.mp4" / "in.mp4").mkdir(parents=True)
    run = cli("translate", "in.mp4", "o.mp4", "--overwrite")
    assert (run.code, "output o.mp4/in.mp4 is a folder" in run.error()) == (2, True)
    assert "must be one too, not good.jpg" in cli("translate", photos, "good.jpg").error()
    assert "cannot be written" in cli("translate", "in.mp4", "good.jpg/o.mp4", *FAST).error()
    assert "cannot be written" in cli("translate", photos, "good.jpg/o", *FAST).error()
    assert names(here) == ["good.jpg", "in.mp4", "o.mp4"]


def test_an_existing_output(here, cli):
    (here / "o [1].png").write_text("old")
    run = cli("translate", "good.jpg", "o [1].png", *FAST)
    assert run.error() == "o [1].png exists; add --overwrite to replace it"
    assert (here / "o [1].png").read_text() == "old"
    run = cli("translate", "good.jpg", "o [1].png", *FAST, "--overwrite")
    assert (run.code, run.err) == (0, "")
    assert "wrote o [1].png" in run.out
    assert (here / "o [1].png").stat().st_size > 100
    assert names(here) == ["good.jpg", "o [1].png"]


def test_a_folder_without_pictures(here, cli):
    (here / "[x]").mkdir()
    error = cli("translate", "[x]", "out").error()
    assert error.startswith("folder [x] holds no pictures or videos (.3gp, .apng, .avi")
    assert not (here / "out").exists()


def test_one_corrupt_picture_among_good_ones(here, cli, photos):
    (here / "in").mkdir()
    shutil.copy(photos / "00.jpg", "in/a.jpg")
    shutil.copy(photos / "01.jpg", "in/c.jpg")
    (here / "in" / "b.jpg").write_bytes((photos / "02.jpg").read_bytes()[:900])
    run = cli("translate", "in", "out", *FAST)
    assert run.code == 1
    assert "b.jpg cannot be decoded" in run.error()
    assert names(here / "out") == ["a.jpg", "c.jpg"]


def test_a_cut_video_is_kept_as_far_as_it_goes(here, cli, make_video):
    data = make_video(here / "x.mp4", (320, 240), 50, gop=5).read_bytes()
    (here / "x.mp4").write_bytes(data[: len(data) // 2])
    run = cli("translate", "x.mp4", "o.mp4", *FAST, "--json")
    frames = json.loads(run.out)["frames"]
    assert run.error() == f"x.mp4 is truncated: {frames} of 50 frames could be decoded"
    assert run.code == 1
    assert names(here) == ["good.jpg", "o.mp4", "x.mp4"]
    data = make_video(here / "x.mp4", (320, 240), 50, faststart=False).read_bytes()
    (here / "x.mp4").write_bytes(data[: len(data) // 2])
    assert "cut off before its index" in cli("translate", "x.mp4", "p.mp4", *FAST).error()
    assert names(here) == ["good.jpg", "o.mp4", "x.mp4"]


def test_stats_and_json_are_the_same_object(here, cli, make_video):
    make_video(here / "in.mp4", audio="aac")
    run = cli("translate", "in.mp4", "o.mp4", *FAST, "--stats", "s.json", "--json")
    assert (run.code, run.err) == (0, "")
    stats = json.loads(run.out)
    assert json.loads((here / "s.json").read_text()) == stats
    assert list(stats) == [
        *("frames", "seconds", "fps", "size", "backend", "precision", "stages", "dropped"),
        *("kept", "finished", "pictures", "videos"),
    ]
    assert set(stats["stages"]) == {"decode_ms", "infer_ms", "encode_ms"}
    assert (stats["frames"], stats["size"], stats["dropped"]) == (12, [64, 48], 0)
    assert (stats["backend"], stats["precision"]) == ("onnxruntime", "int8")


def test_live(here, cli, make_video):
    make_video(here / "in.mp4")
    source = ("live", "--source", "in.mp4", *FAST)
    run = cli(*source, "--sink", "null", "--duration", 2, "--json")
    assert (run.code, run.err) == (0, "")
    assert list(json.loads(run.out)) == [
        *("frames", "seconds", "fps", "dropped", "latency_ms", "size", "backend", "precision")
    ]
    run = cli(*source, "--sink", "o.mp4")
    assert "delay p50" in run.out
    assert names(here) == ["good.jpg", "in.mp4", "o.mp4"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--source", "99", "--sink", "null"], 1, "camera 99 cannot be opened"),
        (["--source", "9" * 30, "--sink", "null"], 2, "there is no camera 9999"),
        (["--source", "x.mp4", "--sink", "null"], 2, "x.mp4 does not exist"),
        (["--source", "http://127.0.0.1:9/", "--sink", "null"], 1, "cannot be opened"),
        (["--source", "abc://x", "--sink", "null"], 1, "cannot be opened: Protocol not found"),
        (["--sink", "o.xyz"], 2, "sink 'o.xyz' is none of"),
        (["--sink", "null", "--size", "640"], 2, "--size '640' is not of the form WxH"),
        (["--sink", "null", "--size", "0x10"], 2, "is not of the form WxH"),
        (["--sink", "null", "--size", "-4x10"], 2, "is not of the form WxH"),
        (["--sink", "null", "--size", "²x³"], 2, "is not of the form WxH"),
        (["--sink", "null", "--size", "1x99999"], 2, "more than 16384"),
        (["--sink", "null", "--duration", "-1"], 2, "'--duration'"),
        (["--sink", "null", "--strength", "7"], 2, "'--strength'"),
    ],
)
def test_bad_requests_of_live(here, cli, arguments, code, message):
    run = cli("live", *arguments)
    assert message in run.error()
    assert run.code == code
    assert names(here) == ["good.jpg"]


def test_live_without_a_display(here, cli, make_video, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    make_video(here / "in.mp4")
    run = cli("live", "--source", "in.mp4", "--backend", "onnxruntime")
    assert "there is no display" in run.error()
    assert run.code == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_half_written(tmp_path, demo_clip, number):
    # It hits itself with the first frame: from here, a slow machine would be hit before or after.
    # A shell may start the tests with SIGINT ignored, which Python would inherit.
    start = f"""
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from pleinair.cli import run
from pleinair.runtime.sinks.video import VideoSink
write = VideoSink.write
def hit(self, frame):
    VideoSink.write = write
    print(*sorted(os.listdir()), flush=True)
    os.kill(os.getpid(), {number:d})
    return write(self, frame)
VideoSink.write = hit
run()
"""
    command = [sys.executable, "-c", start, "translate", demo_clip, tmp_path / "out.mp4"]
    done = subprocess.run(
        [*map(str, command), "--backend", "onnxruntime", "--precision", "fp32"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (130, ".out.mp4.job .out.mp4.lock\n"), done.stderr
    *progress, last = done.stderr.splitlines()  # the former only where it takes seconds
    assert last == "interrupted"
    assert all(line.startswith("painting ") for line in progress)
    assert names(tmp_path) == []  # no segment was complete


def test_a_signal_while_an_extension_module_is_loaded_does_not_abort():
    """onnx makes its enumerations in C++, which an exception ends with SIGABRT."""
    code = (
        "import enum, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from importlib.machinery import ExtensionFileLoader as Loader\n"
        "from pleinair.cli import run\n"
        "from pleinair.cli.app import app\n"
        "make = enum.EnumType.__call__\n"
        "def hit(*arguments, **named):\n"
        "    frame = sys._getframe()\n"
        "    while frame and not isinstance(frame.f_locals.get('self'), Loader):\n"
        "        frame = frame.f_back\n"
        "    if frame:\n"
        "        enum.EnumType.__call__ = make\n"
        "        print('hit', flush=True)\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return make(*arguments, **named)\n"
        "@app.command()\n"
        "def load():\n"
        "    enum.EnumType.__call__ = hit\n"
        "    import onnx\n"
        "    while True: pass\n"
        "sys.argv = ['pleinair', 'load']\n"
        "run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "hit\n", "interrupted\n")


def test_a_thread_inside_a_library_does_not_crash_the_end():
    """Python's own end stops threads where they are; inside ONNX Runtime that is SIGABRT."""
    code = (
        "import sys, threading, numpy as np\n"
        "from pleinair.cli import run\n"
        "from pleinair.cli.app import app\n"
        "from pleinair.runtime.stylizer import load\n"
        "painter = load('monet-conv', 'onnxruntime', 'int8', 'rgb', 1.0)\n"
        "def paint():\n"
        "    while True: painter(np.zeros((64, 64, 3), np.uint8))\n"
        "@app.command()\n"
        "def hang():\n"
        "    threading.Thread(target=paint, daemon=True).start()\n"
        "    print('half', end='')\n"
        "    raise KeyboardInterrupt\n"
        "sys.argv = ['pleinair', 'hang']\n"
        "run()\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (130, "half", "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_swallows_still_counts(cli, here, make_video, monkeypatch, number):
    """Extension modules that are just being imported do that."""
    make_video(here / "in.mp4")
    load = pleinair.runtime.translate.options.load

    class Dropped:
        def __del__(self) -> None:  # from where Python raises nothing
            os.kill(os.getpid(), number)
            time.sleep(5)

    def swallow(*arguments: object, **named: object) -> object:
        Dropped()
        return load(*arguments, **named)

    monkeypatch.setattr("pleinair.runtime.translate.options.load", swallow)
    run = cli("translate", "in.mp4", "o.mp4", *FAST)
    assert (run.code, run.out, run.err) == (130, "", "interrupted\n")
    assert names(here) == ["good.jpg", "in.mp4"]


def test_verify(cli, bundle, photos, tmp_path):
    picture = read_picture(photos / "00.jpg")[0]
    photos = tmp_path / "photo.png"
    write_picture(photos, picture[:64, :96])
    run = cli("verify", bundle, "--pictures", photos, "--json")
    assert run.code == 0
    assert json.loads(run.out)["ok"]
    with (bundle / "int8.onnx").open("ab") as file:
        file.write(b"!")
    run = cli("verify", bundle, "--pictures", photos, "--json")
    assert run.code == 1
    found = json.loads(run.out)
    assert [row["hash"] == "ok" for row in found["artifacts"]].count(False) == 1
    run = cli("verify", bundle, "--pictures", photos)
    assert run.code == 1
    what, problem = run.said()
    assert what.endswith("paintings: each picture with each artifact in each backend")
    assert "artifact int8.onnx does not have the sha256" in problem
    assert "bad" in run.out


def test_bad_bundles(cli, bundle, here, edit):
    edit(bundle, lambda m: m.update(title=3))
    run = cli("translate", "good.jpg", "o.png", "--model", bundle)
    assert run.error().startswith(f"{bundle}: manifest.json: field title:")
    assert run.code == 1
    with zipfile.ZipFile("b.zip", "w") as archive:
        archive.writestr("../evil", "x")
    assert "stay inside the bundle" in cli("verify", "b.zip").error()
    (here / "b.zip").write_bytes((here / "b.zip").read_bytes()[:-30])
    assert "b.zip is not a bundle" in cli("verify", "b.zip").error()
    assert "did you mean 'monet'" in cli("verify", "monte").error()


def test_models_and_doctor(cli):
    assert "monet-conv" in cli("models").out
    assert cli("doctor").code == 0
    found = json.loads(cli("models", "--json").out)
    assert "monet-conv" in [model["name"] for model in found["models"]]
    found = json.loads(cli("doctor", "--json").out)
    assert set(found) == {"machine", "backends", "parts", "system", "targets", "choices"}
    assert {row["name"] for row in found["system"]} >= {"display", "npm"}


def test_doctor_shows_whole_install_lines(cli, monkeypatch):
    import importlib.util

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    out = cli("doctor").out
    for extra in ("openvino", "train", "export"):
        assert f'pip install "pleinair[{extra}]"' in out


def test_a_missing_extra_says_how_to_get_it(here, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in [
        m
        for m in sys.modules
        if m.startswith(("pleinair.api", "pleinair.export", "pleinair.train"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(pleinair, "api", raising=False)  # what is imported anew goes with the test
    (here / "r.toml").write_text("")
    run = cli("train", "r.toml", "--out", "run")
    assert 'pip install "pleinair[train]"' in run.error()


def test_help_and_wrong_verbs(cli):
    assert cli("--help").code == 0
    assert cli("translate", "--help").code == 0
    nothing = cli()
    assert nothing.code == 2
    assert "translate" in nothing.out + nothing.err
    wrong = cli("translat")
    assert wrong.code == 2
    said = "'translat' is not a verb of pleinair; did you mean 'translate' or 'train'?"
    assert wrong.error().endswith(said)


def test_version(cli):
    run = cli("--version")
    assert (run.code, run.out, run.err) == (0, f"{pleinair.__version__}\n", "")


def test_debug_shows_the_traceback(cli, monkeypatch, capfd):
    from pleinair.cli import main
    from pleinair.errors import UsageError

    monkeypatch.setattr(sys, "argv", ["pleinair", "translate", "no.mp4", "o.mp4", "--debug"])
    with pytest.raises(UsageError, match=r"no\.mp4 does not exist"):
        main()


def test_an_interrupted_verb_says_what_is_kept(cli, tmp_path, make_video, monkeypatch):
    film = make_video(tmp_path / "film.mp4", frames=100)
    way = ("--model", "monet-conv", "--backend", "onnxruntime", "--precision", "int8")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pleinair.runtime.sinks.video.VideoSink._join", interrupted)
        run = cli("translate", film, tmp_path / "out.mp4", *way)
    kept = "what is painted is kept: the same command goes on from there"
    assert (run.code, run.out) == (130, "")
    assert run.said() == [f"interrupted; {kept}"]
    assert cli("translate", film, tmp_path / "out.mp4", *way).code == 0
