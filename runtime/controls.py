"""What can be changed while a picture is live, by key, page, or program."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError, shown, unknown_name
from ..reading import Malformed, read_json
from .cache import write_cached

# What a key does, for the help overlay; `Controls.press` is the other half of this table.
KEYS = {
    "q": "quit",
    "h": "help",
    "space": "pause",
    "m": "mirror",
    "c": "compare with the original",
    ", .": "move the divider",
    "- +": "strength",
    "n": "next style",
    "s": "snapshot",
    "r": "record",
}
_STEP = 0.1
_KEPT = ("strength", "mirror", "compare", "divider")


@dataclass
class Controls:
    """The state of a live picture. Fields are set by one thread and read by others.

    Attributes:
        strength: 1 is the painting, 0 the original.
        mirror: Whether the picture is mirrored.
        compare: Whether the original is shown left of the divider.
        divider: Where it is, as a share of the width.
        paused: Whether the picture is frozen.
        style: The model that paints, one of ``styles``.
        loading: The style that is being loaded; empty if none.
        message: What the viewer should read, e.g. where a snapshot was written.
    """

    strength: float = 1.0
    mirror: bool = False
    compare: bool = False
    divider: float = 0.5
    paused: bool = False
    style: str = "monet"
    loading: str = ""
    styles: list[str] = field(default_factory=lambda: ["monet"])
    help: bool = False
    recording: bool = False
    snapshot: bool = False  # wanted with the next frame
    quit: bool = False
    message: str = ""

    def set(self, changes: dict[str, Any]) -> None:
        """Changes several fields; all or none. A divider that is moved is shown.

        Raises:
            UsageError: A name is unknown or a value does not fit.
        """
        for name, value in changes.items():
            _check(name, value, self.styles)
        if "divider" in changes:
            changes = {"compare": True} | changes
        for name, value in changes.items():
            setattr(self, name, value)

    def press(self, key: str) -> None:
        """Acts on a key; other keys do nothing."""
        toggles = {"h": "help", " ": "paused", "m": "mirror", "c": "compare", "r": "recording"}
        if key in toggles:
            setattr(self, toggles[key], not getattr(self, toggles[key]))
        elif key in ("-", "+", "="):
            self.strength = _within(self.strength + (-_STEP if key == "-" else _STEP))
        elif key in (",", "."):
            step = -_STEP / 2 if key == "," else _STEP / 2
            self.set({"divider": _within(self.divider + step)})
        elif key == "n":
            self.style = self.styles[(self.styles.index(self.style) + 1) % len(self.styles)]
        elif key == "s":
            self.snapshot = True
        elif key in ("q", "\x1b"):
            self.quit = True

    def state(self) -> dict[str, Any]:
        """Returns the state that a page shows."""
        names = (*_KEPT, "paused", "style", "styles", "loading", "recording", "message")
        return {name: getattr(self, name) for name in names}

    def save(self) -> None:
        """Keeps the settings for the next run."""
        values = {name: getattr(self, name) for name in _KEPT}
        write_cached(settings_file(), json.dumps(values, indent=2).encode())


def settings_file() -> Path:
    """Returns where the settings of live are kept between runs."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "pleinair" / "live.json"


def read_settings() -> dict[str, Any]:
    """Returns the settings of the last run; none if there was none.

    Raises:
        UsageError: The file cannot be read.
    """
    path = settings_file()
    try:
        values = read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, Malformed) as error:
        raise UsageError(f"settings file {path} cannot be read: {error}; delete it") from None
    if not isinstance(values, dict):
        raise UsageError(f"settings file {path} holds no settings; delete it")
    for name, value in values.items():
        try:
            if name not in _KEPT:
                raise UsageError(unknown_name("setting", name, _KEPT))
            _check(name, value, [])
        except UsageError as error:
            raise UsageError(f"settings file {path}: {error}; correct or delete it") from None
    return values


def _check(name: str, value: object, styles: list[str]) -> None:
    if name in ("strength", "divider"):
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
        if not 0 <= number <= 1:
            raise UsageError(f"{name} must be a number from 0 to 1, got {shown(value)}")
    elif name in ("mirror", "compare", "paused", "recording", "snapshot"):
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false, got {shown(value)}")
    elif name == "style":
        if value not in styles:
            raise UsageError(unknown_name("style", shown(value), styles))
    else:
        known = (*_KEPT, "paused", "recording", "snapshot", "style")
        raise UsageError(unknown_name("control", name, known))


def _within(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 3)
