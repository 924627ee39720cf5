"""One reader for the text that files and strangers give: JSON and TOML within limits.

Python's parsers raise whatever they meet: RecursionError at deep nesting, UnicodeDecodeError,
numbers that no float can hold. Here all of it is one ``Malformed``, which says what is wrong; who
reads adds the file's name and what to do.
"""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # help must come without it
    from pydantic import BaseModel, ValidationError

LONGEST = 64 * 2**20  # bytes of a file
DEEPEST = 64  # levels of lists and objects
LARGEST = 2**63  # of whole numbers
_DOTS = 200  # in a line of TOML: its parser takes memory by the square of a name's parts
Model = TypeVar("Model", bound="BaseModel")


class Malformed(ValueError):
    """What is wrong with a text."""


def is_special(path: Path) -> bool:
    """Whether a path is a pipe, socket or device: reading it may never begin, or never end."""
    return path.exists() and not (path.is_file() or path.is_dir())


def read_text(path: Path, longest: int = LONGEST) -> str:
    """Reads a file of UTF-8.

    Raises:
        Malformed: It is too long, no UTF-8, or no file but a pipe, say.
        OSError: It cannot be read.
    """
    if is_special(path):
        raise Malformed("it is a pipe, socket or device, no file")
    with path.open("rb") as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise Malformed(f"it has more than {longest} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"it is no UTF-8 at byte {error.start}") from None


def parse_json(text: str | bytes, finite: bool = True) -> Any:
    """Parses JSON as RFC 8259 has it: no NaN, no infinity, no whole number beyond 64 bits.

    Args:
        text: The JSON.
        finite: False lets NaN and infinities pass, for who has words of his own for them.

    Raises:
        Malformed: It is none, or goes beyond the limits.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant if finite else None)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed(f"it is nested more than {DEEPEST} levels deep") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"it is no UTF-8 at byte {error.start}") from None
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise Malformed(f"it is no JSON ({error})") from None
    check_limits(value, finite)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Parses TOML.

    Raises:
        Malformed: It is none, or goes beyond the limits.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _DOTS:
            raise Malformed(f"line {number} has more than {_DOTS} dots")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise Malformed(f"it is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise Malformed(str(error)) from None
    check_limits(values, finite=False)  # TOML has infinities; who reads says whether they fit
    return values


def read_json(path: Path, longest: int = LONGEST) -> Any:
    """Reads a file of JSON.

    Raises:
        Malformed: It is none, or goes beyond the limits.
        OSError: It cannot be read.
    """
    return parse_json(read_text(path, longest))


def validate(model: type[Model], value: Any) -> Model:
    """Makes a model of plain values.

    Raises:
        Malformed: A field is missing or does not fit; it is named.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Malformed(first_problem(error)) from None
    except RecursionError:
        raise Malformed(f"it is nested more than {DEEPEST} levels deep") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong: the field and what is said of it."""
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    said = problem["msg"].removeprefix("Value error, ")  # which is how pydantic quotes ours
    return f"field {field}: {said}" if field else said


def check_limits(value: Any, finite: bool = True) -> None:
    """Walks through plain values, without recursion.

    Args:
        value: Of JSON or TOML.
        finite: Whether infinities and NaN are refused.

    Raises:
        Malformed: They are nested too deep, or a number is too large.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, float):
                if finite and not math.isfinite(one):
                    raise Malformed("a number in it is too large")
            elif isinstance(one, int) and not -LARGEST <= one < LARGEST:
                raise Malformed("a number in it is too large")
        if not below:
            return
        level = below
    raise Malformed(f"it is nested more than {DEEPEST} levels deep")


def _no_constant(name: str) -> Any:
    raise Malformed(f"it is no JSON ({name} is no number)")
