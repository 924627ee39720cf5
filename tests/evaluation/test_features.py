"""Files keep to the contract or are refused in a sentence; Inception says how to get it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from pleinair.errors import PleinairError, UsageError
from pleinair.evaluation.features import load_features
from torch import Tensor, nn


class MeanColour(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] == self.size
        return x.mean((2, 3)) / 255


class Unsized(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([[float(x.shape[2]), float(x.shape[3])]])


def test_onnx_and_torchscript_see_the_same(tmp_path, mean_colour, save_torchscript, read_all):
    pictures = read_all("photos")[:4]
    scripted = save_torchscript(tmp_path / "mean.pt", MeanColour(32))
    small = [cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in pictures]
    expected = [picture.mean((0, 1)) / 255 for picture in small]
    for path in (mean_colour, scripted):
        found = load_features(path)(pictures)
        assert found.shape == (4, 3)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_torchscript_without_a_size(tmp_path, save_torchscript, read_all):
    features = load_features(save_torchscript(tmp_path / "unsized.ts", Unsized()))
    assert features(read_all("photos")[:1]).tolist() == [[224, 224]]


@pytest.mark.parametrize("name", ["net.onnx", "net.pt", "net.ts"])
def test_a_file_that_is_something_else(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UsageError, match=f"{name} does not exist"):
        load_features(path)
    path.write_text("hello")
    with pytest.raises(
        PleinairError, match=rf"feature network .*{name} is no (ONNX|TorchScript) file"
    ):
        load_features(path)


def test_an_unknown_suffix(tmp_path):
    with pytest.raises(UsageError, match=r"net\.pth must end in \.onnx, \.pt, \.ts"):
        load_features(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("operator", "shape", "message"),
    [
        ("GlobalAveragePool", ("n", 3, "height", "width"), "with a fixed S"),
        ("GlobalAveragePool", (1, 3, 32, 48), "with a fixed S"),
        ("GlobalAveragePool", (1, 3, 32), "with a fixed S"),
        ("GlobalAveragePool", (1, 4, 32, 32), "does not take float32"),
        ("Relu", (1, 3, 32, 32), r"must return \(1, D\) for a picture, not \[1, 3, 32, 32\]"),
        ("Transpose", (1, 3, 32, 32), r"must return \(1, D\) for a picture, not \[32, 32, 3, 1\]"),
        ("Shape", (1, 3, 32, 32), r"must return \(1, D\) for a picture, not \[4\]"),
    ],
)
def test_networks_that_break_the_contract(tmp_path, save_onnx, operator, shape, message):
    path = save_onnx(tmp_path / "net.onnx", operator, shape)
    with pytest.raises(PleinairError, match=message):
        load_features(path)


def test_features_that_are_no_numbers(tmp_path, save_torchscript):
    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.mean((2, 3)) - 1).log()

    with pytest.raises(PleinairError, match="not finite"):
        load_features(save_torchscript(tmp_path / "log.pt", Log()))


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Torch's cache, empty, and its network cut."""

    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "hub"


def test_inception_offline_says_what_goes_where(hub, capfd):
    with pytest.raises(PleinairError, match="cannot be fetched") as caught:
        load_features(None)
    name = "weights-inception-2015-12-05-6726825d.pth"
    url = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{name}"
    assert f"download {url} to {hub / 'checkpoints' / name}," in str(caught.value)
    assert "no route to host" in str(caught.value)
    assert "--features" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_inception_from_a_damaged_file(hub):
    file = hub / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    file.parent.mkdir(parents=True)
    file.write_text("hello")
    with pytest.raises(PleinairError, match=r"6726825d\.pth does not hold Inception's weights"):
        load_features(None)


def test_inception_from_the_cache(hub, monkeypatch, read_all):
    """With random weights: what matters is the way there, and that chance stays as it was."""
    from torch_fidelity import FeatureExtractorInceptionV3

    file = hub / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    file.parent.mkdir(parents=True)
    file.touch()
    empty = hashlib.sha256().hexdigest()
    monkeypatch.setattr("pleinair.evaluation.features.INCEPTION_SHA256", empty)
    monkeypatch.setattr(torch, "load", lambda path, **_: {"from": path})
    loaded = []
    monkeypatch.setattr(
        FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: loaded.append(state)
    )
    before = torch.get_rng_state()
    features = load_features(None)
    assert loaded == [{"from": str(file)}]
    assert features(read_all("photos")[:2]).shape == (2, 2048)
    assert torch.equal(torch.get_rng_state(), before)


class Planted:
    """What would run code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("right_hash", [False, True])
def test_planted_inception_runs_no_code(hub, tmp_path, monkeypatch, right_hash):
    file = hub / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    file.parent.mkdir(parents=True)
    torch.save({"a": Planted(tmp_path / "ran")}, file)
    if right_hash:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        monkeypatch.setattr("pleinair.evaluation.features.INCEPTION_SHA256", digest)
    with pytest.raises(PleinairError, match=r"6726825d\.pth does not hold Inception's weights"):
        load_features(None)
    assert not (tmp_path / "ran").exists()
