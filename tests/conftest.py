"""The browser that the site's and JupyterLab's tests look through."""
import os
import shutil

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium():
    "The path of a Chromium: the first on PATH, else the one that Playwright keeps."
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'recurrent_lab[test]'")
    if path := next(filter(None, map(shutil.which, NAMES)), None): return path
    with api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not os.path.exists(own):
        pytest.skip("no Chromium found, so nothing was looked at in a browser: apt-get install chromium fonts-dejavu-core, "
                    "or .venv/bin/playwright install chromium")
    return own


@pytest.fixture(scope="module")
def browser(chromium):
    "A running headless browser (Playwright's); a module's own, for what has an event loop cannot live beside it."
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()
