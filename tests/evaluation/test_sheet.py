"""Originals above, paintings below."""

from __future__ import annotations

import numpy as np
import pytest
from pleinair.errors import UsageError
from pleinair.evaluation.sheet import check_sheet, contact_sheet, write_sheet
from pleinair.pictures import read_picture


def test_pictures_of_any_size_stand_above_their_paintings():
    black, large = np.zeros((10, 20, 3), np.uint8), np.zeros((900, 300, 3), np.uint8)
    grey, pale = black + 100, large + 200
    sheet = contact_sheet([(black, grey), (large, pale)])
    height, width = sheet.shape[:2]
    above, below = sheet[: height // 2], sheet[height // 2 :]
    assert (above == 0).any()
    assert not (above == 100).any()
    assert (below == 100).all(2).sum() == 200
    assert (below[:, width // 2 :] == 200).all(2).sum() == 256 * 85


def test_at_most_two_rows_of_six(tmp_path, read_all):
    photos = read_all("photos")
    for pictures in (photos[:2], photos, photos * 3):
        write_sheet(tmp_path / "sheet.png", pictures, lambda picture: 255 - picture)
        sheet, _ = read_picture(tmp_path / "sheet.png")
        assert sheet.shape[0] in (576, 1152)
        assert sheet.shape[1] <= 6 * 264 + 8


def test_names(tmp_path):
    check_sheet(None)
    check_sheet(tmp_path / "new" / "sheet.jpg")
    for path in (tmp_path, tmp_path / "sheet.txt"):
        with pytest.raises(UsageError, match="is not a name for a picture"):
            check_sheet(path)
