# Each target sets up .venv by itself from constraints.txt; the second time that is a no-op.
PYTHON ?= python3
PAPER ?= lru
SCALE ?=
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test test-changed lab docs docs-serve docs-quarto bench lock clean

run: $(READY)                          ## one study, laptop scale: make run PAPER=lru SCALE=laptop
	$(BIN)/recurrent-lab run $(PAPER) $(if $(SCALE),--scale $(SCALE))

test: $(READY)                         ## every notebook at quick scale, each in its own process, and tests/; on all cores
	$(BIN)/python -m pytest -rs -n logical --maxprocesses 8 tests

test-changed: $(READY)                 ## the notebooks and tests whose code, or what it uses of the library, has changed since they passed
	$(BIN)/python -m pytest -rs -n logical --maxprocesses 8 tests --changed

lab: $(READY)                          ## JupyterLab on the home page: make lab SCALE=quick
	$(BIN)/recurrent-lab lab $(if $(SCALE),--scale $(SCALE))

docs: $(READY)                         ## the website, in _docs; needs nothing else
	$(BIN)/python -c 'from recurrent_lab.site.pages import main; main()'

docs-quarto: $(READY)                  ## the website as nbdev and Quarto make it, in _docs; needs the program quarto
	$(BIN)/python -c 'from recurrent_lab.site.quarto import main; main()'

docs-serve: $(READY)                   ## the website on loopback, made anew when a notebook is saved
	$(BIN)/python -c 'from recurrent_lab.site.serve import main; main()'

bench: $(READY)                        ## every benchmark notebook, executed, as pages
	$(BIN)/jupyter nbconvert --execute --to html --output-dir data/runs/benchmarks nbs/benchmarks/*.ipynb

# The lock first (its hashes refuse an editable requirement beside it), then the project itself.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recurrent_lab needs Python >= 3.11, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lock:                                  ## constraints.txt anew; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --extra lab --extra docs --extra test --extra weights --extra peers --extra cluster --extra sharded pyproject.toml --output-file constraints.txt

clean:
	rm -rf .venv .cache _proc _docs
