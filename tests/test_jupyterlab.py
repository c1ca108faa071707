"""JupyterLab as a user meets it: started, looked at and used in a real browser."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

import recurrent_lab

ROOT = Path(__file__).parents[1]
START = "from recurrent_lab.runner.cli import main; main()"
READY = """async () => {
    const { context } = window.jupyterapp.shell.currentWidget;
    await context.ready; await context.sessionContext.ready;
    await context.sessionContext.session.kernel.info }"""
IDLE = """() => { const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
                  return kernel.connectionStatus == 'connected' && kernel.status == 'idle' }"""
CODE = """window.jupyterapp.shell.currentWidget.content.widgets
    .filter(c => c.model.type == 'code' && c.model.sharedModel.source.trim())"""
DONE = f"() => ({IDLE})() && {CODE}.every(c => c.model.executionCount)"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a JupyterLab, started as `make lab SCALE=quick` does it in a copy of this lab, and that copy.

    Every folder of Jupyter's is temporary."""
    lab = tmp_path_factory.mktemp("jupyter") / "lab"
    shutil.copytree(ROOT / "nbs", lab / "nbs", ignore=shutil.ignore_patterns(".ipynb_checkpoints", "_quarto.yml"))
    for name in ("settings.ini", "pyproject.toml"): shutil.copy(ROOT / name, lab)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = "_CONFIG", "_DATA", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RECURRENT_LAB_")}
    environment |= {f"JUPYTER{name}_DIR": str(lab.parent / name) for name in folders}
    environment |= {"RECURRENT_LAB_DATA": str(ROOT / "data"), "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
                    "PYTHONPATH": str(Path(recurrent_lab.__file__).parents[1])}
    words = "lab", "--scale", "quick", "--no-browser", "--expose-app-in-browser", f"--port={port}", "--IdentityProvider.token=token"
    log = lab.parent / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-c", START, *words], cwd=lab, env=environment, stderr=stderr)
    try:
        while f"127.0.0.1:{port}" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", lab
    finally:
        process.send_signal(signal.SIGTERM)
        try: process.wait(20)
        except subprocess.TimeoutExpired: process.kill()


@pytest.fixture
def page(server, browser):
    made = browser.new_page(viewport=dict(width=1440, height=1000))
    made.set_default_timeout(60_000)
    yield made
    made.close()


def opened(page, server, path):
    "The notebook in a JupyterLab of its own, its kernel ready."
    page.goto(f"{server[0]}/lab/tree/{path}?reset&token=token")
    ready(page)


def ready(page):
    page.wait_for_function(f"() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length && {CODE}.length")
    page.evaluate(READY)
    page.wait_for_function(IDLE)


def run_all(page, wait=True):
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    if wait: page.wait_for_function(DONE, timeout=300_000, polling=200)


def outputs(page):
    "The outputs of every code cell."
    return page.evaluate(f"() => {CODE}.map(c => c.model.outputs.toJSON())")


def errors(page): return [o["evalue"] for cell in outputs(page) for o in cell if o["output_type"] == "error"]


def text(page):
    "What the outputs say, claims too."
    return "\n".join("".join(o.get("text") or o.get("data", {}).get("text/plain", "")) for cell in outputs(page) for o in cell)


SCRATCH = ["""\
import jax, jax.numpy as jnp
from recurrent_lab.study import figures
from recurrent_lab.study.explore import explore
from recurrent_lab.training import Process, grid, train

def init(hyper, *, key): return jax.random.normal(key, (64,))
def step(w, hyper, *, key):
    value, gradient = jax.value_and_grad(lambda w: jnp.mean((jax.random.normal(key, (64, 64)) @ w) ** 2))(w)
    return w - hyper["lr"] * gradient, {"loss": value}""",
           "population = train(Process(init, step), grid(seed=range(8), lr=[1e-3]), steps=10**9, every=2000, label='endless')",
           "print('went on after', population.step, len(population.table))",
           """\
def draw(lr=0.01):
    table = train(Process(init, step), grid(seed=range(3), lr=[lr]), steps=50, every=5).table
    return figures.curves(table, 'step', 'loss', title=f'learning rate {lr}')
explore(draw, lr=[0.001, 0.01, 0.1])"""]


def test_make_lab_starts_what_is_tested_here():
    said = subprocess.run(["make", "-n", "--no-print-directory", "lab", "SCALE=quick"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].split()[-4:] == [".venv/bin/recurrent-lab", "lab", "--scale", "quick"]


def test_a_click_on_the_home_page_opens_a_study_that_runs_top_to_bottom(page, server):
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{server[0]}/?token=token")
    ready(page)
    page.wait_for_timeout(1500)                                              # the time that a pop-up would take to pop up
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    page.locator(".jp-RenderedMarkdown a[href*='papers/dynamics/two_layers.ipynb']").first.click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.context?.path == 'nbs/papers/dynamics/two_layers.ipynb'")
    ready(page)
    page.locator(".jp-RenderedSVG img, .jp-RenderedSVG svg").first.wait_for(state="attached")  # trusted: the figures come before it runs
    began = time.perf_counter()
    run_all(page)
    print(f"the two layers at quick scale: {time.perf_counter() - began:.0f} s")
    assert errors(page) == [] and complaints == []
    assert page.evaluate("() => document.body.dataset.jpThemeLight") == "true"
    assert "quick scale" in str(outputs(page)) and "laptop scale" not in str(outputs(page))
    assert len(re.findall("^holds: ", text(page), flags=re.M)) > 3 and "failed: " not in text(page)


def test_a_save_changes_nothing_that_git_sees(page, server):
    opened(page, server, "nbs/study/timing.ipynb")
    run_all(page)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = server[1] / "nbs" / "study" / "timing.ipynb"
    made, ours = (json.loads(file.read_text()) for file in (saved, ROOT / "nbs" / "study" / "timing.ipynb"))
    for cell in made["cells"] + ours["cells"]: cell.pop("outputs", None)     # times differ
    assert made == ours and "not trusted" not in (server[1].parent / "log").read_text()


def test_a_training_is_watched_and_stopped_and_the_notebook_goes_on_to_its_sliders(page, server):
    kernel = {"kernelspec": {"name": "python3", "display_name": "python3"}}
    nbformat.write(v4.new_notebook(cells=[*map(v4.new_code_cell, SCRATCH)], metadata=kernel), server[1] / "nbs" / "scratch.ipynb")
    opened(page, server, "nbs/scratch.ipynb")
    run_all(page, wait=False)
    page.wait_for_selector(".jp-OutputArea-output svg")                      # the curves so far
    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    page.wait_for_function(f"() => {CODE}[1].model.executionState == 'idle'", timeout=5000)
    page.wait_for_function(DONE)
    assert errors(page) == [] and "interrupted: this is the population after step" in text(page)
    assert re.search(r"went on after [1-9]\d* [1-9]", text(page))
    left = [set(output["data"]) for output in outputs(page)[1] if output["output_type"] == "display_data"]
    assert left == [{"text/plain"}]                                          # one line; of the curves nothing stays
    assert "learning rate 0.01<" in str(outputs(page)[3])
    page.locator(".widget-slider .noUi-handle").first.press("ArrowRight")
    page.wait_for_function(f"() => JSON.stringify({CODE}[3].model.outputs.toJSON()).includes('learning rate 0.1<')")
