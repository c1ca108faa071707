"""The browser that the site's and JupyterLab's tests look through; `--changed`, which leaves out what has passed as it is;
the ten slowest studies; a quick compiler."""
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from recurrent_lab.runner.doctor import BROWSERS
from recurrent_lab.study.code import code_hash, notebook_hash

ROOT = Path(__file__).parents[1]
PASSED = ROOT / ".cache" / "passed.json"                     # by notebook or test file: the hash of the code with which it last passed
WHOLE = "test_house.py", "test_site.py", "test_jupyterlab.py", "test_new.py", "test_wheel.py", "test_cli.py"     # look at the whole tree


QUICK_XLA = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"


def simulated(devices):
    "XLA's flags for a process that compiles as quickly, and sees so many devices."
    return f"{QUICK_XLA} --xla_force_host_platform_device_count={devices}"


def pytest_configure():
    "Tests compile, and hardly run: XLA without what takes it long, in this process. What a test starts has its own flags."
    if "PYTEST_XDIST_WORKER" in os.environ: os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")    # workers share the cores, its threads would wait
    if "XLA_FLAGS" in os.environ: return
    os.environ["XLA_FLAGS"] = QUICK_XLA
    import jax
    jax.devices()                                            # XLA reads its flags now, and once
    del os.environ["XLA_FLAGS"]


def pytest_addoption(parser):
    parser.addoption("--changed", action="store_true", help="leave out notebooks and test files that have passed with the code as it is")


def subject(nodeid):
    "What a test, or the report of one, tests, relative to the root: its notebook, if it runs one, else its file."
    notebook = re.fullmatch(r"tests/test_notebooks\.py::\w+\[(.+)\]", nodeid)
    return f"nbs/{notebook[1]}" if notebook else nodeid.partition("::")[0]


def current(name):
    "The hash of a notebook or a test file and all that it uses of the library."
    path = ROOT / name
    return notebook_hash(path, ()) if path.suffix == ".ipynb" else code_hash([path.read_text()], ())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    "On several cores a file's tests run in one process, as they share fixtures; a notebook runs wherever there is room."
    from xdist.scheduler import LoadScopeScheduling

    class BySubject(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return subject(nodeid)

    return BySubject(config, log)


def pytest_collection_modifyitems(config, items):
    "With `--changed`, what has passed as it is is left out."
    if not config.getoption("changed"): return
    passed = json.loads(PASSED.read_text()) if PASSED.exists() else {}
    same = {name for name in {subject(item.nodeid) for item in items}
            if Path(name).name not in WHOLE and name in passed and passed[name] == current(name)}
    config.hook.pytest_deselected(items=[item for item in items if subject(item.nodeid) in same])
    items[:] = [item for item in items if subject(item.nodeid) not in same]


def pytest_terminal_summary(terminalreporter):
    took = {r.nodeid: dict(r.user_properties)["cpu_seconds"] for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])
            if "cpu_seconds" in dict(r.user_properties)}
    if took: terminalreporter.section("the ten slowest studies, seconds of processor")
    for name in sorted(took, key=took.get, reverse=True)[:10]: terminalreporter.write_line(f"{took[name]:7.1f}  {name}")


def pytest_sessionfinish(session, exitstatus):
    "Note the code of what has passed as a whole: a file of which tests were left out, failed or did not run stays unknown."
    config = session.config
    if hasattr(config, "workerinput") or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED): return
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    bad = {subject(r.nodeid) for kind in ("failed", "error", "skipped") for r in stats.get(kind, [])}
    chosen = config.option.keyword or config.option.markexpr or config.option.maxfail or any("::" in arg for arg in config.args)
    good = {name for r in stats.get("passed", []) if (name := subject(r.nodeid)) not in bad and Path(name).name not in WHOLE
            and (name.endswith(".ipynb") or not chosen)}
    PASSED.parent.mkdir(exist_ok=True)
    PASSED.write_text(json.dumps((json.loads(PASSED.read_text()) if PASSED.exists() else {}) | {name: current(name) for name in sorted(good)}, indent=1))

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@pytest.fixture
def empty_lab(tmp_path, monkeypatch):
    "A lab without studies at quick scale, whatever the environment of this test run; the current folder is its root."
    for name in [name for name in os.environ if name.startswith("RECURRENT_LAB_")]: monkeypatch.delenv(name)
    (tmp_path / "settings.ini").write_text("[lab]\nscale = quick\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
