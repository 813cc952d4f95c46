# Two commands for a newcomer: `make demo` and `make test`. Both install what they need.
PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=

# Tests that work have a process for each core. Those that mostly wait (calls, chats, pages and engines that keep real
# time) run beside them in processes of their own, and come first whenever they want a core: docs/decisions/0150.
# On a machine with cores to spare: make test WORKERS=8 WAITERS=8
CORES := $(shell nproc 2>/dev/null || echo 2)
WORKERS := $(CORES)
WAITERS := 2
WAITING = $(shell grep -rl --include='test_*.py' 'mark\.waits' tests)
PYTEST := $(PY) -m pytest --dist loadfile --no-loadscope-reorder --durations 15 # in the order of tests/conftest.py

.PHONY: demo test quick lint style types tests tests-that-work tests-that-wait bench lock install-run install-test clean

demo: install-run
	$(PY) -m audit.cli demo --dir .demo

test: install-test style
	@$(MAKE) --no-print-directory -k -j 3 tests-that-wait tests-that-work types

quick: install-test
	$(PYTEST) tests -m "not slow" -n $(CORES)

lint: install-test style types

style:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	nice .venv/bin/mypy
	.venv/bin/lint-imports

tests:
	@$(MAKE) --no-print-directory -k -j 2 tests-that-wait tests-that-work

tests-that-work:
	nice $(PYTEST) tests -m "not waits" -n $(WORKERS)

tests-that-wait: # what they say is shown at their end, in one piece
	@mkdir -p .pytest_cache
	@$(PYTEST) $(WAITING) -m waits -n $(WAITERS) -o cache_dir=.pytest_cache/waits >.pytest_cache/waits.txt 2>&1; \
	    told=$$?; echo; echo "tests that wait:"; cat .pytest_cache/waits.txt; exit $$told

bench:
	@bash .ci/install bench
	$(PY) -m bench.calls fetch --cache .cache/bench
	$(PY) -m bench.listen_bench --cache .cache/bench --seeds 1 2 3 4 5 --out .cache/bench/out
	$(PY) -m bench.analysis_bench
	$(PY) -m bench.coverage
	$(PY) -m bench.reading_bench
	$(PY) -m bench.sip_calls_bench --listen

install-run:
	@bash .ci/install run

install-test:
	@bash .ci/install test

lock: ## Write the locked requirements anew from pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra postgresql --extra practice --group build pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra postgresql --extra practice --group build --group dev pyproject.toml \
	    -c requirements/run.txt -o requirements/test.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra postgresql --extra practice --group build --group dev --group bench pyproject.toml \
	    -c requirements/test.txt -o requirements/bench.txt

clean:
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache
