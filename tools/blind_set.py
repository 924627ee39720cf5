"""A blind comparison's folder: ``pairs``, which viewers are shown, and ``key``, which not."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pleinair.errors import UsageError
from pleinair.pictures import Pixels, write_picture
from pydantic import BaseModel, ValidationError

Side = Literal["left", "right"]
# Ends of file names -> pictures: "" is what is compared, others go with it.
Shown = Mapping[str, Pixels]
_GAP, _GREY = 24, 128  # columns between both sides in one file, and their grey level


@dataclass(frozen=True)
class Exhibit:
    """What both painters made of one picture or clip."""

    name: str
    show: Callable[[], tuple[Shown, Shown]]  # of A and B, with the same ends and sizes


class Pair(BaseModel):
    """What viewers may not know of a pair."""

    name: str  # of the picture or clip
    a: Side  # where A is
    sha256: dict[str, str]  # of the pair's files


class Key(BaseModel):
    """What a comparison compares."""

    format: Literal["pleinair-blind-1"] = "pleinair-blind-1"
    code: str  # which answers repeat, so that they are not counted with another key
    a: str
    b: str
    seed: int
    questions: list[str]
    pairs: dict[str, Pair]  # by number, "001" ...


def write_set(
    out: Path,
    exhibits: Sequence[Exhibit],
    names: tuple[str, str],
    questions: Sequence[str],
    seed: int = 0,
    suffix: str = ".png",
    both: bool = False,
) -> Key:
    """Writes a comparison; A is left in half of the pairs, in which is up to the seed.

    Args:
        out: The folder, which must not exist; it appears when all is written.
        exhibits: What is compared, a pair each.
        names: Of A and B, for the key.
        questions: What viewers are asked.
        seed: Of the sides.
        suffix: Of the pictures.
        both: Whether to write a file more with both sides in it.

    Raises:
        UsageError: The folder exists, or both sides of a pair differ in size.
        MediaError: A picture cannot be read or written.
    """
    sides: list[Side] = ["left", "right"] * -(-len(exhibits) // 2)
    random.Random(f"{seed} {names}").shuffle(sides)  # two comparisons are not to be answered alike
    pairs = {}
    with _new_folder(out) as folder:
        for index, exhibit in enumerate(exhibits):
            number, side = f"{index + 1:03}", sides[index]
            hashes = _write_pair(folder / "pairs", number, exhibit, side, suffix, both)
            pairs[number] = Pair(name=exhibit.name, a=side, sha256=hashes)
        known = repr([seed, *names, *(pair.sha256 for pair in pairs.values())])
        code = hashlib.sha256(known.encode()).hexdigest()[:8]
        a, b = names
        key = Key(code=code, a=a, b=b, seed=seed, questions=list(questions), pairs=pairs)
        (folder / "pairs" / "questions.md").write_text(_questions(key, suffix), encoding="utf-8")
        (folder / "key").mkdir()
        (folder / "key" / "key.json").write_text(key.model_dump_json(indent=2), encoding="utf-8")
    return key


def read_key(out: Path) -> Key:
    """Reads the key of a comparison.

    Raises:
        UsageError: There is none, or it is damaged.
    """
    path = out / "key" / "key.json"
    try:
        return Key.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read; name the folder that make wrote") from error
    except ValidationError as error:
        raise UsageError(f"{path} is damaged; make the comparison again") from error


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yields a folder that gets its name when all has gone well."""
    if out.exists():
        raise UsageError(f"{out} exists; name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        staged = Path(temporary, "staged")
        staged.mkdir()
        yield staged
        staged.rename(out)


def _write_pair(
    folder: Path, number: str, exhibit: Exhibit, side: Side, suffix: str, both: bool
) -> dict[str, str]:
    """Writes a pair's files; returns the sha256 of each."""
    a, b = exhibit.show()
    (height, width), (rows, columns) = a[""].shape[:2], b[""].shape[:2]
    if (height, width) != (rows, columns):
        raise UsageError(
            f"{exhibit.name} is {width}x{height} in A and {columns}x{rows} in B;"
            " what is compared must have one size"
        )
    left, right = (a, b) if side == "left" else (b, a)
    files = {f"left{end}": picture for end, picture in left.items()}
    files |= {f"right{end}": picture for end, picture in right.items()}
    if both:
        gap = np.full((height, _GAP, 3), _GREY, np.uint8)
        files["both"] = np.hstack([left[""], gap, right[""]])
    hashes = {}
    for end, picture in files.items():
        path = folder / f"pair_{number}_{end}{suffix}"
        write_picture(path, picture)
        hashes[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def _questions(key: Key, suffix: str) -> str:
    count = len(key.questions)
    asked = "\n".join(f"{n}. {question}" for n, question in enumerate(key.questions, 1))
    columns = [f"{name}{n}" for name in ("q", "clear") for n in range(1, count + 1)]
    example = ",".join(["001", *["left or right"] * count, *["yes or no"] * count, '"a few words"'])
    return f"""\
# Two painters

Each pair, `pair_001_left{suffix}` and `pair_001_right{suffix}` and so on, is what two painters made
of one thing. Which painter is left changes from pair to pair. There are {len(key.pairs)}; look at
them at full size. Where there are more files of a pair, they show the same in another way.

For each pair:

{asked}

Answer with a CSV file, a line a pair, its first two lines being:

    # set {key.code}
    pair,{",".join(columns)},disturbed

A pair's line is

    {example}

- q: `left` or `right`; choose, even if it is hard.
- clear: `yes` if you saw it at once, `no` if both were close.
- disturbed: what disturbed you in the one that you did not choose in question 1, in a few words;
  may be empty.
"""
