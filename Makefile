# Two commands do all set-up on a fresh Debian 12, as root or with sudo: `make demo` and `make test`.
BUILD ?= build
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

configure = cmake -S . -B $(BUILD) $$([ -f $(BUILD)/CMakeCache.txt ] || ! command -v ninja > /dev/null || echo -G Ninja) \
	-DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)

.PHONY: build all test test-all demo bench format lint clean help configure

build: configure  ## install what is missing, build library and programs: build/bin/loe, loe-paper, loe-bench
	cmake --build $(BUILD) --parallel $(JOBS) --target loe_programs

all: configure  ## also build tests, examples and rivals
	cmake --build $(BUILD) --parallel $(JOBS)

ctest = ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS) --no-tests=error $(TEST_FLAGS)

test: all  ## build and run the tests but for the slow ones (TEST_FLAGS='-L nn' for some)
	$(ctest) -LE slow

test-all: all  ## the slow ones too
	$(ctest)

demo: configure  ## fit a photo for about a minute, say PSNR and SSIM (LOE_DEMO_SECONDS)
	cmake --build $(BUILD) --parallel $(JOBS) --target loe_program
	tools/demo $(BUILD)/bin/loe

bench: all  ## time training steps against the machine's peak and rivals
	$(BUILD)/bin/loe bench step --workload toy --precision f32
	$(BUILD)/bin/loe bench step --workload pluto --precision bf16

format:  ## reformat the sources
	tools/install_dependencies lint
	tools/check_format --fix

lint: configure  ## check formatting, layers, documents and code
	tools/install_dependencies lint
	tools/check_format
	tools/check_layers
	tools/check_docs
	tools/check_code $(BUILD)

clean:  ## remove build/; runs/ and .cache/ stay
	rm -rf $(BUILD)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

configure:
	@tools/install_dependencies build
	@$(configure)
