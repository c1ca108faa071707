"""A small campaign of misuse, made from a seed (another one, and more of it: MISUSE_SEED=7 MISUSE_CASES=60): whatever is given, damaged, killed, full or closed, each
command ends with its status and one line that says what to do, and what was computed or written before is there."""
import copy
import errno
import itertools
import json
import os
import random
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import nbformat
import nbformat.v4 as v4
import numpy as np
import pandas as pd
import pytest

import recurrent_lab
from recurrent_lab.runner import run as runner
from recurrent_lab.runner.cli import main
from recurrent_lab.runner.execute import CellFailed
from recurrent_lab.runner.run import plan
from recurrent_lab.study import Study, claims, every, results, within
from recurrent_lab.study.files import alone, put
from recurrent_lab.training import chunk
from recurrent_lab.training.checkpoint import read, restore, save

SEED = int(os.environ.get("MISUSE_SEED", "0"))
CASES = int(os.environ.get("MISUSE_CASES", "16"))                 # of each generated kind
CONFIG = """\
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    flips: int = 100_000
    bias: float = 0.5
    side: str = "heads"
    fair: bool = True
    sizes: tuple[int, ...] = (1, 2)
    rates: tuple[float, ...] = (0.1,)
    names: tuple[str, ...] = ("a",)
    seeds: int = 10

QUICK = dict(flips=10, seeds=3)"""
FIRST = "# {0}\n\n> Half of the flips are heads.\n\n- family: random\n- order: {1}\n- paper: Ars Conjectandi\n- authors: J. Bernoulli\n" \
        "- year: 1713\n- arxiv: 1713.00001\n- summary: flips"
FIELDS = ("flips", "bias", "side", "fair", "sizes", "rates", "names", "seeds")


def study(name: str, order: int):
    first = v4.new_markdown_cell(FIRST.format(name.capitalize(), order))
    code = [CONFIG, f"from recurrent_lab.study import Study, every, within\nstudy = Study('{name}', Config, quick=QUICK)",
            "import sys; print('flipping ─', file=sys.stderr)\n"
            "study.claim('Half ─ of the flips are heads', where='p. 1', measured={'all': 0.5}, kind='exact', rule=every(within(0.3, 0.7)))"]
    return v4.new_notebook(cells=[first, *map(v4.new_code_cell, code)])


def recorded(name: str) -> tuple[dict, list[dict]]:
    "The tables of a run of the study, and its claims as they are recorded."
    made = claims.claim("Half ─ of the flips are heads", where="p. 1", measured={"all": 0.5}, kind="exact", rule=every(within(0.3, 0.7)),
                        scale="quick")
    ran = dict(study=name, scale="quick", overrides="", started="2026-01-02T03:04:05+00:00", code="0")
    tables = {"run": pd.DataFrame([ran]), "claims": claims.records([made])}
    return tables, [made.record() | {"run": ran, "cell": "ab"}]


@pytest.fixture
def lab(empty_lab):
    "A lab of two studies, coin and dice, each published and run; the current folder is its root."
    papers = empty_lab / "nbs/papers/random"
    papers.mkdir(parents=True)
    for order, name in enumerate(("coin", "dice"), 1):
        nbformat.write(study(name, order), papers / f"{name}.ipynb")
        tables, made = recorded(name)
        results.write(empty_lab / "data/runs" / name / "quick/results.sqlite", tables)
        put(empty_lab / "data/recorded" / f"{name}.quick.json", json.dumps(made))
    return empty_lab


def files(folder: Path) -> dict:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file() and ".locks" not in f.parts}


def one_line(err: str, said: str = "") -> bool:
    return err.startswith("recurrent-lab: ") and err.count("\n") == 1 and said in err


# ---- values

def bad(kind: str, chance: random.Random) -> str:
    "A value that no field of this type may take."
    number = chance.choice(["", "nan", "inf", "-inf", "None", "x", "1 2", "--1", "(1,", "[1]", "{}", "'1'", "1j", "True", "lambda: 1", "\0", "²",
                            "[" * chance.randrange(50, 500), "-" * chance.randrange(2000, 20_000) + "1", "9" * 5000])
    return {"flips": chance.choice([number, "1.5", "1e3", str(chance.choice([-1, 1]) * chance.randrange(2**31 + 1, 2**80))]),
            "seeds": chance.choice([number, "0", "-3", "2.0", str(chance.randrange(2**31, 2**80))]),
            "bias": chance.choice([number, "1e999", "-1e999", str(2**2000)]),
            "fair": chance.choice(["", "1", "0", "true", "yes", "None", "'True'", "(True,)"]),
            "sizes": chance.choice([number, "3", "(1.5,)", "('a',)", "(1, None)", "(1, (2,))", str((1, chance.randrange(2**31, 2**70)))]).replace("[1]", "1"),
            "rates": chance.choice([number, "0.1", "('a',)", "(1e999,)", "(0.1, True)"]).replace("[1]", "1"),
            "names": chance.choice([number, "a", "(1,)", "(None,)"]).replace("[1]", "1")}[kind]


def test_a_value_of_another_type_is_refused_before_anything_is_written(lab, capsys, monkeypatch):
    taken, before, chance = [], files(lab), random.Random(SEED)
    monkeypatch.setattr(runner, "run", lambda p, show: taken.append(p.overrides) or p.folder)
    for field in itertools.islice(itertools.cycle([f for f in FIELDS if f != "side"]), 5 * CASES):
        value = bad(field, chance)
        if chance.random() < 0.7: status = main(["run", "coin", "--set", f"{field}={value}"])
        else:
            with monkeypatch.context() as patch:
                patch.setattr(os, "environ", os.environ | {"RECURRENT_LAB_SET": json.dumps({field: value})})
                status = main(["run", "coin"])
        out, err = capsys.readouterr()
        assert status == 2 and out == "" and one_line(err) and taken == [], (field, value[:80], err[:300], taken)
        assert field in err or "nested" in err, (field, value[:80], err[:300])
    assert files(lab) == before


@pytest.mark.parametrize("words, said", [
    ("run coin --set bias=1 bias=2", "bias is given twice"), ("run coin --set flips=1 --set flips=1", "flips is given twice"),
    ("run coin --seeds 3 --set seeds=4", "seeds is given twice"), ("run coin --seeds 3 --seeds 4", "--seeds is given twice"),
    ("run coin --scale quick --scale quick", "--scale is given twice"), ("run coin --seeds 4294967299", "below 2^31"), ("run ../coin", "allowed: coin")])
def test_what_is_said_twice_or_is_too_large_is_refused(lab, capsys, words, said):
    before = files(lab)
    assert main(words.split()) == 2 and one_line(capsys.readouterr().err, said) and files(lab) == before


def test_any_text_in_the_environment_gives_settings_or_one_line(lab, capsys, monkeypatch):
    chance = random.Random(SEED)
    pieces = ["quick", "~nosuchuser/x", "~", "/", "..", "[", "{", '{"flips": 1}', '{"flips": NaN}', '{"a": 1, "a": 2}', "[[1, 2]]", "\udcff", "─", "1e9", "-1",
              "a" * 5000, "[" * 100_000, "settings.ini/below", "/dev/null/x", "null", "3", "\n", " "]
    names = "SCALE", "DATA", "RUNS", "SEEDS", "DEVICE", "PROGRESS", "FIGURE_FORMAT", "SET"
    drawn = [(chance.choice(names), "".join(chance.choices(pieces, k=chance.randint(1, 2)))) for _ in range(2 * CASES)]
    for name, value in [("RUNS", "/dev/null/x" + "a" * 5000), *drawn]:          # the first was found by a larger campaign
        with monkeypatch.context() as patch:
            patch.setenv(f"RECURRENT_LAB_{name}", value)
            status = main(["settings"])
        out, err = capsys.readouterr()
        assert (status, err) == (0, "") or status == 2 and one_line(err) and len(err) < 400, (name, value[:80], err[:300])


def test_any_settings_file_gives_settings_or_one_line(lab, capsys):
    chance, good = random.Random(SEED), b"[lab]\nscale = quick\nruns = data/runs\nseeds =\n\n[display]\nprogress = text\n"
    for case in range(4 * CASES):
        text = damaged(good, chance) if case % 2 else b"".join(chance.choices(
            [b"\xef\xbb\xbf", b"[lab]\n", b"[lab\n", b"lab]\n", b"[tool]\n", b"scale = quick\n", b"Z\xfcrich = 1\n", b"scale\n", b"\0", b"= 3\n", b"  indented\n", b"\r\n"], k=4))
        Path("settings.ini").write_bytes(text)
        status = main(["settings"])
        err = capsys.readouterr().err
        assert (status, err) == (0, "") or status == 2 and one_line(err, "settings.ini" if b"[lab" in text and b"\0" not in text else ""), (text, err)


def test_any_words_are_a_command_or_one_line(lab, capsys, monkeypatch):
    "Words of the commands and words of nobody, in any order; those that would start something large (lab, init into a new folder) are left out."
    chance, before = random.Random(SEED), files(lab)
    monkeypatch.setattr(runner, "run", lambda p, show: p.folder)
    options = ["--scale", "quick", "--scale=huge", "--seeds", "3", "--seeds=-1", "--set", "flips=3", "side=\udcff", "bias", "--json", "--family", "random", "--track", "--cluster",
               "--cluster=local:0", "tcp://x:1", "slurm:", "--track=none", "coin", "dice", "coyn", "", "-", "--", "--fam", "bash", "fish", "/dev/null/x", ".", "a" * 5000, "\udcff", "\0", "─", "=", "-1"]
    for _ in range(4 * CASES):
        words = [chance.choice(["list", "run", "claims", "settings", "publish", "new", "index", "init", "completion", "lst", ""])]
        words += chance.choices(options, k=chance.randint(0, 4))
        if words[0] == "init" and not {"", ".", "/dev/null/x"} & set(words): continue
        try: status = main(words)
        except SystemExit as end: raise AssertionError(words) from end
        out, err = capsys.readouterr()
        assert status in (0, 1, 2) and (err == "" if status == 0 else one_line(err)) and len(err) < 500, (words, status, err[:600])
    assert files(lab) == before


# ---- damage

def damaged(content: bytes, chance: random.Random) -> bytes:
    "Cut, with flipped bits, foreign, or empty."
    if (how := chance.randrange(5)) == 0: return content[:chance.randrange(len(content))]
    if how == 1: return chance.randbytes(chance.choice([1, 16, 5000]))
    if how == 2: return chance.choice([b"", b"null", b"[]", b"{}", b"3", b'"x"', b"[" * 100_000, b'{"cells": 3}', b'{"cells": [[]]}', b"SQLite format 3\0"])
    changed = bytearray(content)
    for _ in range(chance.choice([1, 3, 50])): changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def twisted(tree, chance: random.Random):
    "JSON in which one value is another one, or missing."
    tree = at = copy.deepcopy(tree)
    while True:
        keys = list(at if isinstance(at, dict) else range(len(at)))
        if not keys: return tree
        inside = at[key := chance.choice(keys)]
        if not isinstance(inside, (dict, list)) or chance.random() < 0.3: break
        at = inside
    if chance.random() < 0.4: del at[key]
    else: at[key] = chance.choice([None, 3, -1.5, True, "x", "", [], {}, [None], {"x": 1}, ["x"], 2**70])
    return tree


def goes_on(capsys, file: Path, words: list[str], there: str) -> None:
    "The command does what it does; if something is wrong, one line names the file."
    status = main(words)
    out, err = capsys.readouterr()
    assert status == 0 and there in out, (words, out[-300:], err[-300:])
    assert all(line.startswith("recurrent-lab: ") and file.name in line for line in err.splitlines()), (words, err[:500])


@pytest.mark.parametrize("name", ["nbs/papers/random/coin.ipynb", "data/recorded/coin.quick.json", "data/runs/coin/quick/results.sqlite"])
def test_a_damaged_file_costs_that_file(lab, capsys, monkeypatch, name):
    chance, file = random.Random(SEED), lab / name
    good = file.read_bytes()
    monkeypatch.setattr(runner, "run", lambda p, show: p.folder)
    for case in range(CASES):
        content = damaged(good, chance) if case % 2 or file.suffix == ".sqlite" else json.dumps(twisted(json.loads(good), chance)).encode()
        file.write_bytes(content)
        try:
            goes_on(capsys, file, *chance.choice([(["list"], "dice: Dice"), (["claims"], "dice · quick scale · here")]))
            assert main(["run", "dice"]) == 0 and main(["run", "coin"]) in (0, 2) and main(["publish", "coin"]) == 2
            capsys.readouterr()
        except Exception as error: raise AssertionError(f"{type(error).__name__}: {error} of {content[:1500]}") from error
    file.unlink()
    for strange in (lambda: file.symlink_to("nowhere"), lambda: (file.unlink(), file.mkdir())):
        strange()
        goes_on(capsys, file, ["list"], "dice: Dice")
        goes_on(capsys, file, ["claims"], "dice · quick scale · here")


def test_a_table_with_other_columns_costs_that_file(lab, capsys):
    chance, file = random.Random(SEED), lab / "data/runs/coin/quick/results.sqlite"
    for _ in range(CASES):
        tables, _ = recorded("coin")
        name = chance.choice(list(tables))
        table = tables[name]
        column = chance.choice(list(table))
        tables[name] = chance.choice([table.drop(columns=column), table.assign(**{column: chance.choice([None, 3.5, "x", b"\xff"])}), table.head(0),
                                      pd.concat([table, table]), pd.DataFrame({"x": [1]})])
        results.write(file, tables, fresh=True)
        goes_on(capsys, file, *chance.choice([(["list"], "dice: Dice"), (["claims"], "dice · quick scale · here"), (["claims", "--json"], '"study": "dice"')]))


def test_bytes_where_no_column_has_any_cost_that_file(lab, capsys):
    tables, _ = recorded("coin")
    results.write(lab / "data/runs/coin/quick/results.sqlite", tables | {"claims": tables["claims"].assign(why=b"\xff")}, fresh=True)
    goes_on(capsys, lab / "data/runs/coin/quick/results.sqlite", ["claims", "--json"], '"study": "dice"')


def test_a_damaged_checkpoint_is_refused_by_name_or_harmless(tmp_path):
    chance, path = random.Random(SEED), tmp_path / "[odd] name.npz"
    tree = {"w": np.arange(6.0).reshape(2, 3), "n": np.arange(3), "b": np.ones(2, bool)}
    save(path, tree, rows=3, key=[1, 2])
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive: parts = {name: archive.read(name) for name in archive.namelist()}
    refused = 0
    for case in range(8 * CASES):
        if case % 2: path.write_bytes(damaged(good, chance))
        else:                                                     # its checksums are right
            with zipfile.ZipFile(path, "w") as archive:
                name = chance.choice(list(parts))
                header = json.dumps(twisted(json.loads(parts["header.json"]), chance)).encode()
                part = header if name == "header.json" else damaged(parts[name], chance)
                for each, content in parts.items():
                    if each != name or chance.random() < 0.9: archive.writestr(each, part if each == name else content)
        try: back = restore(tree, read(path))
        except ValueError as error: refused += str(path) in str(error) and "Nothing was overwritten" in str(error)
        else: assert all(back[k].dtype == tree[k].dtype and back[k].shape == tree[k].shape for k in tree); refused += 1
    assert refused == 8 * CASES
    for other in (np.float32, np.int64, complex, "S8", bool):     # another dtype than the header says
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                if name != "w.npy": archive.writestr(name, content)
            with archive.open("w.npy", "w") as entry: np.lib.format.write_array(entry, tree["w"].astype(other))
        with pytest.raises(ValueError, match="not what its header says"): restore(tree, read(path))
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match="Is a directory"): read(path)


def test_a_crafted_checkpoint_of_a_population_is_refused_by_name(tmp_path):
    "Its checksums are right: header and arrays say what no training can have written."
    path, about, chance = tmp_path / "run.npz", {"metrics": ["loss", "error"]}, random.Random(SEED)
    fresh = chunk.begin(np.zeros((3, 4)), 3)
    good = fresh._replace(steps=(5, 10), log=(np.ones((3, 2)),) * 2, ended_at=np.array([0, 7, 10]), failed_by=np.array([-1, 1, -1]))
    chunk.keep(path, good, about)
    parts = read(path).arrays
    assert chunk.resume(path, fresh, about, 10).steps == (5, 10)
    bad = {"steps": [(5, 5), (10, 5), (0, 5), (-5, 5), (5, 2**40), (5.0, 10.0), (5,), (), 5, ((5, 10),)], "log": [np.ones((3, 3, 2)), np.ones((2, 3)), np.ones(()), np.ones((2, 3, 2), int)],
           "ended_at": [(0, 7, 11), (-1, 7, 10), (0, 0, 10), (0., 7., 10.)], "failed_by": [(-1, 2, -1), (-2, 1, -1), (0, 1, -1)]}
    for name, value in ((name, value) for name in bad for value in bad[name]):
        save(path, chunk.Progress(**parts | {name: np.array(value)}), **about)
        with pytest.raises(ValueError, match="Nothing was overwritten") as error: chunk.resume(path, fresh, about, 10)
        assert str(path) in str(error.value), (name, value)
    for _ in range(2 * CASES):
        save(path, chunk.Progress(**parts), **(content := twisted({"rows": 2} | about, chance)))
        if content.get("metrics") == about["metrics"]: assert chunk.resume(path, fresh, about, 10).steps == (5, 10)
        else:
            with pytest.raises(ValueError, match="belongs to another population: metrics"): chunk.resume(path, fresh, about, 10)


# ---- killed, full, two at once: in a process that imports once and forks its writers

CHILD = """\
import os, sys

def child(work):
    pid = os.fork()
    if pid: return pid
    try: work(); os._exit(0)
    except BaseException as error: print(type(error).__name__, error, flush=True); os._exit(1)

"""
WRITERS = CHILD + """\
import random, resource, signal, time
from pathlib import Path
import numpy as np, pandas as pd
from recurrent_lab.study import results
from recurrent_lab.study.files import alone, put
from recurrent_lab.training.checkpoint import read, restore, save
folder, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
sqlite, text, npz = folder / "results.sqlite", folder / "claims.json", folder / "run.npz"

def write(n):
    results.write(sqlite, {"a": pd.DataFrame({"n": [n] * 500}), "b": pd.DataFrame({"n": [n] * 500})})
    put(text, f"{n}\\n" * 500)
    save(npz, {"w": np.full(5000, n)}, n=n)

def whole():
    a, b, lines, kept = results.read(sqlite, "a"), results.read(sqlite, "b"), text.read_text().split(), read(npz)
    assert a.equals(b) and len(a) == 500 and a.n.nunique() == 1, "a table is torn"
    assert len(lines) == 500 and len(set(lines)) == 1, "a text is torn"
    assert (restore({"w": np.zeros(5000, int)}, kept)["w"] == kept.about["n"]).all(), "a checkpoint is torn"
    return int(a.n[0]), int(lines[0]), kept.about["n"]

def endless(start):
    for n in range(start, 10**9): write(n)

write(0)
for kill in range(8):                                           # kill -9 at any moment
    before = whole()
    pid = child(lambda: endless(1000 * (kill + 1)))
    time.sleep(chance.uniform(0, 0.25)); os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    assert all(now >= then for now, then in zip(whole(), before))
write(10**6)
print("left by the killed:", sorted(f.name for f in folder.iterdir() if f.name.endswith((".tmp", "-journal"))))

def full():                                                      # no file may grow beyond this: the disk is full
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    for work in (lambda: results.write(sqlite, {"c": pd.DataFrame({"n": range(50_000)})}), lambda: put(text, "x" * 10**6), lambda: save(npz, {"w": np.zeros(10**6)})):
        try: work()
        except OSError as error: assert "results.sqlite" in str(error) or error.strerror == "File too large", error
        else: raise AssertionError("written to a full disk")

there = sorted(folder.iterdir())
for _ in range(6):
    size = chance.choice([0, 1, 4096, chance.randrange(10**5)])
    assert os.waitpid(child(full), 0)[1] == 0, size
    assert whole() == (10**6,) * 3, size
assert sorted(f for f in folder.iterdir() if not f.name.endswith("-journal")) == there

def adding(who):
    for n in range(20):
        results.write(sqlite, {f"{who} {n}": pd.DataFrame({"n": [n]})})
        save(npz, {"w": np.full(5000, n)}, n=n)

ended = [os.waitpid(pid, 0)[1] for pid in [child(lambda: adding(who)) for who in ("one", "two", "three")]]
with results._opened(sqlite, "rw") as connection: names = results._names(connection)
print("three writers:", ended, len(names) - 2, whole()[2])

def held():
    with alone(folder / "lock", "busy"): time.sleep(60)
pid = child(held)
while not (folder / "lock").exists(): time.sleep(0.01)
time.sleep(0.2)
try:
    with alone(folder / "lock", "busy"): print("not locked")
except ValueError: print("locked")
os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
with alone(folder / "lock", "busy"): print("free")
"""


def environment(**more) -> dict:
    return {k: v for k, v in os.environ.items() if not k.startswith(("RECURRENT_LAB_", "LC_", "LANG"))} | {
        "PYTHONPATH": str(Path(recurrent_lab.__file__).parents[1])} | more


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_writers_full_disks_and_second_writers_tear_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", WRITERS, tmp_path, str(SEED)], capture_output=True, text=True, env=environment())
    assert done.stdout.splitlines() == ["left by the killed: []", "three writers: [0, 0, 0] 60 19", "locked", "free"], done.stdout + done.stderr[-2000:]
    assert done.returncode == 0, done.stderr[-2000:]


SIX = CHILD + """\
import numpy as np
from recurrent_lab.training.checkpoint import save

def saves():
    for n in range(150): save(sys.argv[1], {"w": np.full(50, n)}, n=n)

print([os.waitpid(pid, 0)[1] for pid in [child(saves) for _ in range(6)]], os.listdir(os.path.dirname(sys.argv[1])))"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_no_writer_of_a_checkpoint_takes_another_s_file_for_a_killed_one_s(tmp_path):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SIX, tmp_path / "run.npz"], capture_output=True, text=True, env=environment())
    assert done.stdout == "[0, 0, 0, 0, 0, 0] ['run.npz']\n", done.stdout + done.stderr[-2000:]


FULL = OSError(errno.ENOSPC, "No space left on device", "results.sqlite")


def test_a_full_disk_hides_no_failure_and_costs_no_earlier_result(lab, capsys, monkeypatch):
    before = files(lab)
    def fails(error):
        def execute(p, building, show):
            results.write(building / "results.sqlite", recorded("coin")[0])
            raise error
        return execute
    monkeypatch.setattr(runner, "_execute", fails(FULL))
    assert main(["run", "coin"]) == 1
    err = capsys.readouterr().err
    assert "results.sqlite: No space left on device; what there is of the run is in" in err.splitlines()[-1]
    assert len(results.read(lab / "data/runs/coin/quick.failed/results.sqlite", "claims")) == 1      # what was computed
    monkeypatch.setattr(runner, "_execute", fails(CellFailed("coin.ipynb: cell 3 failed", None)))
    def full(*_): raise FULL
    monkeypatch.setattr(nbformat, "write", full)
    assert main(["run", "coin"]) == 1 and "cell 3 failed" in capsys.readouterr().err
    assert {name: content for name, content in files(lab).items() if ".failed" not in name} == before


def test_a_training_at_hand_is_not_lost_to_a_full_disk(lab, monkeypatch):
    @dataclass(frozen=True)
    class Config:
        seeds: int = 1

    def full(*_, **__): raise FULL
    trained = SimpleNamespace(table=pd.DataFrame({"x": [1]}))
    monkeypatch.setattr("recurrent_lab.training.population.train", lambda *_, **__: trained)
    monkeypatch.setattr(results, "write", full)
    with pytest.warns(UserWarning, match="the table 'runs' was not saved"): assert Study("coin", Config).train("runs", None, None) is trained


def test_a_second_run_of_one_name_is_refused_while_the_first_lives(lab, capsys):
    before, p = files(lab), plan("coin")
    with alone(p.settings.runs / ".locks" / "coin" / p.folder.name, "busy"):
        assert main(["run", "coin"]) == 2 and one_line(capsys.readouterr().err, "coin is being run as quick already")
    assert files(lab) == before


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"x": [[1]]}), pd.DataFrame({"x": [1j]}), pd.DataFrame({"x": [2**70]}), pd.DataFrame([[1, 2]], columns=["x", "X"]),
                                   pd.DataFrame({"x": ["\udcff"]})], ids=["empty", "lists", "complex", "large", "columns", "surrogate"])
def test_a_table_that_cannot_be_kept_is_named_and_the_others_stay(tmp_path, table):
    results.write(tmp_path / "results.sqlite", {"good": pd.DataFrame({"x": [1]})})
    with pytest.raises(ValueError, match="the table 'bad' cannot be kept"): results.write(tmp_path / "results.sqlite", {"good": pd.DataFrame({"x": [2]}), "bad": table})
    assert results.read(tmp_path / "results.sqlite", "good").x.tolist() == [1] and len(list(tmp_path.iterdir())) == 1


# ---- locales and pipes

def command(*words, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "recurrent_lab.runner.cli", *words], **options)


ASCII = dict(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


def test_a_terminal_that_lacks_letters_and_a_reader_that_leaves_end_nothing(lab):
    "One real run, in a locale of ASCII alone, whose reader leaves after the first line; and beside it what only reads."
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "lab"]): subprocess.run([*git, *words], check=True)
    run = command("run", "coin", "--set", "side=it's", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**ASCII))
    assert run.stderr.readline() == b"coin ? quick+side=it%27s\n"
    run.stderr.close()
    run.stdout.close()
    latin = command("claims", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(PYTHONIOENCODING="latin-1"))
    out, err = latin.communicate()
    assert latin.returncode == 0 and err == b"" and b"Half ? of the flips" in out and "dice · quick".encode("latin-1") in out
    reader, writer = os.pipe()
    os.close(reader)                                              # closed before anything is written
    for words, status in ((["list"], 0), (["run", "coyn"], 2)):
        assert command(*words, stdout=writer, stderr=writer, env=environment()).wait() == status
    os.close(writer)
    shut = subprocess.run(f'exec "{sys.executable}" -m recurrent_lab.runner.cli settings >&- 2>&-', shell=True, env=environment())
    assert shut.returncode == 0
    assert run.wait() == 0
    folder = lab / "data/runs/coin/quick+side=it%27s"
    assert set(files(folder)) == {"coin.ipynb", "coin.html", "results.sqlite"} and len(results.read(folder / "results.sqlite", "claims")) == 1
    assert not results.read(folder / "results.sqlite", "run").git_commit[0].endswith("-dirty")        # whatever the locale


def test_a_folder_that_is_gone_is_one_line(lab, capsys, monkeypatch):
    (lab / "gone").mkdir()
    monkeypatch.chdir(lab / "gone")
    (lab / "gone").rmdir()
    assert main(["list"]) == 2 and one_line(capsys.readouterr().err, "the current folder has been deleted")
    os.chdir(lab)


INTERRUPTED = """\
import sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == sys.argv[1]: raise KeyboardInterrupt
sys.meta_path.insert(0, CtrlC())
from recurrent_lab.runner.cli import main
sys.exit(main(["list"]))
"""


@pytest.mark.parametrize("module", ["recurrent_lab.runner.explain", "recurrent_lab.study.rules", "recurrent_lab.runner.overview"])
def test_ctrl_c_while_it_is_imported_is_130_too(lab, module):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "recurrent-lab: interrupted\n")


def test_ctrl_c_is_130_wherever_it_comes(lab, capsys, monkeypatch):
    def interrupted(*_, **__): raise KeyboardInterrupt
    monkeypatch.setattr("recurrent_lab.runner.overview.print_studies", interrupted)
    assert main(["list"]) == 130 and one_line(capsys.readouterr().err, "interrupted")
