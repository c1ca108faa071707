"""The website of this very lab: made, refused where something is wrong, and looked at in a browser as a reader meets it."""
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recurrent_lab.site import render
from recurrent_lab.site.check import faults, settle
from recurrent_lab.site.lists import reading_order
from recurrent_lab.site.pages import website
from recurrent_lab.site.render import ASSETS
from recurrent_lab.study.declaration import declarations
from recurrent_lab.study.evidence import published

ROOT = Path(__file__).parents[1]
PAGES = [name.removesuffix(".ipynb") for name in reading_order(ROOT)]


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    "The site, made in a folder of its own."
    return website(ROOT, tmp_path_factory.mktemp("site") / "docs").parent


def test_every_page_is_there_with_its_twins(docs):
    for name in PAGES:
        assert (docs / f"{name}.html").stat().st_size > 5_000 and (docs / f"{name}.html.md").exists() and (docs / f"{name}.ipynb").exists()
    listed = re.findall(r"\]\(([^)]+)\)", (docs / "llms.txt").read_text())
    assert listed == [f"{name}.html.md" for name in PAGES]


def test_a_study_s_page_names_its_paper_as_declared(docs):
    for study in declarations(ROOT).values():
        text = (docs / f"{study.page}.html").read_text(encoding="utf-8")
        assert text.count(f'href="https://arxiv.org/abs/{study.arxiv}"') == 2 and "<li>family" not in text and "- family" not in text
        assert f"{study.title}: a reproduction in recurrent_lab, notebook {study.page}.ipynb" in text


def test_made_twice_it_is_the_same(docs, tmp_path):
    again = website(ROOT, tmp_path / "docs").parent
    files = sorted(str(f.relative_to(docs)) for f in docs.rglob("*") if f.is_file())
    assert files == sorted(str(f.relative_to(again)) for f in again.rglob("*") if f.is_file())
    assert filecmp.cmpfiles(docs, again, files, shallow=False)[1:] == ([], [])


def test_nothing_in_it_points_outside_but_links(docs):
    for file in [*docs.rglob("*.html"), *docs.rglob("*.css"), *docs.rglob("*.js")]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(?:\bsrc=|url\(|@import )[\"\']?(?:https?:)?//", text), file


def test_the_board_has_every_claim_of_every_study(docs):
    home = (docs / "index.html").read_text(encoding="utf-8")
    found, known = published(ROOT), declarations(ROOT)
    assert {known[c["study"]].page for c in found} == {name for name in PAGES if name.startswith("papers/")}
    assert home.count("<tr data-paper=") == len(found)
    for claim in found:                                        # one that only a smaller scale makes has no cell to lead to
        assert f'href="{known[claim["study"]].page}.html#{"cell-" + claim["cell"] if claim["cell"] else "claims"}"' in home
        assert claim["cell"] or claim["run"]["scale"] != "laptop" or claim["stale"]
    for claim in found: assert (ROOT / "data/recorded" / f"{claim['study']}.{claim['run']['scale']}.json").exists()


@pytest.mark.parametrize("change, told", [
    (lambda cells: cells[1].update(source="as @fig-nowhere shows"), "cell 2 (id b): nothing on this page is labelled @fig-nowhere"),
    (lambda cells: cells[1].update(source="![lost](lost.png)"), "cell 2 (id b): there is no papers/features/lost.png"),
    (lambda cells: cells[1].update(source="[that](../../models/lru.ipynb#that)"), "there is no models/lru.html"),
    (lambda cells: cells[2].update(outputs=[]), "the notebook has no outputs"),
    (lambda cells: cells[2]["outputs"][0].update(text="quick scale"), "cell 3 (id c): an output of the quick scale"),
])
def test_what_is_wrong_is_told_with_its_cell(change, told, tmp_path):
    cells = [dict(cell_type="markdown", id="a", source="# P\n\n> one"), dict(cell_type="markdown", id="b", source="words"),
             dict(cell_type="code", id="c", source="1", outputs=[dict(output_type="stream", text="laptop scale")])]
    def wrong():
        page = render.read("papers/features/p", {"cells": cells})
        settle(page)
        return faults([page], tmp_path)
    assert wrong() == []
    change(cells)
    assert len(found := wrong()) == 1 and found[0].startswith("papers/features/p: ") and told in found[0]


def test_a_site_that_is_refused_leaves_the_one_before(tmp_path):
    lab, out = tmp_path / "lab", tmp_path / "docs"
    shutil.copytree(ROOT / "nbs", lab / "nbs", symlinks=True, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "recurrent_lab", lab / "recurrent_lab", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "_quarto.yml", lab)
    website(lab, out)
    before = (out / "index.html").read_bytes()
    (lab / "nbs/models/rnn.ipynb").write_text((lab / "nbs/models/rnn.ipynb").read_text().replace('"# ', '"see @eq-lost\\n", "# ', 1))
    with pytest.raises(ValueError, match="models/rnn: cell 1 .*@eq-lost"): website(lab, out)
    assert (out / "index.html").read_bytes() == before


def test_colours_have_enough_contrast():
    "WCAG AA, 4.5 to 1, for every text on what it stands on, light and dark."
    css = (ASSETS / "site.css").read_text()
    light, dark = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root[^{]*{([^}]*)}", css)[:2]]
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    pairs = [(text, ground) for text in ("ink", "soft", "accent") for ground in ("paper", "wash", "accent-wash")]
    pairs += [("good", "good-wash"), ("bad", "bad-wash"), ("paper", "accent"), *[(kind, "wash") for kind in "kscnf"]]
    for theme in (light, light | dark):
        for text, ground in pairs:
            a, b = sorted((luminance(theme[text]), luminance(theme[ground])))
            assert (b + 0.05) / (a + 0.05) >= 4.5, (text, theme[text], ground, theme[ground])


# In a browser

@pytest.fixture(scope="module")
def address(docs):
    "The site served on loopback."
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(docs)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def look(browser, address):
    "A function that opens an empty page; whatever goes wrong on one fails the test at its end."
    wrong, contexts = [], []
    def open_page(**options):
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 1000}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(f"{page.url}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: wrong.append(f"{page.url}: {e}"))
        page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.on("requestfailed", lambda r: wrong.append(f"failed {r.url}"))
        page.on("request", lambda r: wrong.append(f"outside {r.url}") if not r.url.startswith((address, "file:", "data:")) else None)
        return page
    yield open_page
    for context in contexts: context.close()
    assert wrong == []


def test_each_page_opens_and_none_is_wider_than_a_phone(look, address):
    page, phone = look(), look(viewport={"width": 390, "height": 844})
    for name in PAGES:
        page.goto(address + name + ".html")
        assert page.locator("h1").count() == 1 and page.locator("nav [aria-current]").count() == 1, name
        phone.goto(address + name + ".html")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} is wider than a phone"
    phone.click("#menu")
    assert phone.locator("nav").is_visible()


def test_from_a_file_too(look, docs):
    page = look()
    page.goto((docs / "models/lru.html").as_uri())
    assert page.evaluate("document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family))").count("STIX Two Math") == 1
    page.fill("#search", "linear_recurrence")
    page.wait_for_selector("#found a")
    assert page.locator("#found a").first.get_attribute("href").endswith("models/recurrence.html#linear_recurrence")


def test_search_finds_a_symbol_by_keyboard(look, address):
    page = look()
    page.goto(address + "papers/recurrent/lru.html")
    page.keyboard.press("/")
    page.keyboard.type("recurrence_adamw")
    page.wait_for_selector("#found a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/sequence.html#recurrence_adamw")
    assert page.locator("#recurrence_adamw").is_visible()


def test_the_board_filters_and_sorts(look, address):
    page = look()
    page.goto(address)
    rows = page.locator(".board tbody tr:visible")
    assert 20 < rows.count() < len(published(ROOT))                 # the main claims first
    page.select_option(".board [data-filter=view]", "")
    everything = rows.count()
    assert everything == len(published(ROOT)) > 20
    page.select_option(".board [data-filter=verdict]", "inconclusive")
    assert 0 < rows.count() < everything and all("inconclusive" in text for text in rows.all_inner_texts())
    page.select_option(".board [data-filter=family]", "Learning dynamics")
    page.select_option(".board [data-filter=verdict]", "")
    assert 0 < rows.count() < everything
    page.select_option(".board [data-filter=family]", "")
    page.click(".board th:first-child button")
    names = page.locator(".board tbody tr td:first-child a").all_inner_texts()
    assert names == page.evaluate("names => [...names].sort((a, b) => a.localeCompare(b, 'en', {numeric: true}))", names)
    rows.first.locator("a").click()
    page.wait_for_url("**/papers/*/*.html#*")
    assert page.locator(page.url[page.url.index("#"):]).is_visible()


def test_dark_stays_dark(look, address):
    page = look(color_scheme="light")
    page.goto(address)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    page.goto(address + "models/lru.html")
    assert dark != light and page.evaluate(ground) == dark


def test_a_study_shows_claim_figure_and_verdict_on_the_first_screen(look, address):
    page = look()
    page.goto(address + "papers/recurrent/lru.html")
    for css in (".lead", ".hero svg", ".verdict.holds", ".links .button"):
        box = page.locator(css).first.bounding_box()
        assert box and box["y"] + min(box["height"], 300) < 1000, css
    with page.expect_download() as download: page.click(".links .button")
    assert json.loads(Path(download.value.path()).read_text())["cells"]


# README

def commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S) for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("command", commands())
def test_what_the_readme_says_works(command, tmp_path):
    "Makefile targets as far as make would take them, for this is one of them; everything else is done."
    words = command.split()
    if words[0] == "make": words = [shutil.which("make"), "--dry-run", *words[1:]]
    else: words = [sys.executable, "-m", "recurrent_lab.runner.cli", *words[1:]]         # the script itself: test_wheel
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"RECURRENT_LAB_RUNS": str(tmp_path)})
    assert done.returncode == 0, done.stderr


def test_the_readme_s_python_works():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.S): exec(block, {})


@pytest.mark.skipif(not shutil.which("quarto"), reason="Quarto is not installed, so its pages were not compared with ours")
def test_quarto_makes_the_same_pages_and_anchors(docs, tmp_path):
    lab = tmp_path / "lab"
    shutil.copytree(ROOT, lab, symlinks=True, ignore=shutil.ignore_patterns(".venv", ".git", "_docs", "_proc", "runs", ".cache"))
    subprocess.run([Path(sys.executable).with_name("nbdev-docs")], cwd=lab, check=True)
    anchors = lambda file: set(re.findall(r'<h[2-4][^>]* id="([^"]+)"', file.read_text())) | set(re.findall(r'data-anchor-id="([^"]+)"', file.read_text()))
    for name in PAGES: assert anchors(docs / f"{name}.html") <= anchors(lab / "_docs" / f"{name}.html"), name


def test_a_name_of_a_private_module_leads_to_its_page():
    known = render.symbols(ROOT / "recurrent_lab")
    assert known["recurrent_lab.optimizers.soap"] == known["recurrent_lab.optimizers._soap.soap"] == "optimizers/soap.html#soap"
    assert render.imported(["from recurrent_lab.optimizers import eigenbasis", "from recurrent_lab.models import generate"], known) == {
        "eigenbasis": "optimizers/soap.html#eigenbasis", "generate": "models/generate.html#generate"}
