# Everything the project does, from nothing but python3 and make. `make` alone says what there is.

PYTHON ?= python3
PORT ?= 8000
UPGRADE ?= --upgrade

BIN := .venv/bin
ENV := .venv/.installed
LIVE := tools/livebook
WEB := $(LIVE)/node_modules/.installed
RAN_WITH := _build/.ran-with
SITE := _build/html/.built

# What the notebooks run, and the rest of what the site is made from.
LIBRARY := $(shell find mmsim scenarios tests/scenarios -type f -not -name '*.pyc' 2>/dev/null)
BOOK := _config.yml _toc.yml $(shell find book tools -type f -not -name '*.pyc' -not -path '*/.ipynb_checkpoints/*' \
	-not -path '*/node_modules/*' -not -path '*/tests/*')

unexport PYTHONHOME PYTHONPATH
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book test lint bench outputs lab serve lock clean

help:  ## Print this help
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name what; do \
		printf 'make %-7s %s\n' "$$name" "$$what"; done

book: $(SITE)  ## Run every notebook and build the site into _build/html
	@echo "The book is in $(CURDIR)/_build/html/index.html ('make serve' serves it to your browser)."

test: lint $(SITE)  ## Run everything: lint, unit, property and scenario tests, every notebook, the built site
	$(BIN)/pytest -n 2 --dist loadfile --nbval --nbval-current-env tests $(LIVE)/tests book

lint: $(ENV) $(WEB)  ## Run ruff, mypy --strict on mmsim, and ESLint
	$(BIN)/ruff check
	$(BIN)/mypy --strict mmsim
	@[ -d $(LIVE)/node_modules/eslint ] || echo "ESLint is skipped: npm's packages are not there."
	[ ! -d $(LIVE)/node_modules/eslint ] || $(BIN)/node $(LIVE)/node_modules/eslint/bin/eslint.js \
		--config $(LIVE)/eslint.config.js $(LIVE) book/_static

bench: $(ENV)  ## Run the benchmarks
	@set -e; for file in $(sort $(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python "$$file"; done

outputs: $(ENV)  ## Run every notebook and store its outputs in it, for 'make test' to compare with
	$(BIN)/python tools/store_outputs.py $(shell find book -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*')

lab: $(ENV)  ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab --ServerApp.root_dir=book

serve: $(SITE)  ## Serve the built site on this machine alone (PORT=8000)
	@echo "The book is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)."
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lock: $(ENV)  ## Renew requirements.txt and package-lock.json (UPGRADE= keeps the versions that still fit)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE) pyproject.toml --output-file requirements.txt
	$(BIN)/npm --prefix $(LIVE) install --package-lock-only

clean:  ## Remove all that was built and installed here
	rm -rf .venv _build $(LIVE)/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -type d '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf '{}' +

# The environment: exactly the lock, each file checked against its hash. uv does in seconds what takes pip a minute;
# where it can't (a mirror that only pip is told of, say), pip does it.
$(ENV): requirements.txt pyproject.toml tools/ipython_kernel_config.py
	@'$(PYTHON)' tools/check_python.py
	'$(PYTHON)' -m venv --clear .venv
	@sed -n '/^uv==/,/# via/p' requirements.txt >.venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	$(BIN)/uv pip sync --quiet --python .venv --require-hashes requirements.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p .venv/etc/ipython && cp tools/ipython_kernel_config.py .venv/etc/ipython/
	@touch $@

# What the pages run in the browser. Without it the book is built all the same, and says so.
$(WEB): $(LIVE)/package.json $(LIVE)/package-lock.json $(LIVE)/.npmrc | $(ENV)
	$(BIN)/npm --prefix $(LIVE) ci || { rm -rf $(LIVE)/node_modules; echo "npm's packages can't be had here: live pages" \
		"are off ('rm -r $(LIVE)/node_modules' and 'make book' try again)."; }
	@mkdir -p $(@D) && touch $@

# Jupyter's cache knows a notebook's text, not the library it imports: a changed library empties it.
$(RAN_WITH): $(LIBRARY) $(ENV)
	rm -rf _build
	@mkdir -p $(@D) && touch $@

$(SITE): $(BOOK) $(RAN_WITH) $(WEB)
	$(BIN)/jupyter-book build . --all --quiet --warningiserror --keep-going
	@touch $@
