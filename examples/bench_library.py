"""Measures from a program: the fastest backend whose paintings are faithful enough.

python examples/bench_library.py monet-conv report
"""

from __future__ import annotations

import argparse

import pleinair

FAITHFUL_DB = 40.0  # PSNR against FP32; of painters with strokes that of the plan


def main(bundle: str, out: str, **narrower: object) -> dict[str, str]:
    """Returns the backend and precision to load, and writes out/report.html."""
    found = pleinair.bench(bundle, out, quick=True, overwrite=True, **narrower)
    good = [row for row in found.rows if row.fps and (row.psnr_db or 0) >= FAITHFUL_DB]
    for row in sorted(good, key=lambda row: -row.fps):
        print(f"{row.backend} {row.precision}: {row.fps:.1f} fps, {row.psnr_db:.1f} dB")
    for one in found.skipped:
        print(f"not measured: {one.backend} {one.precision}: {one.reason}")
    if not good:
        raise SystemExit(f"nothing of {bundle} that is measured here reaches {FAITHFUL_DB:g} dB")
    best = max(good, key=lambda row: row.fps)
    return {"backend": best.backend, "precision": best.precision}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", help="a shipped model's name, or a bundle")
    parser.add_argument("out", help="folder of the report")
    asked = parser.parse_args()
    print(f"pleinair.load({asked.bundle!r}, **{main(asked.bundle, asked.out)})")
