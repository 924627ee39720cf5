"""Paints pictures as they arrive in a folder, several at a time.

python examples/folder.py arriving painted          # until Ctrl-C
python examples/folder.py arriving painted --once   # what is there now

For a folder that is complete, `pleinair translate IN OUT` does more: it resumes, and knows videos.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pleinair

AT_ONCE = 2
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main(arriving: str, painted: str, once: bool = False) -> int:
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
            if once:
                return done
            time.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arriving", help="the folder in which pictures arrive")
    parser.add_argument("painted", help="the folder for paintings")
    parser.add_argument("--once", action="store_true", help="paint what is there, then end")
    print(f"painted {main(**vars(parser.parse_args()))}")
