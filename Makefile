# `make bench` and `make test` are the two main commands. Both set up .venv first, unless nothing has changed.
# ARGS is passed on: make bench ARGS="--kernel mine.py", make test ARGS="-k oracle".
#
# On Linux, torch from the public index brings CUDA. There are two other choices, kept until `make clean`:
#   make setup TORCH=none             no torch, so its kernels are unavailable
#   make setup TORCH_INDEX=ADDRESS    torch from another index, such as the CPU-only one on PyTorch's install page
# Another Python: make setup PYTHON=python3.12

PYTHON ?= python3
pip_install := .venv/bin/python -m pip install

.PHONY: bench bench-all test setup setup-all lint clean

# Verify the kernels, time them, draw the charts, print the tables, write the page.
bench: setup
	.venv/bin/python -m bench run $(ARGS)

# The same with all kernels of the ladder, and the libraries that they need.
bench-all: setup-all
	.venv/bin/python -m bench run --ladder $(ARGS)

# Run the tests on all cores. They also use the real digits if MNIST_SAMPLE names them.
test: setup
	.venv/bin/python -m pytest -n auto --dist worksteal $(ARGS)

# Make an environment with the versions in constraints.txt.
setup: .venv/done

# Also install the libraries that the ladder's kernels need.
setup-all: .venv/ladder

# Run the linters and the type checker.
lint: setup
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

# Remove all that can be made again. Measurements stay: results/local and bench.json.
clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +


# The set-up writes .venv/done last. It starts from the beginning if that file is missing, if another torch is chosen,
# or if the environment's Python is gone.
torch := $(or $(TORCH),$(TORCH_INDEX),$(shell cat .venv/torch 2>/dev/null),default)
ifneq ($(filter-out none,$(TORCH)),)
$(error TORCH can only be none; name another index with TORCH_INDEX=ADDRESS)
endif
ifeq ($(torch),none)
size := without torch
install = $(pip_install) -c constraints.txt -e ".[dev]"
else
size := and for torch 0.2 GB (for the CPU alone) to 2.7 GB (with CUDA); TORCH=none omits torch, TORCH_INDEX=ADDRESS
size += takes it from another index
install = $(pip_install) -c constraints.txt -e ".[torch,dev]"
endif
$(shell test -x .venv/bin/python && test '$(torch)' = "$$(cat .venv/torch 2>/dev/null)" || rm -f .venv/done)

.venv/done: pyproject.toml constraints.txt
	@test -e $@ || { $(refuse); }
	@echo "Setting up .venv. To download, unless pip has it cached: 130 MB $(size)."
	@test -e $@ || { rm -rf .venv && $(PYTHON) -m venv .venv && echo '$(torch)' >.venv/torch; }
	@rm -f $@
	$(if $(filter-out none default,$(torch)),$(pip_install) --no-deps -c constraints.txt --index-url '$(torch)' torch)
	$(install)
	@touch $@
	@echo "Set up. To type python instead of .venv/bin/python, activate it: . .venv/bin/activate"

.venv/ladder: .venv/done
	$(pip_install) -c constraints.txt -e ".[ladder]"
	@touch $@

# Refuse an unsuitable Python in one sentence, before anything is made. Every old Python must be able to run this code.
define refuse
version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || { \
	echo "There is no Python called $(PYTHON): install Python 3.11 or newer, or name one," \
		"as in make setup PYTHON=python3.12." >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON) is Python $$version, but this needs 3.11 or newer: install one and name it," \
		"as in make setup PYTHON=python3.12." >&2; exit 1; }; \
$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "$(PYTHON) lacks the modules that make environments, venv and ensurepip: install them" \
		"(on Debian and Ubuntu: sudo apt install python$$version-venv)." >&2; exit 1; }
endef
