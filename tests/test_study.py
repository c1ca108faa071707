"""What the notebooks of study/ cannot say of themselves: processes, threads, sudden death."""

import dataclasses
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

import recurrent_lab
from recurrent_lab.study import Study, results
from recurrent_lab.runner.execute import CellFailed, execute
from recurrent_lab.runner.run import _building

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("RECURRENT_LAB_")} | {
    "PYTHONPATH": str(Path(recurrent_lab.__file__).parents[1])}


@pytest.mark.parametrize("module", ["recurrent_lab", "recurrent_lab.study", "recurrent_lab.runner.cli"])
def test_importing_is_light(module):
    heavy = "matplotlib pandas IPython nbdev nbclient nbconvert jax"
    code = f"import sys, {module}; print([m for m in {heavy.split()} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT).stdout == "[]\n"


WRITER = """\
import sys, pandas as pd
from recurrent_lab.study import results
n = 0
while True:
    n += 1
    results.write(sys.argv[1], {"a": pd.DataFrame({"n": [n] * 2000}), "b": pd.DataFrame({"n": [n] * 2000})})
    print(n, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_tables(tmp_path):
    file, chance = tmp_path / "results.sqlite", random.Random(0)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, file], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as writer:
            last = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.15))
            writer.kill()
            last = max([last, *(int(n) for n in writer.stdout.read().split())])
        a, b = results.read(file, "a"), results.read(file, "b")
        assert a.equals(b) and len(a) == 2000 and a.n.nunique() == 1 and a.n[0] >= last
        with sqlite3.connect(file) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_what_a_killed_run_left_is_cleared_and_what_it_had_put_aside_is_put_back(tmp_path):
    for name in (".quick.4711-1", ".quick.00ffaa11", ".quick.0.5.00ffaa11", ".quick.00ffaa12.old"): (tmp_path / name).mkdir()
    building = _building(tmp_path / "quick")                         # the one with 0.5 is of a run of another name
    assert {f.name for f in tmp_path.iterdir()} == {".quick.0.5.00ffaa11", "quick", building.name}


def test_notebooks_run_side_by_side_each_in_its_own_kernel_and_settings(tmp_path):
    source = ("import os, recurrent_lab\nfrom recurrent_lab.study.settings import settings\n"
              "s = settings(); (s.scale, s.overrides, os.getpid(), os.getcwd(), recurrent_lab.__file__)")
    file = tmp_path / "deep" / "small.ipynb"
    file.parent.mkdir()
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(source)]), file)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda n: execute(file, scale=["quick", "paper"][n], set={"n": n}), range(2)))
    told = [eval(d.cells[0].outputs[0].data["text/plain"]) for d in done]
    assert [t[:2] for t in told] == [("quick", {"n": 0}), ("paper", {"n": 1})]
    assert len({t[2] for t in told} | {os.getpid()}) == 3
    assert all(t[3] == str(file.parent) and t[4] == recurrent_lab.__file__ for t in told)
    assert "RECURRENT_LAB_SET" not in os.environ or "n" not in os.environ["RECURRENT_LAB_SET"]


@pytest.mark.parametrize("source, said", [("import os; os._exit(3)", "Kernel died"), ("import time; time.sleep(60)", "timed out")])
def test_a_dead_kernel_and_a_cell_without_end_are_failures_too(tmp_path, source, said):
    file = tmp_path / "small.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(source)]), file)
    with pytest.raises(CellFailed, match=said) as failure:
        execute(file, timeout=2)
    assert "cell 1 (id" in str(failure.value) and source in str(failure.value)


def test_checkpoints_belong_to_a_run_and_to_one_version_of_the_code(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Config:
        steps: int = 1

    notebook = tmp_path / "nbs" / "papers" / "random" / "toy.ipynb"
    notebook.parent.mkdir(parents=True)
    (tmp_path / "settings.ini").write_text("[lab]\nscale = quick\n")
    monkeypatch.chdir(tmp_path)
    assert Study("toy", Config).checkpoints("part") is None            # in a notebook at hand nothing is resumed

    monkeypatch.setenv("RECURRENT_LAB_FOLDER", str(tmp_path / "data" / "runs" / "toy" / ".quick"))
    found = []
    for source in ("x = 1", "x = 1", "x = 2"):
        notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [source]}]}))
        found.append(Study("toy", Config).checkpoints("part"))
    assert found[0] == found[1] != found[2] and found[0].name == "part"

    spent = found[2].with_name("spent.json")                           # by a run that was killed: its cost counts
    spent.parent.mkdir(parents=True)
    spent.write_text('{"seconds": 10000, "cpu_seconds": 20000}')
    record = Study("toy", Config)._record()
    assert 10000 <= record["seconds"] < 10100 and 20000 <= record["cpu_seconds"] < 21000
    spent.write_text('["dama')                                         # then only this run's own
    assert Study("toy", Config)._record()["seconds"] < 100
