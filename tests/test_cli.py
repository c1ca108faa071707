"""The command line on a lab of its own with one small paper."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

import recurrent_lab
from recurrent_lab.study import results
from recurrent_lab.runner.cli import main

CONFIG = """\
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    flips: int = 100_000
    bias: float = 0.5
    side: str = "heads"
    pause: float = 0.0
    broken: bool = False
    seeds: int = 10

LAPTOP = dict(flips=1000)
QUICK = dict(flips=100, seeds=3)"""

FIRST = """\
# Coins and their sides

> Half of the flips are heads.

- family: random
- order: 1
- paper: Ars Conjectandi
- authors: J. Bernoulli
- year: 1713
- arxiv: 1713.00001
- summary: flips"""

CELLS = [
    v4.new_markdown_cell(FIRST),
    v4.new_code_cell(CONFIG),
    v4.new_code_cell("from recurrent_lab.study import Study, above, every, within\nstudy = Study('coin', Config, laptop=LAPTOP, quick=QUICK)\nstudy.setup"),
    v4.new_markdown_cell("## Run"),
    v4.new_code_cell("import sys, time, numpy as np, pandas as pd\ncfg = study.config\nprint('flipping', file=sys.stderr)\n"
                     "time.sleep(cfg.pause)\n"
                     "runs = pd.DataFrame([dict(seed=s, heads=np.random.default_rng(s).random(cfg.flips).mean()) for s in range(cfg.seeds)])\n"
                     "study.save('runs', runs)"),
    v4.new_markdown_cell("## Claims"),
    v4.new_code_cell("study.claim('Half of the flips are heads', where='Theorem 1', paper=0.5, kind='exact',\n"
                     "            measured=runs.set_index('seed').heads + cfg.broken, rule=every(within(0.3, 0.7)))"),
    v4.new_code_cell("study.claim('It stands on its edge', where='p. 2', paper=1, measured={'edge': 0}, rule=every(above(0)),\n"
                     "            expect='contradicted', why='more flips')\n"
                     "study.claim('Infinitely often', where='p. 3', rule=above(0), scales=('paper',))\nstudy.claims"),
]


@pytest.fixture
def lab(empty_lab):
    """A lab with one paper, in git; the current folder is its root."""
    (empty_lab / "nbs" / "papers" / "random").mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=CELLS), empty_lab / "nbs" / "papers" / "random" / "coin.ipynb")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "lab"]): subprocess.run([*git, *words], check=True)
    return empty_lab


def files(folder: Path) -> dict:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@pytest.mark.parametrize("words, allowed", [
    ("rnu coin", "allowed: run"),
    ("run", "usage: recurrent-lab run"),
    ("run coyn", "allowed: coin"),
    ("run coin --scale labtop", "allowed: laptop"),
    ("run coin --scal quick", "--scale"),
    ("run coin --set flip=3", "allowed: flips"),
    ("run coin --set flips=many", "type int"),
    ("run coin --set flips=1.5", "type int"),
    ("run coin --set flips", "field=value"),
    ("run coin --set broken=1", "type bool"),
    ("run coin --seeds 0", "positive whole number"),
    ("run coin --seeds two", "positive whole number"),
    ("run coin --set seeds=-1", "positive whole number"),
    ("claims --yaml", "--json"),
    ("new", "usage: recurrent-lab new"),
    ("new Coin", "small letters"),
    ("new coins", "_quarto.yml"),
    ("new coins --family chance", "allowed: "),
    ("index", "_quarto.yml"),
    ("init .", "has nbs, settings.ini already"),
    ("lab --scale labtop", "allowed: laptop"),
    ("lab --no-browser", "no nbs/index.ipynb"),
])
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(lab, capsys, words, allowed):
    before = files(lab)
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and allowed in err
    assert files(lab) == before and not (lab / "data").exists()


@pytest.mark.parametrize("name, value, allowed", [
    ("SCALE", "huge", "quick, laptop, desktop, paper"),
    ("SCLAE", "quick", "RECURRENT_LAB_SCALE"),
    ("SET", "steps=3", "JSON object"),
    ("SET", '{"flip": 1}', "flips"),
    ("SEEDS", "0", "positive whole number"),
    ("RUNS", "settings.ini/runs", "cannot write to the folder"),
])
def test_so_is_a_wrong_environment(lab, capsys, monkeypatch, name, value, allowed):
    monkeypatch.setenv(f"RECURRENT_LAB_{name}", value)
    before = files(lab)
    assert main(["run", "coin"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and allowed in err and files(lab) == before


def test_a_run_leaves_notebook_page_results_and_claims(lab, capsys):
    assert main(["run", "coin", "--seeds", "4", "--set", "bias=1", "side=tails"]) == 0
    out, err = capsys.readouterr()
    folder = lab / "data/runs/coin/quick+bias=1.0+seeds=4+side=tails"
    assert set(files(folder)) == {"coin.ipynb", "coin.html", "results.sqlite"}
    assert "holds" in out and "contradicted" in out and "0.5 (Theorem 1)" in out and str(folder) in out
    assert "Claims · study.claim('Half" in err and "flipping" in err
    assert "flipping" not in (cell["outputs"] for cell in nbformat.read(folder / "coin.ipynb", 4).cells if "outputs" in cell)
    assert len(results.read(folder / "results.sqlite", "runs")) == 4
    run = results.read(folder / "results.sqlite", "run").iloc[0]
    assert (run.study, run.scale, run.overrides) == ("coin", "quick", "bias=1.0+seeds=4+side=tails") and run.jax and run.seconds > 0

    assert main(["claims", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [c["verdict"] for c in told] == ["holds", "contradicted", "not tested"]
    assert len(told[0]["values"]) == 4 and told[0]["holds"] is True and told[1]["why"] == "more flips" and told[2]["mean"] is None

    assert main(["claims"]) == 0 and "It stands on its edge" in capsys.readouterr().out
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "Coins and their sides" in out and "Bernoulli 1713" in out and "1 holds, 1 contradicted" in out
    assert main(["settings"]) == 0 and "settings.ini" in capsys.readouterr().out


def earlier(lab) -> dict:
    """Results of an earlier run, as files that must stay."""
    folder = lab / "data/runs/coin/quick+pause=60.0"
    folder.mkdir(parents=True)
    (folder / "results.sqlite").write_bytes(b"earlier")
    return files(folder)


def test_a_failing_claim_is_recorded_and_exits_1(lab, capsys):
    assert main(["run", "coin", "--set", "broken=True"]) == 1
    out, err = capsys.readouterr()
    assert "contradicted" in out and "coin.ipynb: cell 7 (id" in err and "AssertionError" in err and "study.claim('Half" in err
    runs = lab / "data/runs/coin"
    assert [f.name for f in runs.iterdir()] == ["quick+broken=True.failed"]
    assert results.read(runs / "quick+broken=True.failed/results.sqlite", "claims").verdict.tolist() == ["contradicted"]
    assert main(["claims", "--json"]) == 0 and json.loads(capsys.readouterr().out) == []
    assert main(["list"]) == 0 and "the last run failed" in capsys.readouterr().out


def test_a_claim_that_comes_out_otherwise_fails_the_run_at_its_end(lab, capsys):
    "In an exact claim the code is wrong, and the run stops; of others the reader sees all. Changed by hand, a study expects nothing."
    file = lab / "nbs/papers/random/coin.ipynb"
    file.write_text(file.read_text().replace("expect='contradicted', why='more flips'", "expect='holds'"))
    assert main(["run", "coin"]) == 1
    err = capsys.readouterr().err
    assert "coin.ipynb: run to its end" in err and "contradicted (expected: holds): It stands on its edge" in err and "Traceback" not in err
    failed = lab / "data/runs/coin/quick.failed"
    assert results.read(failed / "results.sqlite", "claims").verdict.tolist() == ["holds", "contradicted", "not tested"]
    assert (failed / "coin.ipynb").exists() and main(["run", "coin", "--set", "flips=90"]) == 0


def test_an_interrupted_run_leaves_the_earlier_results(lab):
    before = earlier(lab)
    path = os.pathsep.join([str(Path(recurrent_lab.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    # SIGINT as a terminal has it: a shell that runs us in the background would have it ignored
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from recurrent_lab.runner.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", program,
                                "run", "coin", "--set", "pause=60"], stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})
    while "flipping" not in (line := process.stderr.readline()):
        assert line, "the run ended before it could be interrupted"
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    assert "earlier results are as they were" in process.stderr.read()
    assert process.wait() == 130 and time.perf_counter() - began < 10
    folder = lab / "data/runs/coin/quick+pause=60.0"
    assert files(folder) == before
    assert sorted(f.name for f in folder.parent.iterdir()) == ["quick+pause=60.0", "quick+pause=60.0.failed"]


def test_a_run_is_published_or_refused(lab, capsys):
    study = lab / "nbs/papers/random/coin.ipynb"
    assert main(["publish", "coin"]) == 2 and "no run to publish" in capsys.readouterr().err
    assert main(["run", "coin"]) == 0 and main(["publish", "coin"]) == 0
    recorded = json.loads((lab / "data/recorded/coin.quick.json").read_text())
    assert [c["verdict"] for c in recorded] == ["holds", "contradicted", "not tested"]
    assert recorded[0]["run"]["scale"] == "quick" and recorded[0]["cell"]

    assert main(["run", "coin", "--scale", "laptop"]) == 0 and main(["publish", "coin", "--scale", "laptop"]) == 0
    published = nbformat.read(study, 4)
    assert json.loads((lab / "data/recorded/coin.laptop.json").read_text())[0]["run"]["scale"] == "laptop"
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "published, quick: 1 holds, 1 contradicted" in out and "published, laptop: 1 holds" in out and "here, laptop: 1 holds" in out
    assert main(["claims", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(c["source"], c["scale"]) for c in told[::3]] == [("published", "laptop"), ("published", "quick"), ("here", "laptop"), ("here", "quick")]
    assert told[0]["statement"] == told[6]["statement"] and told[0]["values"] == [] and len(told[6]["values"]) == 10
    assert any(cell.get("outputs") for cell in published.cells) and all(cell.get("execution_count") is None for cell in published.cells)

    published.cells[-1].source += "\n# changed"
    nbformat.write(published, study)
    before = study.read_bytes()
    assert main(["publish", "coin", "--scale", "laptop"]) == 2 and "has changed since" in capsys.readouterr().err
    assert study.read_bytes() == before


def begin(*words, **options):
    """`python -m recurrent_lab.runner.cli` in the current folder."""
    path = os.pathsep.join([str(Path(recurrent_lab.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen([sys.executable, "-m", "recurrent_lab.runner.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=os.environ | {"PYTHONPATH": path}, **options)


def test_a_closed_pipe_is_no_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)                                    # no lab: the studies are the package's
    process = begin("list", bufsize=1)
    assert process.stdout.readline().strip() == "Recurrent models"
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 0
    reader, writer = os.pipe()
    os.close(reader)                                               # closed before anything is written
    done = subprocess.run([sys.executable, "-m", "recurrent_lab.runner.cli", "settings"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == "" and done.returncode == 0


def test_a_module_s_main_runs(lab):
    process = begin("run", "coin")
    out, err = process.communicate()
    assert process.returncode == 0 and "holds" in out and "coin · quick" in err


@pytest.mark.parametrize("text", [b"[DEFAULT]\nlib_name = mine\n", b"[st\xe4dte]\nscale = 3\n", b"no ini file\n[compute]\n"])
def test_a_settings_file_of_something_else_is_not_ours(tmp_path, monkeypatch, capsys, text):
    (tmp_path / "settings.ini").write_bytes(text)
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        monkeypatch.chdir(folder)
        assert main(["settings"]) == 0 and main(["list"]) == 0
        out, err = capsys.readouterr()
        assert "lru" in out and err == ""


def test_a_damaged_notebook_costs_only_itself(lab, capsys):
    papers = lab / "nbs/papers"
    (papers / "random/torn.ipynb").write_text('{"cells": [')
    (papers / "dynamics").mkdir()
    nbformat.write(v4.new_notebook(cells=CELLS), papers / "dynamics/other.ipynb")
    assert main(["list"]) == 0
    out, err = capsys.readouterr()
    assert "coin: Coins and their sides" in out and "torn" not in out
    assert [("torn.ipynb" in line, "allowed: dynamics" in line) for line in sorted(err.splitlines())] == [(False, True), (True, False)]
    assert main(["run", "coin"]) == 0
