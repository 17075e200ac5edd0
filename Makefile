# `make demo` and `make test` need python3 (3.11 or newer) and make; the rest is set up in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= tiny-imagenet-200.zip
PACKED ?= runs/tiny-imagenet-200
THREADS ?= 2

.PHONY: demo test coverage check bench pages programs
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(BIN)/thumbnet demo

# Three workers on two cores: a quarter of a worker's time goes by waiting for servers and processes.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: check programs
	$(PYTEST)

# Apart from `test`, since tracing takes a fifth of the time again.
coverage: $(STAMP) programs
	$(PYTEST) --cov --cov-report=term --cov-fail-under=95

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The tests click through pages in Chromium, run a PostgreSQL server of their own, and compile a network with g++. All
# are installed where the package manager may do it.
PACKAGES := chromium postgresql gcc g++ git
HAVE_PACKAGES := (for program in chromium gcc g++ git; do command -v $$program || exit 1; done) >/dev/null && { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1
programs:
	@$(HAVE_PACKAGES) || { command -v apt-get >/dev/null && test "$$(id -u)" = 0 \
	  && apt-get update -qq && apt-get install -qq -y $(PACKAGES) >/dev/null; } || true
	@$(HAVE_PACKAGES) || { echo 'make test needs the programs of $(PACKAGES); install them' \
	  '(Debian: sudo apt-get install $(PACKAGES)) and run make test again' >&2; exit 1; }

# DATA is the archive or folder of Tiny ImageNet, PACKED where the programs keep it packed.
bench: $(STAMP) programs
	$(BIN)/python -m benchmarks.startup --record records/startup.json
	$(BIN)/python -m benchmarks.pack $(DATA) --record records/pack.json
	$(BIN)/python -m benchmarks.ensemble --record records/ensemble.json
	$(BIN)/python -m benchmarks.report --record records/report.json
	$(BIN)/python -m benchmarks.augment --threads $(THREADS) --record records/augmentation.json
	$(BIN)/thumbnet data info $(PACKED) >/dev/null 2>&1 || $(BIN)/thumbnet data pack $(DATA) --out $(PACKED)
	$(BIN)/python -m benchmarks.loop --data $(PACKED) --threads $(THREADS) --record records/training-loop.json
	$(BIN)/python -m benchmarks.features --data $(PACKED) --threads $(THREADS) --record records/features.json
	$(BIN)/python -m benchmarks.depthwise --threads $(THREADS) --record records/depthwise.json
	$(BIN)/python -m benchmarks.kill --threads $(THREADS) --record records/resume-after-kill.json
	$(BIN)/python -m benchmarks.challenge load --record records/challenge-load.json
	$(BIN)/python -m benchmarks.challenge race --record records/challenge-race.json
	$(BIN)/python -m benchmarks.challenge kill --record records/challenge-kill.json
	$(BIN)/python -m benchmarks.expected --threads $(THREADS) --record records/expected-times.json

# Writes the tables that pages take from records and registries.
pages: $(STAMP)
	$(BIN)/python -m tools.pages

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "thumbnet needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(STAMP)
