# Two commands for a newcomer: `make demo` and `make test`. Both install what they need.
PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=

# One test for each core: calls, pages and mails of the tests keep their time, and more of them at once come late.
# On a machine with cores to spare: make test WORKERS=8
CORES := $(shell nproc 2>/dev/null || echo 2)
WORKERS := $(CORES)

.PHONY: demo test quick lint style types tests bench lock install-run install-test clean

demo: install-run
	$(PY) -m audit.cli demo --dir .demo

test: install-test style
	@$(MAKE) --no-print-directory -j 2 types tests

quick: install-test
	$(PY) -m pytest tests -m "not slow" -n $(CORES) --dist loadfile

lint: install-test style types

style:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	.venv/bin/mypy
	.venv/bin/lint-imports

tests: # a file stays with one worker; in the order of tests/conftest.py: what takes longest first
	$(PY) -m pytest tests -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15

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
