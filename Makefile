# Two commands do everything:  make book   make test
# Each creates its environment (.venv) when it is missing or requirements.lock has changed.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

# Two targets would build, and fill one environment, at once.
.NOTPARALLEL:
.PHONY: book pdf test style types package-check pages-check slurm-check reliability benchmarks evidence notebooks pairs sizes lint clean help

book: $(READY)  ## retrain a sample of the quick runs (ALL=1: all of the first seed), execute every notebook, build _build/html
	@python -m lossbook.book build $(if $(ALL),-- --profile profiles/local --config sample=first)
	@echo "The book is in _build/html/index.html"

pdf: book  ## the whole book as one PDF, _build/beyond-softmax.pdf (needs chromium)
	jupyter-book build _build/stage --path-output _build/single --builder singlehtml --all -q
	python -m lossbook.book pdf _build/single/_build/singlehtml _build/beyond-softmax.pdf
	@echo "The book is in _build/beyond-softmax.pdf"

test: style types  ## lint, types, unit and property tests, notebooks against their stored outputs, one run retrained
	pytest -n 2 --dist worksteal -m "not browser"
	pytest -n 2 --dist loadfile --nbval --override-ini addopts= --override-ini testpaths= --override-ini filterwarnings= notebooks

style: $(READY)  ## what ruff says of the code
	ruff check src tests benchmarks
	ruff format --check src tests benchmarks

types: $(READY)  ## mypy and basedpyright over the public API
	mypy
	basedpyright

package-check: $(READY)  ## build sdist and wheel, and try them in a fresh environment outside the repository
	python tests/package_check.py

pages-check: $(READY)  ## look at the built book in a headless browser (after `make book`)
	pytest -n 2 --dist worksteal -m browser -rs tests/book/test_pages.py tests/book/test_pages_accessible.py tests/book/test_pdf.py

slurm-check: $(READY)  ## profiles/slurm on a real SLURM of one node (root, Debian's slurm-wlm and munge)
	pytest -rs tests/slurm

reliability: $(READY)  ## kill builds, damage files, fill disks; into results/reliability (root for the disks)
	python tests/reliability.py kills
	python tests/reliability.py faults

benchmarks: $(READY)  ## ratios against named peers, into results/benchmarks
	python -m benchmarks

evidence: $(READY)  ## train what is missing of the tiers quick and frozen (PAPER=uniform: of one paper), into results/
	python -m lossbook.book evidence $(if $(PAPER),--paper $(PAPER))

notebooks: $(READY)  ## bring every .ipynb in step with its .md source
	python -m lossbook.book sync

pairs: $(READY)  ## is every .ipynb in step with its .md source?
	pytest -q tests/book/test_notebooks.py

sizes: $(READY)  ## is a committed file too large?
	pytest -q tests/test_sizes.py

lint: $(READY)  ## format and fix what ruff can
	ruff format src tests benchmarks && ruff check --fix src tests benchmarks

clean:  ## remove all that was built (the environment stays)
	rm -rf _build .snakemake

help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml
	@echo "Creating the environment in .venv (once, some minutes)"
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed, this is " + sys.version' 
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  test ! -e .venv || echo ".venv has no working python with pip: it is made anew"; \
	  $(PYTHON) -m venv --clear .venv; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
