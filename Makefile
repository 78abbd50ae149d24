# make demo and make test work in a fresh clone: both make their environment first.
.DEFAULT_GOAL := help
.PHONY: help env demo basin test check smoke real ground clean
SHELL := bash

ENV := .venv
BIN := $(ENV)/bin
STAMP := $(ENV)/.installed
# torch first and by itself: another build of it (CUDA, ROCm) can be put here, the rest does not care.
TORCH ?= torch==2.13.0

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP)  ## .venv with everything that demo and test need (Python 3.11 or newer)

$(STAMP): pyproject.toml constraints.txt
	@set -e; python=; \
	for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "ssm_net needs Python 3.11 or newer; this machine has $$(python3 --version 2>&1)." >&2; \
	  echo "Install one (python.org, conda, uv, your distribution) so that python3.11 or newer is found, and run make again." >&2; \
	  exit 1; \
	fi; \
	if [ ! -x $(BIN)/python ]; then echo "environment: $$($$python --version) in $(ENV)"; $$python -m venv $(ENV); fi
	$(BIN)/python -m pip install "$(TORCH)"
	$(BIN)/python -m pip install -c constraints.txt -e '.[ingest,download,eval,extract,sweep,track,distributed,docs,dev]'
	@touch $@

demo: env  ## simulate a small world, make its maps and score them: demo/report
	$(BIN)/python simulate.py raw=demo/raw experiment=demo
	$(BIN)/python prepare.py raw=demo/raw cube=demo/cube.zarr experiment=demo
	$(BIN)/python train.py cube=demo/cube.zarr run=demo/run
	$(BIN)/python infer.py cube=demo/cube.zarr run=demo/run mosaics=demo/mosaics
	$(BIN)/python evaluate.py mosaics=demo/mosaics cube=demo/cube.zarr report=demo/report \
	  truth=demo/raw/truth.zarr stations=demo/raw/ismn
	@echo
	@echo "Daily maps:  demo/mosaics/ssm_demo_yyyymmdd.nc (xarray, QGIS)"
	@echo "Report:      $$(ls demo/report/*.html | head -n 1)"
	@echo "Another run of make demo redoes nothing; make clean removes it."

basin: env  ## from an empty folder to maps of a small basin, against an archive on this machine: build/basin
	$(BIN)/python bench/basin.py build/basin

check: env  ## ruff (rules and format), mypy, and that imports run one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A test often waits for another process: one more process than there are cores keeps these busy.
test: check  ## check, then all default tests on all cores
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist loadfile

smoke: env  ## the skill benchmark at its smallest: every method, the oracle, every score; too small to judge
	rm -rf build/smoke  # of an earlier version, with other settings
	$(BIN)/python bench/skill.py build/smoke --size smoke --families A --all --results build/smoke

real: env  ## the pipeline and the readers on real granules, from ../shared/real or SSM_NET_REAL
	$(BIN)/python tests/real_road.py
	$(BIN)/python -m pytest -m real -rs -v

ground: env  ## methods at the stations of a dense network, from ../shared/real or SSM_NET_REAL
	@table="$${SSM_NET_REAL:-../shared/real}/yanco/cell_b.csv.gz"; \
	if [ -f "$$table" ]; then $(BIN)/python bench/ground.py "$$table"; \
	else echo "no station table at $$table; SSM_NET_REAL names the folder that holds yanco/cell_b.csv.gz"; fi

.PHONY: docs
check: docs
docs: env  ## the documentation with its API reference, into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "docs: build/site/index.html"

clean:  ## remove what demo, real, test and builds left (the environment stays)
	rm -rf demo real build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(ENV)/*' -prune -exec rm -rf {} +
