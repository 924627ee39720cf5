"""A corpus on a local cluster of two workers, one of which is killed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pleinair.errors import BackendError, UsageError
from pleinair.runtime.translate.options import Look, PaintOptions
from pleinair.runtime.translate.ray_engine import translate_corpus
from pleinair.runtime.translate.translate import translate

HOW: dict[str, Any] = {"backend": "onnxruntime:cpu", "precision": "int8"}
OPTIONS = PaintOptions(**HOW)


@pytest.fixture(scope="module")
def cluster():
    """A head that paints nothing, and two workers of one processor each."""
    ray = pytest.importorskip("ray", reason='ray is not installed: pip install "pleinair[ray]"')
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        ray.init(address=made.address, log_to_driver=False)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def corpus(tmp_path: Path, photos: Path, make_video: Any) -> Path:
    """Pictures and videos, one of each damaged; the others are the same film."""
    folder = tmp_path / "corpus"
    (folder / "films").mkdir(parents=True)
    for name in ("00.jpg", "01.jpg"):
        (folder / name).write_bytes((photos / name).read_bytes())
    (folder / "bad.png").write_text("no picture")
    for name in ("a", "b", "c"):  # two are painted at once, and one is killed
        make_video(folder / "films" / f"{name}.mp4", (320, 240), 250, audio="aac")
    whole = make_video(tmp_path / "whole.mp4", (320, 240), 50, gop=5).read_bytes()
    (folder / "films" / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


def kill_a_worker_in(folder: Path, over: threading.Event) -> None:
    """Waits for a video that is half done, and kills the process that paints it."""
    import psutil

    while not over.wait(0.02):
        half_done = {str(path) for path in folder.glob("films/.*.job/joined.*")}
        for process in psutil.process_iter(["name"]) if half_done else ():
            with contextlib.suppress(psutil.Error):  # it has just ended
                if process.info["name"].startswith("ray::") and half_done & {
                    file.path for file in process.open_files()
                }:
                    os.kill(process.pid, signal.SIGKILL)
                    return


@pytest.mark.slow
def test_one_output_for_each_input_though_a_worker_dies(
    cluster: Any, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    over = threading.Event()
    killer = threading.Thread(target=kill_a_worker_in, args=(out, over), daemon=True)
    killer.start()
    seen: list[tuple[int, int | None]] = []
    result = translate_corpus(
        corpus, out, options=OPTIONS, progress=lambda *done: seen.append(done)
    )
    over.set()
    killer.join(timeout=60)
    rows = {Path(row["source"]).name: row for row in result.rows}
    names = {"00.jpg", "01.jpg", "bad.png", "a.mp4", "b.mp4", "c.mp4", "cut.mp4"}
    assert len(result.rows) == len(rows) == 7
    assert rows.keys() == names
    assert seen[-1] == (7, 7)
    assert max(row["attempts"] for row in result.rows) == 2
    assert "cannot be decoded" in rows["bad.png"]["error"]
    assert "truncated" in rows["cut.mp4"]["problems"][0]
    assert all(row["worker"] and row["seconds"] >= 0 for row in result.rows)
    assert len(result.stats()["workers"]) >= 2
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert made == ["00.jpg", "01.jpg", *(f"films/{n}.mp4" for n in ("a", "b", "c", "cut"))]
    for name, *same in (["00.jpg"], ["films/a.mp4", "films/b.mp4", "films/c.mp4"]):
        alone = tmp_path / f"alone{Path(name).suffix}"
        translate(corpus / name, alone, **HOW)
        for painted in (name, *same):
            assert alone.read_bytes() == (out / painted).read_bytes()


def test_addresses_and_the_report(cluster: Any, photos: Path, tmp_path: Path, cli: Any) -> None:
    (tmp_path / "list.txt").write_text(f"file://{photos}/00.jpg\nfile://{photos}/02.jpg\n")
    arguments = ("translate", tmp_path / "list.txt", f"file://{tmp_path}/out", "--engine", "ray")
    done = cli(*arguments, "--backend", "onnxruntime", "--stats", tmp_path / "s.json", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report == json.loads((tmp_path / "s.json").read_text())
    assert (report["inputs"], report["outputs"], report["frames"]) == (2, 2, 2)
    assert {Path(item["target"]).name for item in report["items"]} == {"00.jpg", "02.jpg"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00.jpg", "02.jpg"]
    again = cli(*arguments)
    assert (again.code, "(and 1 more) exists" in again.error()) == (2, True)
    rows = json.loads(cli(*arguments, "--dry-run", "--json").out)["items"]
    assert [row["exists"] for row in rows] == [True, True]


def test_an_interrupted_corpus_goes_on_with_what_is_left(
    cluster: Any, photos: Path, tmp_path: Path
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    corpus.mkdir()
    for index in range(4):
        name = f"0{index}.jpg"
        (corpus / name).write_bytes((photos / name).read_bytes())

    def interrupt(done: int, total: int | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_corpus(corpus, out, options=OPTIONS, progress=interrupt)
    other = replace(OPTIONS, look=Look(strength=0.5))
    with pytest.raises(UsageError, match="exists; add --overwrite"):
        translate_corpus(corpus, out, options=other)  # another request
    first = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    result = translate_corpus(corpus, out, options=OPTIONS)
    assert [Path(row["target"]).name for row in result.rows] == [f"0{i}.jpg" for i in range(4)]
    assert result.problems == []
    again = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sum(again.get(name) == at for name, at in first.items()) >= 2  # a part is no picture
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "out"]
    with pytest.raises(UsageError, match="exists; add --overwrite"):
        translate_corpus(corpus, out, options=OPTIONS)


def test_an_engine_that_is_none(cli: Any, photos: Path, tmp_path: Path) -> None:
    done = cli("translate", photos, tmp_path / "out", "--engine", "rai")
    assert (done.code, "did you mean 'ray'?" in done.error()) == (2, True)


def test_without_ray_it_says_how_to_get_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BackendError, match=r"pip install \"pleinair\[ray\]\""):
        translate_corpus(photos, tmp_path / "out")


def test_a_piece_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    from pleinair.runtime.translate.corpus import Piece
    from pleinair.runtime.translate.ray_worker import ATTEMPTS, Ledger, attempt

    ledger = Ledger()
    attempts = [ledger.begin(0)[0] for _ in range(ATTEMPTS + 1)]
    piece = Piece("a.jpg", str(tmp_path / "a.jpg"), False)
    report = attempt(piece, "monet-conv", PaintOptions(), attempts[-1])
    assert "was given up: 3 workers died" in report["error"]
    ledger.end(0, report)
    assert ledger.begin(0) == (ATTEMPTS + 1, report)


def test_nothing_is_begun_with_a_model_that_is_none(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason='ray is not installed: pip install "pleinair[ray]"')
    with pytest.raises(UsageError, match="unknown model"):
        translate_corpus(photos, tmp_path / "out", "monett")
    assert not (tmp_path / "out").exists()
