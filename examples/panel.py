"""A page to try models with: drop a picture, choose a painter and a strength.

pip install gradio
python examples/panel.py
"""

from __future__ import annotations

import argparse
from functools import cache

import gradio
import numpy as np
import pleinair

MODELS = ("monet", "monet-fine", "van-gogh", "seurat", "pastel", "monet-conv")
load = cache(pleinair.load)  # a model is loaded once


def paint(picture: np.ndarray, model: str, strength: float) -> np.ndarray:
    """Paints RGB [H, W, 3] uint8, as Gradio has it."""
    painted = load(model, color="rgb")(np.ascontiguousarray(picture))
    return np.uint8(strength * painted.astype(float) + (1 - strength) * picture + 0.5)


def panel() -> gradio.Interface:
    """Makes the page."""
    return gradio.Interface(
        paint,
        [
            gradio.Image(type="numpy", label="photograph"),
            gradio.Dropdown(MODELS, value="monet", label="painter"),
            gradio.Slider(0, 1, 1, label="strength"),
        ],
        gradio.Image(label="painting", format="jpeg"),
        title="pleinair",
        flagging_mode="never",
        analytics_enabled=False,  # nothing leaves this machine
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    panel().launch()
