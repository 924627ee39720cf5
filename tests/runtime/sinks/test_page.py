"""The page of live in a browser: for everybody, by keyboard alone."""

from __future__ import annotations

import re
import shutil
import time

import numpy as np
import pytest
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sources.source import EmptySource

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@pytest.fixture
def page(tmp_path, monkeypatch):
    playwright = pytest.importorskip("playwright.sync_api")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    controls = Controls(styles=["monet", "seurat"])
    with open_sinks(["http:0.0.0.0:0"], EmptySource(), controls) as sink:
        sink.write(Frame(np.zeros((48, 64, 3), np.uint8), 0))
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(sink.url.rstrip("/"), wait_until="domcontentloaded")
            page.wait_for_selector("#share:not([hidden])")
            page.controls = controls
            yield page
            browser.close()


def test_nothing_is_in_anybodys_way(page, barriers):
    page.locator("#share summary").click()
    assert barriers(page) == []


def test_the_keyboard_alone_suffices(page):
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        script = "document.activeElement.name || document.activeElement.id"
        reached.append(page.evaluate(script) or page.evaluate("document.activeElement.tagName"))
    names = ["strength", "style", "mirror", "compare", "divider", "paused", "recording"]
    assert reached == [*names, "snapshot", "SUMMARY"]
    page.controls.loading = "seurat"
    wait(page, lambda: "loading seurat" in page.text_content("#message"))
    page.focus("input[name=mirror]")
    page.keyboard.press("Space")
    wait(page, lambda: page.controls.mirror)


def test_a_divider_that_is_moved_is_shown(page):
    page.focus("input[name=divider]")
    page.keyboard.press("ArrowLeft")
    assert page.is_checked("input[name=compare]")
    wait(page, lambda: (page.controls.compare, page.controls.divider) == (True, 0.49))


def test_it_is_light_where_the_system_is(page):
    levels = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels[scheme] = sum(map(int, re.findall(r"\d+", paper)[:3]))
    assert levels["light"] > 3 * 200 > 3 * 50 > levels["dark"]


def wait(page, is_so) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        page.wait_for_timeout(50)
