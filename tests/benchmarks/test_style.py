"""What looks at pictures as a whole: KID to paintings, and LPIPS."""

from __future__ import annotations

import onnx
import pytest
import torch
import torchvision
from onnx import TensorProto, helper
from pleinair.benchmarks.drift import load_lpips
from pleinair.benchmarks.style import load_style
from pleinair.errors import UsageError
from pleinair.pictures import list_pictures, read_picture


@pytest.fixture(scope="module")
def mean_colour(tmp_path_factory):
    """A feature network that knows the mean colour of a picture."""
    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, 32, 32))
    nodes = [
        helper.make_node("Constant", [], ["white"], value_float=255.0),
        helper.make_node("Div", ["picture", "white"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["features"]),
    ]
    given = helper.make_empty_tensor_value_info("features")
    model = helper.make_model(
        helper.make_graph(nodes, "features", [taken], [given]),
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 18)],
    )
    path = tmp_path_factory.mktemp("features") / "mean.onnx"
    onnx.save(model, path)
    return path


def read_all(folder):
    return [read_picture(path)[0] for path in list_pictures(folder)]


def test_kid_is_smallest_for_the_paintings_themselves(mean_colour, photos):
    paintings = photos.parent / "paintings"
    kid = load_style(mean_colour, paintings)
    assert kid(read_all(paintings)) < kid([255 - photo for photo in read_all(photos)])


def test_kid_stands_in_the_results(quick, mean_colour, photos, tmp_path):
    found = quick(
        "monet-conv", tmp_path / "out", backends=["onnxruntime"], precisions=["int8", "fp32"],
        features=mean_colour, targets=photos.parent / "paintings",
    )  # fmt: skip
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
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert load_lpips() is None
    url = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url
    file = tmp_path / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir()
    torch.save(torchvision.models.alexnet().state_dict(), file)
    lpips = load_lpips()
    photo = read_picture(list_pictures(photos)[0])[0]
    assert lpips([(photo, photo)]) == 0
    assert lpips([(photo, 255 - photo)]) > 0
