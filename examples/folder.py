"""Paints pictures as they arrive in a folder, several at a time.

python examples/folder.py arriving painted          # until Ctrl-C
python examples/folder.py arriving painted --once   # what is there now

For a folder that is complete, `pleinair translate IN OUT` does more: it resumes, and knows videos.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pleinair

AT_ONCE = 2
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main(arriving: str, painted: str, *options: str) -> int:
    """Returns how many pictures were painted."""
    paint = pleinair.load("monet-conv", in_flight=AT_ONCE)
    out, done = Path(painted), 0
    out.mkdir(parents=True, exist_ok=True)

    def one(path: Path) -> bool:
        picture = cv2.imread(str(path))
        if picture is None:  # still being copied: the next round takes it
            return False
        part = out / f".{path.name}"  # it gets its name when it is whole
        cv2.imwrite(str(part.with_suffix(path.suffix)), paint(picture))
        part.replace(out / path.name)
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            new = [
                path
                for path in sorted(Path(arriving).iterdir())
                if path.suffix.lower() in SUFFIXES and not (out / path.name).exists()
            ]
            done += sum(pool.map(one, new))
            if "--once" in options:
                return done
            time.sleep(1)


if __name__ == "__main__":
    print(f"painted {main(*sys.argv[1:])}")
