"""The examples in the documents run, as they are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from pleinair.pictures import read_picture, write_picture

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example(tmp_path, monkeypatch, photos, make_video, number):
    shutil.copy(photos / "00.jpg", tmp_path / "photo.jpg")
    (tmp_path / "photos").mkdir()
    for name in ("01.jpg", "02.jpg", "03.jpg", "04.jpg"):
        picture = read_picture(photos / name)[0][:64, :96]
        write_picture(tmp_path / "photos" / name, picture)
    make_video(tmp_path / "clip.mp4", (128, 96), frames=50, audio="aac")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    exec(compile(BLOCKS[number], f"docs/python.md, block {number}", "exec"), {})


def test_there_are_examples():
    assert len(BLOCKS) >= 8


def test_all_public_names_are_there():
    import pleinair

    assert all(getattr(pleinair, name) is not None for name in pleinair.__all__)
