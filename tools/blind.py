"""Blind comparisons of two painters: make what viewers look at, and count what they answer.

python tools/blind.py make OUT A B --pictures FOLDER    then show OUT/pairs, keep OUT/key
python tools/blind.py score OUT ANSWERS.csv...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pleinair.errors import PleinairError, UsageError
from pleinair.evaluation.viewing_size import ROWS
from pleinair.tools.blind_answers import describe, read_answers, score_answers
from pleinair.tools.blind_clips import clip_exhibits
from pleinair.tools.blind_pairs import picture_exhibits
from pleinair.tools.blind_set import read_key, write_set

SHOW = "which would you show as a live Monet filter?"
QUESTIONS = ("which looks more like an impressionist oil painting, by Monet?", SHOW)
OF_CLIPS = (
    "in which does the paint keep still where nothing moves, and go along with what does?",
    SHOW,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; returns the exit status, 2 for a request that is wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    make = verbs.add_parser("make", help="write a folder of pairs, and its key")
    make.set_defaults(run=_make)
    make.add_argument("out", type=Path, help="the folder to write")
    for side in ("a", "b"):
        make.add_argument(side, help="a folder of paintings, or a model; with --clips a clip")
    make.add_argument("--pictures", type=Path, nargs="+", default=[], help="what models paint")
    make.add_argument("--pairs", type=int, default=30, help="at most so many")
    make.add_argument("--seed", type=int, default=0, help="of the sides, and of places in clips")
    make.add_argument("--rows", type=int, default=ROWS, help="height at which models paint")
    make.add_argument("--question", action="append", help="instead of ours; may be repeated")
    make.add_argument("--jpeg", action="store_true", help="JPEG of quality 95 instead of PNG")
    make.add_argument("--both", action="store_true", help="also one file with both sides")
    make.add_argument("--clips", action="store_true", help="compare frames of videos")
    make.add_argument("--frames", type=int, default=9, help="consecutive ones in a clip's sheet")
    score = verbs.add_parser("score", help="count answers")
    score.set_defaults(run=_score)
    score.add_argument("out", type=Path, help="the folder that make wrote")
    score.add_argument("answers", type=Path, nargs="+", help="a CSV file of each viewer")
    score.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _make(options: argparse.Namespace) -> None:
    for name, least in (("pairs", 1), ("rows", 8), ("frames", 2)):
        if (value := getattr(options, name)) < least:
            raise UsageError(f"--{name} is {value}, but must be at least {least}")
    if options.clips:
        exhibits = clip_exhibits(options.a, options.b, options.pairs, options.frames, options.seed)
    else:
        exhibits = picture_exhibits(
            options.a, options.b, options.pictures, options.pairs, options.rows
        )
    key = write_set(
        options.out,
        exhibits,
        names=(options.a, options.b),
        questions=options.question or (OF_CLIPS if options.clips else QUESTIONS),
        seed=options.seed,
        suffix=".jpg" if options.jpeg else ".png",
        both=options.both,
    )
    print(f"wrote {len(key.pairs)} pairs; show viewers {options.out / 'pairs'} and nothing else")


def _score(options: argparse.Namespace) -> None:
    key = read_key(options.out)
    result = score_answers(key, {path.name: read_answers(path, key) for path in options.answers})
    print(json.dumps(result.model_dump(), indent=2) if options.json else describe(result))


if __name__ == "__main__":
    sys.exit(main())
