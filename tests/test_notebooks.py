"""Every notebook runs from top to bottom, at quick scale, in a process of its own; studies within their time."""
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recurrent_lab.runner.run import execute
from recurrent_lab.study import claims

NBS = Path(__file__).parents[1] / "nbs"
SLOW_FIRST = ["papers", "benchmarks", "models", "training", "site", "runner", "study", "tasks", "probes", "optimizers", "start",
              "index.ipynb"]
NOTEBOOKS = sorted((p for p in NBS.rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.relative_to(NBS).parts)),
                   key=lambda p: (SLOW_FIRST.index(p.relative_to(NBS).parts[0]), p))


BUDGET = 40                                                  # seconds of processor of a study's quick run: 20 s on two cores


@pytest.fixture(scope="module")
def executions(request, tmp_path_factory):
    "All the selected notebooks, two at a time (a kernel each), begun when the first is asked for."
    runs = tmp_path_factory.mktemp("runs")
    wanted = [item.callspec.params["notebook"] for item in request.session.items if item.fspath == request.fspath]
    with ThreadPoolExecutor(min(2, os.cpu_count())) as pool:
        yield {notebook: pool.submit(execute, notebook, scale="quick", runs=runs, progress="none", timeout=900) for notebook in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: str(p.relative_to(NBS)))
def test_notebook_runs(notebook, executions, record_property):
    made = claims.shown(executions[notebook].result())
    if made:
        took = made[-1]["run"].get("cpu_seconds", 0)
        record_property("cpu_seconds", took)
        assert took < 2 * BUDGET, f"{took} s of processor; a quick run has {BUDGET}"
