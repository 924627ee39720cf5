"""What viewers answered, counted: how often A was chosen, how surely, and what disturbed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pleinair.errors import UsageError
from pleinair.tools.blind_set import Key
from pydantic import BaseModel


@dataclass(frozen=True)
class Answer:
    """One viewer's of one pair, by question."""

    pair: str
    chose_a: list[bool]
    clear: list[bool]
    disturbed: str  # in the one that was not chosen in the first question


class Count(BaseModel):
    """How often A was chosen."""

    question: str
    a: int
    of: int
    percent: float
    interval: tuple[float, float]  # percent, 95 %, Clopper and Pearson's
    clear_a: int
    clear_of: int


class Remark(BaseModel):
    """What disturbed a viewer."""

    viewer: str
    pair: str
    name: str  # of the picture
    text: str


class Result(BaseModel):
    """All answers to a comparison."""

    a: str
    b: str
    pairs: int
    viewers: dict[str, list[int]]  # how often each chose A, by question
    questions: list[Count]
    disturbed: dict[str, list[Remark]]  # in "a" and in "b"


def read_answers(path: Path, key: Key) -> list[Answer]:
    """Reads a viewer's CSV file, as ``questions.md`` asks for it.

    Raises:
        UsageError: It cannot be read, answers another comparison, or is not complete.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text; name a CSV file of answers") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    _check_code(path, lines, key)
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    header = [name.strip().lower() for name in next(rows, [])]
    wanted = _columns(len(key.questions))
    if header != wanted:
        raise UsageError(f"{path} has columns {','.join(header)}, but must have {','.join(wanted)}")
    answers = [_answer(path, row, key) for row in rows]
    _check_pairs(path, [answer.pair for answer in answers], key)
    return answers


def score_answers(key: Key, answers: Mapping[str, Sequence[Answer]]) -> Result:
    """Counts the answers of viewers, by their names."""
    remarks: dict[str, list[Remark]] = {"a": [], "b": []}
    for viewer, given in answers.items():
        for answer in given:
            if answer.disturbed:
                name = key.pairs[answer.pair].name
                remark = Remark(viewer=viewer, pair=answer.pair, name=name, text=answer.disturbed)
                remarks["b" if answer.chose_a[0] else "a"].append(remark)
    everything = [answer for given in answers.values() for answer in given]
    numbers = range(len(key.questions))
    return Result(
        a=key.a,
        b=key.b,
        pairs=len(key.pairs),
        viewers={
            viewer: [sum(answer.chose_a[n] for answer in given) for n in numbers]
            for viewer, given in answers.items()
        },
        questions=[_count(key.questions[n], n, everything) for n in numbers],
        disturbed=remarks,
    )


def describe(result: Result) -> str:
    """Returns a result in words."""
    lines = [f"A is {result.a}, B is {result.b}; {result.pairs} pairs"]
    for number, count in enumerate(result.questions, 1):
        low, high = count.interval
        lines += [
            f"\n{number}. {count.question}",
            f"   A in {count.a} of {count.of} ({count.percent:.0f} %, 95 % interval"
            f" {low:.0f} to {high:.0f} %), in {count.clear_a} of the {count.clear_of} clear ones",
        ]
    if len(result.viewers) > 1:
        lines += ["", "A by viewer and question:"]
        lines += [f"   {viewer}: {counts}" for viewer, counts in result.viewers.items()]
    for side, remarks in result.disturbed.items():
        lines += ["", f"what disturbed in {side.upper()}, {result.a if side == 'a' else result.b}:"]
        lines += [f"   {r.pair} {r.name}: {r.text}" for r in remarks] or ["   nothing was said"]
    return "\n".join(lines)


def interval(chosen: int, of: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson 1934), in 0..1."""
    from scipy.stats import binomtest

    found = binomtest(chosen, of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def _count(question: str, number: int, answers: Iterable[Answer]) -> Count:
    chosen = [(answer.chose_a[number], answer.clear[number]) for answer in answers]
    a, of = sum(was_a for was_a, _ in chosen), len(chosen)
    low, high = interval(a, of)
    return Count(
        question=question,
        a=a,
        of=of,
        percent=round(100 * a / of, 1),
        interval=(round(100 * low, 1), round(100 * high, 1)),
        clear_a=sum(was_a and clear for was_a, clear in chosen),
        clear_of=sum(clear for _, clear in chosen),
    )


def _columns(questions: int) -> list[str]:
    numbers = range(1, questions + 1)
    return ["pair", *(f"q{n}" for n in numbers), *(f"clear{n}" for n in numbers), "disturbed"]


def _check_code(path: Path, lines: Sequence[str], key: Key) -> None:
    """What is counted with another key would be nonsense that nobody sees."""
    wanted = f"# set {key.code}"
    found = next((line for line in lines if line.startswith("#")), None)
    if found is None:
        raise UsageError(
            f"{path} does not say which pairs it answers; its first line must be {wanted!r}"
        )
    if found.split() != wanted.split():
        raise UsageError(
            f"{path} begins with {found!r}, but this key is of {wanted!r}; name its own"
        )


def _answer(path: Path, row: Sequence[str], key: Key) -> Answer:
    count = len(key.questions)
    pair = _pair(path, row[0], key)
    where = f"{path}, pair {pair},"
    if len(row) < 1 + 2 * count:
        raise UsageError(f"{where} has {len(row)} values; it needs {2 + 2 * count}")
    sides, clears = row[1 : 1 + count], row[1 + count : 1 + 2 * count]
    return Answer(
        pair=pair,
        chose_a=[_word(where, side, ("left", "right")) == key.pairs[pair].a for side in sides],
        clear=[_word(where, clear, ("yes", "no")) == "yes" for clear in clears],
        disturbed=",".join(row[1 + 2 * count :]).strip(),  # viewers forget quotes
    )


def _pair(path: Path, text: str, key: Key) -> str:
    """The number of a pair, however it is written: 1, 001, pair_001."""
    digits = re.fullmatch(r"(?:pair_?)?0*(\d+)", text.strip().lower())
    number = f"{int(digits[1]):03}" if digits else ""
    if number not in key.pairs:
        raise UsageError(
            f"{path} answers pair {text.strip()!r}, which there is not; 001 is the first"
        )
    return number


def _word(where: str, text: str, words: Sequence[str]) -> str:
    word = text.strip().lower()
    if word not in words:
        raise UsageError(f"{where} says {text.strip()!r}; say {' or '.join(words)}")
    return word


def _check_pairs(path: Path, found: Sequence[str], key: Key) -> None:
    for number in key.pairs:
        times = found.count(number)
        if times != 1:
            raise UsageError(f"{path} answers pair {number} {times} times; answer each pair once")
