"""Every notebook runs from top to bottom, at quick scale, in a process of its own."""
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recurrent_lab.runner.run import execute

NBS = Path(__file__).parents[1] / "nbs"
SLOW_FIRST = ["papers", "benchmarks", "models", "training", "site", "runner", "study", "tasks", "probes", "optimizers", "start",
              "index.ipynb"]
NOTEBOOKS = sorted((p for p in NBS.rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.relative_to(NBS).parts)),
                   key=lambda p: (SLOW_FIRST.index(p.relative_to(NBS).parts[0]), p))


@pytest.fixture(scope="module")
def executions(request, tmp_path_factory):
    "All the selected notebooks, two at a time (a kernel each), begun when the first is asked for."
    runs = tmp_path_factory.mktemp("runs")
    wanted = [item.callspec.params["notebook"] for item in request.session.items if item.fspath == request.fspath]
    with ThreadPoolExecutor(min(2, os.cpu_count())) as pool:
        yield {notebook: pool.submit(execute, notebook, scale="quick", runs=runs, progress="none", timeout=900) for notebook in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: str(p.relative_to(NBS)))
def test_notebook_runs(notebook, executions):
    executions[notebook].result()
