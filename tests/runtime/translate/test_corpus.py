"""Which pieces a corpus has, local, listed or in a store."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.translate.corpus import Piece, as_local, exists, find_pieces, to_be_written


@pytest.fixture
def store(tmp_path: Path):
    """A store in memory with a picture, a video and other files."""
    memory = fsspec.filesystem("memory")
    for name in ("a.jpg", "deep/b.avi", "deep/.hidden.jpg", "notes.md"):
        memory.pipe(f"/{tmp_path.name}/{name}", name.encode())
    yield f"memory://{tmp_path.name}"
    memory.rm(f"/{tmp_path.name}", recursive=True)


def test_a_folder_of_a_store_keeps_its_structure(store: str, tmp_path: Path) -> None:
    assert find_pieces(store, tmp_path / "out") == [
        Piece(f"{store.replace('://', ':///')}/a.jpg", str(tmp_path / "out/a.jpg"), False),
        Piece(
            f"{store.replace('://', ':///')}/deep/b.avi", str(tmp_path / "out/deep/b.avi.mkv"), True
        ),
    ]
    assert [p.target for p in find_pieces(store, "s3://bucket/out")] == [
        "s3://bucket/out/a.jpg",
        "s3://bucket/out/deep/b.avi.mkv",
    ]
    assert [p.target for p in find_pieces(f"{store}/*.jpg", tmp_path)] == [str(tmp_path / "a.jpg")]
    assert [p.target for p in find_pieces(f"{store}/a.jpg", tmp_path)] == [str(tmp_path / "a.jpg")]


def test_a_list_keeps_what_is_below_the_common_folder(tmp_path: Path, store: str) -> None:
    for name in ("in/a.jpg", "in/deep/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    files = [str(tmp_path / "in/a.jpg"), str(tmp_path / "in/deep/a.jpg")]
    (tmp_path / "list.txt").write_text("\n".join(files) + "\n\n")
    for source in (files, tmp_path / "list.txt"):
        targets = [piece.target for piece in find_pieces(source, tmp_path / "out")]
        assert targets == [str(tmp_path / "out/a.jpg"), str(tmp_path / "out/deep/a.jpg")]
    stored = [f"{store}/a.jpg", f"{store}/deep/b.avi"]
    targets = [piece.target for piece in find_pieces(stored, "memory://out")]
    assert targets == ["memory://out/a.jpg", "memory://out/deep/b.avi.mkv"]


def test_a_local_folder_into_a_store(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("x")
    (piece,) = find_pieces(tmp_path, "memory://out")
    assert piece == Piece(str(tmp_path / "a.jpg"), "memory://out/a.jpg", False)


def test_a_store_gives_and_takes_whole_files(store: str) -> None:
    with as_local(f"{store}/a.jpg") as copy:
        assert copy.read_bytes() == b"a.jpg"
    assert not copy.exists()
    target = f"{store}/out/x.jpg"
    with pytest.raises(MediaError), to_be_written(target) as file:
        file.write_bytes(b"half")
        raise MediaError("no")
    assert not exists(target)
    with to_be_written(target) as file:
        file.write_bytes(b"whole")
    assert exists(target)
    with as_local(target) as copy:
        assert copy.read_bytes() == b"whole"
    names = [Path(name).name for name in fsspec.filesystem("memory").find(f"{store}/out")]
    assert names == ["x.jpg"]


def test_what_is_no_corpus(tmp_path: Path, store: str) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "a.avi").write_text("x")
    (tmp_path / "a.avi.mkv").write_text("x")
    for source, kind, said in (
        (tmp_path / "none.txt", UsageError, "none.txt does not exist"),
        (tmp_path / "empty.txt", MediaError, "names no files"),
        (tmp_path / "bad.txt", UsageError, "cannot be read"),
        ([tmp_path / "none.jpg"], UsageError, "none.jpg does not exist"),
        ([tmp_path / "bad.txt"], UsageError, "is not a picture or video"),
        (
            [tmp_path / "a.avi", tmp_path / "a.avi.mkv"],
            UsageError,
            r"two files would be painted to .*a\.avi\.mkv",
        ),
        ("memory://nothing-there", MediaError, "does not exist, or holds no pictures"),
        ("warp://x/y", UsageError, "warp"),
    ):
        with pytest.raises(kind, match=said):
            find_pieces(source, tmp_path / "out")


@pytest.mark.parametrize("name", ["../../evil.jpg", "deep/../../evil.jpg", "a\\..\\evil.jpg"])
def test_no_name_in_a_store_leads_out_of_the_output(tmp_path, store, name) -> None:
    """Stores take any name, also one that leads elsewhere as soon as it is a path."""
    fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/{name}", b"a")
    with pytest.raises(UsageError, match=r"evil\.jpg would be painted outside of"):
        find_pieces([f"{store}/a.jpg", f"{store}/{name}"], tmp_path / "out")
