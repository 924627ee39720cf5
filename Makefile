# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer and nothing else.
# Another Python: make test PYTHON=python3.12.
PYTHON ?= python3
DEMO_VENV := .venv-demo
DEV_VENV := .venv
DEV := $(DEV_VENV)/bin
ENVIRONMENT := @$(PYTHON) .ci/environment.py

.PHONY: demo test lint docs clean demo-environment environment tests-of-training other-tests

# What the live filter needs, and OpenVINO, the fastest backend on most CPUs; no torch. Python
# compiles what it imports when it does: the environment stays 30 MB smaller than with all of it.
demo-environment:
	$(ENVIRONMENT) $(DEMO_VENV) --no-compile -e ".[openvino,fast]"

environment:
	$(ENVIRONMENT) $(DEV_VENV) -e ".[all,tensorrt,executorch,ncnn,ray,docs,dev]"

demo: demo-environment
	$(DEMO_VENV)/bin/pleinair demo --out demo.mp4 --overwrite

PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder  # the order of tests/conftest.py

# Processes with a thread each take half the time of one with two. Training gets a process of its own: beside the
# inference libraries it once ended in a segmentation fault, not explained. It uses what the others leave of the cores
# while they wait; what it says is shown when it is over.
test: export OMP_NUM_THREADS = 1
test: environment
	@$(MAKE) --no-print-directory -j 2 other-tests tests-of-training

other-tests:
	$(DEV)/python -m pytest $(PARALLEL) --ignore=tests/train

tests-of-training:
	@said=$$(mktemp); $(DEV)/python -m pytest tests/train > $$said 2>&1; status=$$?; \
	cat $$said; rm $$said; exit $$status

# mypy takes the checkout folder's name for the package's, so it is shown a link of the right name.
lint: environment
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	mkdir -p .lint && ln -sfn .. .lint/pleinair
	MYPYPATH=.lint $(DEV)/mypy -p pleinair
	$(DEV)/lint-imports

docs: environment
	$(DEV)/mkdocs build --strict

clean:
	rm -rf .venv .venv-demo .lint build site *.egg-info
