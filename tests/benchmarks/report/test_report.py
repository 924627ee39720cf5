"""The report as a browser sees it; without one only its text is looked at (test_run.py)."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest
from pleinair.benchmarks.cases import Variant
from pleinair.benchmarks.report.html import render
from pleinair.benchmarks.rounds import Measurement
from pleinair.benchmarks.scale import describe_scale, plan_scale
from pleinair.benchmarks.scenarios import Turn

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
BEFORE = """<head><script>
const problems = [];
addEventListener("error", (event) => problems.push(event.message));
addEventListener("securitypolicyviolation", (event) => problems.push(event.blockedURI));
</script>"""
AFTER = """<script>{
const all = (selector) => [...document.querySelectorAll(selector)];
const heads = all("#figures thead th");
const column = heads.findIndex((head) => head.textContent.trim() === "p50 ms");
const values = () => all("#figures tbody tr").map((row) => Number(row.cells[column].dataset.value));
const press = () => heads[column].querySelector("button").click();
press(); const up = values(); press(); const down = values();
document.getElementById("theme").click();
const divider = document.querySelector(".divider"), slider = divider.querySelector("input");
slider.value = 20; slider.dispatchEvent(new Event("input"));
const variants = document.querySelector('select[name="variant"]');
variants.selectedIndex = variants.options.length - 1;
variants.dispatchEvent(new Event("change"));
const page = document.documentElement;
const fetched = performance.getEntriesByType("resource").map((one) => one.name);
addEventListener("load", () => { document.body.dataset.found = JSON.stringify({
  problems, up, down,
  theme: page.dataset.theme,
  divider: divider.style.getPropertyValue("--at"),
  shown: document.querySelector(".shown").textContent,
  expected: variants.value,
  images: [...document.images].every((one) => one.complete && one.naturalWidth > 0),
  fetched: fetched.filter((name) => !name.startsWith("data:")),
  hidden: all("#figures tbody tr").filter((row) => row.hidden).length,
  overflow: page.scrollWidth - page.clientWidth,
}); });
}</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1280, 500])
def test_it_works_in_a_browser(measured, tmp_path, width):
    page = (measured[0] / "report.html").read_text().replace("<head>", BEFORE)
    (tmp_path / "page.html").write_text(page.replace("</body>", AFTER))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    done = subprocess.run(
        [*command, f"file://{tmp_path / 'page.html'}"],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', done.stdout)[1]))
    assert found["problems"] == []
    assert found["fetched"] == []
    assert found["up"] == sorted(found["up"])
    assert found["down"] == found["up"][::-1]
    assert found["theme"] in ("dark", "light")
    assert found["divider"] == "20%"
    assert found["shown"] == found["expected"]
    assert found["images"]
    assert found["hidden"] == len(found["up"]) * 2 // 3  # one scenario of three is shown
    assert found["overflow"] <= 0  # a phone scrolls no page sideways


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_axe_finds_nothing(measured, results, barriers, tmp_path):
    """With every part that a report can have."""
    gallery = re.search(
        r'id="gallery-data">(.*?)</script>', (measured[0] / "report.html").read_text()
    )
    cases = plan_scale([Variant("onnxruntime", "int8", "onnx", "cpu")], 2, [])
    points = [Measurement(c, turns=[Turn([0.01 * c.size[0]] * 3, {}, 1.0)] * 4) for c in cases]
    results["scale"] = describe_scale([], points, 2, 0)
    results["warnings"] = ["the machine was busy"]
    results["results"][0]["error"] = "it broke"
    (tmp_path / "report.html").write_text(render(results, json.loads(gallery[1])))
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with playwright() as started:
        page = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"]).new_page()
        page.goto(f"file://{tmp_path / 'report.html'}")
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.locator(".scaling, .roof, .warnings, #gallery").count() > 4
        assert barriers(page) == []
