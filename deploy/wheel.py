"""The wheel of this pleinair, for devices that cannot get it from an index."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path

from .. import __version__
from ..children import run_child
from ..errors import ExportError
from ..temporary import TemporaryFolder

ROOT = Path(__file__).resolve().parents[1]


def build_wheel(folder: Path) -> Path:
    """Builds it with pip, from this checkout or from where it was installed.

    Returns:
        The wheel; it is for any system.

    Raises:
        ExportError: pip cannot.
    """
    source = _source()
    with TemporaryFolder() as temporary:
        # Without this, setuptools builds inside the checkout and old modules stay in the wheel.
        settings = temporary / "setup.cfg"
        settings.write_text(
            f"[build]\nbuild_base = {temporary}/build\n[egg_info]\negg_base = {temporary}\n",
            encoding="utf-8",
        )
        made = temporary / "made"
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        said = run_child(
            [*command, "--no-deps", "--wheel-dir", made, source],
            # What pip leaves behind if it is interrupted goes with the folder.
            env=os.environ | {"DIST_EXTRA_CONFIG": str(settings), "TMPDIR": str(temporary)},
        )
        wheels = list(made.glob("pleinair-*.whl"))
        if said or len(wheels) != 1:
            raise ExportError(
                f"pip cannot build a wheel of {source} ({said or 'it made none'}); connect to the"
                " network, or run this in a checkout of pleinair"
            )
        path = folder / wheels[0].name
        path.write_bytes(wheels[0].read_bytes())
    return path


def _source() -> str:
    """What pip builds the wheel of."""
    if (ROOT / "pyproject.toml").exists():
        return str(ROOT)
    noted = importlib.metadata.distribution("pleinair").read_text("direct_url.json")
    return json.loads(noted)["url"] if noted else f"pleinair=={__version__}"
