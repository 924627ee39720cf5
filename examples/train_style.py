"""A hand of your own from ten paintings: trained, exported, measured, used.

python examples/train_style.py paintings photographs mine photo.jpg painting.jpg

`paintings` holds some ten to thirty pictures, `photographs` a few dozen of what it shall paint. On
two cores this takes under an hour; --steps 100 gives a first impression in minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import pleinair


def main(arguments: Sequence[str] | None = None) -> pleinair.Manifest:
    """Returns what was exported."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("paintings", "photographs", "out", "photo", "painting"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", type=int, help="of each stage; the recipe's if none")
    asked = parser.parse_args(arguments)
    steps = [f"optim.steps={asked.steps}"] if asked.steps else []
    run = pleinair.train(
        "hand",
        asked.out / "run",
        pictures=asked.paintings,
        photos=asked.photographs,
        changes=steps,
        progress=lambda done, total: done % 50 == 0 and print(f"{done} of {total} steps"),
        say=print,
    )
    manifest = pleinair.export(
        run.generator,
        asked.out / "bundle",
        targets=["onnx"],
        calibration=asked.photographs,
        licence="mine",
        overwrite=True,
        progress=print,
    )
    paint = pleinair.load(asked.out / "bundle")
    cv2.imwrite(str(asked.painting), paint(cv2.imread(str(asked.photo))))
    return manifest


if __name__ == "__main__":
    main()
