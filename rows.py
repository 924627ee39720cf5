"""Tables made of what is there: each module of a folder may hold one row.

A row is read without its library: modules with rows import nothing heavy.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Row(Protocol):
    """What a table has of each of its rows."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def order(self) -> int:
        """Its place in the table."""
        ...


R = TypeVar("R", bound=Row)


def rows_in(package: str, attribute: str, kind: type[R]) -> dict[str, R]:
    """Returns the rows that a package's modules hold, by name and in order.

    Args:
        package: Its full name.
        attribute: What a module calls its row.
        kind: What a row is.
    """
    names = (
        found.name for found in pkgutil.iter_modules(importlib.import_module(package).__path__)
    )
    modules = (importlib.import_module(f"{package}.{name}") for name in names)
    rows = [row for m in modules if isinstance(row := getattr(m, attribute, None), kind)]
    return {row.name: row for row in sorted(rows, key=lambda row: (row.order, row.name))}


def any_installed(libraries: str) -> bool:
    """Whether one of "this or that" can be imported; it is not imported for that."""
    return any(importlib.util.find_spec(name) for name in libraries.split(" or ") if name)


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """Returns the versions of those distributions that are installed."""
    from importlib import metadata

    versions = {}
    for name in filter(None, distributions):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
