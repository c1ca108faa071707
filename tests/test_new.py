"""`recurrent-lab new` in a copy of this lab: what it makes passes the tests as it is, what it refuses changes nothing."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# SIGINT as a terminal has it: a shell that runs us in the background would have it ignored
START = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
         "from recurrent_lab.runner.cli import main; sys.exit(main())")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "lab"
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for part in ("nbs", "recurrent_lab", "tests"):
        shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=ignore)
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("runs"))
    for name in ("_quarto.yml", "settings.ini", "pyproject.toml", "README.md"): shutil.copy(ROOT / name, folder)
    return folder


def begin(lab, *words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RECURRENT_LAB_")}
    environment |= {"PYTHONPATH": str(lab), "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax")}
    return subprocess.Popen([sys.executable, *words], cwd=lab, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def done(lab, *words):
    process = begin(lab, *words)
    out, err = process.communicate()
    return process.returncode, out, err


def files(lab):
    found = [*(lab / "nbs").rglob("*"), *(lab / "recurrent_lab").rglob("*.py"), *(lab / "data/recorded").iterdir(),
             lab / "_quarto.yml", lab / "README.md"]
    found = [path for path in found if path.is_file()]
    return {path: path.read_bytes() for path in found if not path.is_symlink()}


def test_an_interruption_leaves_the_lab_as_it_was(lab):
    family = (lab / "nbs/papers/random").rename(lab / "aside")                      # the study is the first of its family
    before, process = files(lab), begin(lab, "-c", START, "new", "half", "--family", "random")
    while not (lab / "nbs/papers/random/half.ipynb").exists(): time.sleep(0.01)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert "nothing was made" in process.communicate()[1] and process.returncode == 130
    assert files(lab) == before and not (lab / "nbs/papers/random").exists()
    family.rename(lab / "nbs/papers/random")


def test_the_study_that_is_made_passes_the_tests_at_once(lab):
    before = files(lab)
    status, out, err = done(lab, "-c", START, "new", "first_try", "--family", "features")
    assert status == 0 and "first_try.ipynb" in out, err
    changed = {path.name for path, content in files(lab).items() if before.get(path) != content}
    assert changed == {"first_try.ipynb", "first_try.py", "_modidx.py", "_quarto.yml", "index.ipynb", "README.md", "llms.txt",
                       "first_try.laptop.json"}
    exported = "from recurrent_lab.papers.first_try import Config, closed_form; print(Config(), closed_form)"
    assert done(lab, "-c", exported)[0] == 0
    for file in ("_quarto.yml", "README.md", "nbs/index.ipynb", "nbs/llms.txt"): assert "papers/features/first_try.ipynb" in (lab / file).read_text()
    assert "First try" in done(lab, "-c", START, "list")[1]
    assert (lab / "data/runs/first_try/laptop/results.sqlite").exists()
    # its own tests, and those of the whole that a study could break
    suite = "tests/test_house.py", "tests/test_notebooks.py", "-k", "first_try or reading_order or every_list or one_place"
    status, out, _ = done(lab, "-m", "pytest", "-q", *suite)
    assert status == 0 and "15 passed" in out, out


@pytest.mark.parametrize("name, says", [("lru", "there is a study 'lru' already"), ("First-Try", "small letters"),
                                        ("../x", "small letters")])
def test_what_cannot_be_is_refused_in_one_line(lab, name, says):
    before = files(lab)
    status, out, err = done(lab, "-c", START, "new", name)
    assert status == 2 and out == "" and says in err and err.count("\n") == 1
    assert files(lab) == before
