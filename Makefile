# The few words people type; CMake, ctest and pip do the work. Everything made lies in build/.
.PHONY: deps build library package java demo test bench soak fuzz clean
.NOTPARALLEL:
VENV := build/venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

deps:  # system packages with apt, Python ones into build/venv
	@.ci/deps

build: deps
	cmake --preset release && cmake --build --preset release

library: deps  # what pip compiles, too: here one sees how far it is, and pip finds it in the compiler's cache
	cmake --preset release >/dev/null && cmake --build --preset release --target vineyard vineyardd

package: library  # the Python package, installed as a user's pip would
	@echo "package: pip builds and installs it: some seconds, without ccache some minutes"
	@$(VENV)/pip install -q --no-build-isolation --no-deps --force-reinstall .

demo: package
	$(VENV)/python examples/python/demo.py

test: build package
	ctest --preset release

bench: build package
	$(VENV)/python bench/run.py --build build/release

soak: build package java  # a slice of random violence, MINUTES=20 of it; totals in build/soak.json
	$(VENV)/python -B tests/stress/soak.py --bin build/release/bin --python $(VENV)/python \
	  --jar java/target/vineyard-$(shell cat VERSION).jar --kills 10000 --operations 1000000 \
	  --minutes $(or $(MINUTES),20) --state build/soak.json

fuzz: deps  # every fuzz target for MINUTES=1; executions add up in build/fuzz.json
	python3 -B tests/fuzz/run.py --minutes $(or $(MINUTES),1) --state build/fuzz.json

java: deps  # the Java library: java/target/vineyard-VERSION.jar
	mvn -B -q -f java/pom.xml package -DskipTests

clean:
	rm -rf build java/target
