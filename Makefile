# clipcore: `make demo` shows it working, `make test` runs every test. `make help` lists the rest.
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
FUZZ_SECONDS ?= 60

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
ifneq ($(MAKECMDGOALS),tree) # that alone has its prerequisites in parallel
.NOTPARALLEL:
endif
.DELETE_ON_ERROR:

VERSION := $(shell sed -n 's/.*StaticString("\([0-9]*\.[0-9]*\.[0-9]*\)").*/\1/p' Sources/ClipCore/Host/Version.swift)
# Of the kernels, those of this machine's processor.
KERNELS := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
PLUGINS := $(filter-out kernels_%,$(sort $(patsubst plugins/%/Plugin.swift,%,$(wildcard plugins/*/Plugin.swift)))) \
  $(patsubst plugins/%/Plugin.swift,%,$(wildcard plugins/kernels_$(KERNELS)*/Plugin.swift plugins/kernels_openblas/Plugin.swift))

# build/ has the layout of an installed tree.
LIBRARIES := $(patsubst %,build/lib/lib%.so.$(VERSION),clipcore cliptools clipindex)
# Plugins with libraries that most programs have no use for are loaded when a model asks for them.
ON_DEMAND := tokenizer_subword codec_gif codec_tiff codec_heif codec_jxl kernels_openblas neighbours_faiss
MODULES := $(patsubst %,build/lib/clipcore/plugins/%.so,$(filter-out $(ON_DEMAND),$(PLUGINS)) $(ON_DEMAND:%=on-demand/%))
HEADERS := $(patsubst Include/%,build/include/clipcore/%,$(wildcard Include/*.h Include/plugin/*.h)) build/include/clipcore/clipcore.hpp
CLIP    := build/bin/clip
PC_FILES := $(patsubst scripts/%.in,build/lib/pkgconfig/%,$(wildcard scripts/*.pc.in))
CMAKE_FILES := $(patsubst scripts/%.in,build/lib/cmake/clipcore/%,$(wildcard scripts/*.cmake.in))
EXAMPLES := build/share/clipcore/examples
CATALOGUE := build/share/clipcore/modalities.json
MANUAL := build/share/man/man1/clip.1

BUILD_PACKAGES := libopenblas-dev libffi-dev libsqlite3-dev libjansson-dev libutf8proc-dev libfaiss-dev pkg-config
BUILD_PACKAGES += libturbojpeg0-dev libspng-dev libwebp-dev libgif-dev libtiff-dev libheif-dev libjxl-dev
CROSS_PACKAGES := jq qemu-user
TEST_PACKAGES  := valgrind cmake libyuv0 wordnet-base apertium apertium-eng-spa apertium-eng-cat $(CROSS_PACKAGES)
TEST_PACKAGES  += abigail-tools debhelper chrpath lintian mmdebstrap patchelf
TEST_PACKAGES  += rustc cargo golang-go openjdk-17-jdk-headless
TEST_PACKAGES  += g++ python3-venv python3-build python3-numpy python3-pil
# NodeSource's package of Node brings npm and conflicts with Debian's npm.
TEST_PACKAGES  += $(if $(shell command -v npm),,nodejs npm libnode-dev)

# What has been built, of this package and of a second copy of it for the tool: its Swift runtime is linked statically.
CORE    := .build/core.stamp
PACKAGE := .build/package.stamp
TOOL    := .build-tool/compiled.stamp

SHARED  := Package.swift $(shell find Include -type f) $(wildcard Sources/C*/*.h Sources/C*/*.modulemap)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(MAKEFILE_LIST) | awk '{ printf "  make %-12s", $$2; $$1 = $$2 = ""; print $$0 }'

.PHONY: deps
deps: ## install the Debian packages that the library needs
	@scripts/install-packages $(BUILD_PACKAGES)

.PHONY: build
build: ## build everything, in release mode, into build/
	@$(MAKE) --no-print-directory -j2 tree

# SwiftPM does not know that what links with libclipcore.so comes after it, so that is built first. Meanwhile the
# other processor compiles the tool; both build what is left.
.PHONY: tree
tree: $(PACKAGE) $(CLIP) $(HEADERS) $(PC_FILES) $(CMAKE_FILES) $(EXAMPLES) $(CATALOGUE) $(MANUAL)

$(CORE): $(SHARED) $(shell find Sources/Clip[A-Z]* -type f)
	@scripts/swift-build --product clipcore
	@scripts/place .build/release/libclipcore.so $(filter %/libclipcore.so.$(VERSION),$(LIBRARIES))
	@touch $@

$(PACKAGE): $(CORE) $(shell find plugins -type f)
	@CLIPCORE_EMBEDDED_ALONE=1 scripts/swift-build
	@for library in $(LIBRARIES); do scripts/place .build/release/$$(basename $${library%.$(VERSION)}) $$library; done
	@for module in $(MODULES); do scripts/place .build/release/lib$${module##*/} $$module; done
	@touch $@

# With clipcore.pc there, whose flags the module CLIP is compiled with: when they change, all is compiled again.
$(TOOL): $(SHARED) $(shell find Sources/CLIP Sources/CLIPTools Sources/CLIPIndex Sources/clip -type f) $(PC_FILES)
	@scripts/swift-build --target clip --scratch-path .build-tool --static-swift-stdlib
	@touch $@

$(CLIP): $(TOOL) $(PACKAGE)
	@scripts/swift-build --product clip --scratch-path .build-tool --static-swift-stdlib \
	  -Xlinker -L$(CURDIR)/build/lib $(foreach folder,lib lib64 lib/$(shell cc -print-multiarch),-Xlinker -rpath -Xlinker '$$ORIGIN/../$(folder)')
	@scripts/place .build-tool/release/clip $@
	@touch $@

build/include/clipcore/%.hpp: Bindings/cpp/%.hpp
	@mkdir -p $(@D)
	@cp $< $@

build/include/clipcore/%.h: Include/%.h
	@mkdir -p $(@D)
	@cp $< $@

build/lib/pkgconfig/%.pc: scripts/%.pc.in Sources/ClipCore/Host/Version.swift
	@mkdir -p $(@D)
	@sed 's/@VERSION@/$(VERSION)/' $< > $@

build/lib/cmake/clipcore/%.cmake: scripts/%.cmake.in Sources/ClipCore/Host/Version.swift
	@mkdir -p $(@D)
	@sed 's/@VERSION@/$(VERSION)/' $< > $@

# What `clip plugins new` begins from.
$(EXAMPLES): $(shell find Examples/plugins)
	@rm -rf $@ && mkdir -p $(@D)
	@cp -r Examples/plugins $@

$(CATALOGUE): share/modalities.json
	@mkdir -p $(@D)
	@cp $< $@

# The tool's pages and completions.
$(MANUAL): $(CLIP) scripts/man-pages
	@scripts/man-pages build/bin/clip $(VERSION) build/share

ARCH ?= aarch64
.PHONY: cross
cross: cross-deps ## the libraries and plugins for another processor: ARCH=aarch64, into build-aarch64/
	@scripts/cross $(ARCH)

.PHONY: cross-test
cross-test: cross ## run the C tests on ARCH's libraries, by qemu: an hour
	@Tests/cross.sh $(ARCH) all

.PHONY: cross-deps
cross-deps:
	@scripts/install-packages $(CROSS_PACKAGES)

.PHONY: demo
demo: deps build ## see it work: rank captions, search images, train for a minute
	@scripts/demo

.PHONY: test
test: $(if $(ONLY),,lint deps test-deps) build ## run every test; ONLY=api_test runs one (by its name in the output, or a Swift suite's; * and ? match)
	@Tests/run.sh full '$(ONLY)'

.PHONY: test-smoke
test-smoke: lint deps build ## run the tests that take seconds
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

.PHONY: torture
torture: build ## the library without memory, with failing system calls, on a full disk, on small stacks: an hour
	@Tests/Torture/run.sh

.PHONY: install
install: build ## copy the tree to PREFIX (/usr/local) and LIBDIR (PREFIX/lib), under DESTDIR when set
	@scripts/install-tree build "$(PREFIX)" "$(LIBDIR)" "$(DESTDIR)"

.PHONY: uninstall
uninstall: build ## remove what install copied there
	@scripts/uninstall-tree build "$(PREFIX)" "$(LIBDIR)" "$(DESTDIR)"

.PHONY: deb
deb: build ## make Debian packages in build/deb
	@scripts/debian-packages

.PHONY: dist
dist: build ## make a tarball that runs anywhere in build/dist, with checksums; SIGN=KEY signs them
	@scripts/make-dist $(VERSION) $(SIGN)

.PHONY: static
static: build ## make libclipcore.a, the library and its plugins for programs of one file, in build/static
	@scripts/make-static

.PHONY: format
format: ## format the Swift sources
	@swift format --in-place --recursive Sources plugins Tests/Sources Tests/Suites Package.swift Tests/Package.swift

.PHONY: lint
lint: ## check the Swift sources' format
	@swift format lint --strict --recursive Sources plugins Tests/Sources Tests/Suites Package.swift Tests/Package.swift

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf build build-* .build .build-* Tests/.build
