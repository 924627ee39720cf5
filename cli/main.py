"""The entry point: errors become a sentence and an exit status."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import io
import os
import signal
import sys
import threading
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast

import typer

from ..errors import PleinairError, UsageError, first_line, missing_library
from .app import app
from .console import complain, console, interrupted
from .pasted import check_words
from .wrong import usage

# The base of typer's errors of usage; they are click's, or those of typer's own copy of click.
_WrongUsage = cast(type[Exception], typer.BadParameter.__bases__[0])

_SOON = 0.01  # seconds until an interrupt that had to wait is tried again


def main() -> None:
    """Runs the command line; turns our errors into a sentence and an exit status."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    interrupted.clear()
    sys.unraisablehook = _unraisable
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal cannot show is no failure
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells want it
            signal.signal(number, _interrupt)
    left = ""  # what an interruption leaves behind
    try:
        check_words(arguments)
        _check_folder()
        status = app(arguments, prog_name="pleinair", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt) as end:
        status, left = 130, str(end)
    except _WrongUsage as error:
        complain(usage(error))
        status = 2
    except Exception as error:
        if debug:
            raise
        status = _failed(error)
    if status == 130:
        console.print(f"interrupted; {left}" if left else "interrupted", soft_wrap=True)
    sys.exit(status if isinstance(status, int) else 0)


def run() -> NoReturn:
    """Runs the command line and ends the process, whatever its threads still do.

    When Python exits it stops threads wherever they are; one inside ONNX Runtime then aborts the
    process (SIGABRT). So this cleans up and ends the process at once.
    """
    status = 130
    with contextlib.suppress(KeyboardInterrupt):  # a second one, while the first is answered
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    atexit._run_exitfuncs()  # temporary folders and children; there is no public way
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the reader is gone
            stream.flush()
    os._exit(status)


def _failed(error: Exception) -> int:
    """Says what went wrong; returns the exit status."""
    match error:
        case PleinairError():
            complain(str(error))
        case ImportError():  # of the base install, or of a library of the system's
            complain(missing_library(error))
        case BrokenPipeError():
            pass  # the reader is gone
        case OSError():  # what no room caught: a name too long, a disk that fails
            complain(_of_system(error))
        case _:  # a bug of ours, in one sentence too
            complain(
                f"{type(error).__name__} ({first_line(str(error))}); this is a bug in pleinair:"
                " please report it with the output of pleinair --debug and the same command"
            )
    return 2 if isinstance(error, UsageError) else 1


def _check_folder() -> None:
    """Raises ``UsageError`` where the folder is gone that relative paths begin at."""
    try:
        Path.cwd()
    except OSError:
        raise UsageError(
            "the folder that this was started in is gone; change to one that is there"
        ) from None


def _of_system(error: OSError) -> str:
    """Names the file; an error without one is mostly of what is printed."""
    said = error.strerror or str(error)
    return f"{error.filename or 'standard output, or a file that is not known here'}: {said}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Makes SIGTERM end a verb as Ctrl-C does: half-written files are removed.

    An extension module that is just being loaded comes to its end first: an exception out of its
    initialization may abort the process, as it does in onnx.
    """
    interrupted.set()
    if _loads_extension(frame):
        later = threading.Timer(_SOON, _thread.interrupt_main, [number])
        later.daemon = True
        later.start()
    else:
        raise KeyboardInterrupt


def _loads_extension(frame: FrameType | None) -> bool:
    while frame:
        if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
            return True
        frame = frame.f_back
    return False


def _unraisable(problem: Any) -> None:
    """Prints errors that Python could not raise; an interrupt is noted already."""
    if problem.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(problem)
