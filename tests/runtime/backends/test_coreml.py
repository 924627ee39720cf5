from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pleinair.errors import BackendError
from pleinair.runtime.backends import find_backend
from pleinair.runtime.backends.coreml.engine import CoreMLEngine, resized, sizes_of
from pleinair.runtime.doctor import examine

pytest.importorskip("coremltools")
ON_A_MAC = sys.platform == "darwin"
needs_a_mac = pytest.mark.skipif(not ON_A_MAC, reason="needs Core ML, which only a Mac has")


def model_of(*sizes: tuple[int, int]):
    """A model that lists some sizes, (height, width), the first being its default."""
    from coremltools.proto.Model_pb2 import Model

    model = Model()
    image = model.description.input.add(name="frame").type.imageType
    image.height, image.width = sizes[0]
    for height, width in sizes:
        image.enumeratedSizes.sizes.add(height=height, width=width)
    return model


def test_another_size_gets_a_model_of_its_own() -> None:
    model = model_of((256, 256), (720, 1280))
    assert sizes_of(model.description) == {(256, 256), (720, 1280)}
    other = resized(model, 488, 600)
    assert sizes_of(other.description) == {(488, 600)}
    assert other.description.input[0].name == "frame"
    assert sizes_of(model.description) == {(256, 256), (720, 1280)}


class Tools:
    """What the engine uses of coremltools, without Core ML: pictures come back inverted."""

    class ComputeUnit:
        ALL = "all"

    def __init__(self) -> None:
        self.models, self.loaded, self.broken = self, [], ""

    def MLModel(self, source, compute_units, weights_dir=None):
        assert compute_units == "all"
        spec = model_of((256, 256), (64, 96)) if isinstance(source, str) else source
        spec.description.output.add(name="painted")
        self.loaded.append(sizes_of(spec.description))
        if self.broken == "load":
            warnings.warn("You will not be able to run predict() on this: no", stacklevel=1)
        return Model(spec, self)


class Model:
    weights_dir = "weights"

    def __init__(self, spec, tools: Tools) -> None:
        self.spec, self.tools = spec, tools

    def get_spec(self):
        return self.spec

    def predict(self, inputs):
        picture = inputs["frame"]
        if self.tools.broken == "predict" or (picture.height, picture.width) not in sizes_of(
            self.spec.description
        ):
            raise RuntimeError("Error while running prediction\nsize not allowed")
        return {"painted": Image.eval(picture, lambda value: 255 - value).convert("RGBA")}


def test_listed_sizes_share_a_model_and_a_few_others_stay_loaded(tmp_path: Path) -> None:
    tools = Tools()
    engine = CoreMLEngine(tmp_path, tools, Image)
    sizes = [(64, 96), (256, 256), (64, 64), (64, 64), (72, 64), (80, 64), (88, 64), (96, 64)]
    for size in sizes:
        frame = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
        assert np.array_equal(engine(frame), 255 - frame)
    assert tools.loaded[1:] == [{size} for size in sizes[3:]]
    engine.prepare(96, 64)
    assert len(tools.loaded) == 6
    engine.prepare(64, 64)  # the oldest had to go
    assert len(tools.loaded) == 7


@pytest.mark.parametrize(
    ("broken", "said"),
    [("load", "load .*: no;"), ("predict", "paint a 96x64 frame: size not allowed")],
)
def test_what_core_ml_refuses_is_a_backend_error(tmp_path: Path, broken: str, said: str) -> None:
    tools = Tools()
    tools.broken = broken
    with pytest.raises(BackendError, match=f"coreml failed to {said}"):
        CoreMLEngine(tmp_path, tools, Image)(np.zeros((1, 64, 96, 3), np.uint8))


@pytest.mark.skipif(ON_A_MAC, reason="there it runs")
def test_elsewhere_it_says_that_it_needs_a_mac(tmp_path: Path) -> None:
    backend = find_backend("coreml")
    assert not backend.available
    assert "runs on a Mac only" in backend.missing
    with pytest.raises(BackendError, match="runs on a Mac only"):
        backend.load(tmp_path / "int8.mlpackage")
    (row,) = (row for row in examine()["backends"] if row["name"] == "coreml")
    assert row["available"] is False
    assert "Mac" in row["missing"]


@needs_a_mac
def test_a_damaged_package_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "int8.mlpackage").mkdir()
    with pytest.raises(BackendError, match="coreml failed to load"):
        find_backend("coreml").load(tmp_path / "int8.mlpackage")


@needs_a_mac
@pytest.mark.parametrize("size", [(256, 256), (104, 200)])
def test_it_paints_sizes_that_are_listed_and_others(tmp_path: Path, size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from pleinair.export.graphs.image import image_graph
    from pleinair.export.targets.coreml.convert import convert
    from pleinair.export.targets.coreml.package import save_package
    from pleinair.networks.frames import FrameGraph
    from pleinair.networks.generators import create_generator

    torch.manual_seed(0)
    generator = create_generator("edge_s").eval()
    save_package(convert(image_graph(generator), 8, {}), tmp_path / "fp16.mlpackage")
    frame = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    painted = find_backend("coreml").load(tmp_path / "fp16.mlpackage")(frame)
    with torch.no_grad():
        expected = FrameGraph(generator)(torch.from_numpy(frame)).numpy()
    assert np.abs(painted.astype(int) - expected).mean() < 0.5
