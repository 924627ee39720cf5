"""Makes a virtual environment, or brings it up to date.

    python .ci/environment.py FOLDER PIP-ARGUMENT ...

One that another Python made, that was moved, or that was left half made is made anew. Old Pythons
read this file too, so that they can say what is needed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 11)
SAYS_WHAT_TO_INSTALL = ("pyproject.toml", "constraints.txt")
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]


def main(name, *arguments):
    """Returns the exit status."""
    if sys.version_info < NEEDED:
        found = "{}.{}.{}".format(*sys.version_info[:3])
        return complain(
            f"pleinair needs Python 3.11 or newer, and {sys.executable} is {found};"
            " name another: make PYTHON=python3.12"
        )
    folder = Path(name).absolute()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    made_by = f"{sys.version}\n{Path(sys.executable).resolve()}\n{folder}\n"
    if not ready.is_file() or ready.read_text() != made_by or not runs(python):
        if folder.is_dir() and not (folder / "pyvenv.cfg").is_file():
            return complain(f"{folder} is no virtual environment; move it away")
        shutil.rmtree(str(folder), ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    elif all(changed(Path(path)) < changed(ready) for path in SAYS_WHAT_TO_INSTALL):
        return 0
    status = subprocess.run([str(python), *PIP, *arguments], check=False).returncode
    if status == 0:
        ready.write_text(made_by)
    return status


def complain(sentence):
    """Prints an error; returns the exit status for it."""
    print("error: " + sentence, file=sys.stderr)
    return 1


def changed(path):
    """When a file was last written, in seconds."""
    return path.stat().st_mtime


def runs(python):
    """Whether an interpreter is there and starts."""
    try:
        return subprocess.run([str(python), "-c", ""], check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
