"""The website of this very lab: made, refused where something is wrong, and looked at in a browser as a reader meets it."""
import filecmp
import html
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

from recurrent_lab.site import render, symbols
from recurrent_lab.site.check import faults, settle
from recurrent_lab.site.lists import reading_order, write_lists
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
        assert f"{study.title}: a reproduction in recurrent_lab, notebook {study.page}.ipynb" in html.unescape(text)


def test_made_twice_it_is_the_same(docs, tmp_path):
    again = website(ROOT, tmp_path / "docs").parent
    files = sorted(str(f.relative_to(docs)) for f in docs.rglob("*") if f.is_file())
    assert files == sorted(str(f.relative_to(again)) for f in again.rglob("*") if f.is_file())
    assert filecmp.cmpfiles(docs, again, files, shallow=False)[1:] == ([], [])


def test_nothing_in_it_points_outside_but_links(docs):
    for file in [*docs.rglob("*.html"), *docs.rglob("*.css"), *docs.rglob("*.js")]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(?:\bsrc=|url\(|@import )[\"\']?(?:https?:)?//", text), file


def board(docs):
    return json.loads((docs / "board.js").read_text(encoding="utf-8").removeprefix("window.BOARD="))


def test_the_board_has_every_claim_of_every_study(docs):
    home = (docs / "index.html").read_text(encoding="utf-8")
    found, known, rows = published(ROOT), declarations(ROOT), board(docs)
    assert {known[c["study"]].page for c in found} == {name for name in PAGES if name.startswith("papers/")}
    assert home.count("<tr><td>") == 20 and len(rows) == len(found) and rows[0]["html"].replace('href="/', 'href="') in home
    main = [bool(row["of"][0]) for row in rows]
    assert main == sorted(main, reverse=True) and 0 < sum(main) < len(main)          # headline claims first
    whole = "".join(row["html"] for row in rows)
    for claim in found:                                        # one that only a smaller scale makes has no cell to lead to
        assert f'href="/{known[claim["study"]].page}.html#{"cell-" + claim["cell"] if claim["cell"] else "claims"}"' in whole
        assert claim["cell"] or claim["run"]["scale"] != "laptop" or claim["stale"]
    for claim in found: assert (ROOT / "data/recorded" / f"{claim['study']}.{claim['run']['scale']}.json").exists()


def test_a_verdict_is_a_click_away_and_a_function_is_two(docs):
    "From the home page: to every page; there a study's verdicts are in its head, and every public name has its place."
    text = {name: (docs / f"{name}.html").read_text(encoding="utf-8") for name in PAGES}
    linked = set(re.findall(r'href="([^"#]+)\.html', text["index"]))
    assert set(PAGES) - {"index"} <= linked
    for study in declarations(ROOT).values(): assert re.search(r'<p class="verdicts"><a href="#claims" class="verdict ', text[study.page]), study.page
    places = {tuple(address.split(".html#")) for address in symbols.symbols(ROOT / "recurrent_lab").values() if "#" in address}
    assert len(places) > 1_000
    for page, anchor in places: assert f'id="{anchor}"' in text[page] and f'href="#{anchor}"' in text[page], (page, anchor)


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


def a_lab(lab):
    "A copy of this lab; its library is this one."
    shutil.copytree(ROOT / "nbs", lab / "nbs", symlinks=True, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "data/recorded", lab / "data/recorded")
    for file in ("_quarto.yml", "README.md"): shutil.copy(ROOT / file, lab)
    (lab / "recurrent_lab").symlink_to(ROOT / "recurrent_lab")
    return lab


def study_again(lab, name, i):
    "A study once more, under another name, with its claims."
    study = declarations(ROOT)[name]
    notebook = json.loads(study.file.read_text(encoding="utf-8"))
    for cell in notebook["cells"]: cell["source"] = "".join(cell["source"]) + (f"\n# {i}" if cell["cell_type"] == "code" else "")
    first = notebook["cells"][0]
    first["source"] = first["source"].replace(f"order: {study.order}\n", f"order: {study.order + 100 * i}\n").replace("# ", f"# {i} ", 1)
    (lab / f"nbs/papers/{study.family}/{name}_{i}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    for file in (ROOT / "data/recorded").glob(f"{name}.*.json"):
        shutil.copy(file, lab / "data/recorded" / f"{name}_{i}.{file.name.split('.')[1]}.json")


def cpu():
    "Seconds of processor, pandoc's with them: what a build costs, whoever else is on the machine."
    return sum(os.times()[:4])


def test_two_hundred_studies(tmp_path):
    "Home page, board, search and time; a change costs its page."
    lab, out = a_lab(tmp_path / "lab"), tmp_path / "docs"
    more = 200 - len(declarations(ROOT))
    for i in range(more): study_again(lab, ("lru", "two_layers")[i % 2], 1 + i // 2)
    write_lists(lab)
    before = cpu()
    website(lab, out)
    whole, pages = cpu() - before, [file for file in out.rglob("*.html")]
    print(f"{whole:.1f} s of processor for {len(pages)} pages")
    assert len(pages) > 300 and whole / len(pages) < 0.2, f"{whole:.1f} s for {len(pages)} pages"
    home = (out / "index.html").read_text(encoding="utf-8")
    assert len(home.encode()) < 150_000 and len(board(out)) > 2_000 and home.count("<details class=\"family\">") >= 2
    sections = json.loads((out / "search.js").read_text(encoding="utf-8").removeprefix("window.SEARCH="))
    assert len(sections) > 4_000
    file, seen = lab / "nbs/models/rnn.ipynb", {page: page.stat().st_mtime_ns for page in pages}
    file.write_text(file.read_text().replace("> ", "> Anew: ", 1))
    before = cpu()
    website(lab, out)
    assert cpu() - before < whole / 3
    assert [page.name for page in pages if page.stat().st_mtime_ns != seen[page]] == ["rnn.html"]
    kept = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    if shutil.rmtree(lab / ".cache") is None: website(lab, out)
    assert kept == {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}


def test_a_site_that_is_refused_leaves_the_one_before(tmp_path, capsys):
    lab, out = tmp_path / "lab", tmp_path / "docs"
    a_lab(lab)
    website(lab, out)
    before = (out / "index.html").read_bytes()
    (lab / "nbs/models/rnn.ipynb").write_text((lab / "nbs/models/rnn.ipynb").read_text().replace('"# ', '"see @eq-lost\\n", "# ', 1))
    with pytest.raises(ValueError, match="models/rnn: cell 1 .*@eq-lost"): website(lab, out)
    assert (out / "index.html").read_bytes() == before
    (lab / "nbs/models/rnn.ipynb").write_text((ROOT / "nbs/models/rnn.ipynb").read_text()[:2000])           # half of it
    (lab / "nbs/papers/recurrent/lru.ipynb").write_bytes(b"\xff\xfe")
    (lab / "nbs/tasks/parity.ipynb").unlink()
    (lab / "data/recorded/soap.laptop.json").write_text("{")
    title = json.loads((lab / "nbs/models/mlp.ipynb").read_text())
    title["cells"][0]["source"] = '# A "<i>title\n\n> one line'
    (lab / "nbs/models/mlp.ipynb").write_text(json.dumps(title))
    told = []
    website(lab, out, told.append)
    for words in ("models/rnn.ipynb", "papers/recurrent/lru.ipynb", "tasks/parity.ipynb"):
        assert sum(words in str(error) for error in told) == 1, (words, list(map(str, told)))
    assert "soap.laptop.json: holds no claims" in capsys.readouterr().err
    assert len(told) == 3 and "JSONDecodeError" in (out / "models/rnn.html").read_text() and "git restore" in (out / "models/rnn.html").read_text()
    assert "hidden_progress" in (out / "index.html").read_text() and "<h1>A &#34;&lt;i&gt;title</h1>" in (out / "models/mlp.html").read_text()
    assert not any("<i>title" in file.read_text() for file in out.rglob("*.html"))


def test_callouts_tabs_and_folded_code():
    text = ("# P\n\n> one\n\n::: {.callout-warning}\n## Take *care*\n\nwords\n:::\n\n::: {.panel-tabset}\n## One\n\n1\n\n## Two\n\n2\n:::\n\n"
            '::: {.callout-note collapse="true"}\nfolded\n:::')
    page = render.read("x", {"cells": [dict(cell_type="markdown", id="a", source=text), dict(
        cell_type="code", id="b", source='#| code-fold: true\n#| code-summary: "How"\n1 + 1', outputs=[])]})
    assert page.headings == [] and "Take <em>care</em>" in page.body and page.body.count('class="tab"') == 2
    assert '<details class="callout callout-note"><summary>' in page.body and '<details class="fold"><summary>How</summary><pre class="code">' in page.body


@pytest.mark.parametrize("name", ["index", "papers/recurrent/lru", "study/claims", "study/study", "tasks/digits", "training/variants", "runner/run"])
def test_nbdev_prepares_it_for_quarto(name, tmp_path, monkeypatch):
    "What nbdev-docs does before it calls Quarto: it runs, no text of the first cell is lost, no clock is left in a cell."
    from nbdev import serve_drv
    from nbdev.processors import FilterDefaults
    monkeypatch.chdir(ROOT)
    serve_drv.main((ROOT / f"nbs/{name}.ipynb", tmp_path / "made.ipynb", FilterDefaults))
    cells = json.loads((tmp_path / "made.ipynb").read_text())["cells"]
    whole = "\n".join("".join(cell["source"]) for cell in cells)
    first = "".join(json.loads((ROOT / f"nbs/{name}.ipynb").read_text())["cells"][0]["source"])
    assert all(line in whole for line in first.splitlines() if line[:1] not in ("#", ">", "-"))
    assert not any("execution" in cell["metadata"] for cell in cells)
    if name.startswith("papers/"): assert "[arXiv 2303.06349v1]" in whole and "**Claims**: paper: " in whole


def test_colours_have_enough_contrast():
    "WCAG AA, 4.5 to 1, for every text on what it stands on, light and dark."
    css = (ASSETS / "board.css").read_text()
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


def test_search_is_quick_in_five_thousand_sections(look, address):
    page = look()
    page.goto(address + "models/lru.html")
    page.fill("#search", "linear")
    page.wait_for_selector("#found a")
    slowest = page.evaluate("""async () => {
        while (SEARCH.length < 5000) SEARCH.push(...SEARCH.slice(0, 5000 - SEARCH.length));
        sections = undefined;
        await index();                                            // once, when the field is entered
        const took = [];
        for (const words of ["l", "li", "linear", "linear recurrence", "nothing of the kind"]) {
            box.value = words;
            const began = performance.now();
            await find();
            took.push(performance.now() - began);
        }
        return Math.max(...took);
    }""")
    print(f"{slowest:.0f} ms")
    assert slowest < 200                                          # what is typed is answered before the next letter


def test_the_board_filters_and_sorts(look, address):
    page = look()
    page.goto(address)
    rows, told = page.locator(".board tbody tr"), page.locator(".board output")
    main = told.inner_text()
    assert rows.count() == 20 and main.startswith("1–20 of ") and page.evaluate("window.BOARD") is None     # the first leaf is in the page
    choose = lambda label, value: page.select_option(f".board select[aria-label='{label}']", value)
    choose("which claims", "")
    page.wait_for_function(f"document.querySelector('.board output').value.startsWith('1–20 of {len(published(ROOT))} claims')")
    page.click(".board .leaves button:last-child")
    page.wait_for_function("document.querySelector('.board output').value.startsWith('21–40 of')")
    choose("verdict", "inconclusive")
    page.wait_for_function("document.querySelector('.board output').value.startsWith('1–')")
    assert rows.count() and all("inconclusive" in text for text in rows.all_inner_texts())
    choose("verdict", "")
    choose("family", "Learning dynamics")
    page.wait_for_function(f"document.querySelector('.board output').value != {json.dumps(main)}")
    page.click(".board th:first-child button")
    page.wait_for_function("document.querySelector('.board th').ariaSort === 'ascending'")
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
    subprocess.run([sys.executable, "-c", "from recurrent_lab.site.quarto import main; main()"], cwd=lab, check=True)
    assert "data-leaf" in (lab / "_docs/index.html").read_text()
    for row in board(lab / "_docs"):
        page, _, anchor = re.search(r'href="/([^"]*)"', row["html"])[1].partition("#")
        assert f'id="{anchor}"' in (lab / "_docs" / page).read_text()
    anchors = lambda file: set(re.findall(r'<h[2-4][^>]* id="([^"]+)"', file.read_text())) | set(re.findall(r'data-anchor-id="([^"]+)"', file.read_text()))
    for name in PAGES: assert anchors(docs / f"{name}.html") <= anchors(lab / "_docs" / f"{name}.html"), name


def test_a_name_of_a_private_module_leads_to_its_page():
    known = symbols.symbols(ROOT / "recurrent_lab")
    assert known["recurrent_lab.optimizers.soap"] == known["recurrent_lab.optimizers._soap.soap"] == "optimizers/soap.html#soap"
    assert symbols.imported(["from recurrent_lab.optimizers import eigenbasis", "from recurrent_lab.models import generate"], known) == {
        "eigenbasis": "optimizers/soap.html#eigenbasis", "generate": "models/generate.html#generate"}
