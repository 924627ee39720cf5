"""How much less the paint trembles with ``--steady``, on clips with a moving camera.

    python tools/steady_flicker.py CLIP ... [--frames 100] [--stills FOLDER]

Flicker is the painting's warping error over the original's (``evaluation/flicker.py``), measured on
the same frames painted once, with and without ``Steady``. Stills show the original, the plain and
the steadied painting side by side, for ghosts are seen and not measured.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from pleinair.benchmarks.results.file import write_json
from pleinair.evaluation.flicker import flicker
from pleinair.pictures import write_picture
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.steady import Steady
from pleinair.runtime.stylizer import load


def main() -> None:
    """Measures each clip and prints the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--model", default="monet")
    parser.add_argument("--stills", type=Path, help="write stills into this folder")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found = [measure(clip, options) for clip in options.clips]
    if options.json:
        write_json(options.json, found)


def measure(clip: str, options: argparse.Namespace) -> dict[str, Any]:
    """Paints one clip, steadies it, and compares."""
    paint, steady = load(options.model, color="rgb"), Steady()
    with open_source(clip) as source:
        originals = [f.rgb for f in itertools.islice(source.frames(), options.frames)]
    painted = [paint(rgb) for rgb in originals]
    steadied = [steady(*pair) for pair in zip(originals, painted, strict=True)]
    plain = flicker(zip(originals, painted, strict=True))
    held = flicker(zip(originals, steadied, strict=True))
    assert plain is not None
    assert held is not None  # for the original as for both paintings
    name = Path(clip).stem
    print(f"{name}: {plain:.3f}, steady {held:.3f}: {100 * (1 - held / plain):.0f} % less")
    if options.stills:
        for index in range(9, len(originals), 30):
            three = np.hstack([originals[index], painted[index], steadied[index]])
            write_picture(options.stills / f"{name}-{index:03d}.png", three)
    return {"clip": name, "frames": len(originals), "flicker": plain, "steady": held}


if __name__ == "__main__":
    main()
