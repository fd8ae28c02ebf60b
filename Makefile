# `make bench` and `make test` are the two commands; both set up first, which is not repeated when nothing changed.
# Either hands arguments on: make bench ARGS="--kernel mine.py", make test ARGS="-k oracle".
# `make bench-all` does the same as `make bench` with every rung of the ladder, and installs what these need.
#
# The set-up asks pip's own index for torch, which on Linux may bring CUDA. Other choices:
#   make setup TORCH=installed        the torch that $(PYTHON) already has
#   make setup TORCH_INDEX=ADDRESS    from another index, such as the CPU-only one on PyTorch's install page
#   make setup TORCH=none             no torch, and so no torch kernels
#   make setup TORCH=default          pip's own index again
# The choice, like that of PYTHON=python3.12, is kept in .venv and holds for the commands that follow.

-include .venv/choices.mk

PYTHON ?= $(or $(KEPT_PYTHON),python3)
torch := $(or $(TORCH),$(TORCH_INDEX),$(KEPT_TORCH),default)

.PHONY: bench bench-all test setup setup-all lint clean

# The main job: check every kernel, time them, draw the chart, print the table.
bench: setup
	.venv/bin/python -m bench run $(ARGS)

# The same with every rung of kernels/ladder/.
bench-all: setup-all
	.venv/bin/python -m bench run --ladder $(ARGS)

# The whole test suite; with the real digits where MNIST_SAMPLE names them.
test: setup
	.venv/bin/python -m pytest $(ARGS)

# An environment in .venv that holds what constraints.txt names.
setup: .venv/done

# That, and the libraries that the ladder's kernels stand on.
setup-all: .venv/ladder

# The linters and the type checker.
lint: setup
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

# Removes what can be made again, so no measurement: neither results/local nor bench.json.
clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +


# ---- The set-up. Its last act is to write .venv/done: without that file it was interrupted, and starts afresh.

# Afresh also where a choice changed or the environment's Python is gone.
ifneq ($(PYTHON) $(torch),$(KEPT_PYTHON) $(KEPT_TORCH))
afresh := yes
else ifneq ($(shell test -x .venv/bin/python && echo works),works)
afresh := yes
endif
ifdef afresh
.PHONY: .venv/done
endif

.venv/done: pyproject.toml constraints.txt
	@$(refuse)
	@$(announce)
	$(if $(afresh),@rm -f $@)
	test -e $@ || rm -rf .venv
	@rm -f $@
	@mkdir -p .venv
	@echo 'KEPT_PYTHON := $(PYTHON)' >.venv/choices.mk
	@echo 'KEPT_TORCH := $(torch)' >>.venv/choices.mk
	test -e .venv/bin/python || $(PYTHON) -m venv .venv
	$(install)
	@touch $@

# Refusals: one sentence each, before anything is made. A Python of any age must be able to run these questions.
define refuse
version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || { \
	echo "No Python answers to $(PYTHON): install Python 3.11 or newer, or name one," \
		"as in make setup PYTHON=python3.12." >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON) is Python $$version, but this needs 3.11 or newer: install one and name it," \
		"as in make setup PYTHON=python3.12." >&2; exit 1; }; \
$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "$(PYTHON) lacks the modules that make environments, venv and ensurepip: install them" \
		"(on Debian and Ubuntu: sudo apt install python$$version-venv)." >&2; exit 1; }; \
case '$(torch)' in \
default | none | */*) ;; \
installed) $(PYTHON) -c '$(torch_version)' >/dev/null 2>&1 || { \
	echo "$(PYTHON) has no torch that TORCH=installed could take: install it there, or choose another TORCH." >&2; \
	exit 1; };; \
*) echo "TORCH is default, installed or none, and not $(torch); an index is named by TORCH_INDEX=ADDRESS." >&2; \
	exit 1;; \
esac
endef

# Sizes: the wheels that constraints.txt names, added up.
ifeq ($(torch),none)
torch_size := without torch
else ifeq ($(torch),installed)
torch_size := with the torch that $(PYTHON) has
else ifeq ($(shell uname -s),Darwin)
torch_size := and 120 MB for torch
else
torch_size := and for torch 0.2 GB (CPU-only build) to 2.7 GB (with CUDA, as the public index gives it)
endif

define announce
echo "Setting up .venv with $(PYTHON). To download, unless pip has it cached: 130 MB, $(torch_size)."; \
echo "Another choice? TORCH=none (without torch), TORCH=installed (the torch that $(PYTHON) has), or"; \
echo "TORCH_INDEX=ADDRESS (another index, such as the CPU-only one on PyTorch's install page)."
endef

pip_install := .venv/bin/python -m pip install
torch_version := from importlib.metadata import version; print("torch==" + version("torch"))
torch_folder := from importlib.metadata import distribution; print(distribution("torch").locate_file(""))
packages_folder := import sysconfig; print(sysconfig.get_path("purelib"))

ifeq ($(torch),none)
install = $(pip_install) -c constraints.txt -e ".[dev]"
else ifeq ($(torch),default)
install = $(pip_install) -c constraints.txt -e ".[torch,dev]"
else ifeq ($(torch),installed)
# A .pth file shows the environment that torch's folder, after its own; --system-site-packages would not do this where
# $(PYTHON) is in an environment itself. That torch has needs of its own, so pins for another torch's must not hold.
define install
$(PYTHON) -c '$(torch_folder)' >"$$(.venv/bin/python -c '$(packages_folder)')/installed_torch.pth"
sed '/^# torch$$/,$$d' constraints.txt >.venv/constraints.txt
$(PYTHON) -c '$(torch_version)' >>.venv/constraints.txt
$(pip_install) -c .venv/constraints.txt -e ".[torch,dev]"
endef
else
# Only torch itself from that index, which need not hold the versions of the rest.
define install
$(pip_install) --no-deps -c constraints.txt --index-url '$(torch)' torch
$(pip_install) -c constraints.txt -e ".[torch,dev]"
endef
endif


# ---- The libraries of the ladder.

.venv/ladder: .venv/done
	$(pip_install) -c $(if $(filter installed,$(torch)),.venv/constraints.txt,constraints.txt) -e ".[ladder]"
	@touch $@
