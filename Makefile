# deid-audit: `make demo` shows the whole way, `make test` and `make check` keep it honest.
# Every target makes its own .venv. PIP_ARGS is handed to pip (an index of smaller torch builds, a proxy).

VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q $(PIP_ARGS)

# Tests run against the installed package, as a user has it, never against the working tree: the safe path keeps the
# current folder out of sys.path, also in the processes that tests start. tests/ is found by pytest itself.
export PYTHONSAFEPATH := 1

SOURCES := $(shell find deid_audit policies templates -type f -not -name '*.pyc' 2>/dev/null)
DEPENDENCIES := $(VENV)/.dependencies-installed
PACKAGE := $(VENV)/.package-installed

# Two workers (each may take 5 GB), each whole files: what a file has prepared once serves all its tests. Whole commands come first
# and in workers of their own: after thousands of unit tests in one process MediaPipe has failed to load its models.
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 2 --dist loadfile

.PHONY: demo test check bench bench-gpu soak format clean
.DELETE_ON_ERROR:

demo: $(PACKAGE)
	$(BIN)/deid-audit demo

test: $(PACKAGE)
	@$(ASSERT_INSTALLED)
	$(BIN)/python -m pytest -m "not soak" $(SIDE_BY_SIDE) tests/e2e tests/hard_cases
	$(BIN)/python -m pytest -m "not soak" $(SIDE_BY_SIDE) tests/unit --pyargs deid_audit

soak: $(PACKAGE)
	@$(ASSERT_INSTALLED)
	$(BIN)/python -m pytest -m soak tests

check: $(PACKAGE)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What the scripts share is found by name: the safe path leaves a script's own folder out.
bench bench-gpu: export PYTHONPATH := benchmarks

bench-gpu: $(PACKAGE)
	@set -e; for script in benchmarks/gpu/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

bench: $(PACKAGE)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist

# An editable install would let tests pass on files that a wheel does not hold.
ASSERT_INSTALLED = $(BIN)/python -c 'import deid_audit, sys; sys.exit("site-packages" not in deid_audit.__file__)' || \
	{ echo "deid-audit is installed editable in $(VENV); run: rm $(PACKAGE) && make test" >&2; exit 1; }

$(DEPENDENCIES): pyproject.toml constraints.txt scripts/system_packages.sh scripts/find_python.sh
	sh scripts/system_packages.sh
	python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(VENV)
	# setuptools builds face_recognition_models and bagit, which come as source only; a new venv's own is too old to.
	# Without setuptools-scm, bagit would be built as version 0.0.0.
	$(PIP) -c constraints.txt hatchling setuptools setuptools-scm
	$(PIP) -c constraints.txt --no-build-isolation ".[dev]"
	$(BIN)/python -m pip --disable-pip-version-check check
	touch $@

$(PACKAGE): $(DEPENDENCIES) $(SOURCES) pyproject.toml README.md LICENSE
	$(PIP) --no-deps --no-build-isolation --force-reinstall .
	touch $@
