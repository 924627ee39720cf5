"""Where a film's time goes."""

from __future__ import annotations

from pathlib import Path

from pleinair.benchmarks.film import STAGES, EnergyMeter
from pleinair.benchmarks.process import WorkerProcess
from pleinair.benchmarks.results.tables import film_table, films_to_markdown, terminal_tables
from pleinair.benchmarks.settings import allowed_cores


def zone(folder: Path, name: str, used: int) -> Path:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{used}\n")
    (folder / name / "max_energy_range_uj").write_text("262143328850\n")
    return folder / name


def test_stages_and_the_whole(make_video, tmp_path):
    clip = make_video(tmp_path / "in.mp4", frames=12)
    with WorkerProcess(120) as worker:
        asked = {"bundle": "monet-conv", "backend": "onnxruntime", "precision": "int8"}
        found = worker.ask("film", **asked, clip=str(clip), cores=allowed_cores())
    assert found["frames"] == 12
    assert set(found["stages_ms"]) == set(STAGES)
    assert all(value > 0 for value in found["stages_ms"].values())
    assert found["stages_ms"]["paint"] == max(found["stages_ms"].values())
    assert set(found["swscale_ms"]) == {"to_rgb", "from_rgb"}
    assert found["core_ms"] > found["stages_ms"]["paint"] / 2
    assert found["fps"] > 0
    assert found["overhead"] > 0
    assert found["joules"] is None or found["joules"] > 0


def test_the_tables():
    assert films_to_markdown([]) == []
    good = {
        "backend": "openvino",
        "precision": "int8",
        "clip": "demo.mp4",
        "stages_ms": {name: float(place) for place, name in enumerate(STAGES, 1)},
        "swscale_ms": {"to_rgb": 3.0, "from_rgb": 4.0},
        "core_ms": 30.0,
        "fps": 61.0,
        "overhead": 1.04,
        "joules": None,
    }
    bad = {"backend": "opencv", "precision": "int8", "clip": "demo.mp4", "error": "no | memory"}
    head, (first, second) = film_table([good, bad])
    assert len(head) == len(first) == len(second)
    cells = dict(zip(head, first, strict=True))
    assert (cells["decode"], cells["paint"], cells["encode"]) == ("1", "4", "7")
    assert cells["to and from RGB by swscale"] == "7"
    assert cells["J a frame"] == "-"
    lines = films_to_markdown([good, bad])
    assert lines[0] == "**translate, demo.mp4**, core-ms a frame"
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    (table,) = terminal_tables({"results": [], "films": [good, bad]})
    assert [column.header for column in table.columns] == ["", "openvino int8", "opencv int8"]


def test_energy_is_that_of_all_packages(tmp_path):
    first, second = zone(tmp_path, "intel-rapl:0", 1_000), zone(tmp_path, "intel-rapl:1", 0)
    zone(tmp_path, "intel-rapl:0:0", 5)  # cores: a part of the package
    meter = EnergyMeter(tmp_path)
    zone(tmp_path, first.name, 3_001_000)
    zone(tmp_path, second.name, 500_000)
    zone(tmp_path, "intel-rapl:0:0", 9_000_000)
    assert meter.joules() == 3.5


def test_a_counter_that_begins_anew(tmp_path):
    zone(tmp_path, "intel-rapl:0", 262_143_000_000)
    meter = EnergyMeter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 1_671_150)
    assert meter.joules() == 2.0


def test_energy_that_nobody_tells(tmp_path):
    assert EnergyMeter(tmp_path).joules() is None
    zone(tmp_path, "intel-rapl:0", 1)
    meter = EnergyMeter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # only root may read it
    assert meter.joules() is None
