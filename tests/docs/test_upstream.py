"""The smallest cases of libraries' faults run, and say what they are about.

That of PyTorch is left out: torch.onnx takes nine seconds to be imported.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

CASES = sorted((Path(__file__).parents[2] / "docs" / "upstream").glob("o*.py"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_it_prints_what_it_found(case, capsys, monkeypatch):
    library = case.stem.partition("_")[0]
    pytest.importorskip({"opencv": "cv2"}.get(library, library))
    monkeypatch.setattr(sys, "argv", [str(case)])
    runpy.run_path(str(case), run_name="__main__")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{library} ")
    assert case.name in (case.parent / "README.md").read_text(encoding="utf-8")
