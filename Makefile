# make demo: restore the sample photos; make demo-light: without PyTorch; make web: a page to drop photos on; make test: the whole test suite. Both install what is missing into .venv.
# Elsewhere and otherwise: make test PYTHON=python3.10 VENV=/tmp/oldest CONSTRAINTS=constraints-oldest.txt
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)
INSTALLED_FROM := pyproject.toml setup.py $(CONSTRAINTS)

.PHONY: install demo demo-light graphs web picture test fuzz lint format docs bench table clean

$(VENV)/.runtime: $(INSTALLED_FROM)
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12) and "Python 3.10 to 3.12 is needed, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel cython numpy torch torchvision
	$(PIP) --no-build-isolation basicsr  # its build imports torch and numpy
	$(PIP) --no-build-isolation -e '.[torch]'
	touch $@

$(VENV)/.test: $(VENV)/.runtime
	$(PIP) --no-build-isolation -e '.[test]'
	touch $@

install: $(VENV)/.runtime

demo: $(VENV)/.runtime
	$(BIN)/daefr demo --output demo

$(VENV)/.web: $(VENV)/.runtime
	$(PIP) --no-build-isolation -e '.[web]'
	touch $@

web: $(VENV)/.web
	$(BIN)/daefr web

# the same demo without PyTorch, in an environment of its own; its photos are unpacked beside it, not installed
LIGHT ?= .venv-light
$(LIGHT)/.runtime: $(INSTALLED_FROM)
	test -x $(LIGHT)/bin/python || $(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) --no-deps --upgrade --target $(LIGHT)/photos scikit-image matplotlib
	touch $@

demo-light: $(LIGHT)/.runtime
	PYTHONPATH=$(LIGHT)/photos $(LIGHT)/bin/daefr demo --output demo

# the ONNX graphs of the networks that are part of the project, beside their weights: again after these changed
graphs: $(VENV)/.test
	$(BIN)/python -m daefr_arch.exporting.shipped_graphs

# the picture of README.md
picture: demo
	$(BIN)/python -c "from PIL import Image; Image.open('demo/before_after.png').save('docs/images/before_after.jpg', quality=88, optimize=True)"

# in as many processes as WORKERS says, each of one thread: 2 GB of memory a process
WORKERS ?= 2
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -q -n $(WORKERS) --dist loadfile

# make fuzz [MUTATIONS=...] [SEED=...]: reads mutated image files; the seed is printed, what escapes stays in build/fuzz
MUTATIONS ?= 200000
fuzz: $(VENV)/.test
	$(BIN)/python -X faulthandler -m tests.io.fuzz_reading build/fuzz --mutations $(MUTATIONS) $(if $(SEED),--seed $(SEED))

lint: $(VENV)/.test docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# into build/docs; warnings are errors
docs: $(VENV)/.test
	$(BIN)/python -m mkdocs build --quiet

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

# make table FACES='folder or list of faces ...' [EMBEDDER=x.onnx]: photos of five qualities, the bare network, the default result
EMBEDDER ?= dlib
table: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks.evidence_table $(FACES) --embedder $(EMBEDDER)

clean:
	rm -rf $(VENV) $(LIGHT) build dist *.egg-info
