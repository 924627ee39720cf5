"""Files that survive a power cut.

What is written durably is written beside its target, synced, and then renamed; folders are staged
and exchanged the same way. A record knows its own length and checksum, so a torn one is told from a
whole one. Names that end in ``.pleinair-part`` and ``.pleinair-old`` are ours, and no others are
ever removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import json
import os
import secrets
import shutil
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import PleinairError, os_errors_as
from .owners import Owner, close, lock, unlink

if sys.platform == "darwin":
    import fcntl

PART, OLD = ".pleinair-part", ".pleinair-old"
_RECORD = struct.Struct("<8sQ32s")  # magic, length, sha256
_MAGIC = b"pleinair"
_AGAIN = 16 * "0"  # in place of a random number, in the name of a folder that is found again
_AT, _NEW, _EXCHANGE = -100, 1, 2  # AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


class NameTaken(FileExistsError):
    """There is a file of a name that must not be replaced."""


@contextlib.contextmanager
def durable(
    path: Path,
    *,
    replace: bool = True,
    mode: int = 0o666,
    ready: Callable[[Path], None] = lambda temporary: None,
) -> Iterator[Path]:
    """Yields a temporary file beside ``path`` that gets its name when the block ends well.

    File and folder are synced; whatever fails, an older file stays as it was. What a killed process
    left in the folder is cleared away.

    Args:
        path: The file; missing folders are made.
        replace: Whether an existing file may be replaced.
        mode: Permissions, less the umask.
        ready: Called with the complete temporary file just before it is renamed.

    Raises:
        NameTaken: ``path`` exists and may not be replaced.
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    stem = os.fsencode(path.name)[:100].decode(errors="ignore")  # a name may have 255 bytes
    while True:
        temporary = path.with_name(f".{stem}.{secrets.token_hex(8)}{PART}")
        held = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        lock(held)  # says to others that it is no leftover
        if temporary.exists():
            break
        close(held)  # it was swept away before it was locked
    try:
        yield temporary
        if sys.platform == "win32":  # which renames no open file
            close(held)
        settle(temporary, path, replace, ready)
    finally:
        close(held)
        unlink(temporary)


def settle(
    temporary: Path,
    path: Path,
    replace: bool = True,
    ready: Callable[[Path], None] = lambda temporary: None,
) -> None:
    """Syncs a complete file and gives it its name; see ``durable`` for arguments and errors."""
    _sync(temporary)
    ready(temporary)
    rename(temporary, path, replace)
    sync_folder(path.parent)


def write_durably(
    path: Path, content: bytes | str, *, replace: bool = True, mode: int = 0o666
) -> None:
    """Writes a file in one go, see ``durable``; text is UTF-8.

    Raises:
        NameTaken: ``path`` exists and may not be replaced.
        OSError: It cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with durable(path, replace=replace, mode=mode) as temporary, temporary.open("r+b") as file:
        file.write(data)


def write_record(path: Path, content: bytes) -> None:
    """Writes bytes with their length and checksum in front.

    Raises:
        OSError: It cannot be written.
    """
    head = _RECORD.pack(_MAGIC, len(content), hashlib.sha256(content).digest())
    write_durably(path, head + content)


def read_record(path: Path) -> bytes | None:
    """Returns what ``write_record`` wrote; None if the file is missing, torn or another's."""
    try:
        data = path.read_bytes() if path.is_file() else b""  # a pipe would be waited for
        magic, length, digest = _RECORD.unpack_from(data)
    except (OSError, struct.error):
        return None
    content = data[_RECORD.size :]
    whole = magic == _MAGIC and length == len(content)
    return content if whole and hashlib.sha256(content).digest() == digest else None


def append_line(path: Path, value: Any) -> None:
    """Appends a value to a file of notes, as JSON behind its checksum, and syncs it.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(value)
    line = f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}\n".encode()
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line  # what is torn ends here
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Any]:
    """Returns what ``append_line`` wrote; torn lines and a missing file count as nothing.

    So do lines with a checksum that nobody of us wrote: nested without end, say.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    values = []
    for line in lines:
        digest, _, text = line.partition(b" ")
        if digest == hashlib.sha256(text).hexdigest()[:16].encode():
            with contextlib.suppress(ValueError, RecursionError):
                values.append(json.loads(text))
    return values


def rename(source: Path, target: Path, replace: bool = True) -> None:
    """Renames a file or folder in one step.

    Args:
        source: It is gone afterwards.
        target: On the same file system.
        replace: Whether an existing file may be replaced; else the kernel sees to it that none is.

    Raises:
        NameTaken: ``target`` exists and may not be replaced.
        OSError: It cannot be renamed.
    """
    if replace:
        source.replace(target)
    elif not _renameat2(source, target, _NEW):
        if target.exists() or target.is_symlink():
            raise NameTaken(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)


def replace_folder(staged: Path, out: Path) -> None:
    """Gives a complete folder its name; a folder of this name is replaced as a whole.

    Where the kernel exchanges two names there is a whole folder of this name at any instant.
    Elsewhere a cut between two renames is made good by ``recover_folder``.

    Raises:
        OSError: It cannot be renamed; what was there before is there again.
    """
    _sync_tree(staged)
    out = _real(out)
    if not (out.exists() or out.is_symlink()):
        rename(staged, out, replace=False)
    elif _renameat2(staged, out, _EXCHANGE):
        sync_folder(out.parent)
        remove_folder(staged)  # which is the old one now
    else:
        old = out.with_name(f".{out.name}.{secrets.token_hex(8)}{OLD}")
        out.rename(old)
        try:
            staged.rename(out)
        except BaseException:
            old.rename(out)
            raise
        sync_folder(out.parent)
        remove_folder(old)
    sync_folder(out.parent)


def remove_folder(folder: Path) -> None:
    """Removes what of a folder can be: a thousand folders in each other stay."""
    with contextlib.suppress(RecursionError):  # of Python before 3.13
        shutil.rmtree(folder, ignore_errors=True)


def is_cut(out: Path) -> bool:
    """Whether there is no folder of a name, for its replacement was cut between two renames."""
    return not (out.exists() or out.is_symlink()) and bool(_olds(out))


def _olds(out: Path) -> list[Path]:
    try:
        return sorted(out.parent.glob(f".{_escaped(out.name)}.{'[0-9a-f]' * 16}{OLD}"))
    except (OSError, ValueError):
        return []


def recover_folder(out: Path) -> None:
    """Completes a replacement of a folder that was cut between its two renames.

    Only who owns ``out`` may call it.
    """
    for old in _olds(out):
        if out.exists():
            remove_folder(old)
        else:
            with contextlib.suppress(OSError):
                old.rename(out)


@contextlib.contextmanager
def staging(
    out: Path,
    wait: bool = False,
    failing: type[PleinairError] = PleinairError,
    notes: str = "",
) -> Iterator[Path]:
    """Yields an empty folder beside ``out``, for ``replace_folder``; its owner is this process.

    What killed processes left of earlier ones is cleared away, and so is this one at the end.

    Args:
        out: The folder that it is to become.
        wait: Whether to wait for another owner of ``out``.
        failing: What is raised where nothing can be written.
        notes: The name of a file with which a folder outlives a failure, and is yielded again.

    Raises:
        BusyError: Another process writes ``out``.
        PleinairError: Nothing can be written there.
    """
    out = _real(out)
    with Owner(out, wait, failing):
        recover_folder(out)
        for leftover in out.parent.glob(f".{_escaped(out.name)}.{'[0-9a-f]' * 16}{PART}"):
            if leftover.is_symlink():  # which would lead to another's files
                unlink(leftover)
            elif leftover.is_dir() and not (notes and (leftover / notes).exists()):
                remove_folder(leftover)
        number = _AGAIN if notes else secrets.token_hex(8)
        staged = out.with_name(f".{out.name}.{number}{PART}")
        with os_errors_as(failing, f"{out} cannot be written"):
            staged.mkdir(exist_ok=bool(notes))
        try:
            yield staged
        finally:
            if not (notes and (staged / notes).exists()):
                remove_folder(staged)


_swept: set[str] = set()
_SWEEPING = threading.Lock()


def _sweep(folder: Path) -> None:
    """Removes temporary files of ours whose process is gone; looks once into each folder."""
    with _SWEEPING:
        where = os.path.realpath(folder)
        if where in _swept:
            return
        _swept.add(where)
    with contextlib.suppress(OSError):
        for path in folder.glob(f".*.{'[0-9a-f]' * 16}{PART}"):
            with contextlib.suppress(OSError):
                file = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))  # no folder
                try:
                    if lock(file) is True:
                        path.unlink()
                finally:
                    close(file)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDWR)  # Windows syncs no file that is only read
    try:
        if sys.platform == "darwin":  # whose fsync leaves it in the drive's memory
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        else:
            os.fsync(file)
    finally:
        os.close(file)


def sync_folder(path: Path) -> None:
    """Makes sure that names in a folder outlive a power cut, where the system can."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _CANNOT:  # some file systems sync none
            raise
    finally:
        os.close(folder)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            _sync(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """Renames as Linux alone can; whether the kernel and the file system do that.

    Raises:
        OSError: They do, and it failed.
    """
    function = getattr(_libc(), "renameat2", None)
    if function is None:
        return False
    if function(_AT, os.fsencode(source), _AT, os.fsencode(target), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    kind = NameTaken if number == errno.EEXIST else OSError
    raise kind(number, os.strerror(number), str(target))


def _real(folder: Path) -> Path:
    """What a link to a folder stands for: links are the user's, and stay."""
    return Path(os.path.realpath(folder)) if folder.is_symlink() else folder


def _escaped(name: str) -> str:
    """A name for ``glob`` to take literally."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
