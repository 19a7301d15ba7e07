# Each target sets up what it needs. `make VENV=/somewhere` uses another virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# As many processes as there are cores, up to four, of one thread each: more would wait for each
# other in busy loops. The tests of a file stay together, in the order of their names: by number,
# the one long test of the README would come last, and alone.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile \
    --no-loadscope-reorder
TYPES = build/types
# Tests may pass over a None or an Any: they would fail on it when they run.
TEST_TYPES = --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
    --allow-any-generics --implicit-reexport --disable-error-code=union-attr \
    --disable-error-code=operator --disable-error-code=index --disable-error-code=arg-type \
    --disable-error-code=no-any-return --no-warn-unused-ignores

.PHONY: demo test test-slow lint types docs format wheel clean

demo: $(VENV)/.ready
	$(BIN)/pgan-toolkit demo --out demo

test: $(VENV)/.ready
	$(PYTEST) -m "not slow and not gpu"

test-slow: $(VENV)/.ready
	$(PYTEST) -m "slow and not gpu"

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The command's and the manifests' folders have other import names (pyproject, package-dir).
types: $(VENV)/.ready
	mkdir -p $(TYPES)
	ln -sfn ../../cli $(TYPES)/pgan_cli
	ln -sfn ../../data_manifests $(TYPES)/pgan_data_manifests
	MYPYPATH=$(TYPES) $(BIN)/mypy -p pgan_toolkit -p reference_trainer -p pgan_cli -p pgan_data_manifests
	MYPYPATH=$(TYPES) $(BIN)/mypy benchmarks
	MYPYPATH=$(TYPES) $(BIN)/mypy $(TEST_TYPES) tests

docs: $(VENV)/.ready
	$(BIN)/zensical build --strict

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/.ready
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf $(VENV) build dist site demo

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
