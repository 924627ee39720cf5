"""Edit lists are read, and what they show is what is painted."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.runtime.sources.edits import Edit, edits_of
from pleinair.runtime.translate.translate import preview, translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
FRAME = 512  # of the track's own units, which are 12288 a second


def edited(data: bytes, entries: Sequence[tuple[int, int, int]], version: int = 0) -> bytes:
    """Gives the first track of an MP4 another edit list; what describes it is at its end."""
    form = ">Iihh" if version == 0 else ">Qqhh"
    packed = b"".join(struct.pack(form, *entry, 0) for entry in entries)
    elst = struct.pack(">BxxxI", version, len(entries)) + packed

    def walk(boxes: bytes, is_first: bool) -> bytes:
        out = b""
        while boxes:
            length, kind = struct.unpack_from(">I4s", boxes)
            content, boxes = boxes[8:length], boxes[length:]
            if kind in (b"moov", b"trak", b"edts"):
                content = walk(content, is_first)
                is_first = is_first and kind != b"trak"
            elif kind == b"elst" and is_first:
                content = elst
            out += struct.pack(">I4s", 8 + len(content), kind) + content
        return out

    at = data.index(b"moov") - 4
    return data[:at] + walk(data[at:], True)


@pytest.fixture(scope="module")
def film(make_film, tmp_path_factory) -> Path:
    return make_film(tmp_path_factory.mktemp("edits") / "in.mp4", sound="aac", options={"bf": "0"})


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("entries", "numbers", "starts"),
    [
        ([(500, 12 * FRAME, 1)], range(12, 24), 0),
        ([(500, 0, 1)], range(12), 0),
        ([(500, -1, 1), (1000, 0, 1)], range(24), 0.5),
        ([(250, 0, 1), (250, 18 * FRAME, 1)], [*range(6), *range(18, 24)], 0),
    ],
    ids=["its-end", "its-beginning", "late", "two-parts"],
)
def test_what_an_edit_list_shows_is_painted(tmp_path, film, see, entries, numbers, starts, version):
    source = tmp_path / "in.mp4"
    source.write_bytes(edited(film.read_bytes(), entries, version))
    assert [(edit.start, edit.seconds) for edit in edits_of(source, 1)] == [
        (None if start < 0 else Fraction(start, 12288), Fraction(length, 1000))
        for length, start, _ in entries
    ]
    result = translate(source, tmp_path / "out.mp4", **WAY)
    assert (result.problems, result.notes) == ([], [])
    after = see(tmp_path / "out.mp4")
    assert after.numbers == list(numbers)
    assert after.times[0] == pytest.approx(starts, abs=0.002)
    assert after.click == pytest.approx(see(source).click, abs=0.004)
    assert preview(source, tmp_path / "o.mkv")[0]["media"]["edits"][0]["rate"] == 1


def test_another_speed_is_said(tmp_path, film):
    source = tmp_path / "in.mp4"
    source.write_bytes(edited(film.read_bytes(), [(500, 0, 0), (500, 0, 1)]))
    assert edits_of(source, 1)[0] == Edit(Fraction(0), Fraction(1, 2), Fraction(0))
    (note,) = preview(source, tmp_path / "o.mp4")[0]["notes"]
    assert "its edit list plays parts of it faster or slower; they will have their own" in note


def test_what_has_none(tmp_path, make_film):
    assert edits_of(make_film(tmp_path / "x.mkv", frames=3), 1) == ()
    assert edits_of(tmp_path / "nowhere.mp4", 1) == ()


@settings(max_examples=40)
@given(st.data())
def test_damaged_ones_are_no_reason_to_fail(film, tmp_path_factory, data):
    content = bytearray(film.read_bytes())
    at = content.index(b"moov")
    for _ in range(4):
        content[data.draw(st.integers(at - 4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.mp4"
    path.write_bytes(content[: data.draw(st.integers(at, len(content)))])
    assert all(isinstance(edit, Edit) for edit in edits_of(path, 1))
