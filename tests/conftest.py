"""The browser that the site's and JupyterLab's tests look through; `--changed`, which leaves out what has passed as it is;
the ten slowest studies."""
import json
import os
import shutil
from pathlib import Path

import pytest

from recurrent_lab.runner.doctor import BROWSERS
from recurrent_lab.study.code import code_hash, notebook_hash

ROOT = Path(__file__).parents[1]
PASSED = ROOT / ".cache" / "passed.json"                     # by notebook or test file: the hash of the code with which it last passed
WHOLE = "test_house.py", "test_site.py", "test_jupyterlab.py", "test_new.py", "test_wheel.py", "test_cli.py"     # look at the whole tree


def pytest_addoption(parser):
    parser.addoption("--changed", action="store_true", help="leave out notebooks and test files that have passed with the code as it is")


def subject(item):
    "What an item tests: its notebook, if it runs one, else its file."
    return getattr(item, "callspec", None) and item.callspec.params.get("notebook") or item.path


def current(path):
    "The hash of a notebook or a test file and all that it imports of the library."
    return notebook_hash(path, ()) if path.suffix == ".ipynb" else code_hash([path.read_text()], ())


def pytest_collection_modifyitems(config, items):
    if not config.getoption("changed"): return
    passed = json.loads(PASSED.read_text()) if PASSED.exists() else {}
    same = {path for path in set(map(subject, items)) if path.name not in WHOLE and passed.get(str(path.relative_to(ROOT))) == current(path)}
    config.hook.pytest_deselected(items=[item for item in items if subject(item) in same])
    items[:] = [item for item in items if subject(item) not in same]


def pytest_terminal_summary(terminalreporter):
    took = {r.nodeid: dict(r.user_properties)["cpu_seconds"] for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])
            if "cpu_seconds" in dict(r.user_properties)}
    if took: terminalreporter.section("the ten slowest studies, seconds of processor")
    for name in sorted(took, key=took.get, reverse=True)[:10]: terminalreporter.write_line(f"{took[name]:7.1f}  {name}")


def pytest_sessionfinish(session):
    "Note the code of what has passed as a whole: the items of a file that were left out by -k or failed make it unknown."
    reports = {r.nodeid: r for kind in ("passed", "failed", "error") for r in session.config.pluginmanager.get_plugin("terminalreporter").stats.get(kind, [])}
    chosen = session.config.option.keyword or session.config.option.markexpr or any("::" in arg for arg in session.config.args)
    subjects = {}
    for item in session.items: subjects.setdefault(subject(item), []).append(item.nodeid in reports and reports[item.nodeid].passed)
    good = {str(path.relative_to(ROOT)): current(path) for path, all_passed in subjects.items()
            if all(all_passed) and path.name not in WHOLE and (path.suffix == ".ipynb" or not chosen)}
    PASSED.parent.mkdir(exist_ok=True)
    PASSED.write_text(json.dumps((json.loads(PASSED.read_text()) if PASSED.exists() else {}) | good, indent=1))

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium():
    "The path of a Chromium: the first on PATH, else the one that Playwright keeps."
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'recurrent_lab[test]'")
    if path := next(filter(None, map(shutil.which, BROWSERS)), None): return path
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
