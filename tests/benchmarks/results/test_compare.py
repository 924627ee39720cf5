from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from pleinair.benchmarks.results.compare import compare
from pleinair.benchmarks.results.devices import BEGIN, END, merge, read_devices, submit, to_markdown
from pleinair.benchmarks.results.file import read_results
from pleinair.benchmarks.results.summary import summarize_run
from pleinair.errors import PleinairError, UsageError

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "benchmarks.json"


@pytest.fixture
def steady(results):
    """Results of a machine whose rounds differ by half a percent."""
    for row in results["results"]:
        row["rounds_p50_ms"] = [10 + 0.05 * (i % 3 - 1) for i in range(10)]
        row["rounds_fps"] = [100 + 0.5 * (i % 3 - 1) for i in range(10)]
    return results


def slowed(results, by: float, which=lambda row: True):
    found = copy.deepcopy(results)
    for row in filter(which, found["results"]):
        row["rounds_p50_ms"] = [value * by for value in row["rounds_p50_ms"]]
        row["rounds_fps"] = [value / by for value in row["rounds_fps"]]
    return found


def test_a_run_of_peers_alone_has_its_sentence(results):
    for row in results["results"]:
        row["backend"] = "torch"
    said = summarize_run(results)
    assert "Monet, convolutional paints 64x48 frames in " in said
    assert " with torch " in said
    for row in results["results"]:
        row["p50_ms"] = None
    assert "nothing of Monet, convolutional could be measured" in summarize_run(results)


def test_nothing_changed(steady):
    found = compare(steady, steady)
    assert {change.verdict for change in found.changes} == {"same"}
    assert found.regressions == []


def test_a_slower_case_is_named(steady):
    is_int8 = lambda row: row["precision"] == "int8"  # noqa: E731
    found = compare(steady, slowed(steady, 1.05, is_int8), threshold=0.03)
    assert len(found.regressions) == 3
    assert all("int8" in sentence for sentence in found.regressions)
    assert "1.05 times as long" in found.regressions[0]
    assert compare(slowed(steady, 1.2), steady).changes[0].verdict == "faster"


def test_noise_is_no_regression(steady):
    later = slowed(steady, 1.05)
    for row in later["results"]:  # as much slower, but it could as well be chance
        row["rounds_p50_ms"] = [
            v * (0.7 if i % 2 else 1.3) for i, v in enumerate(row["rounds_p50_ms"])
        ]
        row["rounds_fps"] = [v * (0.7 if i % 2 else 1.3) for i, v in enumerate(row["rounds_fps"])]
    assert compare(steady, later, threshold=0.03).regressions == []


def test_another_machine_is_compared_by_ratios(steady):
    slower = slowed(steady, 3.0)
    assert compare(steady, slower).regressions
    assert compare(steady, slower, relative=True).regressions == []
    one = slowed(slower, 1.5, lambda row: row["precision"] == "int8")
    assert compare(steady, one, relative=True).regressions


def test_a_worse_picture_and_a_failure_are_regressions(steady):
    later = copy.deepcopy(steady)
    later["results"][0]["psnr_db"] -= 3
    later["results"][1]["rounds_p50_ms"] = None
    later["results"][1]["rounds_fps"] = None
    found = compare(steady, later)
    assert [c.verdict for c in found.changes[:2]] == ["worse picture", "fails now"]
    assert len(found.regressions) == 2
    json.dumps(found.value(), allow_nan=False)


def test_what_differs_around_is_said(steady):
    later = copy.deepcopy(steady)
    later["environment"]["software"]["libraries"]["onnxruntime"] = "0.0"
    later["environment"]["machine"]["cpu"] = "another"
    notes = compare(steady, later).notes
    assert any("another after" in note for note in notes)
    assert any("onnxruntime 0.0 after" in note for note in notes)


def test_not_comparable(steady, tmp_path):
    later = copy.deepcopy(steady)
    for row in later["results"]:
        row["size"] = [1, 2]
    with pytest.raises(UsageError, match="not comparable"):
        compare(steady, later)
    with pytest.raises(UsageError, match="cannot be read"):
        read_results(tmp_path / "none.json")
    for text in ("[]", "{}", "no"):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(PleinairError, match=r"r\.json is no"):
            read_results(tmp_path / "r.json")


def test_the_command_ends_with_1_on_a_regression(cli, steady, tmp_path):
    for name, value in (("a", steady), ("b", slowed(steady, 1.5))):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    assert cli("bench", "compare", tmp_path / "a.json", tmp_path / "a.json").code == 0
    (tmp_path / "run").mkdir()
    shutil.copy(tmp_path / "a.json", tmp_path / "run" / "results.json")
    assert cli("bench", "compare", tmp_path / "run", tmp_path / "a.json").code == 0
    run = cli("bench", "compare", tmp_path / "a.json", tmp_path / "b.json", "--json")
    assert run.code == 1
    assert len(json.loads(run.out)["regressions"]) == 6
    assert cli("bench", "compare", tmp_path / "b.json", tmp_path / "a.json").code == 0


def test_devices_in_one_table_keep_their_owners_to_themselves(measured, cli):
    merged = merge([measured[1], measured[1]])
    assert len(merged) == 2
    text = json.dumps(merged)
    assert "command" not in text
    assert "rounds_p50_ms" not in text
    assert to_markdown(merged).count("| onnxruntime | int8 |") == 2
    assert to_markdown(merged).startswith("| device |")


def test_a_table_grows_by_one_device_after_another(measured, cli, tmp_path):
    one = measured[0] / "results.json"
    first = cli("bench", "table", one, "--json")
    assert first.code == 0
    (tmp_path / "devices.json").write_text(first.out)
    second = cli("bench", "table", tmp_path / "devices.json", one, "--json")
    assert len(json.loads(second.out)["devices"]) == 2
    (tmp_path / "devices.json").write_text('{"devices": [{}]}')
    refused = cli("bench", "table", tmp_path / "devices.json")
    assert "is not a table of devices" in refused.error()
    assert refused.code == 1


def test_what_is_sent_is_what_a_table_reads(measured, results, tmp_path):
    path = tmp_path / "mine.json"
    submit(results, path)
    assert read_devices([path]) == read_devices([measured[0] / "results.json"])
    for word in ("command", str(tmp_path), "affinity", "container"):
        assert word not in path.read_text()
    results["results"] = []
    with pytest.raises(PleinairError, match=r"field devices\.0\.results"):
        submit(results, tmp_path / "none.json")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def test_a_table_goes_between_its_marks(measured, cli, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        run = cli("bench", "table", measured[0] / "results.json", "--into", page)
        assert run.code == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith(f"{END}\nafter\n")
    assert text.count("| onnxruntime | int8 |") == 1
    assert "old" not in text
    page.write_text("no marks")
    run = cli("bench", "table", measured[0] / "results.json", "--into", page)
    assert "to put the table between" in run.error()
    assert run.code == 2
    assert page.read_text() == "no marks"


def test_the_table_of_the_readme_is_made_of_the_results_in_the_repository():
    table = (ROOT / "README.md").read_text().partition(BEGIN)[2].partition(END)[0].strip()
    if not RESULTS.exists():
        assert table == ""  # no figures without what they were made of
    else:
        assert table == to_markdown(read_devices([RESULTS])).strip()
