"""What the house promises of itself: exported, clean, arrows in one direction, studies of one form, nothing of one machine."""
import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastcore.nbio import nb2str, nb_frontmatter, read_nb
from nbdev.clean import clean_nb
from nbdev.export import nb_export

from recurrent_lab.study import claims, evidence
from recurrent_lab.study.code import notebook_hash
from recurrent_lab.study.declaration import FAMILIES, NEEDED, declaration, declarations, strictly
from recurrent_lab.study.scale import configure
from recurrent_lab.site.lists import lists, reading_order

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
room = lambda path: path.relative_to(ROOT).parts[1]                # the folder of nbs/ or recurrent_lab/ that a file stands in
PAPERS = [p for p in NOTEBOOKS if room(p) == "papers"]
MODULES = [p for p in PAPERS if "default_exp papers." in p.read_text()]      # studies of the second edition: they export
LIBRARY = [p for p in NOTEBOOKS if room(p) not in ("papers", "benchmarks", "start", "index.ipynb")] + MODULES
LAB = {"probes", "training", "optimizers", "tasks", "models", "study"}
# who may import whom. start: the tour runs a study; runner: a run is shown as a page, and the command line makes the lists
ROOMS = {"papers": LAB | {"papers"}, "benchmarks": LAB, "start": LAB | {"runner"},
         "runner": {"runner", "site", "study"}, "site": {"site", "study"},
         "study": {"study", "training"}, "probes": {"probes", "models", "tasks"},
         "training": {"training"},
         "optimizers": {"optimizers"}, "tasks": {"tasks"}, "models": {"models"}}
SECTIONS = ["Verdicts", "What the paper shows", "Set-up", "Run", "Figure", "Claims", "What differs from the paper", "Notes"]
name = lambda p: str(p.relative_to(ROOT))


def cells(path, kind=None):
    return [c for c in json.loads(path.read_text())["cells"] if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def exported_module(notebook):
    "The file that a library notebook is exported to, as its `default_exp` says."
    says = re.search(r"^#\|\s*default_exp\s+(\S+)", "\n".join(map(source, cells(notebook, "code"))), flags=re.M)
    return ROOT / "recurrent_lab" / f"{says[1].replace('.', '/')}.py"


def imports(code, package="recurrent_lab"):
    "What a piece of Python in `package` imports, inside functions too, as (module, names)."
    code = re.sub(r"^\s*[%!].*$", "", code, flags=re.M)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            yield ".".join(filter(None, [*above, node.module])), [alias.name for alias in node.names]


def rooms_imported(code, package="recurrent_lab"):
    "The rooms of recurrent_lab that a piece of Python imports."
    for module, names in imports(code, package):
        for full in [module, *(f"{module}.{n}" for n in names)]:
            if (m := re.match(r"recurrent_lab\.(\w+)", full)) and m[1] in ROOMS: yield m[1]


def import_graph():
    "Module by module, which modules of ours it imports; `from package import module` is that module."
    files = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
             for p in (ROOT / "recurrent_lab").rglob("*.py") if p.name != "_modidx.py"}
    graph = {}
    for module, path in files.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        graph[module] = set()
        for target, names in imports(path.read_text(), package):
            inside = [f"{target}.{n}" for n in names]
            graph[module] |= {n for n in inside if n in files}
            if target in files and (not names or any(n not in files for n in inside)): graph[module].add(target)
        graph[module] -= {module, "recurrent_lab"}               # of the package itself: its version and its place
    return graph


def test_no_imports_go_in_a_circle():
    graph, done = import_graph(), set()
    def walk(module, path):
        if module in path: raise AssertionError("a circle: " + " → ".join([*path[path.index(module):], module]))
        if module not in done:
            for other in sorted(graph[module]): walk(other, [*path, module])
            done.add(module)
    for module in sorted(graph): walk(module, [])
    assert len(graph) > 80 and graph["recurrent_lab.runner.run"] >= {"recurrent_lab.runner.execute", "recurrent_lab.study.scale"}


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_module_is_what_its_notebook_exports(path, tmp_path):
    nb_export(path, lib_path=tmp_path / "recurrent_lab")
    body = lambda p: [line for line in p.read_text().splitlines() if not line.startswith(("# %%", "# AUTOGENERATED"))]
    module = exported_module(path)
    made = tmp_path / module.relative_to(ROOT)
    assert made.exists(), f"{name(path)} exports nothing"
    assert module.parent.name == room(path) and module.stem.removeprefix("_") == path.stem
    assert body(made) == body(module), f"{name(module)} has drifted from {name(path)}: run nbdev-export"


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("papers", "benchmarks", "start")])
def test_no_function_shadows_a_module(room):
    package = importlib.import_module(f"recurrent_lab.{room}")
    modules = {m.name: importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)}
    hidden = [m for m in modules if not inspect.ismodule(getattr(package, m))]
    assert not hidden, f"recurrent_lab.{room} has functions in the place of its modules {hidden}: call the modules _{hidden[0]}, ..."
    for private in (m for m in modules if m.startswith("_")):
        lost = set(modules[private].__all__) - set(vars(package))
        assert not lost, f"recurrent_lab.{room} does not hand on {sorted(lost)} of {private}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_is_clean_and_small(path):
    nb = read_nb(path)
    clean_nb(nb)
    assert nb2str(nb) == path.read_text(), f"{name(path)} is not clean: run nbdev-clean"
    assert path.stat().st_size <= 300_000, f"{name(path)} has {path.stat().st_size} bytes; 300,000 are allowed"


def check_arrows(path, code, package):
    wrong = set(rooms_imported(code, package)) - ROOMS[room(path)]
    assert not wrong, f"{name(path)}: {room(path)} may import {sorted(ROOMS[room(path)])}, not {sorted(wrong)}"


@pytest.mark.parametrize("path", sorted((ROOT / "recurrent_lab").rglob("*.py")), ids=name)
def test_modules_keep_the_arrows_and_their_size(path):
    text = path.read_text()
    if room(path) in ROOMS: check_arrows(path, text, f"recurrent_lab.{room(path)}")
    if path.name != "_modidx.py":
        assert len(text.splitlines()) <= 250, f"{name(path)} is over 250 lines: two ideas"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if room(p) in ("papers", "benchmarks", "start")], ids=name)
def test_notebooks_keep_the_arrows(path):
    for cell in cells(path, "code"): check_arrows(path, source(cell), "recurrent_lab")


def plain(cell):
    "A cell's code without magics, as a tree."
    return ast.parse(re.sub(r"^\s*[%!].*$", "", source(cell), flags=re.M))


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_studies_define_in_exported_cells_only(path):
    for cell in cells(path, "code"):
        if path in MODULES and re.match(r"#\|\s*export", source(cell)): continue
        for node in plain(cell).body:
            allowed = not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or (path not in MODULES and node.name == "Config")
            assert allowed, f"{name(path)} defines {node.name} in a cell that is not exported"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_studies_have_functions_that_can_be_read(path):
    for cell in cells(path, "code"):
        tree = plain(cell)
        for node in ast.walk(tree):
            if isinstance(node, ast.Lambda):
                assert node.lineno == node.end_lineno, f"{name(path)}: a lambda over several lines: {ast.unparse(node)}"
                inside = [n for n in ast.walk(node.body) if isinstance(n, ast.Lambda)]
                assert not inside, f"{name(path)}: a lambda in a lambda: {ast.unparse(node)}"
            if isinstance(node, ast.Call):
                assert not isinstance(node.func, ast.Lambda), f"{name(path)}: a lambda called on the spot: {ast.unparse(node)}"
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node, clean=False)
                assert doc, f"{name(path)}: {node.name} has no docstring"
                lines = sum(map(bool, map(str.strip, source(cell).splitlines()[node.body[0].end_lineno:node.end_lineno])))
                assert lines <= 15, f"{name(path)}: {node.name} has {lines} lines below its docstring, 15 are allowed"


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_studies_declare_their_configuration(path):
    Config, scales = declaration(path).config()
    assert Config() and all(configure(Config, **scales, scale=scale) for scale, change in scales.items() if change is not None)


def recorded(path):
    return ROOT / "data" / "recorded" / f"{path.stem}.laptop.json"


def to_be_run(path):
    "Whether a study shows no claims because its code has changed since the run that is recorded: stale, and said to be."
    notebook = json.loads(path.read_text())
    return path in MODULES and not claims.shown(notebook) and (
        json.loads(recorded(path).read_text())[0]["run"].get("code") != notebook_hash(notebook))


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_studies_have_one_form(path):
    markdown = "\n".join(source(c) for c in cells(path, "markdown"))
    assert re.findall(r"^## (.+)$", markdown, flags=re.M) == SECTIONS[path not in MODULES:]
    for cell in cells(path, "code"):
        assert len(source(cell).splitlines()) <= 25 or source(cell).startswith("#| export"), f"{name(path)}: a cell over 25 lines:\n{source(cell)[:200]}"
    if to_be_run(path): return
    assert any(c["outputs"] for c in cells(path, "code")), f"{name(path)} has no outputs: run it at laptop scale"
    outputs = json.dumps([c["outputs"] for c in cells(path, "code")])
    assert "laptop scale" in outputs and "quick scale" not in outputs, f"{name(path)} shows another scale than laptop"


def test_the_package_is_light():
    rooms = "recurrent_lab, " + ", ".join(f"recurrent_lab.{r.name}" for r in sorted((ROOT / "recurrent_lab").iterdir()) if (r / "__init__.py").exists())
    code = f"import sys, {rooms}; print(*sorted({{'matplotlib', 'pandas', 'IPython', 'nbdev', 'sklearn', 'nbclient'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == ""


def test_nothing_names_a_machine_or_an_index():
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split("\0")[:-1]
    wrong = re.compile(r"[/](?:work|tmp|root|home)[/]|index[-]url|[/]simple\b|https?[:]//[^\s\"]+\.(?:whl|tar\.gz)\b")
    for file in tracked:
        path = ROOT / file
        if path.suffix in (".npz", ".woff2", ".png") or path.is_symlink() or not path.exists(): continue
        for n, line in enumerate(path.read_text().splitlines(), 1):
            assert not (hit := wrong.search(line)), f"{file}:{n} names {hit[0]}"


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_studies_declare_themselves_as_nbdev_reads_it(path):
    study, says = declaration(path), nb_frontmatter(read_nb(path), strvals=True)
    assert path.parent.name == study.family and len(study.claim.split()) > 5 and len(study.summary) < 100
    for key in (*NEEDED, "venue"): assert says.get(key, "") == str(getattr(study, key)), f"{name(path)}: nbdev reads another {key}"
    assert (says["title"], says["description"]) == (study.title, study.claim)
    assert len(source(cells(path)[0]).split("\n\n")) == 3, f"{name(path)}: the first cell declares, and nothing else"


def test_no_two_studies_have_one_name_or_one_place():
    known = declarations(ROOT, strictly)
    assert len(known) == len(PAPERS)
    for family in FAMILIES:
        places = [d.order for d in known.values() if d.family == family]
        assert places == list(range(1, len(places) + 1)), f"{family}: the orders are {places}, not 1, 2, 3, ..."


def test_every_list_is_as_the_studies_declare():
    for file, text in lists(ROOT).items():
        assert file.read_text(encoding="utf-8") == text, f"{name(file)} differs from what the studies declare: recurrent-lab index"


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_what_is_recorded_is_what_the_page_shows(path):
    if to_be_run(path): return
    assert recorded(path).read_text(encoding="utf-8") == evidence.as_json(json.loads(path.read_text())), f"recurrent-lab publish {path.stem} --scale laptop"


def test_the_reading_order_names_every_page():
    pages = [str(p.relative_to(ROOT / "nbs")) for p in NOTEBOOKS]
    assert sorted(reading_order(ROOT)) == sorted(pages) and (ROOT / "nbs/_quarto.yml").is_symlink()


@pytest.mark.parametrize("path", [p for p in sorted((ROOT / "recurrent_lab").rglob("*.py")) if p.name not in ("__init__.py", "_modidx.py")], ids=name)
def test_modules_use_what_they_import(path):
    text = path.read_text()
    tree = ast.parse("\n".join("" if "noqa: F401" in line else line for line in text.splitlines()))
    imported = {(a.asname or a.name).split(".")[0] for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))
                and getattr(node, "module", "") != "__future__" for a in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    quoted = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}        # "Forward", and what __all__ hands on
    assert not (unused := imported - used - quoted), f"{name(path)} imports {sorted(unused)} and does not use it"
