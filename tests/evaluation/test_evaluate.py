"""The verb: bundles and runs, on the pictures that are named or those of the recipe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pleinair.api.evaluate import evaluate
from pleinair.bundle.bundle import Bundle
from pleinair.evaluation.scores import Scores
from pleinair.evaluation.viewing import ViewingScores
from pleinair.export.model_card import save_scores
from pleinair.metrics import delta_e
from pleinair.networks.generators import create_generator
from pleinair.pictures import list_pictures, read_picture, spread, write_picture

AS_THEY_ARE = ("--viewing", 0)  # not at viewing size, which takes longer
BUNDLE = ("evaluate", "monet-conv", "--backend", "onnxruntime", "--precision", "int8", *AS_THEY_ARE)
FOLDERS = ("--source", "photos", "--target", "paintings")


@pytest.fixture
def run(tmp_path, photos) -> Path:
    """A run's folder with a generator that was just begun."""
    recipe = {
        "name": "tiny",
        "data": {"root": str(photos.parent), "source": "photos", "target": "paintings"},
        "optim": {"steps": 6},
    }
    state = {
        "format": "pleinair-generator-1",
        "architecture": "edge_s",
        "options": {},
        "recipe": recipe,
        "step": 3,
        "state": create_generator("edge_s").state_dict(),
    }
    (tmp_path / "run").mkdir()
    torch.save(state, tmp_path / "run" / "generator.pt")
    return tmp_path / "run"


def test_a_bundle(cli, tmp_path, photos, mean_colour, make_video):
    clip = make_video(tmp_path / "clip.mp4", frames=5)
    arguments = ("--data", photos.parent, *FOLDERS, "--features", mean_colour, "--pictures", 5)
    sheet = tmp_path / "sheets" / "sheet.png"
    done = cli(*BUNDLE, *arguments, "--clip", clip, "--sheet", sheet, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    scores = Scores.model_validate(found["scores"])
    assert (scores.pictures, scores.targets) == (5, 5)
    assert scores.strength > 0
    assert scores.flicker > 0
    assert found["viewing"] is None
    assert found["measured"] == {
        "source": "monet-conv",
        "painted_with": "onnxruntime int8",
        "pictures": str(photos),
        "targets": str(photos.parent / "paintings"),
        "features": str(mean_colour),
        "dimensions": 3,
        "clip": str(clip),
    }
    assert read_picture(sheet)[0].shape[0] == 576
    table = cli(*BUNDLE, *arguments)
    assert (table.code, table.err) == (0, "")
    assert f"{scores.kid:.4g}" in table.out
    assert "KID ratio" in table.out
    assert "viewing size" not in table.out


def test_at_viewing_size(cli, photos, mean_colour):
    arguments = ("--data", photos.parent, *FOLDERS, "--features", mean_colour, "--pictures", 4)
    done = cli(*BUNDLE, *arguments, "--viewing", 2, "--json")
    assert (done.code, done.said()) == (0, [])
    scores = ViewingScores.model_validate(json.loads(done.out)["viewing"])
    assert (scores.pictures, scores.enlarged) == (2, 2)
    assert 1 < scores.stroke_strength < 10
    assert 0.5 < scores.content < 1
    assert scores.kid is not None
    table = cli(*BUNDLE, *arguments, "--viewing", 1)
    assert (table.code, table.said()) == (0, [])
    assert "720 rows; pictures: 1, of them enlarged: 1" in table.out
    assert "does not agree with eyes" in table.out
    assert "stroke strength" in table.out


def test_a_run_knows_its_pictures(cli, run, photos, mean_colour):
    done = cli("evaluate", run, *AS_THEY_ARE, "--features", mean_colour, "--pictures", 3, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["scores"]["pictures"] == 3
    assert found["measured"]["pictures"] == str(photos)
    assert found["measured"]["targets"] == str(photos.parent / "paintings")
    assert found["measured"]["painted_with"] == "pytorch fp32"
    turned = ("--source", "paintings", "--target", "photos")
    file = run / "generator.pt"
    done = cli(
        "evaluate",
        file,
        *AS_THEY_ARE,
        *turned,
        "--features",
        mean_colour,
        "--pictures",
        3,
        "--json",
    )
    assert json.loads(done.out)["measured"]["targets"] == str(photos)


def test_a_run_of_colorization_paints_grey_pictures(cli, run, photos, mean_colour):
    state = torch.load(run / "generator.pt")
    state["recipe"]["data"] |= {"mode": "colorization"}
    state["recipe"]["evaluate"] = {"features": str(mean_colour)}
    torch.save(state, run / "generator.pt")
    done = cli(
        "evaluate", run, *AS_THEY_ARE, "--pictures", 3, "--sheet", run / "sheet.png", "--json"
    )
    found = json.loads(done.out)
    assert found["measured"]["targets"] == found["measured"]["pictures"] == str(photos)
    assert found["measured"]["features"] == str(mean_colour)
    above = read_picture(run / "sheet.png")[0][:288]
    assert (above.max(2) == above.min(2)).all()


def test_a_run_of_pairs_is_scored_against_their_other_halves(
    cli, run, tmp_path, photos, mean_colour
):
    state = torch.load(run / "generator.pt")
    state["recipe"]["data"] |= {"mode": "colorization", "source": "none", "samples": "photos"}
    state["recipe"]["evaluate"] = {"features": str(mean_colour)}
    state["state"]["up_full.weight"] *= 0  # paints nothing
    torch.save(state, run / "generator.pt")
    done = cli("evaluate", run, *AS_THEY_ARE, "--pictures", 3, "--json")
    assert (done.code, done.err) == (0, "")
    scores = Scores.model_validate(json.loads(done.out)["scores"])
    expected, colours = [], []
    for path in spread(list_pictures(photos), 3):
        rgb = read_picture(path)[0]
        grey = np.repeat(np.rint(rgb @ [0.299, 0.587, 0.114])[..., None], 3, 2)
        expected.append(np.abs(rgb - grey).mean())
        colours.append(delta_e(rgb, grey.astype(np.uint8)).mean())
    assert scores.pair_l1 == scores.pair_l1_photographs
    assert scores.pair_l1 == pytest.approx(np.mean(expected), abs=0.05)
    assert scores.pair_delta_e == scores.pair_delta_e_photographs
    assert scores.pair_delta_e == pytest.approx(np.mean(colours), abs=0.05)
    table = cli("evaluate", run, *AS_THEY_ARE, "--pictures", 3, "--source", "paintings")
    assert "L1 to the pair" in table.out


def test_a_pair_of_two_sizes(cli, run, photos, tmp_path, mean_colour):
    for name, side in (("source", 64), ("target", 72)):
        for number in range(2):
            write_picture(tmp_path / name / f"{number}.png", np.zeros((side, 64, 3), np.uint8))
    state = torch.load(run / "generator.pt")
    state["recipe"]["data"] = {"mode": "aligned", "root": str(tmp_path)}
    state["recipe"]["data"] |= {"source": "source", "target": "target"}
    torch.save(state, run / "generator.pt")
    done = cli("evaluate", run, *AS_THEY_ARE, "--features", mean_colour)
    assert "64x64, but what it shall become 64x72" in done.error()
    assert done.code == 2


def test_wrong_requests(cli, tmp_path, run, photos, mean_colour, monkeypatch):
    data = ("--data", photos.parent)
    for arguments, code, message in [
        ((*BUNDLE,), 2, "give --data"),
        ((*BUNDLE, *data), 2, "testB does not exist; name another with --data"),
        ((*BUNDLE, *data, "--source", "photos"), 2, "trainA does not exist"),
        ((*BUNDLE, *data, *FOLDERS, "--features", "no.onnx"), 2, "no.onnx does not exist"),
        ((*BUNDLE, *data, *FOLDERS, "--sheet", "sheet.txt"), 2, "is not a name for a picture"),
        ((*BUNDLE, *data, *FOLDERS, "--pictures", 1), 2, "'--pictures'"),
        (("evaluate", run, "--precision", "int8"), 2, "are for bundles"),
        (("evaluate", "mone"), 2, "did you mean 'monet'"),
        (("evaluate", tmp_path / "no.pt"), 2, "no.pt does not exist"),
    ]:
        done = cli(*arguments)
        assert message in done.error()
        assert (done.code, done.out) == (code, "")
    (tmp_path / "testB").mkdir()
    done = cli(*BUNDLE, "--data", tmp_path)
    assert "testB holds 0 pictures" in done.error()
    done = cli(*BUNDLE, *data, *FOLDERS, "--features", mean_colour, "--clip", tmp_path / "no.mp4")
    assert "no.mp4 does not exist" in done.error()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _refuse)
    done = cli(*BUNDLE, *data, *FOLDERS)
    assert "Inception's weights cannot be fetched" in done.error()
    assert done.code == 1


def _refuse(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_scores_are_saved_in_the_bundle(cli, bundle, photos, mean_colour):
    arguments = ("--data", photos.parent, *FOLDERS, "--features", mean_colour, "--pictures", 4)
    assert cli("evaluate", bundle, *arguments, *AS_THEY_ARE, "--save").code == 0
    training = json.loads((bundle / "manifest.json").read_text())["training"]
    assert training["scores"]["ssim"] > 0
    assert "4 pictures of photos against 4 of paintings" in training["scored"]
    assert str(photos.parent) not in (bundle / "MODEL_CARD.md").read_text()


def test_links_of_a_strangers_bundle_are_not_written_through(bundle, tmp_path):
    """A bundle is copied before its scores are saved, with the links that are in it."""
    theirs = tmp_path / "theirs"
    manifest = (bundle / "manifest.json").read_text()
    for name, text in (("MODEL_CARD.md", "theirs"), ("manifest.json", manifest)):
        (theirs / name).parent.mkdir(exist_ok=True)
        (theirs / name).write_text(text)
        (bundle / name).unlink(missing_ok=True)
        (bundle / name).symlink_to(theirs / name)
    save_scores(bundle, {"ssim": 0.5}, "By hand.")
    assert (theirs / "MODEL_CARD.md").read_text() == "theirs"
    assert (theirs / "manifest.json").read_text() == manifest
    assert Bundle.open(bundle).manifest.training.scored == "By hand."
    assert "By hand." in (bundle / "MODEL_CARD.md").read_text()


def test_without_the_command_line(run, photos, mean_colour):
    found = evaluate(str(run), photos.parent, features=mean_colour, pictures=3, viewing=0)
    assert found.scores.pictures == found.scores.targets == 3
    assert found.measured["pictures"] == str(photos)


def test_scores_of_a_run_have_no_bundle_to_be_saved_in(cli, run, bundle, tmp_path):
    assert "is not a bundle" in cli("evaluate", run, "--save").error()
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", bundle)
    done = cli("evaluate", archive, "--save")
    assert (done.code, "is a folder" in done.error()) == (2, True)
