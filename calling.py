"""Makes a room callable as its verb: ``pleinair.train(...)``, though ``pleinair.train`` is a room.

Room and verb share a name, which Python binds to the room as soon as anything in it is imported.
So the room itself is callable, and imports the function behind it at the first call.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature

    from .errors import PleinairError


class _Verb(ModuleType):
    __verb__: tuple[str, str]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function()(*arguments, **named)

    @property
    def __signature__(self) -> Signature:
        """What ``inspect.signature`` and editors show."""
        from inspect import signature

        return signature(self._function())

    def _function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = function(*self.__verb__)
        return found


def be_called(room: str, verb: str, extra: str) -> None:
    """Makes a room callable.

    Args:
        room: The module's name.
        verb: The function's, e.g. ``"pleinair.api.train.train"``.
        extra: That brings the libraries which the function needs.
    """
    module = sys.modules[room]
    module.__class__ = _Verb
    module.__verb__ = verb, extra  # type: ignore[attr-defined]


def function(name: str, extra: str = "") -> Any:
    """Imports what has a dotted name.

    Args:
        name: Of a function or class, with its module's.
        extra: That brings the libraries which it needs; "" if the base install does.

    Raises:
        PleinairError: A library is not here; the sentence says how to get it.
    """
    from .errors import needs

    where, _, what = name.rpartition(".")
    with needs(extra):
        return getattr(importlib.import_module(where), what)


def absent(name: str, error: PleinairError) -> Callable[..., Any]:
    """Returns what stands for a name whose library is not here, so that help() shows the others.

    Args:
        name: The public name.
        error: Why it cannot be imported; raised by calls.
    """

    def call(*_: object, **__: object) -> Any:
        raise error.with_traceback(None)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Not usable here: {error}"
    return call
