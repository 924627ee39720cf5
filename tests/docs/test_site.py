"""The documentation becomes a site without a warning, and tells of every target there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pleinair.export.targets import TARGETS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"]


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))],
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", text)
    pages_made = {"reference/command-line.md"}
    missing = [
        link
        for link in links
        if not ((ROOT / page).parent / link).exists() and link not in pages_made
    ]
    assert missing == []


def test_every_target_is_one_that_a_device_is_told_of():
    text = (ROOT / "docs" / "which-target.md").read_text(encoding="utf-8")
    rows = [row.split("|") for row in text.splitlines() if row.startswith("| ")]
    told = {name: row for row in rows for name in re.findall(r"--target (\w+)", row[2])}
    built_by_default = {name for name, target in TARGETS.items() if target.by_default}
    kits = {"executorch", "ncnn", "jetson"}  # told of in the tutorials
    assert set(told) | built_by_default | kits == set(TARGETS)
    for name, row in told.items():
        assert row[5].strip().startswith("yes") == TARGETS[name].strokes, name


def test_the_site_is_built_without_a_warning(tmp_path):
    for library in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(library, reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "site/reference/python/index.html").read_text()
    assert "in_flight" in reference
    commands = (tmp_path / "site/reference/command-line/index.html").read_text()
    assert "--target-fps" in commands
