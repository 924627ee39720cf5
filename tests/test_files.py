"""Files that outlive cuts: every step of a write is cut, as a kill or a full disk would."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pleinair import files
from pleinair.errors import BundleError, UsageError
from pleinair.files import (
    append_line,
    durable,
    read_lines,
    read_record,
    recover_folder,
    replace_folder,
    staging,
    write_durably,
    write_record,
)


def cut_at(step: int, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]) -> list[str]:
    """Has ``fail`` called instead of the step-th call that changes the disk; returns the calls."""
    calls: list[str] = []

    def counted(name: str, call: Callable) -> Callable:
        def instead(*arguments: object, **named: object) -> object:
            calls.append(name)
            if len(calls) == step:
                fail()
            return call(*arguments, **named)

        return instead

    for module, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (files, "_renameat2")):
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    return calls


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def kill() -> None:
    os._exit(137)


def in_child(act: Callable[[], None]) -> int:
    """Runs something in a child that may be killed on its way; returns its exit status."""
    if (child := os.fork()) == 0:
        # What other tests left would wait, when it is freed here, for threads that are not here.
        gc.disable()
        signal.alarm(60)  # or the suite would wait for ever
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status != -signal.SIGALRM, "the child hangs"
    return status


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("fail", [full, kill])
def test_a_write_that_is_cut_anywhere_leaves_the_old_or_the_new(tmp_path, monkeypatch, fail):
    path, own = tmp_path / "notes.txt", tmp_path / "notes.txt.part"
    own.write_text("the user's own")
    for step in range(1, 10):
        path.write_text("old")

        def act(step: int = step) -> None:
            cut_at(step, monkeypatch, fail)
            write_durably(path, "new")

        status = in_child(act)
        assert path.read_text() in ("old", "new")
        files._swept.clear()
        write_durably(path, "again")  # and clears away what was left
        assert tree(tmp_path) == {"notes.txt": b"again", "notes.txt.part": b"the user's own"}
        if status == 0:
            break
    else:
        raise AssertionError("the cuts did not end")
    assert step > 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("fail", [full, kill])
def test_a_folder_is_replaced_as_a_whole(tmp_path, monkeypatch, fail, exchange):
    out = tmp_path / "out"
    foreign = {"out.old/photo.jpg": b"mine", "out.part": b"mine"}
    for name, content in foreign.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    out.mkdir()
    (out / "a").write_text("0")
    if not exchange:
        monkeypatch.setattr(files, "_renameat2", lambda *_: False)
    for step in range(1, 20):
        before = (out / "a").read_text()

        def act(step: int = step) -> None:
            with staging(out) as staged:
                (staged / "a").write_text(str(step))
                cut_at(step, monkeypatch, fail)
                replace_folder(staged, out)

        status = in_child(act)
        if exchange:
            assert out.is_dir()  # at any instant
        with staging(out):  # the next run completes it
            pass
        assert (out / "a").read_text() in (before, str(step))
        found = {k: v for k, v in tree(tmp_path).items() if not k.startswith("out/")}
        assert found == foreign
        if status == 0:
            break
    else:
        raise AssertionError("the cuts did not end")
    assert step > 3


def test_a_replacement_that_fails_has_its_way_back(tmp_path, monkeypatch):
    out, staged = tmp_path / "out", tmp_path / "staged"
    for folder in (out, staged):
        folder.mkdir()
        (folder / "a").write_text(folder.name)
    monkeypatch.setattr(files, "_renameat2", lambda *_: False)
    calls: list[str] = []
    rename = Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(str(target))
        if len(calls) == 2:
            full()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="No space"):
        replace_folder(staged, out)
    assert tree(tmp_path) == {"out/a": b"out", "staged/a": b"staged"}


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    with staging(link) as staged:
        (staged / "a").write_text("new")
        replace_folder(staged, link)
    assert link.is_symlink()
    assert tree(real) == {"a": b"new"}


def test_what_exists_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(FileExistsError), durable(path, replace=False) as temporary:
        temporary.write_text("mine")
        path.write_text("another's, who came first")
    assert tree(tmp_path) == {"a": b"another's, who came first"}


def test_a_writer_that_lives_is_not_swept_away(tmp_path):
    with durable(tmp_path / "a") as temporary:
        temporary.write_text("mine")
        code = "import sys; from pathlib import Path; from pleinair.files import write_durably\n"
        code += "write_durably(Path(sys.argv[1]), 'theirs')"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], check=True)
    assert tree(tmp_path) == {"a": b"mine", "b": b"theirs"}


@given(content=st.binary(max_size=200), at=st.integers(0, 300), bit=st.integers(0, 7))
def test_a_torn_record_is_none(tmp_path_factory, content, at, bit):
    path = tmp_path_factory.mktemp("record") / "r"
    write_record(path, content)
    assert read_record(path) == content
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: min(at, len(whole) - 1)])
    assert read_record(path) is None
    whole[at % len(whole)] ^= 1 << bit
    path.write_bytes(whole)
    assert read_record(path) is None
    assert read_record(path.with_name("missing")) is None


@given(values=st.lists(st.text() | st.integers()), torn=st.binary(max_size=60))
def test_torn_notes_count_as_nothing(tmp_path_factory, values, torn):
    path = tmp_path_factory.mktemp("notes") / "n"
    for value in values:
        append_line(path, value)
    with path.open("ab") as file:
        file.write(torn)
    assert read_lines(path) == values
    append_line(path, "more")
    assert read_lines(path) == [*values, "more"]


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "", "\ud800"])
def test_a_note_that_nobody_of_us_wrote_counts_as_nothing(tmp_path, text):
    """Its checksum is right, as anybody can compute it."""
    data = text.encode(errors="surrogatepass")
    (tmp_path / "a").write_bytes(
        hashlib.sha256(data).hexdigest()[:16].encode() + b" " + data + b"\n"
    )
    append_line(tmp_path / "a", "ours")
    assert read_lines(tmp_path / "a") == ["ours"]


def test_recover_prefers_the_new_folder(tmp_path):
    out, old = tmp_path / "out", tmp_path / f".out.{'0' * 16}.pleinair-old"
    old.mkdir()
    (old / "a").write_text("old")
    recover_folder(out)
    assert tree(tmp_path) == {"out/a": b"old"}
    old.mkdir()
    recover_folder(out)
    assert not old.exists()


def test_a_bundle_is_found_though_its_replacement_was_cut(bundle, tmp_path):
    from pleinair.bundle.bundle import Bundle

    name = Bundle.open(bundle).manifest.name
    bundle.rename(tmp_path / f".{bundle.name}.{'1' * 16}.pleinair-old")
    assert Bundle.open(bundle).manifest.name == name
    assert [path.name for path in tmp_path.iterdir()] == [bundle.name]


def test_a_folder_of_the_users_own_is_never_replaced(bundle, tmp_path):
    from pleinair.bundle.bundle import Bundle, check_out, write_bundle

    manifest = Bundle.open(bundle).manifest
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo.jpg").touch()
    (mine / "manifest.json").write_text('{"name": "an app of another kind"}')
    with pytest.raises(UsageError, match="not a folder that pleinair wrote"):
        check_out(mine, overwrite=True)
    with pytest.raises(BundleError, match="not a folder that pleinair wrote"):
        write_bundle(manifest, bundle, mine, overwrite=True)
    assert (mine / "photo.jpg").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_in_place_of_a_staged_folder_leads_nowhere(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "notes").write_text("theirs")
    (tmp_path / f".out.{'0' * 16}.pleinair-part").symlink_to(theirs)
    for notes in ("notes", "others", ""):
        with staging(tmp_path / "out", notes=notes) as staged:
            (staged / "notes").write_text("mine")
            (staged / "a").write_text("mine")
        assert tree(theirs) == {"notes": b"theirs"}
