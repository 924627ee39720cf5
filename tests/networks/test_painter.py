"""A generator in PyTorch paints what its frame graph paints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pleinair.networks.frames import FrameGraph
from pleinair.networks.generators import create_generator
from pleinair.networks.painter import painter


@pytest.fixture(scope="module")
def generator() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_generator("resnet_6blocks", ngf=4).eval()


def test_it_is_the_frame_graph(generator, read_all):
    picture = np.ascontiguousarray(read_all("photos")[0][:64, :80])
    expected = FrameGraph(generator)(torch.from_numpy(picture[None])).detach().numpy()[0]
    painted = painter(generator)(picture)
    assert painted.dtype == np.uint8
    assert (painted == expected).all()
    assert (painted != picture).any()


def test_any_size(generator, read_all):
    picture = read_all("photos")[0]
    for height, width in ((13, 9), (61, 83), (64, 79)):
        cut = picture[:height, :width]
        padded = np.pad(cut, ((0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
        painted = painter(generator)(cut)
        assert painted.shape == cut.shape
        assert (painted == painter(generator)(padded)[:height, :width]).all()
