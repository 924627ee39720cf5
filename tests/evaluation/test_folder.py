"""A folder gives the same pictures every time, spread over it, read when they are needed."""

from __future__ import annotations

import shutil

import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.evaluation.folder import PictureFolder


def test_pictures_are_spread_evenly(photos):
    assert [p.name for p in PictureFolder(photos, 4).paths] == [
        *("00.jpg", "04.jpg", "08.jpg", "12.jpg")
    ]
    assert len(PictureFolder(photos, 100)) == 16
    folder = PictureFolder(photos, 5)
    assert len(list(folder)) == 5
    assert (folder[1] == folder[1:3][0]).all()


def test_a_reader_of_ones_own(photos):
    folder = PictureFolder(photos, 4, lambda path: path.name)
    assert list(folder) == ["00.jpg", "04.jpg", "08.jpg", "12.jpg"]


def test_folders_that_cannot_be_used(tmp_path, photos):
    with pytest.raises(UsageError, match="no does not exist; name another with --data"):
        PictureFolder(tmp_path / "no", 4)
    with pytest.raises(UsageError, match="holds 0 pictures"):
        PictureFolder(tmp_path, 4)
    shutil.copy(photos / "00.jpg", tmp_path)
    with pytest.raises(UsageError, match="holds 1 pictures; an evaluation needs at least 2"):
        PictureFolder(tmp_path, 4)
    (tmp_path / "01.jpg").write_text("hello")
    with pytest.raises(MediaError, match=r"01\.jpg cannot be decoded"):
        list(PictureFolder(tmp_path, 4))
