"""Canvases that others lay have the bits of those that Python lays: the page, apps for phones."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import HANDS, Layer
from pleinair.canvas.layout import canvas_inputs
from pleinair.runtime.strokes.canvases import Canvases

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "export" / "targets" / "web" / "page" / "app"
ANDROID = ROOT / "examples" / "android"
IOS = ROOT / "examples" / "ios"
LAY = Path(__file__).with_name("lay.mjs")


def asked_canvases() -> list[tuple[Strokes, int, int]]:
    """Every hand at each step, size of strokes and shape; seeds, too."""
    strokes, sizes = ("fine", "medium", "large", "medium"), ((64, 160), (96, 64), (224, 352))
    return [
        (Strokes(hand=hand, step=step, stroke=strokes[i], seed=3 * i), *sizes[(i + step) % 3])
        for i, hand in enumerate(HANDS.values())
        for step in (1, 2)
    ]


ASKED = asked_canvases()
QUESTION = json.dumps([(s.model_dump(mode="json"), *size) for s, *size in ASKED])


def run(*command: Any, input: str = "", timeout: int = 60) -> str:
    done = subprocess.run(
        [*map(str, command)],
        input=input,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_laid(answers: Any, *, stacked: bool = False) -> None:
    """Compares [type, shape, sha256] by name, one answer for each of ``ASKED``."""
    for (strokes, *size), laid in zip(ASKED, answers, strict=True):
        expected = Canvases(strokes, "test")(*size)
        taken = canvas_inputs(len(strokes.hand.layers), strokes.step, stacked)
        assert {*laid} == {*taken}
        for name, (kind, _) in taken.items():
            array = np.ascontiguousarray(expected[name])
            digest = hashlib.sha256(array.tobytes()).hexdigest()
            assert laid[name] == [kind, list(array.shape), digest], (strokes.hand.name, name)


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not installed")
    return found


def test_the_page_lays_the_canvas_that_python_lays(node: str) -> None:
    check_laid(json.loads(run(node, LAY, PAGE / "canvas.js", input=QUESTION)))


def test_the_app_for_iphones_lays_it_by_the_same_script(node: str, tmp_path: Path) -> None:
    """JavaScriptCore takes no modules: the example's README makes one script of three."""
    [line] = re.findall(r"^ +(sed .*) >", (IOS / "README.md").read_text(), re.MULTILINE)
    app = tmp_path / "apple" / "site" / "app"
    shutil.copytree(PAGE, app)
    script = run("sh", "-c", f"cd {tmp_path} && {line.replace('site/', 'apple/site/')}")
    whole = tmp_path / "whole.js"
    whole.write_text(script + (IOS / "Pleinair" / "Stacked.js").read_text())
    check_laid(json.loads(run(node, LAY, whole, "stacked", input=QUESTION)), stacked=True)


MAIN = r"""import java.nio.*
import java.security.MessageDigest
import io.pleinair.example.*

fun main() {
%s
}

fun tell(laid: Map<String, Values>) = println(laid.map { (name, one) ->
    val count = one.floats?.size ?: one.wholes!!.size
    val bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN)
    one.floats?.let { bytes.asFloatBuffer().put(it) }
    one.wholes?.let { bytes.asIntBuffer().put(it) }
    val digest = MessageDigest.getInstance("SHA-256").digest(bytes.array())
    val hash = digest.joinToString("") { "%%02x".format(it) }
    val kind = if (one.floats == null) "int32" else "float32"
    "\"$name\": [\"$kind\", [${one.shape.joinToString()}], \"$hash\"]"
}.joinToString(", ", "{", "}"))
"""


def in_kotlin(strokes: Strokes) -> str:
    """A painter's strokes as an expression."""

    def layer(one: Layer) -> str:
        return f"Layer({', '.join(f'{k} = {str(v).lower()}' for k, v in one.model_dump().items())})"

    hand = strokes.hand
    hues = ", ".join(f"listOf({', '.join(map(str, hue))})" for hue in hand.hues)
    numbers = f"{hand.lightness}, {hand.hue}, listOf({hues}), {hand.accents}, {hand.accent}"
    layers = ", ".join(map(layer, hand.layers))
    made = f"Hand(listOf({layers}), {numbers})"
    return f'Strokes({made}, {strokes.step}, "{strokes.stroke}", {strokes.seed})'


def test_the_app_for_android_lays_it(tmp_path: Path) -> None:
    if not (shutil.which("kotlinc") and shutil.which("java")):
        pytest.skip("neither Kotlin's compiler nor Java is installed")
    calls = [f"    tell(layCanvas({in_kotlin(s)}, {h}, {w}))" for s, h, w in ASKED]
    (tmp_path / "Lay.kt").write_text(MAIN % "\n".join(calls))
    kits = {path.name: path for path in ANDROID.rglob("*.kt")}
    sources = [kits[name] for name in ("Canvas.kt", "Stamps.kt", "Randoms.kt")]
    jar = tmp_path / "lay.jar"
    run("kotlinc", *sources, tmp_path / "Lay.kt", "-include-runtime", "-d", jar, timeout=300)
    laid = run("java", "-cp", jar, "LayKt", timeout=120)
    check_laid([json.loads(line) for line in laid.splitlines()])
