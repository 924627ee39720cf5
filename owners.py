"""Who may write an output: one process at a time, by a lock that ends with it (ground floor)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import stat
import sys
import time
from datetime import datetime
from pathlib import Path

from .errors import BusyError, PleinairError, shown
from .reading import parse_json, read_text

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
_LONGEST = 255  # bytes of a file's name
_DEEPEST = 400  # folders in each other: Python makes and removes them by recursion
_SAID = 4096  # bytes of what a lock says, at most
_EVERY = 0.2  # seconds between two looks at another's lock
_TRIES = 100  # to make the lock in a folder that is there and then is not
_LOCKED = 1 << 30  # the byte that Windows locks: behind all that is written
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


class Owner:
    """The right to write one output. It ends with the block, or with the process.

    It is a lock on the file ``.NAME.lock`` beside the output, which says who holds it. Where a file
    system has no locks, everybody is let in.

    Args:
        output: A file or folder, which need not exist.
        wait: Whether to wait while another process has it.
        failing: What is raised where the lock's file cannot be written.
        part: Of the output, where several may be written at once.

    Raises:
        BusyError: Another process has it.
        PleinairError: The lock's file cannot be written.
    """

    def __init__(
        self,
        output: Path,
        wait: bool = False,
        failing: type[PleinairError] = PleinairError,
        part: str = "",
    ) -> None:
        self.output = output
        if (deep := len(output.absolute().parts)) > _DEEPEST:
            raise failing(
                f"{output} cannot be written: it is {deep} folders deep, {_DEEPEST} can be"
            )
        self.path = _lock_of(output, part)
        where = self.path.parent
        self.made = [folder for folder in (where, *where.parents) if not folder.exists()]
        self.file = -1
        try:
            while not self._take():
                if not wait:
                    raise BusyError(
                        f"{output} is being written by {self._holder()}; let it end, or add --wait"
                    )
                time.sleep(_EVERY)
        except OSError as error:
            self._remove_empty()
            said = getattr(error, "strerror", None) or str(error)
            if isinstance(error, FileExistsError):  # where a folder should be
                said = os.strerror(errno.ENOTDIR)
            raise failing(f"{output} cannot be written: {said}") from error

    def release(self) -> None:
        """Lets others in."""
        if self.file < 0:
            return
        if sys.platform != "win32":  # while it is locked: who comes now makes another
            unlink(self.path)
        close(self.file)
        self.file = -1
        if sys.platform == "win32":  # which removes no open file, and so none that others have
            unlink(self.path)
        self._remove_empty()

    def _take(self) -> bool:
        """Whether the lock is ours now."""
        missed = 0
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = self._open()
            except FileNotFoundError:  # the folder has just been removed, or is one of /proc
                missed += 1
                if missed == _TRIES:
                    raise OSError(errno.EROFS, f"{self.path.parent} takes no new files") from None
                continue
            locked = lock(file)
            if locked is not False and self._is(file):
                if not _is_lock(file):
                    close(file)
                    raise self._foreign()
                break
            close(file)
            if locked is False:
                return False
        self.file = file
        said = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        with contextlib.suppress(OSError):  # it only tells others
            os.ftruncate(file, 0)
            os.write(file, json.dumps(said).encode())
        return True

    def _open(self) -> int:
        """Opens the lock's file. A link in its place is not followed."""
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
        except PermissionError:  # another user's can be locked, too
            if not self.path.is_file():
                raise
            return os.open(self.path, os.O_RDONLY | _NO_LINKS)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):  # or a socket
                raise self._foreign() from error
            raise

    def _foreign(self) -> OSError:
        return OSError(errno.EINVAL, f"{self.path} is no lock of pleinair; move it away")

    def _is(self, file: int) -> bool:
        """Whether an open file still has the lock's name; who had it may have removed it."""
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except OSError:
            return False

    def _holder(self) -> str:
        """Says who has it and since when."""
        try:
            said = parse_json(read_text(self.path, _SAID))
            since = datetime.fromtimestamp(said["since"]).strftime("%Y-%m-%d %H:%M:%S")
            host = "" if said["host"] == socket.gethostname() else f" on {shown(said['host'])}"
            process = f"process {int(said['pid'])}{host} since {since}"
            return process if process.isprintable() else "another process"
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return "another process"

    def _remove_empty(self) -> None:
        """Removes the folders that were made for the lock, if nothing came into them."""
        for folder in self.made:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _is_lock(file: int) -> bool:
    """Whether an open file is a lock of ours, perhaps torn by a power cut."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # it has no other name
        return False
    said = os.read(file, _LONGEST)
    os.lseek(file, 0, os.SEEK_SET)
    return said.startswith(b'{"pid":') or not said.strip(b"\0")


def _lock_of(output: Path, part: str = "") -> Path:
    where = Path(os.path.realpath(output.parent))  # one name for all who come
    return sibling(where / output.name, f".{output.name}{part and '.'}{part}{LOCK}")


def forget_lock(output: Path) -> None:
    """Removes the lock of a process that was killed when its output was complete, if it is one."""
    if _lock_of(output).exists():
        with contextlib.suppress(PleinairError):
            Owner(output).release()


def sibling(path: Path, name: str) -> Path:
    """Returns a path in the same folder, for what is kept of an output until it is complete.

    A name that is too long for file systems becomes a short one, the same each time.
    """
    if len(os.fsencode(name)) <= _LONGEST:
        return path.with_name(name)
    start, end = name[:1].strip("[]"), Path(name).suffix
    return path.with_name(f"{start}{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}{end}")


_HELD: set[int] = set()  # locked files; a forked child must not hold them on


def lock(file: int) -> bool | None:
    """Locks an open file for this process.

    Returns:
        Whether it could be; None where there are no locks.
    """
    _HELD.add(file)
    try:
        if sys.platform == "win32":
            os.lseek(file, _LOCKED, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    return True


def close(file: int) -> None:
    """Closes a file that ``lock`` was asked for, and so unlocks it."""
    if file in _HELD:
        _HELD.discard(file)
        with contextlib.suppress(OSError):
            os.close(file)


def unlink(path: Path) -> None:
    """Removes a file, if that can be done; what failed once is tried again."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            return


def _in_child() -> None:
    for file in list(_HELD):
        close(file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
