# The environment, the demo and the checks. Nothing but git, make and Python 3.11+ needs to be there.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
# Newer JAX wants Python 3.12, for which there are locks of their own; what .venv is made of counts where there is one.
VERSION := import sys; print("-3.12" if sys.version_info >= (3, 12) else "")
FOR := $(shell { $(RUN) -c '$(VERSION)' || $(PYTHON) -c '$(VERSION)'; } 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test contract bench site lint format house lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: requirements$(FOR).lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with `make PYTHON=python3.12 ...`" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements$(FOR).lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev$(FOR).lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev$(FOR).lock
	@touch $@

demo: .venv/installed  ## train a DCGAN and a VAE on real digits (about 4 minutes on two cores) into runs/demo
	$(RUN) experiments/dcgan.py --run-dir runs/demo/dcgan --steps 3000 --width 32
	$(RUN) experiments/vae.py --run-dir runs/demo/vae --steps 2000
	$(RUN) -m gen_jax evaluate runs/demo/dcgan
	$(RUN) -m gen_jax interpolate runs/demo/dcgan
	$(RUN) -m gen_jax report runs/demo/dcgan
	$(RUN) -m gen_jax evaluate runs/demo/vae
	$(RUN) -m gen_jax reconstruct runs/demo/vae
	$(RUN) -m gen_jax traverse runs/demo/vae
	$(RUN) -m gen_jax interpolate runs/demo/vae
	$(RUN) -m gen_jax report runs/demo/vae
	@echo
	@echo "Look at:  runs/demo/dcgan/report.html   and   runs/demo/vae/report.html"
	@echo "Pictures: runs/demo/dcgan/samples       and   runs/demo/vae/pictures"

test: .venv/installed-dev  ## every test of the default suite
	$(RUN) -m pytest -n 2 --dist loadfile --durations 25 -m "not science"

contract: .venv/installed-dev  ## the whole contract table: every algorithm on every backend (about half an hour)
	$(RUN) -m pytest -n 2 tests/test_contract.py -m ""

# PyTorch's wheels for CPU alone where they can be had (a tenth of the others' size), else whatever pip finds.
.venv-bench/installed: requirements-bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --extra-index-url https://download.pytorch.org/whl/cpu -r requirements-bench.txt \
		|| .venv-bench/bin/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

bench: .venv/installed .venv-bench/installed  ## speed beside PyTorch's, into docs/performance.md (about an hour on two idle cores)
	$(RUN) -m benchmarks --write docs/performance.md

.venv-docs/installed: requirements-docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

site: .venv-docs/installed  ## the documentation as a site, into .cache/site
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

lint: .venv/installed-dev  ## ruff (rules and format) and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: .venv/installed-dev  ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

house:  ## figures of the code: import circles, sizes, arguments, untyped settings, repeated lines
	@$(PYTHON) tests/house.py

lock:  ## write the lock files of this PYTHON anew (3.11; 3.12 and newer) from the ranges in requirements*.txt
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	(echo "# Exact versions of everything that requirements.txt brings. Written by make lock."; .venv-lock/bin/pip freeze) > requirements$(FOR).lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	(echo "# Exact versions of everything, with what tests and lint need. Written by make lock."; .venv-lock/bin/pip freeze) > requirements-dev$(FOR).lock
	rm -rf .venv-lock

clean:  ## remove the environment and caches (runs/ stays)
	rm -rf .venv .venv-bench .venv-docs .cache .ruff_cache .pytest_cache
