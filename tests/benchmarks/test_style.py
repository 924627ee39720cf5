"""What looks at pictures as a whole: KID to paintings, and LPIPS."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from pleinair.benchmarks.drift import load_lpips
from pleinair.benchmarks.style import load_style
from pleinair.errors import UsageError
from pleinair.pictures import list_pictures, read_picture


def read_all(folder):
    return [read_picture(path)[0] for path in list_pictures(folder)]


def test_kid_is_smallest_for_the_paintings_themselves(mean_colour, photos):
    paintings = photos.parent / "paintings"
    kid = load_style(mean_colour, paintings)
    assert kid(read_all(paintings)) < kid([255 - photo for photo in read_all(photos)])


def test_kid_stands_in_the_results(measured):
    _, found = measured
    scores = [drift["kid"] for drift in found["drift"]]
    assert all(isinstance(score, float) for score in scores)
    assert scores[0] == pytest.approx(scores[1], rel=0.2)  # quantization keeps the mean colour


def test_no_paintings(mean_colour, tmp_path):
    with pytest.raises(UsageError, match="KID needs at least 2"):
        load_style(mean_colour, tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        load_style(mean_colour, tmp_path / "none")


def test_lpips_where_its_weights_are(photos, tmp_path, monkeypatch):
    """The weights below it are random here: the distance of equal pictures is 0 all the same."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert load_lpips() is None
    url = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.alexnet().state_dict(), file)
    lpips = load_lpips()
    photo = read_picture(list_pictures(photos)[0])[0]
    assert lpips([(photo, photo)]) == 0
    assert lpips([(photo, 255 - photo)]) > 0
