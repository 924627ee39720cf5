"""torch.onnx: indices that are int32 in PyTorch become int64 in the graph, twice the memory."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

logging.disable(logging.WARNING)


class Pick(nn.Module):
    """Single numbers of a vector."""

    def forward(self, values: Tensor, indices: Tensor) -> Tensor:
        """Takes float32 [n] and int32 [m]."""
        return values.index_select(0, indices)


if __name__ == "__main__":
    given = (torch.zeros(8), torch.zeros(4, dtype=torch.int32))
    program = torch.onnx.export(Pick().eval(), given, dynamo=True, verbose=False)
    assert program is not None
    kinds = [node.op_type for node in program.model_proto.graph.node]
    print(f"torch {torch.__version__}: {kinds}")
