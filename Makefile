# make demo: the whole job in one go.   make test: the tests.   make help: the rest.
# The environment is made once, in .venv. To choose another Python or to use a PyTorch that is already there:
#   make demo PYTHON=/opt/conda/bin/python            its torch (2.6 to 2.13) is kept and seen from .venv
#   make demo PYTHON=/opt/conda/bin/python VENV=      no .venv at all: loupe goes into that environment
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := $(if $(VENV),$(VENV)/bin/python,$(PYTHON))
STAMP := $(if $(VENV),$(VENV)/.loupe-is-installed,build/.loupe-is-installed)
OUT ?= demo
JOBS ?= 2
HAS_TORCH := -c 'import torch, sys; v = tuple(map(int, torch.__version__.split(".")[:2])); sys.exit(not (2, 6) <= v < (2, 14))'
QUIET := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

# Ray, for the tests of several workers: too large for what every check of a commit installs
LONG_STAMP := $(STAMP)-with-ray

.PHONY: help demo test test-long lint env ui bench clean

help:
	@echo "make demo       write a small world, train on it, measure, ask, report: $(OUT)/report.html"
	@echo "make test       the tests, under 10 minutes on 2 cores    make test-long  also the slow ones and those with Ray"
	@echo "make lint       ruff                                      make bench      import times, ratios of packing and of dense questions"
	@echo "make env        only the environment, in $(or $(VENV),$(PYTHON))"
	@echo "make ui         build the page of loupe serve from web/ (needs Node.js)"
	@echo "make clean      remove the environment and caches; demo/, runs/ and data/ stay"

demo: $(STAMP)
	@$(BIN) -m loupe demo --out $(OUT)

test: $(STAMP)
	$(QUIET) $(BIN) -m pytest -n $(JOBS) -m "not long" tests

test-long: $(LONG_STAMP)
	$(QUIET) $(BIN) -m pytest -n $(JOBS) tests

lint: $(STAMP)
	$(BIN) -m ruff check src tests benchmarks examples

bench: $(STAMP)
	$(QUIET) $(BIN) benchmarks/import_times.py
	$(QUIET) $(BIN) benchmarks/packing_ratio.py
	$(QUIET) $(BIN) benchmarks/dense_ratio.py

env: $(STAMP)

ui:
	@command -v npm >/dev/null || { echo "make: the page is built with npm; install Node.js 20 or newer" >&2; exit 2; }
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent check && npm run --silent build

# A torch that is there already is kept: then the pins leave torch out.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv found; install one or say make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is not Python 3.11 or newer" >&2; exit 2; }
	@if test -n "$(VENV)" && ! test -x "$(BIN)"; then \
		if $(PYTHON) $(HAS_TORCH) 2>/dev/null; then \
			if $(PYTHON) -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)'; then \
				echo "$(PYTHON) is itself a virtual environment; to keep its torch say VENV= and loupe goes into it"; \
			else seen=--system-site-packages; echo "keeping the torch of $(PYTHON)"; fi; fi; \
		$(PYTHON) -m venv $$seen $(VENV); fi
	@mkdir -p build
	@if $(BIN) $(HAS_TORCH) 2>/dev/null; then grep -v '^torch==' constraints.txt > build/constraints.txt; \
		else cp constraints.txt build/constraints.txt; fi
	@echo "installing loupe and what it needs (about a minute, once)"
	@$(BIN) -m pip install -qq --disable-pip-version-check -e ".[dev]" -c build/constraints.txt
	@touch $@

$(LONG_STAMP): $(STAMP)
	@echo "installing Ray for the tests of several workers (half a minute, once)"
	@$(BIN) -m pip install -qq --disable-pip-version-check -e ".[dev,scale]" -c build/constraints.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
