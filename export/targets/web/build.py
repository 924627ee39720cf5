"""A site that paints in browsers: ONNX graphs, a page, and the runtime for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...graph_store import GraphStore
from .. import onnx
from ..row import Built
from . import onnxruntime_web


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.web.onnx``, the graph that ONNX Runtime takes elsewhere too.

    FP16 is for WebGPU; on WASM, whose vectors are short, FP32 may be quicker than INT8, so a page
    measures both. Drift is measured with ONNX Runtime here; the page measures it again in its
    browser. The exporter adds the page.
    """
    onnxruntime_web.fetch()  # fails before the long work
    for built in onnx.build(store, precision, folder):
        path = built.path.rename(folder / f"{precision}.web.onnx")
        versions = {"onnxruntime-web": onnxruntime_web.VERSION}
        yield replace(built, path=path, runs_here=False, versions=versions)
