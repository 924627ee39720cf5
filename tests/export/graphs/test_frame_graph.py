from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.export.graphs.frame import EdgeFrameGraph, FrameGraph, frame_graph
from pleinair.export.graphs.half import fp32_layers
from pleinair.networks.generators import create_generator


def lively(name: str) -> torch.nn.Module:
    """An untrained generator whose every part matters."""
    torch.manual_seed(1)
    generator = create_generator(name).eval()
    for parameter in generator.parameters():
        if parameter.dim() == 4 and name.startswith("edge"):
            torch.nn.init.normal_(parameter, std=0.06)
        elif parameter.dim() == 1:
            torch.nn.init.normal_(parameter, std=0.05)
    return generator


@pytest.mark.parametrize("name", ["edge_s", "edge_m", "edge_l"])
@settings(max_examples=8, deadline=None)
@given(rows=st.integers(2, 12), columns=st.integers(2, 12), seed=st.integers(0, 99))
def test_the_fast_edge_graph_is_the_plain_one(
    name: str, rows: int, columns: int, seed: int
) -> None:
    generator = lively(name)
    rng = torch.Generator().manual_seed(seed)
    frame = torch.randint(0, 256, (1, 8 * rows, 8 * columns, 3), dtype=torch.uint8, generator=rng)
    fast, plain = frame_graph(generator), FrameGraph(generator)
    assert isinstance(fast, EdgeFrameGraph)
    with torch.no_grad():
        difference = (fast(frame).int() - plain(frame).int()).abs()
        changed = (plain(frame).int() - frame.int()).abs().float().mean()
    assert difference.max() <= 1  # rounding at .5
    assert difference.float().mean() < 0.01
    assert changed > 1


def test_rounding_not_truncation() -> None:
    class Shift(torch.nn.Module):
        stride = 1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 0.6 / 127.5

    frame = torch.full((1, 4, 4, 3), 100, dtype=torch.uint8)
    assert int(frame_graph(Shift())(frame)[0, 0, 0, 0]) == 101
    white = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    assert int(frame_graph(Shift())(white)[0, 0, 0, 0]) == 255


def test_the_generator_itself_is_left_alone() -> None:
    generator = lively("edge_s")
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    frame_graph(generator, torch.float16)
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())


def test_float16_keeps_instance_norm_in_float32() -> None:
    generator = create_generator("resnet_9blocks").eval()
    frame = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    graph = frame_graph(generator, torch.float16, fp32_layers(generator, [frame.numpy()]))
    seen: list[torch.dtype] = []
    for module in graph.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].dtype))
    with torch.no_grad():
        assert graph(frame).dtype == torch.uint8
    assert seen
    assert set(seen) == {torch.float32}
