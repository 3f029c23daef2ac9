# clipcore: `make demo` shows it working, `make test` runs every test. `make help` lists the rest.
PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL: # SwiftPM runs one build at a time and is parallel inside
.DELETE_ON_ERROR:

VERSION := $(shell sed -n 's/.*StaticString("\([0-9]*\.[0-9]*\.[0-9]*\)").*/\1/p' Sources/ClipCore/API/Version.swift)
PLUGINS := $(sort $(patsubst plugins/%/Plugin.swift,%,$(wildcard plugins/*/Plugin.swift)))

# build/ has the layout of an installed tree.
LIB     := build/lib/libclipcore.so.$(VERSION)
TOOLS   := build/lib/libcliptools.so.$(VERSION)
# Plugins with libraries that most programs have no use for are loaded when a model asks for them.
ON_DEMAND := tokenizer_sentencepiece
MODULES := $(patsubst %,build/lib/clipcore/plugins/%.so,$(filter-out $(ON_DEMAND),$(PLUGINS)) $(ON_DEMAND:%=on-demand/%))
HEADERS := $(patsubst Include/%,build/include/clipcore/%,$(wildcard Include/*.h Include/plugin/*.h))
CLIP    := build/bin/clip
EXAMPLES := build/share/clipcore/examples
CATALOGUE := build/share/clipcore/modalities.json

BUILD_PACKAGES := libopenblas-dev libffi-dev libjansson-dev libutf8proc-dev libturbojpeg0-dev libspng-dev libwebp-dev libsentencepiece-dev pkg-config
TEST_PACKAGES  := valgrind libyuv0 wordnet-base apertium apertium-eng-spa apertium-eng-cat

COMMON  := Package.swift $(shell find Include $(filter-out Sources/ClipCore Sources/ClipTools Sources/CLIP Sources/CLIPTools,$(wildcard Sources/C*)) -type f)
SWIFT_BUILD := scripts/swift-build -c release

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(MAKEFILE_LIST) | awk '{ printf "  make %-12s", $$2; $$1 = $$2 = ""; print $$0 }'

.PHONY: deps
deps: ## install the Debian packages that the library needs
	@scripts/install-packages $(BUILD_PACKAGES)

.PHONY: build
build: $(LIB) $(TOOLS) $(MODULES) $(HEADERS) build/lib/pkgconfig/clipcore.pc build/lib/pkgconfig/cliptools.pc $(CLIP) $(EXAMPLES) $(CATALOGUE) ## build everything, in release mode, into build/

$(LIB): $(COMMON) $(shell find Sources/ClipCore -type f)
	@$(SWIFT_BUILD) --product clipcore
	@mkdir -p build/lib
	@rm -f build/lib/libclipcore.so*
	@cp .build/release/libclipcore.so $@
	@ln -sf $(notdir $@) build/lib/libclipcore.so.1
	@ln -sf libclipcore.so.1 build/lib/libclipcore.so

$(TOOLS): $(LIB) $(COMMON) $(shell find Sources/ClipTools -type f)
	@$(SWIFT_BUILD) --product cliptools
	@rm -f build/lib/libcliptools.so*
	@cp .build/release/libcliptools.so $@
	@ln -sf $(notdir $@) build/lib/libcliptools.so.1
	@ln -sf libcliptools.so.1 build/lib/libcliptools.so

# Copied aside and moved: a process that has the old file open keeps it.
define plugin
$(filter %/$(1).so,$(MODULES)): $(COMMON) plugins/plugin.map $(shell find plugins/$(1) -type f)
	@$(SWIFT_BUILD) --product $(1)
	@mkdir -p $$(@D)
	@cp .build/release/lib$(1).so $$@.new && mv $$@.new $$@
endef
$(foreach name,$(PLUGINS),$(eval $(call plugin,$(name))))

build/include/clipcore/%.h: Include/%.h
	@mkdir -p $(@D)
	@cp $< $@

build/lib/pkgconfig/%.pc: scripts/%.pc.in $(LIB)
	@mkdir -p $(@D)
	@sed 's/@VERSION@/$(VERSION)/' $< > $@

# Its own scratch folder: with the Swift runtime linked statically, its objects differ.
$(CLIP): $(LIB) $(TOOLS) $(COMMON) $(shell find Sources/CLIP Sources/CLIPTools Sources/clip -type f)
	@$(SWIFT_BUILD) --product clip --scratch-path .build-cli --static-swift-stdlib \
	  -Xlinker -L$(CURDIR)/build/lib -Xlinker -rpath -Xlinker '$$ORIGIN/../lib'
	@mkdir -p $(@D)
	@cp .build-cli/release/clip $@.new && mv $@.new $@

# What `clip plugins new` begins from.
$(EXAMPLES): $(shell find Examples/plugins)
	@rm -rf $@ && mkdir -p $(@D)
	@cp -r Examples/plugins $@

$(CATALOGUE): share/modalities.json
	@mkdir -p $(@D)
	@cp $< $@

.PHONY: demo
demo: deps build ## see it work: rank captions, search pictures, train for a minute
	@scripts/demo

.PHONY: test
test: deps test-deps build ## run every test; the last line says how many passed
	@Tests/run.sh full

.PHONY: test-smoke
test-smoke: deps build ## run the tests that take seconds
	@Tests/run.sh smoke

.PHONY: test-deps
test-deps: # what only the tests need
	@scripts/install-packages $(TEST_PACKAGES)

.PHONY: bench
bench: deps build ## time models of real sizes and each kernel on this machine
	@Benchmarks/run.sh

.PHONY: fuzz
fuzz: deps ## fuzz each parser with AddressSanitizer for FUZZ_SECONDS (60) each
	@FUZZ_SECONDS=$(FUZZ_SECONDS) Tests/Fuzz/run.sh

.PHONY: install
install: build ## copy the tree to PREFIX (/usr/local), under DESTDIR when set
	@scripts/install-tree build "$(DESTDIR)$(PREFIX)"

.PHONY: format
format: ## format the Swift sources
	@swift format --in-place --recursive Sources plugins Tests/Sources Tests/Suites Package.swift Tests/Package.swift

.PHONY: lint
lint: ## check the Swift sources' format
	@swift format lint --strict --recursive Sources plugins Tests/Sources Tests/Suites Package.swift Tests/Package.swift

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf build .build .build-* Tests/.build
