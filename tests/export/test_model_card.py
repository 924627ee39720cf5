from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle
from pleinair.export.model_card import SIDE, model_card, save_scores
from pleinair.networks.checkpoint import load_state, save_atomically
from pleinair.pictures import read_picture
from pleinair.runtime.verify import verify

from .conftest import save_generator


def test_the_card_says_what_the_manifest_says(bundle: Path) -> None:
    card, manifest = (bundle / "MODEL_CARD.md").read_text(), Bundle.open(bundle).manifest
    assert card.startswith("# Tiny\n")
    assert f"| {manifest.generator.parameters:,} |" in card
    for artifact in manifest.artifacts:
        assert f"`{artifact.path}`" in card
        assert f"{artifact.drift.psnr_db:.1f}" in card
        assert artifact.drift.verdict in card
    assert "## Scores" not in card  # none were measured


def test_what_the_recipe_says_about_a_model_is_in_its_card(tmp_path: Path, photos: Path) -> None:
    state = load_state(save_generator(tmp_path / "generator.pt"))
    state["recipe"]["about"] = {"description": "Paints.", "data": "Own.", "limits": "Night."}
    save_atomically(state, tmp_path / "generator.pt")
    manifest = export(
        tmp_path / "generator.pt",
        tmp_path / "out",
        targets=["onnx"],
        precisions=["fp32"],
        calibration=photos,
    )
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert manifest.description == "Paints."
    assert all(said in card for said in ("# Tiny\n\nPaints.", "Own.", "## Limits\n\nNight."))


def test_the_strip_shows_the_original_and_every_precision(bundle: Path) -> None:
    picture, _ = read_picture(bundle / "strip.jpg")
    assert picture.shape == (SIDE, 7 * SIDE, 3)  # three precisions of two targets
    original, *painted = np.split(picture.astype(int), 7, axis=1)
    for one in painted:
        assert np.abs(one - original).mean() > 2  # painted
        assert np.abs(one - painted[0]).mean() < 4  # all nearly alike


def test_scores_are_saved_with_how_they_were_measured(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    save_scores(copy, {"kid": 0.0421, "ssim": 0.75}, "By hand.")
    training = Bundle.open(copy).manifest.training
    assert (training.scores, training.scored) == ({"kid": 0.0421, "ssim": 0.75}, "By hand.")
    card = (copy / "MODEL_CARD.md").read_text()
    assert "| kid | 0.0421 |" in card
    assert "By hand." in card
    assert verify(copy, count=2)["ok"]
    assert [p.name for p in tmp_path.iterdir()] == ["copy"]


def test_an_imported_generator_has_a_card_too(bundle: Path) -> None:
    manifest = Bundle.open(bundle).manifest
    training = manifest.training.model_copy(
        update={"dataset": "", "steps": 0, "recipe": {"name": "other", "title": "Other"}}
    )
    card = model_card(manifest.model_copy(update={"training": training}))
    assert "Imported from a checkpoint of another project." in card
