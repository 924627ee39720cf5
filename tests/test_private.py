from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pleinair.private import without_folders


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/ann/photos/a.jpg", "a.jpg"),
        ("/home/ann/photos/", ""),
        ("--data=/srv/x/y z", "--data=y z"),
        ("cannot read '/root/a.onnx': it is cut", "cannot read 'a.onnx': it is cut"),
        (r"C:\Users\ann\a.jpg", "a.jpg"),
        ("~/runs/monet", "monet"),
        ("file:///home/ann/a.jpg", "a.jpg"),
        ("https://github.com/x/y", "https://github.com/x/y"),
        ("60/s and 1/2, trainA/x", "60/s and 1/2, trainA/x"),
        ("rtsp://cam/stream/1", "rtsp://cam/stream/1"),
    ],
)
def test_paths_lose_their_folders(text, left):
    assert without_folders(text) == left
    assert without_folders({"a": [text, (text,)]}) == {"a": [left, (left,)]}


@given(st.lists(st.from_regex(r"[a-z0-9_.-]{1,8}", fullmatch=True), min_size=2, max_size=5))
def test_no_folder_stays(parts):
    path = "/" + "/".join(parts)
    assert without_folders(f"see {path} there") == f"see {parts[-1]} there"
