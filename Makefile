# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer and nothing else.
PYTHON ?= python3
DEMO_VENV := .venv-demo
DEV_VENV := .venv
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint clean

# What the live filter needs, and OpenVINO, the fastest backend on most CPUs; no torch. Python
# compiles what it imports when it does: the environment stays 30 MB smaller than with all of it.
$(DEMO_VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python $(PIP) --no-compile -e ".[openvino]"
	touch $@

$(DEV_VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV_VENV)
	$(DEV_VENV)/bin/python $(PIP) -e ".[all,tensorrt,executorch,ncnn,ray,dev]"
	touch $@

demo: $(DEMO_VENV)/ready
	$(DEMO_VENV)/bin/pleinair demo --out demo.mp4 --overwrite

# Two processes with a thread each take half the time of one with two. Training gets processes of its own: beside the
# inference libraries it once ended in a segmentation fault, not explained.
test: export OMP_NUM_THREADS = 1
test: $(DEV_VENV)/ready
	$(DEV_VENV)/bin/python -m pytest -n 2 --dist loadfile --ignore=tests/train
	$(DEV_VENV)/bin/python -m pytest -n 2 --dist loadfile tests/train

# mypy takes the checkout folder's name for the package's, so it is shown a link of the right name.
lint: $(DEV_VENV)/ready
	$(DEV_VENV)/bin/ruff check .
	$(DEV_VENV)/bin/ruff format --check .
	mkdir -p .lint && ln -sfn .. .lint/pleinair
	MYPYPATH=.lint $(DEV_VENV)/bin/mypy -p pleinair
	$(DEV_VENV)/bin/lint-imports

clean:
	rm -rf .venv .venv-demo .lint build *.egg-info
