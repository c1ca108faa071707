"""The wheel, built and used outside the checkout: what a user has who installs it."""
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
PACKED = "nbs", "data", "recurrent_lab", "settings.ini", "_quarto.yml", "pyproject.toml", "README.md", "LICENSE"


def environment(**more):
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("RECURRENT_LAB_")} | more


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "The wheel of a copy of this checkout, so that nothing is built in it."
    home = tmp_path_factory.mktemp("wheel")
    for part in PACKED:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, home / "lab" / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "runs"))
        else: shutil.copy(ROOT / part, home / "lab")
    (home / "lab/data/runs/lru").mkdir(parents=True)
    (home / "lab/data/runs/lru/results.sqlite").write_text("what a run left")
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", home, home / "lab"], check=True)
    return next(home.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    "The folder it is installed into; its packages come before those of this environment."
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel], check=True)
    return folder


@pytest.fixture
def use(installed, tmp_path):
    "A function that runs Python, or the command `recurrent-lab`, with the wheel in an empty folder."
    def call(*words, status=0):
        command = [sys.executable, "-c", words[0]] if len(words) == 1 and "\n" in words[0] else [sys.executable, installed / "bin/recurrent-lab", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment(PYTHONPATH=str(installed)))
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr
    return call


def inside(folder, pattern):
    "The files of the checkout below `folder`, by their names in the wheel; what runs leave is not counted."
    files = [p.relative_to(ROOT) for p in (ROOT / folder).rglob(pattern) if p.is_file()]
    return {f"recurrent_lab/{p}" for p in files if p.parts[:2] != ("data", "runs") and ".ipynb_checkpoints" not in p.parts}


def test_the_wheel_has_notebooks_and_data_as_files_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if not name.startswith("recurrent_lab-")}
        assert all(info.external_attr >> 28 != 0xA for info in packed.infolist()), "a link is in the wheel"
    assert {name for name in names if name.endswith(".ipynb")} == inside("nbs", "*.ipynb")
    assert {name for name in names if name.startswith("recurrent_lab/data/")} == inside("data", "*") - inside("data/golden", "*")
    assert {"recurrent_lab/nbs/_quarto.yml", "recurrent_lab/runner/settings.ini", "recurrent_lab/site/shell/page.html"} <= names


def test_its_tasks_know_their_data(use, installed):
    told = use("from recurrent_lab.tasks import digits\nimport recurrent_lab\nprint(recurrent_lab.__file__, len(digits.load().train_x))")
    assert told.split() == [str(installed / "recurrent_lab/__init__.py"), "1442"]


def test_list_and_claims_show_what_is_published(use, tmp_path):
    told = use("list")
    assert "lru: The linear recurrent unit" in told and "published, laptop: " in told and "not run yet" not in told
    claims = json.loads(use("claims", "--json"))
    assert {c["source"] for c in claims} == {"published"} and len(claims) > 200
    assert list(tmp_path.iterdir()) == []


def test_a_study_runs_in_any_folder(use, tmp_path):
    assert "holds" in use("run", "two_layers", "--scale", "quick")
    assert (tmp_path / "data/runs/two_layers/quick/results.sqlite").exists()


def test_init_lays_the_notebooks_out_and_takes_nothing_s_place(use, tmp_path):
    use("init", "my_lab")
    assert {p.name for p in (tmp_path / "my_lab").iterdir()} == {"nbs", "settings.ini", "_quarto.yml"}
    assert (tmp_path / "my_lab/nbs/papers/recurrent/lru.ipynb").read_bytes() == (ROOT / "nbs/papers/recurrent/lru.ipynb").read_bytes()
    assert "already: choose another folder" in use("init", "my_lab", status=2)


def test_what_init_laid_becomes_a_website(use, tmp_path):
    use("init", "my_lab")
    use("import os\nos.chdir('my_lab')\nfrom recurrent_lab.site.pages import main\nmain()")
    page = (tmp_path / "my_lab/_docs/papers/recurrent/lru.html").read_text()
    assert "models/lru.html#lru" in page                         # names of the library lead to where they are defined
