"""Blind comparisons: what viewers see gives nothing away, and what they answer is counted right."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pleinair
import pytest
from pleinair.evaluation.viewing_size import at_viewing_size
from pleinair.pictures import list_pictures, read_picture, write_picture
from pleinair.tools.blind import main
from pleinair.tools.blind_answers import interval

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sides(tmp_path, photos) -> tuple[Path, Path]:
    """Two folders of the same eight pictures: A as they are, B negative."""
    a, b = tmp_path / "a", tmp_path / "b"
    for path in list_pictures(photos)[:8]:
        picture = read_picture(path)[0]
        write_picture(a / f"{path.stem}.png", picture)
        write_picture(b / f"{path.stem}.png", 255 - picture)
    return a, b


@pytest.fixture
def blind(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the script in this process; returns its status and what it prints."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def key_of(out: Path) -> dict:
    return json.loads((out / "key" / "key.json").read_text())


def write_answers(out: Path, path: Path, choose: Callable[[str, str], str], **changes) -> Path:
    """Answers all pairs; ``choose`` is given a pair's number and A's side."""
    key = key_of(out)
    lines = [f"# set {key['code']}", "pair,q1,q2,clear1,clear2,disturbed"]
    for number, pair in key["pairs"].items():
        side = choose(number, pair["a"])
        lines.append(changes.get(f"pair_{number}", f"{number},{side},{side},yes,no,dull {number}"))
    path.write_text("\n".join(lines) + "\n")
    return path


def other(side: str) -> str:
    return {"left": "right", "right": "left"}[side]


def test_folders_are_shown_as_they_are(blind, sides, tmp_path):
    out = tmp_path / "deep" / "out"
    code, printed, errors = blind("make", out, *sides, "--both")
    assert (code, errors) == (0, "")
    assert str(out / "pairs") in printed
    key = key_of(out)
    assert (key["a"], key["b"], len(key["pairs"])) == (str(sides[0]), str(sides[1]), 8)
    for number, pair in key["pairs"].items():
        shown = {s: out / "pairs" / f"pair_{number}_{s}.png" for s in ("left", "right", "both")}
        original = read_picture(sides[0] / f"{pair['name']}.png")[0]
        assert (read_picture(shown[pair["a"]])[0] == original).all()
        assert (read_picture(shown[other(pair["a"])])[0] == 255 - original).all()
        both = read_picture(shown["both"])[0]
        left, gap, right = np.split(both, [original.shape[1], -original.shape[1]], 1)
        assert (left == read_picture(shown["left"])[0]).all()
        assert (right == read_picture(shown["right"])[0]).all()
        assert (gap == 128).all()
        for path in shown.values():
            assert pair["sha256"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [pair["a"] for pair in key["pairs"].values()].count("left") == 4
    assert sorted(p.name for p in out.parent.iterdir()) == ["out"]


def test_viewers_are_told_nothing_but_the_questions(blind, sides, tmp_path):
    blind("make", tmp_path / "out", *sides, "--jpeg", "--pairs", 3)
    shown = tmp_path / "out" / "pairs"
    assert {p.name for p in shown.iterdir()} == {
        "questions.md",
        *(f"pair_00{n}_{side}.jpg" for n in (1, 2, 3) for side in ("left", "right")),
    }
    text = (shown / "questions.md").read_text()
    assert str(tmp_path) not in text
    assert "pair,q1,q2,clear1,clear2,disturbed" in text
    assert f"# set {key_of(tmp_path / 'out')['code']}" in text
    assert "1. which looks more like an impressionist oil painting" in text
    assert "2. which would you show as a live Monet filter?" in text


def test_sides_follow_from_the_seed(blind, sides, tmp_path):
    def sides_of(name: str, *options: object) -> list[str]:
        blind("make", tmp_path / name, *sides, *options)
        return [pair["a"] for pair in key_of(tmp_path / name)["pairs"].values()]

    assert sides_of("1", "--seed", 5) == sides_of("2", "--seed", 5)
    assert len({tuple(sides_of(f"s{seed}", "--seed", seed)) for seed in range(6)}) > 1


def test_a_model_paints_at_viewing_size(blind, tmp_path, photos):
    rng = np.random.default_rng(0)
    photograph = cv2.resize(read_picture(list_pictures(photos)[0])[0], (333, 250))
    write_picture(tmp_path / "wide.png", photograph)
    before = at_viewing_size(photograph, 96)
    assert before.shape == (96, 128, 3)
    noise = rng.integers(0, 255, before.shape).astype(np.uint8)
    write_picture(tmp_path / "noise" / "wide.png", noise)
    code, _, errors = blind(
        "make", tmp_path / "out", "monet-conv", tmp_path / "noise", "--rows", 96,
        "--pictures", tmp_path / "wide.png", photos,
    )  # fmt: skip
    assert (code, errors) == (0, "")
    (pair,) = key_of(tmp_path / "out")["pairs"].values()
    shown = tmp_path / "out" / "pairs"
    painted = read_picture(shown / f"pair_001_{pair['a']}.png")[0]
    expected = pleinair.load("monet-conv", color="rgb")(before)
    assert cv2.absdiff(painted, expected).mean() < 1  # backends differ by a grey level
    assert cv2.absdiff(painted, before).mean() > 3
    assert (read_picture(shown / f"pair_001_{other(pair['a'])}.png")[0] == noise).all()


@pytest.mark.parametrize(
    ("chosen", "of", "low", "high"),
    [(0, 10, 0, 0.3085), (5, 10, 0.1871, 0.8129), (14, 15, 0.6805, 0.9983)],
)
def test_the_interval_is_clopper_and_pearsons(chosen, of, low, high):
    """As in tables, e.g. of R's binom.test."""
    assert interval(chosen, of) == pytest.approx((low, high), abs=1e-4)


def test_answers_are_counted(blind, sides, tmp_path):
    out = tmp_path / "out"
    blind("make", out, *sides)
    first = write_answers(out, tmp_path / "1.csv", lambda number, a: a)  # always A
    # Without the quotes that a comma needs, and with other spellings of a number.
    key = key_of(out)["pairs"]["002"]
    b = other(key["a"])
    said = f"pair_2, {b.upper()} ,{key['a']},no,Yes,grey, like lead"
    second = write_answers(out, tmp_path / "2.csv", lambda _, a: other(a), pair_002=said)
    code, printed, errors = blind("score", out, first, second, "--json")
    assert (code, errors) == (0, "")
    result = json.loads(printed)
    one, two = result["questions"]
    assert (one["a"], one["of"], one["percent"]) == (8, 16, 50)
    assert (two["a"], two["of"]) == (9, 16)
    assert one["interval"] == [24.7, 75.3]
    assert (one["clear_a"], one["clear_of"]) == (8, 15)
    assert (two["clear_a"], two["clear_of"]) == (1, 1)
    assert result["viewers"] == {"1.csv": [8, 8], "2.csv": [0, 1]}
    assert [remark["text"] for remark in result["disturbed"]["b"]] == [
        f"dull 00{n}" for n in range(1, 9)
    ]
    assert result["disturbed"]["a"][1] == {
        "viewer": "2.csv",
        "pair": "002",
        "name": key["name"],
        "text": "grey, like lead",
    }
    code, printed, _ = blind("score", out, first, second)
    assert code == 0
    assert "A in 8 of 16 (50 %, 95 % interval 25 to 75 %), in 8 of the 15 clear ones" in printed
    disturbed = printed.index("what disturbed in A")
    assert disturbed < printed.index("grey, like lead") < printed.index("what disturbed in B")


def test_other_questions(blind, sides, tmp_path):
    out = tmp_path / "out"
    blind("make", out, *sides, "--pairs", 1, "--question", "which is brighter?")
    key = key_of(out)
    answers = tmp_path / "answers.csv"
    side = key["pairs"]["001"]["a"]
    answers.write_text(f"# set {key['code']}\n\npair,q1,clear1,disturbed\n1,{side},yes,\n")
    code, printed, _ = blind("score", out, answers, "--json")
    assert code == 0
    (question,) = json.loads(printed)["questions"]
    assert (question["question"], question["a"], question["of"]) == ("which is brighter?", 1, 1)
    assert json.loads(printed)["disturbed"] == {"a": [], "b": []}


def test_answers_that_cannot_be_counted(blind, sides, tmp_path):
    out = tmp_path / "out"
    blind("make", out, *sides)
    blind("make", tmp_path / "second", *sides, "--seed", 1)
    good = write_answers(out, tmp_path / "good.csv", lambda _, a: a).read_text()
    lines = good.splitlines()
    strange = tmp_path / "strange.csv"
    for text, message in [
        ("\n".join(lines[:-1]), "answers pair 008 0 times"),
        ("\n".join([*lines, lines[-1]]), "answers pair 008 2 times"),
        (good.replace("001,left", "001,both").replace("001,right", "001,both"), "says 'both'"),
        (good.replace(",yes,", ",maybe,"), "says 'maybe'; say yes or no"),
        (good.replace("\n003,", "\n033,"), "answers pair '033', which there is not"),
        (good.replace("q2,", ""), "has columns pair,q1,clear1,clear2,disturbed, but must have"),
        ("\n".join(lines[1:]), "does not say which pairs it answers"),
        (good.replace(lines[2], "001,left"), "pair 001, has 2 values; it needs 6"),
    ]:
        strange.write_text(text)
        code, printed, errors = blind("score", out, strange)
        assert message in errors
        assert errors.startswith(f"error: {strange}")
        assert (code, printed, errors.count("\n")) == (2, "", 1)
    for folder, answers, message in [
        (tmp_path / "second", tmp_path / "good.csv", "but this key is of"),
        (tmp_path, tmp_path / "good.csv", "key.json cannot be read; name the folder"),
        (out, tmp_path / "no.csv", "no.csv cannot be read"),
        (out, out / "pairs" / "pair_001_left.png", "cannot be read as text"),
    ]:
        code, printed, errors = blind("score", folder, answers)
        assert message in errors
        assert (code, printed, errors.count("\n")) == (2, "", 1)
    (out / "key" / "key.json").write_text("{}")
    assert "key.json is damaged" in blind("score", out, tmp_path / "good.csv")[2]


def test_requests_that_are_wrong_leave_nothing_behind(blind, sides, tmp_path, photos):
    a, b = sides
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out"
    empty, small, double = tmp_path / "empty", tmp_path / "small", tmp_path / "double"
    empty.mkdir()
    shutil.copytree(b, small)
    write_picture(small / "07.png", np.zeros((8, 16, 3), np.uint8))  # the last of the pairs
    shutil.copytree(b, double)
    write_picture(double / "00.jpg", np.zeros((8, 16, 3), np.uint8))
    before = sorted(tmp_path.iterdir())
    for arguments, message in [
        ((a, empty), "have no picture of one name"),
        ((a, small), "07 is "),
        ((a, double), "00.png have one name"),
        ((a, "monet-conv"), "give a model --pictures to paint"),
        ((a, "mone", "--pictures", photos), "did you mean 'monet'"),
        ((a, b, "--pictures", tmp_path / "no"), "is neither a picture nor a folder"),
        ((a, b, "--pairs", 0), "--pairs is 0, but must be at least 1"),
        ((a, tmp_path / "no", "--clips"), "no does not exist"),
        ((empty, b, "--clips"), "holds neither frames nor clips"),
    ]:
        code, printed, errors = blind("make", out, *arguments)
        assert message in errors
        assert (code, printed, errors.count("\n")) == (2, "", 1)
        assert sorted(tmp_path.iterdir()) == before
    (a / "03.png").write_bytes(b"no picture")
    code, _, errors = blind("make", out, a, b)
    assert (code, "03.png cannot be decoded" in errors) == (1, True)
    assert sorted(tmp_path.iterdir()) == before
    assert "exists; name a new folder" in blind("make", empty, a, b)[2]


def write_frames(folder: Path, count: int, shade: int) -> Path:
    """Frames of 480x270 whose red is the frame's number, and green and blue a place's."""
    rows, columns = np.mgrid[:270, :480]
    for number in range(count):
        frame = np.dstack([np.full_like(rows, number + shade), rows % 256, columns % 256])
        write_picture(folder / f"{number:03}.png", frame.astype(np.uint8))
    return folder


def blind_clip(blind, tmp_path: Path, a: Path, b: Path, seed: int) -> np.ndarray:
    """The sheet of A's frames that a seed makes."""
    out = tmp_path / f"seed {seed}"
    blind("make", out, a, b, "--clips", "--seed", seed)
    side = next(iter(key_of(out)["pairs"].values()))["a"]
    return read_picture(out / "pairs" / f"pair_001_{side}.png")[0]


def test_sheets_of_consecutive_frames(blind, tmp_path):
    a = write_frames(tmp_path / "a", 14, 0)
    b = write_frames(tmp_path / "b", 12, 100)
    out = tmp_path / "out"
    code, _, errors = blind("make", out, a, b, "--clips", "--seed", 3)
    assert (code, errors) == (0, "")
    (pair,) = key_of(out)["pairs"].values()

    def crops(side: str) -> np.ndarray:
        sheet = read_picture(out / "pairs" / f"pair_001_{side}.png")[0]
        assert sheet.shape == (3 * 240 + 2 * 4, 3 * 426 + 2 * 4, 3)
        tops, lefts = range(0, 728, 244), range(0, 1286, 430)
        return np.array([sheet[y : y + 240, x : x + 426] for y in tops for x in lefts])

    of_a, of_b = crops(pair["a"]), crops(other(pair["a"]))
    start = of_a[0, 0, 0, 0]
    assert start <= 12 - 9
    assert (of_a[..., 0] == np.arange(start, start + 9)[:, None, None]).all()
    assert (of_b[..., 0] == of_a[..., 0] + 100).all()  # the same frames
    assert (of_b[..., 1:] == of_a[..., 1:]).all()  # at the same place
    assert (of_a[..., 1:] == of_a[:1, ..., 1:]).all()
    for number in (1, 2):
        frame = read_picture(out / "pairs" / f"pair_001_{pair['a']}_frame_{number}.png")[0]
        assert frame.shape == (270, 480, 3)
        assert (frame[..., 0] == start + number - 1).all()
    shown = [blind_clip(blind, tmp_path, a, b, seed) for seed in range(6)]
    starts, places = ({picture[0, 0, part].tobytes() for picture in shown} for part in (0, [1, 2]))
    assert min(len(starts), len(places)) > 1
    assert "keep still where nothing moves" in (out / "pairs" / "questions.md").read_text()


def test_folders_of_videos(blind, tmp_path, make_video):
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        for name in ("walk", "pan", side):
            make_video(tmp_path / side / f"{name}.mp4", frames=6)
    out = tmp_path / "out"
    sides = (tmp_path / "a", tmp_path / "b")
    code, _, errors = blind("make", out, *sides, "--clips", "--frames", 4)
    assert (code, errors) == (0, "")
    assert [pair["name"] for pair in key_of(out)["pairs"].values()] == ["pan", "walk"]
    sheet = read_picture(out / "pairs" / "pair_002_left.png")[0]
    assert sheet.shape == (2 * 48 + 4, 3 * 64 + 2 * 4, 3)
    code, _, errors = blind("make", tmp_path / "long", *sides, "--clips", "--frames", 7)
    assert (code, "has fewer than 7 frames" in errors) == (2, True)
    code, _, _ = blind("make", tmp_path / "two", *(s / f"{s.name}.mp4" for s in sides), "--clips")
    assert code == 2  # nine frames are asked for, where six are
    videos = [s / f"{s.name}.mp4" for s in sides]
    assert blind("make", tmp_path / "two", *videos, "--clips", "--frames", 2)[0] == 0


def test_as_a_script(sides, tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "blind.py"), "make", str(tmp_path / "out")]
    done = subprocess.run([*command, *map(str, sides)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    again = subprocess.run(
        [*command, *map(str, sides)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert again.stderr == f"error: {tmp_path / 'out'} exists; name a new folder\n"
