"""The lab explains itself, and its results are where people look: help, completion, doctor, figures, tables, trackers, model folders."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import nbformat.v4 as v4
import pandas as pd
import pytest

from recurrent_lab import study
from recurrent_lab.runner.cli import COMMANDS, _parser, main
from recurrent_lab.runner.explain import EXAMPLES
from recurrent_lab.study import hub, track
from recurrent_lab.training import Problem, grid, train_variants
from recurrent_lab.training.progress import listening

FIRST = """\
# A bowl

> Half the curvature halves the rate.

- family: dynamics
- order: 1
- paper: On bowls
- authors: A. Potter
- year: 2001
- arxiv: 2001.00001
- summary: a bowl"""

CELLS = [v4.new_markdown_cell(FIRST), v4.new_code_cell("""\
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    steps: int = 4
    seeds: int = 2"""), v4.new_code_cell("""\
import jax.numpy as jnp, optax
from recurrent_lab.study import Study, figures
from recurrent_lab.training import Problem, grid
study = Study("bowl", Config)
make = lambda hyper, *, key: (jnp.array(1.0), None)
loss = lambda x, aux, hyper, t, *, key: (x**2, (aux, {"loss": x**2}))
bowls = {name: Problem(make, loss, lambda hyper, rate=rate: optax.sgd(rate)) for name, rate in (("slow", 0.1), ("fast", 0.2))}
descent = study.train("descent", bowls, grid(seed=range(study.config.seeds)), steps=study.config.steps, every=2)"""),
         v4.new_code_cell('study.headline_figure(figures.curves(descent.table, "step", "loss", by="variant", title="Down, and down again"))'),
         v4.new_code_cell('figures.curves(descent.table, "step", "loss")')]


@pytest.fixture
def lab(empty_lab):
    "A lab with one study that trains and draws; the current folder is its root."
    (empty_lab / "nbs/papers/dynamics").mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=CELLS), empty_lab / "nbs/papers/dynamics/bowl.ipynb")
    return empty_lab


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_can_be_typed(command, capsys):
    for words, _ in EXAMPLES[command]:
        parsed, rest = _parser().parse_known_args(words.split())
        assert parsed.command == command and (not rest or command == "lab"), words
    with pytest.raises(SystemExit) as end: main([command, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0 and all(f"  recurrent-lab {words}" in out for words, _ in EXAMPLES[command])


def test_bash_completes_commands_studies_and_scales(lab, capsys):
    pytest.importorskip("shtab", reason="no shtab: pip install 'recurrent_lab[lab]'")
    assert main(["completion", "bash"]) == 0
    (lab / "complete.sh").write_text(capsys.readouterr().out)
    def offered(*words):
        line = (f"source complete.sh; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
                "$(complete -p recurrent-lab | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout.split()
    assert {"run", "doctor", "completion"} <= set(offered("recurrent-lab", "''"))
    assert offered("recurrent-lab", "doc") == ["doctor"]
    assert offered("recurrent-lab", "run", "b") == ["bowl"]
    assert offered("recurrent-lab", "run", "bowl", "--scale", "la") == ["laptop"]
    assert offered("recurrent-lab", "new", "b") == []
    assert main(["completion", "zsh"]) == 0 and "#compdef recurrent-lab" in capsys.readouterr().out
    assert main(["completion", "fish"]) == 2


def test_completion_says_what_it_lacks(lab, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "shtab is not installed; it comes with: pip install 'recurrent_lab[lab]'" in capsys.readouterr().err


def test_the_doctor_fits_on_a_screen_and_names_what_is_broken(lab, capsys, monkeypatch):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24 and [re.split(" +", line)[1] for line in lines if line[0] != " "] == [
        "lab", "Python", "JAX", "extras", "Chromium", "Quarto", "disk", "settings", "evidence"]
    assert any(re.search(r"scale +quick +settings.ini", line) for line in lines)

    monkeypatch.setenv("RECURRENT_LAB_SCALE", "labtop")
    (lab / "data/recorded").mkdir(parents=True)
    (lab / "data/recorded/bowl.quick.json").write_text("[{")
    assert main(["doctor"]) == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fault")]
    assert any("unknown scale 'labtop'; allowed: laptop" in line for line in faults)


TENSORBOARDX = """\
import json, os
class SummaryWriter:
    def __init__(self, folder, flush_secs): self.folder, self.rows = folder, []
    def close(self):
        os.makedirs(self.folder)
        json.dump(self.rows, open(os.path.join(self.folder, "events.json"), "w"))
    def add_scalar(self, name, value, step): self.rows.append([name, value, step])
"""


def test_a_run_leaves_figures_tables_and_what_the_tracker_was_sent(lab, capsys, monkeypatch):
    (lab / "fake").mkdir()
    (lab / "fake/tensorboardX.py").write_text(TENSORBOARDX)
    monkeypatch.syspath_prepend(lab / "fake")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(lab / "fake"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("RECURRENT_LAB_FIGURE_FORMAT", "pdf")
    assert main(["run", "bowl", "--track", "tensorboard"]) == 0, capsys.readouterr().err
    folder = lab / "data/runs/bowl/quick"
    drawn = sorted((folder / "figures").iterdir())
    assert [file.name for file in drawn] == ["01-down-and-down-again.pdf", "02.pdf"]
    assert all(file.read_bytes().startswith(b"%PDF") for file in drawn)
    page = nbformat.read(folder / "bowl.ipynb", 4)
    assert "image/svg+xml" in page.cells[-1].outputs[0].data           # what a notebook can show

    table = study.tables("bowl")["descent"]
    assert sorted(study.tables("bowl", "quick")) == ["claims", "config", "descent", "run"]
    assert len(table) == 2 * 2 * 2 and {"variant", "seed", "step", "loss"} <= set(table)
    for _, row in table.iterrows():
        sent = json.loads((folder / f"tensorboard/descent/variant={row.variant} seed={row.seed}/events.json").read_text())
        assert ["loss", pytest.approx(row.loss), row.step] in sent and len(sent) == 2


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(lab, capsys, monkeypatch):
    monkeypatch.setattr(track.importlib.util, "find_spec", lambda name: None)
    assert main(["run", "bowl", "--track", "trackio"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "pip install 'recurrent_lab[track]'" in err and not (lab / "data").exists()
    assert main(["run", "bowl", "--track", "tensorbord"]) == 2
    assert "allowed: tensorboard" in capsys.readouterr().err


SENT = {f"variant={variant} seed={seed}" for variant in ("slow", "fast") for seed in (0, 1)}


def descend(tracker, pause=0.0, steps=20, **options):
    "Two variants and two seeds, sent to a tracker: their table, and after which step of each run it had been told before the end."
    import jax.numpy as jnp
    import optax
    make = lambda hyper, *, key: (1.0 + hyper["seed"], None)
    loss = lambda x, aux, hyper, t, *, key: (x**2, (aux, {"loss": x**2}))
    bowls = {name: Problem(make, loss, lambda hyper, rate=rate: optax.sgd(rate), lambda state, hyper: {"far": jnp.abs(state.model)})
             for name, rate in (("slow", 0.1), ("fast", 0.2))}
    runs = grid(seed=range(2))
    sender = track.Sender(tracker, "descent", track.trainings("descent", bowls, runs, "variant"), pause)
    with listening(sender):
        trained = train_variants("variant", bowls, runs, steps=steps, every=5, label="descent", **options)
    early = dict(sender.sent)
    sender.rest(trained)
    return trained.table, early


class Notes:
    "A tracker that writes down what it is told, and does `instead` when it is told its `n`-th row."
    name = "notes"
    def __init__(self, n=0, instead=None): self.runs, self.n, self.instead = {}, n, instead
    def open(self, about): return self.runs.setdefault(track.named(about), {})
    def close(self, run): pass
    def log(self, run, step, metrics):
        self.n -= 1
        if self.n == 0: raise self.instead
        assert step not in run or self.instead is KeyboardInterrupt, "told twice"
        run[step] = metrics


def as_sent(table):
    return {f"variant={variant} seed={seed}": rows.set_index("step")[["loss", "far"]].to_dict("index")
            for (variant, seed), rows in table.groupby(["variant", "seed"])}


@pytest.mark.parametrize("pause, runs", [(0.0, 4), (600.0, 0)])
def test_points_come_while_it_trains_and_none_twice(pause, runs):
    table, early = descend(notes := Notes(), pause)
    assert notes.runs == as_sent(table) and set(notes.runs) == SENT and len(early) == runs


def test_a_training_that_goes_on_has_lost_no_point(tmp_path):
    descend(Notes(), steps=10, checkpoints=tmp_path)
    table, _ = descend(notes := Notes(), checkpoints=tmp_path)
    assert notes.runs == as_sent(table) and list(notes.runs["variant=slow seed=0"]) == [5, 10, 15, 20]


def test_an_interruption_while_points_are_sent_costs_none():
    table, _ = descend(notes := Notes(1, KeyboardInterrupt))
    assert notes.runs == as_sent(table) and set(table[table.variant == "slow"].step) == {5}


def test_what_a_tracker_refuses_is_said_once(capsys):
    table, _ = descend(Notes(3, OSError("No space left on device")))
    said = re.findall("recurrent-lab: .*", capsys.readouterr().err)
    assert len(table) == 16 and said == [
        "recurrent-lab: descent is not sent to notes: OSError: No space left on device; the results are saved as ever"]


def test_of_very_many_runs_some_are_followed(monkeypatch):
    monkeypatch.setattr(track, "LIVE", 2)
    table, early = descend(notes := Notes())
    assert notes.runs == as_sent(table) and set(early) == {("descent · slow", 0), ("descent · fast", 0)}


def test_tensorboard_reads_back_what_was_sent(tmp_path):
    pytest.importorskip("tensorboardX", reason="no tensorboardX: pip install 'recurrent_lab[track]'")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c
    for _ in range(2): table, _ = descend(track.TensorBoard("bowl", "descent", tmp_path))       # the second replaces the first
    folders = sorted((tmp_path / "tensorboard/descent").iterdir())
    assert [folder.name for folder in folders] == sorted(SENT)
    for folder, (_, rows) in zip(folders, table.groupby(["variant", "seed"])):
        file, = folder.iterdir()
        data, found = file.read_bytes(), []
        while data:                                                # length, its checksum, an event, its checksum
            n = int.from_bytes(data[:8], "little")
            assert int.from_bytes(data[12 + n:16 + n], "little") == masked_crc32c(data[12:12 + n])
            event, data = Event.FromString(data[12:12 + n]), data[16 + n:]
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        for metric in ("loss", "far"):
            assert [(step, pytest.approx(value)) for tag, step, value in found if tag == metric] == list(zip(rows.step, rows[metric]))


def test_trackio_reads_back_what_was_sent(tmp_path):
    pytest.importorskip("trackio", reason="no trackio: pip install 'recurrent_lab[track]'")
    code = ("import json, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\nfrom test_readers import descend\n"
            "from recurrent_lab.study import track\ntable, _ = descend(track.Trackio('bowl', 'descent', Path('.')))\n"
            "import trackio\nfrom trackio.sqlite_storage import SQLiteStorage\nruns = trackio.Api().runs('bowl')\n"
            "print(json.dumps([table.to_dict('list'), {run.name: [run.config, SQLiteStorage.get_logs('bowl', run_id=run.id)] for run in runs}], default=str))")
    done = subprocess.run([sys.executable, "-c", code, Path(__file__).parent], capture_output=True, text=True, cwd=tmp_path,
                          env=os.environ | {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    table, runs = json.loads(done.stdout)                          # and its greetings went elsewhere
    assert set(runs) == {f"descent {name}" for name in SENT}
    for name, rows in as_sent(pd.DataFrame(table)).items():
        config, logged = runs[f"descent {name}"]
        assert f"variant={config['variant']} seed={config['seed']}" == name
        assert {row["step"]: {"loss": row["loss"], "far": row["far"]} for row in logged} == rows and len(logged) == len(rows)


def test_trackio_is_told_each_run_once(monkeypatch, tmp_path):
    told, fake = [], ModuleType("trackio")
    class Run:
        def __init__(self, about): self.rows = told.append((about["name"], about["config"], [])) or told[-1][2]
        def log(self, metrics, step): self.rows.append((step, metrics))
        def finish(self): self.rows.append("finished")
    fake.init = lambda **about: Run(about)
    monkeypatch.setitem(sys.modules, "trackio", fake)
    table, _ = descend(track.Trackio("bowl", "descent", tmp_path))
    assert [name for name, _, _ in told] == [f"descent variant={v} seed={s}" for v in ("slow", "fast") for s in (0, 1)]
    assert told[1][1] == {"variant": "slow", "run": 1, "seed": 1}
    assert {name.removeprefix("descent "): dict(rows[:-1]) for name, _, rows in told} == as_sent(table)
    assert all(len(rows) == 5 and rows[-1] == "finished" for *_, rows in told)


def test_a_model_is_saved_with_its_study_s_claims_and_pushed(monkeypatch, tmp_path):
    pytest.importorskip("safetensors")
    import equinox as eqx
    import jax
    sent = {}
    fake = ModuleType("huggingface_hub")
    class HfApi:
        def create_repo(self, repo_id, exist_ok): sent["repo"] = repo_id, exist_ok
        def upload_folder(self, *, repo_id, folder_path):
            sent["files"] = {file.name: file.read_bytes() for file in Path(folder_path).iterdir()}
            return f"https://example.org/{repo_id}"
    fake.HfApi = HfApi
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    net = lambda seed: eqx.nn.MLP(3, 2, 5, 1, key=jax.random.key(seed))
    folder = hub.save_model(tmp_path / "net", net(0), "two_layers", {"width": 5})
    assert hub.push(folder, "me/net") == "https://example.org/me/net" and sent["repo"] == ("me/net", True)
    assert set(sent["files"]) == {"model.safetensors", "config.json", "README.md"}
    front = sent["files"]["README.md"].decode().split("---\n")[1]
    assert pytest.importorskip("yaml").safe_load(front) == {"library_name": "recurrent_lab", "tags": ["jax", "equinox", "two_layers"]}
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    assert eqx.tree_equal(hub.load_model(folder, net(1)), net(0))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"recurrent_lab\[hub\]"): hub.push(folder, "me/net")
