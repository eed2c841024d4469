# For a new user: make demo, make test. They need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: help demo test check e2e bench mutants generate lock

help:
	@echo 'make demo      the operator at work on a real Kubernetes API, on this machine'
	@echo '               ARGS=--keep leaves it running, ARGS=--kubeconfig=FILE plays in the cluster of that file'
	@echo 'make test      all tests but make e2e, about 45 minutes on two cores (ARGS=tests/unit: a part; see pytest)'
	@echo 'make check     lint, format, types and import ranks alone'
	@echo 'make e2e       the image and the chart on a real node; needs kind with Docker, or root on Debian'
	@echo 'make bench     the embedded platform with 10,000 sources, beside a trivial handler'
	@echo 'make mutants   deliberate mistakes in the engine, each caught by the unit tests or the simulator'
	@echo 'make generate  crds/, docs/reference/, manifests/ and the parts of the chart that are made of others'
	@echo 'make lock      requirements.lock from pyproject.toml'

demo: .venv/made
	@$(BIN)/python -m imagesources demo $(ARGS)

test: check
	@$(if $(ARGS),,echo 'All tests: about 45 minutes on two cores, and eight more to build what is missing the first time.')
	$(BIN)/python -m pytest $(ARGS)

check: .venv/made
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

e2e: .venv/made
	$(BIN)/python -m pytest -s tests/e2e $(ARGS)

bench: .venv/made
	$(BIN)/python -m tests.benchmark.lists $(ARGS)

mutants: .venv/made
	$(BIN)/python -m tests.mutants $(ARGS)

generate: .venv/made
	$(BIN)/python -m imagesources.resources.generate
	$(BIN)/python -m tests.install.generate

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: .venv/made
	$(COMPILE) pyproject.toml --extra tracing --group dev -o requirements.lock
	$(COMPILE) pyproject.toml --extra tracing -c requirements.lock -o requirements-image.lock
	$(COMPILE) --group build -c requirements.lock -o requirements-build.lock

.venv/made: requirements.lock
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo 'There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python " + sys.version.split()[0] \
	  + ", 3.11 or newer is needed. Name another one: make PYTHON=/path/to/python3")'
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo 'Making .venv from requirements.lock; this takes about a minute.'
	'$(PYTHON)' -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
