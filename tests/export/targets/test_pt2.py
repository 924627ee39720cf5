"""PyTorch's own programs: painted without pleinair, measured, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BackendError
from pleinair.pictures import read_picture
from pleinair.runtime.backends import find_backend
from pleinair.runtime.stylizer import load
from pleinair.runtime.verify import verify


@pytest.mark.parametrize(("precision", "bar"), [("fp32", 90), ("fp16", 55)])
def test_a_program_paints_alone_and_in_a_bundle(run, photos, tmp_path, precision, bar) -> None:
    out = tmp_path / "b"
    precisions = list({"fp32", precision})
    export(run, out, targets=["onnx", "pt2"], precisions=precisions, calibration=photos)
    artifact = Bundle.open(out).find("pt2", precision)
    assert artifact
    assert artifact.path == f"{precision}.pt2"
    assert (artifact.drift.runner, artifact.drift.psnr_db >= bar) == ("torch", True)
    photo, _ = read_picture(photos / "01.jpg")
    photo = photo[:64, :120].copy()
    alone = torch.export.load(out / artifact.path).module()(torch.from_numpy(photo[None]))
    paint = load(out, "torch", precision, color="rgb")
    assert paint.choice.precision == precision
    assert (paint(photo) == alone.numpy()[0]).all()
    assert str(Path(__file__).parents[3]).encode() not in (out / artifact.path).read_bytes()
    rows = [row for row in verify(out, photos, count=1)["artifacts"] if row["target"] == "pt2"]
    assert {measured["backend"] for row in rows for measured in row["measured"]} == {"torch"}


def test_what_is_no_program_is_refused(tmp_path) -> None:
    (tmp_path / "x.pt2").write_bytes(b"no program")
    with pytest.raises(BackendError, match="torch failed to load"):
        find_backend("torch").load(tmp_path / "x.pt2")
    assert Bundle.open("monet-conv").find("pt2", "fp32") is None
