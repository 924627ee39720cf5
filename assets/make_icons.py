"""Make the PNG icons of the page for browsers, from its drawing ``icon.svg``.

With Playwright (``pip install playwright``) and an installed Chromium::

    python assets/make_icons.py --browser /usr/bin/chromium
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

APP = Path(__file__).parent.parent / "export" / "targets" / "web" / "page" / "app"
# (file, side, share of the side that the drawing takes): systems cut maskable icons to a circle.
ICONS = (
    ("icon-192.png", 192, 1.0),
    ("icon-512.png", 512, 1.0),
    ("icon-maskable.png", 512, 0.8),
)


def main() -> None:
    """Writes the icons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--browser", help="an installed Chromium; Playwright's own if none")
    options = parser.parse_args()
    drawing = (APP / "icon.svg").read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        page = browser.new_page()
        for name, side, share in ICONS:
            page.set_viewport_size({"width": side, "height": side})
            ground = "#f4f1ea" if share < 1 else "transparent"
            page.set_content(
                f"<style>body {{ margin: 0; background: {ground}; display: grid; height: 100vh;"
                f" place-items: center }} svg {{ width: {share:%} }}</style>{drawing}"
            )
            page.screenshot(path=APP / name, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
