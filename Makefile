# Every target depends on the environment, which is made from the lock.
PYTHON ?= python3
BIN := .venv/bin

# Processes of `make test`: three keep two cores busy, for tests wait a good part of their time. Files
# are handed out whole, for what their tests share.
JOBS ?= 3
SEEDS ?= 1000
TRAFFIC_SEEDS ?= 200
DEEDS ?= 25

.PHONY: install demo test conformance fuzz simulate chaos traffic check bench format lock clean

install: .venv/installed
.venv/installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: install
	$(BIN)/hanse demo

# With one order of sets each time, for what it takes to find a planted defect depends on it.
test: install
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder

# Against Hanse, and against a real kube-apiserver where KUBEBUILDER_ASSETS names a folder with one.
conformance: install
	$(BIN)/python -m pytest -q tests/conformance

# The same as in `test`, for longer.
fuzz: install
	HANSE_FUZZ_EXAMPLES=300 HANSE_FUZZ_PATHS=1000 $(BIN)/python -m pytest -q tests/fuzz

# Many histories of the whole hub (docs/simulation.md), or with SEED one of them line by line.
simulate: install
	$(BIN)/python -m tests.simulation --deeds $(DEEDS) --jobs 2 $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))
	$(if $(SEED),,$(BIN)/python -m tests.simulation --traffic --deeds $(DEEDS) --jobs 2 --seeds $(TRAFFIC_SEEDS))

# Breaks a real federation in every way there is (docs/chaos.md), or in those that SCENARIO names.
chaos: install
	$(BIN)/python -m tests.chaos $(SCENARIO) $(if $(SEED),--seed $(SEED)) $(if $(CHANGES),--changes $(CHANGES))

# Real requests through a real HAProxy, twenty times as many as in `test` (docs/traffic.md).
traffic: install
	HANSE_TRAFFIC_REQUESTS=20000 $(BIN)/python -m pytest -q tests/integration/test_traffic_front.py

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture

bench: install
	$(BIN)/python -m bench

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs `uv`; the locks name versions and hashes, never a host.
lock:
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
