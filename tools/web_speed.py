"""How fast a site paints in a browser, beside ONNX Runtime in Python with the same graph.

    python tools/web_speed.py SITE [--size 640x360] [--browser /usr/bin/chromium]

The browser paints a fake camera, fed from the demo clip, at full size. Its figure is the page's
own: all from a camera's frame to the picture shown. `browser_core_ms` is the processor time of all
its processes for one such frame, which hardly changes with what else runs. Python's is painting
alone, on as many threads. They take turns, so a machine whose speed drifts hits both alike; medians
are printed, what the page transfers, and how long a first visit and the next one take until the
page can paint. Needs Playwright (``pip install playwright``) and an installed Chromium.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from pleinair.bundle.bundle import Bundle
from pleinair.deploy.web.server import SiteServer
from pleinair.runtime.sources.demo_clip import DEMO_CLIP, demo_still
from pleinair.runtime.stylizer import load

CAN_PAINT = re.compile("dB from PyTorch")  # and may try what else there is
CHOSEN = re.compile("dB from PyTorch$")
FRAMES = 30  # of the clip, that the camera repeats
ARGUMENTS = ("--no-sandbox", "--disable-gpu")
WAIT = 120_000  # ms
SETTLE = 4.0  # seconds before figures count
MEAN = 2.0  # seconds of which the page's figure is the mean
# What a first visit transfers when the browser paints on WASM.
ENGINE = (
    "ort/ort.wasm.min.mjs",
    "ort/ort-wasm-simd-threaded.mjs",
    "ort/ort-wasm-simd-threaded.wasm",
)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("site", help="what `pleinair export SOURCE --target web --out SITE` wrote")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--browser", help="an installed Chromium; Playwright's own if none")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    found = measure(options.site, (width, height), options.browser, options.rounds)
    print(json.dumps(found | {"bytes": transferred(Path(options.site))}, indent=2))


def measure(site: str, size: tuple[int, int], browser: str | None, rounds: int) -> dict[str, Any]:
    """Returns frames a second in the browser and in Python, and how much quicker Python is."""
    bundle, started = Bundle.open(site), starts(site, browser)
    frame = np.ascontiguousarray(demo_still()[: size[1], : size[0]])
    in_browser, in_python, busy = [], [], []
    with tempfile.TemporaryDirectory() as folder, served(site) as address:
        camera = Path(folder, "camera.y4m")
        write_camera(camera, size)
        with opened(address, camera, browser) as page:
            engine = page.text_content("#engine")
            paint = load(bundle, "onnxruntime", engine.partition(" ")[0].lower(), "rgb")
            for _ in range(rounds):
                page.click("#controls [data-do=pause]")
                in_python.append(fps_of(lambda: paint(frame)))
                page.click("#controls [data-do=pause]")
                page.wait_for_timeout(1000 * SETTLE)
                begun = processor_ms()
                page.wait_for_timeout(1000 * MEAN)
                in_browser.append(float(page.text_content("#figures").partition(" fps")[0]))
                busy.append((processor_ms() - begun) / (in_browser[-1] * MEAN))
            painted = page.text_content("#figures").rpartition("painted at ")[2]
    browser_fps, python_fps = map(statistics.median, (in_browser, in_python))
    return {
        "engine": engine,
        "painted": painted,
        "cores": os.cpu_count(),
        "first_visit_seconds": started[0],
        "next_visit_seconds": started[1],
        "browser_fps": browser_fps,
        "browser_core_ms": round(statistics.median(busy)),
        "python_fps": round(python_fps, 1),
        "python_is_quicker": round(python_fps / browser_fps, 2),
    }


def starts(site: str, executable: str | None) -> list[float]:
    """Returns how long visits take until the page can paint, in seconds: the first, the next."""
    from playwright.sync_api import expect, sync_playwright

    with served(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        context, seconds = browser.new_context(), []
        for _ in range(2):
            page, begun = context.new_page(), time.perf_counter()
            page.goto(address)
            expect(page.locator("#engine")).to_have_text(CAN_PAINT, timeout=WAIT)
            seconds.append(round(time.perf_counter() - begun, 2))
            # What was chosen is remembered when all was tried.
            expect(page.locator("#engine")).to_have_text(CHOSEN, timeout=WAIT)
            page.close()
        browser.close()
    return seconds


def transferred(site: Path) -> dict[str, int]:
    """Returns what a first visit with WASM transfers, plain and compressed as most hosts do it."""
    kept = json.loads(re.findall(r"FILES = (\[.*\])", (site / "files.js").read_text())[0])
    page = [site / name for name in (*kept, "files.js", "sw.js") if not name.endswith(".onnx")]
    groups = {
        "model": list(site.glob("*.web.onnx")),
        "page": page,
        "onnxruntime-web": [site / name for name in ENGINE],
    }
    sizes = {}
    for name, files in groups.items():
        sizes[name] = sum(file.stat().st_size for file in files)
        sizes[f"{name}, gzip"] = sum(len(gzip.compress(file.read_bytes())) for file in files)
    return sizes


def processor_ms() -> float:
    """Returns the processor time that the browser has taken so far."""
    times = (one.cpu_times() for one in psutil.Process().children(recursive=True))
    seconds: float = sum(one.user + one.system for one in times)
    return 1000 * seconds


def fps_of(paint: Any, seconds: float = 2.0) -> float:
    """Returns how often a second something can be done, by its median time."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        paint()
        times.append(time.perf_counter() - started)
    return 1 / statistics.median(times)


def write_camera(path: Path, size: tuple[int, int]) -> None:
    """Writes the demo clip as Chromium's fake camera takes it: YUV4MPEG2, BT.601, limited range."""
    width, height = size
    with av.open(str(DEMO_CLIP)) as clip, path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F60:1 Ip A1:1 C420jpeg\n".encode())
        for frame in islice(clip.decode(video=0), FRAMES):
            small = frame.reformat(width, height, "yuv420p", dst_colorspace=5, dst_color_range=1)
            out.write(b"FRAME\n" + small.to_ndarray().tobytes())


@contextmanager
def served(site: str) -> Iterator[str]:
    """Serves a site; yields its address."""
    server = SiteServer(site, 0)
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield server.addresses[0]
    finally:
        server.close()


@contextmanager
def opened(address: str, camera: Path, executable: str | None) -> Iterator[Any]:
    """Opens the page in a headless browser and has it paint the camera at full size."""
    from playwright.sync_api import expect, sync_playwright

    arguments = [
        *ARGUMENTS,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(WAIT)
        page.goto(address)
        expect(page.locator("#engine")).to_have_text(CHOSEN)
        page.select_option("[name=hold]", "0")
        page.click("#welcome [data-do=camera]")
        expect(page.locator("#figures")).to_have_text(re.compile("fps"))
        yield page
        browser.close()


if __name__ == "__main__":
    main()
