"""The files that every open project has: that they are whole, agree with the code, and name no host."""
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import recurrent_lab

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
load = lambda path: yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version():
    cited, package = load(ROOT / "CITATION.cff"), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited["type"] == "software"
    assert (cited["version"], cited["license"]) == (recurrent_lab.__version__, package["license"]) == (package["version"], "Apache-2.0")
    assert [one["name"] for one in cited["authors"]] == [one["name"] for one in package["authors"]]
    assert f"## {recurrent_lab.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("file", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere_and_commands_exist(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text): assert (ROOT / link).exists(), f"{file} links to {link}"
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    made = re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.M)
    assert set(made) <= set(targets), f"{file}: the Makefile has no {set(made) - set(targets)}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_the_repository_has(path):
    text, workflow = path.read_text(), load(path)
    assert "://" not in text and workflow["permissions"]["contents"] == "read"
    assert all(step.get("uses", "actions/").startswith("actions/") for job in workflow["jobs"].values() for step in job["steps"])
    for command in [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]:
        assert command == "make docs" or (ROOT / command).stat().st_mode & 0o100, command


def test_ci_runs_in_one_workflow_and_the_site_is_published_by_another():
    steps = {path.stem: [step for job in load(path)["jobs"].values() for step in job["steps"]] for path in WORKFLOWS}
    assert ".ci/run" in [step.get("run") for step in steps["test"]]
    assert {"path": "_docs"} in [step.get("with") for step in steps["site"]] and "actions/deploy-pages@v4" in [step.get("uses") for step in steps["site"]]


def test_hooks_are_programs_of_this_environment():
    hooks = [hook for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"] if repo["repo"] == "local"]
    assert [hook["id"] for hook in hooks] == ["nbdev-export", "nbdev-clean", "lists", "ruff"]
    for hook in hooks:
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/"), hook["id"]
        assert re.search(hook["files"], "nbs/models/lru.ipynb") and not re.search(hook["files"], "data/digits.npz")


def test_ruff_has_nothing_to_say_of_the_library():
    pytest.importorskip("ruff", reason="no ruff: pip install 'recurrent_lab[test]'")
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "recurrent_lab"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
