# The few words people type; CMake, ctest and pip do the work. Everything made lies in build/.
.PHONY: deps package build demo test bench clean
.NOTPARALLEL:
VENV := build/venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export CC CXX  # one name of the compiler for CMake and pip, so that they share the cache

deps:  # system packages with apt, Python ones into build/venv
	@.ci/deps

build: deps
	cmake --preset release && cmake --build --preset release

package: deps  # the Python package, installed as a user's pip would
	$(VENV)/pip install -q --no-build-isolation --no-deps --force-reinstall --config-settings cmake.define.VINEYARD_WERROR=ON .

demo: package
	$(VENV)/python examples/python/demo.py

test: build package
	ctest --preset release

bench: build package
	$(VENV)/python bench/run.py --build build/release

clean:
	rm -rf build
