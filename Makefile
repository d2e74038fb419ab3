# Cusp: deep learning for Lua. `make help` lists the targets.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
# Where Lua modules in Lua and in C go, programs, manual pages, documentation, and what a C program is built with.
LUADIR ?= $(PREFIX)/share/lua/5.4
LIBDIR ?= $(PREFIX)/lib/lua/5.4
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man/man1
DOCDIR ?= $(PREFIX)/share/doc/cusp
DATADIR ?= $(PREFIX)/share
INCLUDEDIR ?= $(PREFIX)/include
ARCHIVEDIR ?= $(PREFIX)/lib
CC ?= gcc
CFLAGS ?= -O2 -g
AR ?= ar
VERSION := 0.1.0
Q := $(if $(V),,@)

ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

LUA_CFLAGS ?= $(shell pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
LUA_LIBS ?= $(shell pkg-config --libs lua5.4 2>/dev/null || echo -llua5.4)

ifdef SANITIZE
SANITIZE_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DCUSP_DEBUG
# LeakSanitizer trips over the thread-local storage of a library that is opened while threads run: oneDNN is there from the start.
SANITIZE_LIBS := -Wl,--no-as-needed -ldnnl
endif

WARNINGS := -Wall -Wextra
FLAGS := -std=gnu11 $(WARNINGS) -fPIC -fvisibility=hidden -fopenmp -fno-math-errno -Icore -DCUSP_VERSION='"$(VERSION)"' $(SANITIZE_FLAGS)
# Kernels alone do not care for floating point traps; NaN and infinity keep their meaning everywhere.
ISA_FLAGS := -O3 -fno-math-errno -fno-trapping-math
LINK := $(CC) $(CFLAGS) $(SANITIZE_FLAGS) -fopenmp $(LDFLAGS)
# Parts of the engine make themselves known when they are loaded: nobody may leave them out.
WHOLE_CORE = -Wl,--whole-archive $(BUILD)/core.a -Wl,--no-whole-archive
ENGINE_LIBS := -Wl,--as-needed -lsleef -lz -ldl -lm

# Sources named *.isa.c are compiled once for each instruction set (core/base/cpu.h) and chosen between at run time.
ISA_SOURCES := $(wildcard core/*/*.isa.c)
ISAS := baseline
ifneq ($(findstring x86_64,$(shell $(CC) -dumpmachine)),)
ISAS += avx2 avx512
endif
ISA_ARCH_avx2 := -march=x86-64-v3
ISA_ARCH_avx512 := -march=x86-64-v4 -mprefer-vector-width=512

CORE_SOURCES := $(filter-out $(ISA_SOURCES),$(wildcard core/*/*.c))
CORE_OBJECTS := $(CORE_SOURCES:%.c=$(BUILD)/%.o) $(foreach isa,$(ISAS),$(ISA_SOURCES:%.c=$(BUILD)/%.$(isa).o))
# oneDNN is 40 MB: what calls it is a library of its own, loaded when first needed.
ONEDNN_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/kernels/onednn/*.c))
PROGRAM_SOURCES := $(wildcard bindings/main.c bindings/interrupts.c bindings/repl*.c)
BINDING_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(PROGRAM_SOURCES),$(wildcard bindings/*.c)))
PROGRAM_OBJECTS := $(PROGRAM_SOURCES:%.c=$(BUILD)/%.o)
TEST_PROGRAMS := $(patsubst spec/core/%.c,$(BUILD)/spec/%,$(wildcard spec/core/*.c))

# Libraries that only some programs need: each folder of bindings/ is a Lua module of its own, cusp.native.NAME, loaded by
# the Lua code that asks for it. It shares no symbols with the engine.
NATIVE := $(notdir $(patsubst %/,%,$(dir $(wildcard bindings/*/*.c))))
NATIVE := $(filter-out c,$(sort $(NATIVE)))
# The notebook's part is left out where its libraries are not installed.
NATIVE := $(filter-out $(if $(shell pkg-config --exists libzmq nettle && echo yes),,zmq),$(NATIVE))
# So is what joins several processes.
NATIVE := $(filter-out $(if $(shell pkg-config --exists ompi-c && echo yes),,mpi),$(NATIVE))
NATIVE_PACKAGES_mpi := ompi-c
NATIVE_PACKAGES_hdf5 := hdf5-serial
NATIVE_PACKAGES_zip := libzip
NATIVE_PACKAGES_protobuf := libprotobuf-c
NATIVE_PACKAGES_cairo := cairo
# libdeflate reads most PNG in half the time; libpng alone reads all.
LIBDEFLATE := $(shell pkg-config --exists libdeflate && echo libdeflate)
NATIVE_PACKAGES_images := libpng libjpeg $(LIBDEFLATE)
NATIVE_FLAGS_images := $(if $(LIBDEFLATE),-DCUSP_LIBDEFLATE)
NATIVE_PACKAGES_zlib := zlib
NATIVE_PACKAGES_png := libpng
NATIVE_PACKAGES_zmq := libzmq nettle
NATIVE_MODULES := $(NATIVE:%=$(BUILD)/lib/cusp/native/%.so)
PROTOS := $(wildcard bindings/protobuf/*.proto)

PROGRAM := $(BUILD)/cusp
MODULES := $(BUILD)/lib/cusp/engine.so $(if $(ONEDNN_OBJECTS),$(BUILD)/lib/cusp/onednn.so)

# The library for programs in C (bindings/c) contains a Lua and the modules in Lua. It is left out where there is no archive of
# Lua's; one with shared symbols would get into the way of a host that has another Lua.
LUA_ARCHIVE ?= $(wildcard $(shell $(CC) -print-file-name=liblua5.4.a))
SONAME := libcusp.so.$(firstword $(subst ., ,$(VERSION)))
C_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out bindings/c/plugin.c,$(wildcard bindings/c/*.c)))
LUA_MODULES := $(wildcard lua/cusp/*.lua lua/cusp/*/*.lua lua/cusp/*/*/*.lua)
C_PLUGINS := $(NATIVE:%=$(BUILD)/c/cusp/native/%.so) $(if $(ONEDNN_OBJECTS),$(BUILD)/c/cusp/onednn.so)
C_LIBRARY := $(if $(LUA_ARCHIVE),$(BUILD)/c/$(SONAME) $(BUILD)/c/libcusp.a $(C_PLUGINS))

INSTALL_PLACES = $(foreach place,BUILD DESTDIR LUADIR LIBDIR BINDIR MANDIR DOCDIR DATADIR INCLUDEDIR ARCHIVEDIR VERSION,'$(place)=$($(place))')

.PHONY: default demo test check lint fuzz bench bench-inference bench-files bench-distributed bench-realtime bench-data docs html library manual install uninstall deb clean help run-tests programs force
.DELETE_ON_ERROR:

default: $(PROGRAM) $(MODULES) $(NATIVE_MODULES) $(C_LIBRARY)
ifeq ($(LUA_ARCHIVE),)
	@echo '  --  without libcusp: the library for C needs liblua5.4.a'
endif
ifeq ($(filter mpi,$(NATIVE)),)
	@echo '  --  without cusp.native.mpi: training with several processes needs libopenmpi-dev'
endif

help:
	@echo "make            build $(PROGRAM) and the Lua module $(BUILD)/lib/cusp/engine.so"
	@echo "make demo       install what is missing, build, train on drawn digits and show what the model sees"
	@echo "make test       install what is missing, build, run all tests"
	@echo "make check      all tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make lint       luacheck, clang-format and compiler warnings as errors"
	@echo "make fuzz       random programs, calls and files for SECONDS=$(SECONDS) (SEED=... repeats a run, KINDS=programs,calls,files)"
	@echo "make bench      time Cusp beside the frameworks that are installed (CUSP_BENCH_PYTHON, CUSP_BENCH_TF_PYTHON)"
	@echo "make bench-inference  time known networks beside onnxruntime and PyTorch (PATTERN selects by title)"
	@echo "make bench-files  time saving and loading 100 MB beside NumPy, h5py, Keras and TensorFlow"
	@echo "make bench-realtime  single predictions through libcusp (SIZE=large: whole pictures, too)"
	@echo "make bench-distributed  two processes beside two threads, and beside PyTorch over gloo"
	@echo "make bench-data training from a file ten times larger than the memory that it may use, beside training from memory; rows of compressed chunks, shuffled"
	@echo "make docs       the reference and the picture of the rooms, from the operation table and the sources; then html and library"
	@echo "make html       the pages as HTML with a search box, in $(BUILD)/docs (Debian package pandoc)"
	@echo "make library    annotations for editors and luacheck, in $(BUILD)/library (docs/editors.md)"
	@echo "make install    into PREFIX=$(PREFIX) (docs/install.md); make uninstall removes it"
	@echo "make deb        a Debian package, in $(BUILD)/deb"
	@echo "make clean      remove what was built"
	@echo "Variables: V=1 (show commands) BUILD=$(BUILD) PREFIX=$(PREFIX) CC=$(CC) CFLAGS='$(CFLAGS)'"

# ------------------------------------------------------------------ building

# Objects are made again when the flags change.
$(BUILD)/flags: force
	@mkdir -p $(BUILD)
	@echo '$(CC) $(FLAGS) $(CFLAGS) $(LUA_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(FLAGS) $(CFLAGS) $(LUA_CFLAGS)' > $@

$(BUILD)/core/%.o: core/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bindings/%.o: bindings/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $(LUA_CFLAGS) -MMD -MP -c $< -o $@

define ISA_RULE
$(BUILD)/core/%.isa.$(1).o: core/%.isa.c $(BUILD)/flags
	@mkdir -p $$(@D)
	@echo '  CC  $$@'
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $$(ISA_FLAGS) $(ISA_ARCH_$(1)) -DCUSP_ISA_SUFFIX=_$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach isa,$(ISAS),$(eval $(call ISA_RULE,$(isa))))
# Its loops round where the functions that they join do.
$(BUILD)/core/kernels/chain.isa.%.o: ISA_FLAGS += -ffp-contract=off

$(BUILD)/core.a: $(CORE_OBJECTS)
	@rm -f $@ # and append: files of one name lie in several folders
	@$(AR) qcs $@ $^

$(PROGRAM): $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) $(BUILD)/core.a
	@echo '  LD  $@'
	$(Q)$(LINK) -rdynamic -o $@ $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) $(WHOLE_CORE) $(LUA_LIBS) -lreadline $(ENGINE_LIBS) $(SANITIZE_LIBS)

# nodelete: the engine's threads would run on in unmapped code when Lua closes the module.
$(BUILD)/lib/cusp/engine.so: $(BINDING_OBJECTS) $(BUILD)/core.a
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(LINK) -shared -Wl,-z,nodelete -o $@ $(BINDING_OBJECTS) $(WHOLE_CORE) $(ENGINE_LIBS)

$(BUILD)/lib/cusp/onednn.so: $(ONEDNN_OBJECTS)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(LINK) -shared -o $@ $^ -ldnnl

# Messages: protoc-c writes C from the descriptions.
$(BUILD)/bindings/protobuf/%.pb-c.c $(BUILD)/bindings/protobuf/%.pb-c.h &: bindings/protobuf/%.proto
	@mkdir -p $(@D)
	@echo '  PB  $<'
	$(Q)protoc-c --proto_path=bindings/protobuf --c_out=$(BUILD)/bindings/protobuf $<

$(BUILD)/bindings/protobuf/%.pb-c.o: $(BUILD)/bindings/protobuf/%.pb-c.c $(BUILD)/flags
	@echo '  CC  $@'
	$(Q)$(CC) $(FLAGS) -Wno-unused-parameter -Wno-sign-compare -Wno-missing-braces $(CFLAGS) -I$(BUILD)/bindings/protobuf -MMD -MP -c $< -o $@

define NATIVE_RULE
$(BUILD)/bindings/$(1)/%.o: bindings/$(1)/%.c $(BUILD)/flags $(if $(filter protobuf,$(1)),$(PROTOS:%.proto=$(BUILD)/%.pb-c.h))
	@mkdir -p $$(@D)
	@echo '  CC  $$@'
	$$(Q)$$(CC) $$(FLAGS) $(NATIVE_FLAGS_$(1)) $$(CFLAGS) $$(LUA_CFLAGS) $(if $(NATIVE_PACKAGES_$(1)),$$(shell pkg-config --cflags $$(NATIVE_PACKAGES_$(1)))) -I$$(BUILD)/bindings/$(1) -MMD -MP -c $$< -o $$@

$(BUILD)/lib/cusp/native/$(1).so: $(patsubst %.c,$(BUILD)/%.o,$(wildcard bindings/$(1)/*.c)) $(if $(filter protobuf,$(1)),$(PROTOS:%.proto=$(BUILD)/%.pb-c.o))
	@mkdir -p $$(@D)
	@echo '  LD  $$@'
	$$(Q)$$(LINK) -shared -Wl,-z,nodelete -o $$@ $$^ $(if $(NATIVE_PACKAGES_$(1)),$$(shell pkg-config --libs $$(NATIVE_PACKAGES_$(1)))) $$(NATIVE_LIBS_$(1))
endef
$(foreach name,$(NATIVE),$(eval $(call NATIVE_RULE,$(name))))

# ------------------------------------------------------------------ the library for C

$(BUILD)/c/modules.S: $(PROGRAM) scripts/embed.lua $(LUA_MODULES)
	@mkdir -p $(@D)
	@echo '  LUA $@'
	$(Q)$(PROGRAM) scripts/embed.lua $@ $(LUA_MODULES)

$(BUILD)/c/modules.o: $(BUILD)/c/modules.S
	$(Q)$(CC) -c $< -o $@

# Compiled for programs: see bindings/c/streams.c.
$(BUILD)/c/lua.a: $(LUA_ARCHIVE)
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach stream,stdin stdout stderr,--redefine-sym $(stream)=cusp_c_$(stream)) $< $@

$(BUILD)/c/symbols: bindings/c/cusp.h
	@mkdir -p $(@D)
	@sed -n 's/^CUSP_API [^(]*[ *]\(cusp_[a-z_]*\)(.*/\1/p' $< > $@

$(BUILD)/c/symbols.map: $(BUILD)/c/symbols
	@{ echo 'CUSP_0 { global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } > $@

# One object, in which only the public symbols are left: Lua's and the engine's meet no others.
$(BUILD)/c/cusp.o: $(C_OBJECTS) $(BINDING_OBJECTS) $(BUILD)/core.a $(BUILD)/c/lua.a $(BUILD)/c/modules.o $(BUILD)/c/symbols
	@echo '  LD  $@'
	$(Q)$(LD) -r -o $@ $(C_OBJECTS) $(BINDING_OBJECTS) --whole-archive $(BUILD)/core.a $(BUILD)/c/lua.a --no-whole-archive $(BUILD)/c/modules.o
	$(Q)objcopy --keep-global-symbols=$(BUILD)/c/symbols $@

$(BUILD)/c/libcusp.a: $(BUILD)/c/cusp.o
	@rm -f $@
	@$(AR) qcs $@ $<

$(BUILD)/c/$(SONAME): $(BUILD)/c/cusp.o $(BUILD)/c/symbols.map
	@echo '  LD  $@'
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,-z,nodelete -Wl,--version-script=$(BUILD)/c/symbols.map -o $@ $< $(ENGINE_LIBS)
	@ln -sf $(SONAME) $(@D)/libcusp.so

$(BUILD)/c/cusp/onednn.so: $(BUILD)/lib/cusp/onednn.so
	@mkdir -p $(@D)
	@cp $< $@

# A program for ThreadSanitizer: what threads share (graphs, plans, memory, the library itself) is compiled for it, kernels are not.
TSAN_SOURCES := $(wildcard core/base/*.c core/tensor/*.c core/node/*.c core/graph/*.c) $(C_OBJECTS:$(BUILD)/%.o=%.c)
TSAN_PROGRAM := $(if $(SANITIZE),,$(if $(LUA_ARCHIVE),$(if $(wildcard $(shell $(CC) -print-file-name=libtsan.so)),$(BUILD)/tsan/threads)))
TSAN_OBJECTS := $(TSAN_SOURCES:%.c=$(BUILD)/tsan/%.o)

$(BUILD)/tsan/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) $(FLAGS) -O1 -g -fsanitize=thread $(LUA_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tsan/threads: spec/c/threads.c $(TSAN_OBJECTS) $(BUILD)/c/cusp.o
	@echo '  LD  $@'
	$(Q)$(CC) -O1 -g -fsanitize=thread -fopenmp -Ibindings/c $< $(TSAN_OBJECTS) $(filter-out $(TSAN_SOURCES:%.c=$(BUILD)/%.o),$(CORE_OBJECTS)) $(BINDING_OBJECTS) $(BUILD)/c/lua.a $(BUILD)/c/modules.o -o $@ $(ENGINE_LIBS)

define PLUGIN_RULE
$(BUILD)/c/native/$(1)/%.o: bindings/$(1)/%.c $(BUILD)/flags $(if $(filter protobuf,$(1)),$(PROTOS:%.proto=$(BUILD)/%.pb-c.h))
	@mkdir -p $$(@D)
	@echo '  CC  $$@'
	$$(Q)$$(CC) $$(FLAGS) $(NATIVE_FLAGS_$(1)) $$(CFLAGS) $$(LUA_CFLAGS) $(if $(NATIVE_PACKAGES_$(1)),$$(shell pkg-config --cflags $$(NATIVE_PACKAGES_$(1)))) -I$$(BUILD)/bindings/$(1) -D_GNU_SOURCE= -include bindings/c/lua_calls.h -MMD -MP -c $$< -o $$@

$(BUILD)/c/native/$(1)/plugin.o: bindings/c/plugin.c $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(FLAGS) $$(CFLAGS) $$(LUA_CFLAGS) -DCUSP_PLUGIN_OPEN=luaopen_cusp_native_$(1) -MMD -MP -c $$< -o $$@

$(BUILD)/c/cusp/native/$(1).so: $(patsubst bindings/$(1)/%.c,$(BUILD)/c/native/$(1)/%.o,$(wildcard bindings/$(1)/*.c)) $(BUILD)/c/native/$(1)/plugin.o $(if $(filter protobuf,$(1)),$(PROTOS:%.proto=$(BUILD)/%.pb-c.o))
	@mkdir -p $$(@D)
	@echo '  LD  $$@'
	$$(Q)$$(LINK) -shared -Wl,-z,nodelete $(if $(SANITIZE),,-Wl,-z,defs) -o $$@ $$^ $(if $(NATIVE_PACKAGES_$(1)),$$(shell pkg-config --libs $$(NATIVE_PACKAGES_$(1)))) $$(NATIVE_LIBS_$(1)) -lm
endef
$(foreach name,$(NATIVE),$(eval $(call PLUGIN_RULE,$(name))))

$(BUILD)/spec/%: spec/core/%.c spec/core/check.h $(BUILD)/core.a
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -MMD -MP $< $(WHOLE_CORE) -o $@ $(LDFLAGS) $(ENGINE_LIBS)

$(BUILD)/bench/realtime: scripts/bench/realtime.c $(C_LIBRARY)
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) -std=gnu11 $(WARNINGS) -O2 $< -o $@ -L$(BUILD)/c -lcusp -Wl,-rpath,$(abspath $(BUILD)/c)

$(BUILD)/bench/%: scripts/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC  $@'
	$(Q)$(CC) -std=gnu11 $(WARNINGS) -O3 -march=native -ffast-math $< -o $@ -ldl -lm

-include $(shell find $(addprefix $(BUILD)/,core bindings spec bench c tsan) -type f -name '*.d' 2>/dev/null)

# ------------------------------------------------------------------ running

demo:
	@scripts/install-dependencies build
	@$(MAKE) --no-print-directory default
	@$(PROGRAM) scripts/demo.lua

test:
	@scripts/install-dependencies
	@$(MAKE) --no-print-directory run-tests

programs: default $(TEST_PROGRAMS) $(TSAN_PROGRAM)

run-tests: programs
	@scripts/run-tests $(BUILD)

check:
	@$(MAKE) --no-print-directory run-tests BUILD=$(BUILD)-check SANITIZE=1 CFLAGS="-O1 -g"

# Programs that know the public header alone.
C_PROGRAMS := $(wildcard spec/c/*.[ch] scripts/examples/*.c)
C_SOURCES := $(wildcard core/*.[ch] core/*/*.[ch] core/kernels/onednn/*.[ch] bindings/*.[ch] bindings/*/*.[ch] spec/core/*.[ch] scripts/bench/*.c)
STRICT := -fsyntax-only -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wconversion -DCUSP_ISA_SUFFIX=_baseline -DCUSP_PLUGIN_OPEN=cusp_open

NATIVE_CFLAGS = $(NATIVE_FLAGS_images) $(shell pkg-config --cflags $(foreach name,$(NATIVE),$(NATIVE_PACKAGES_$(name)))) -I$(BUILD)/bindings/protobuf

lint: $(PROTOS:%.proto=$(BUILD)/%.pb-c.h)
	luacheck --quiet lua spec scripts
	clang-format --dry-run -Werror $(C_SOURCES) $(C_PROGRAMS)
	@for source in $(filter %.c,$(C_PROGRAMS)); do $(CC) -std=gnu11 $(WARNINGS) -Ibindings/c $(STRICT) $$source || exit 1; done
	@for source in $(filter-out $(if $(filter mpi,$(NATIVE)),,bindings/mpi/%),$(filter %.c,$(C_SOURCES))); do $(CC) $(FLAGS) $(LUA_CFLAGS) $(NATIVE_CFLAGS) $(STRICT) $$source || exit 1; done

SECONDS ?= 120

fuzz: default
	@CUSP_BUILD=$(BUILD) $(PROGRAM) scripts/fuzz/run.lua '$(SECONDS)' '$(SEED)' '$(KINDS)'

bench: default $(BUILD)/bench/limit $(BUILD)/bench/measure $(BUILD)/bench/beside
	@$(PROGRAM) scripts/bench/run.lua $(BUILD)

bench-inference: default
	@$(PROGRAM) scripts/bench/run.lua $(BUILD) '$(PATTERN)' inference_rows.lua

bench-files: default
	@$(PROGRAM) scripts/bench/files.lua $(BUILD) '$(PATTERN)'

bench-distributed: default
	@$(PROGRAM) scripts/bench/distributed.lua $(BUILD)
	@$(PROGRAM) scripts/bench/distributed_model.lua $(BUILD)

bench-realtime: default $(BUILD)/bench/realtime
	@OMP_NUM_THREADS=1 $(PROGRAM) scripts/bench/realtime.lua $(BUILD) $(SIZE)

bench-data: default
	@$(PROGRAM) scripts/bench/data.lua $(BUILD)

docs: default
	$(PROGRAM) scripts/reference.lua
	$(PROGRAM) scripts/rooms.lua dot | dot -Tsvg > docs/rooms.svg
	$(PROGRAM) scripts/rooms.lua readmes
	$(PROGRAM) scripts/surface.lua docs
	@$(MAKE) --no-print-directory library
	@command -v pandoc > /dev/null && $(MAKE) --no-print-directory html || echo "no HTML: it needs Debian's package pandoc"

html: default
	@$(PROGRAM) scripts/html.lua $(BUILD)/docs

library: default
	@$(PROGRAM) scripts/reference.lua library $(BUILD)/library

manual: $(BUILD)/cusp.1

$(BUILD)/cusp.1: $(PROGRAM) scripts/manual.lua $(wildcard lua/cusp/commands/*.lua)
	@$(PROGRAM) scripts/manual.lua > $@

install: default library manual
	@scripts/install $(INSTALL_PLACES)

uninstall:
	@scripts/install --remove $(INSTALL_PLACES)

deb:
	@VERSION='$(VERSION)' scripts/debian/build $(BUILD)/deb

clean:
	rm -rf $(foreach build,$(BUILD) $(BUILD)-check,$(addprefix $(build)/,core bindings spec bench c tsan docs lib library deb arm64 core.a flags cusp cusp.1 bench.json))
	@rmdir $(BUILD) $(BUILD)-check 2>/dev/null || true
