# certline: `make`, `make check`, `make lint`, `make install PREFIX=/usr/local DESTDIR=`, `make uninstall`.

VERSION = 0.1.0
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/certline
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
SYSTEMDDIR = $(PREFIX)/lib/systemd/system

# The layers of the library, lowest first: a module includes only what stands before it (`make lint`). A
# module is libcommon/NAME.h, libcommon/NAME.c and, where one file would be too long, libcommon/NAME_*.c.
MODULES = status diag alloc buf clock io launch opt progress \
	pem der config csv \
	p11 p11key p11prov signer \
	x509 csr anchor path profile enroll \
	cms cmc layers crl \
	lot ledger issue store schedule prune plan renew import inventory \
	unit head audit judge direct revoke approve intake deliver hop answer

PROGRAMS = $(basename $(notdir $(wildcard cmd/*.c)))

BUILD = build
CC = cc
CFLAGS = -O2 -g
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wformat=2 -Wundef -Wvla -Wwrite-strings -Wno-unused-parameter
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
PKGS = libcrypto yaml-0.1 p11-kit-1 sqlite3 libpq
CPPFLAGS += -std=c11 -D_GNU_SOURCE -DCERTLINE_VERSION='"$(VERSION)"' -Ilibcommon \
	$(shell pkg-config --cflags $(PKGS))
# --as-needed: a program carries only the libraries that its own modules use.
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDLIBS = $(shell pkg-config --libs $(PKGS)) -ldl

# A build folder may say how everything in it is built: CC, CFLAGS, HARDEN.
-include $(BUILD)/config.mk

SRC = $(foreach m,$(MODULES),$(wildcard libcommon/$(m).c libcommon/$(m)_*.c))
OBJ = $(sort $(SRC:libcommon/%.c=$(BUILD)/lib/%.o))
BIN = $(PROGRAMS:%=$(BUILD)/bin/%)

all: $(BIN)

$(BUILD)/lib/%.o: libcommon/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(HARDEN) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(HARDEN) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcertline.a: $(OBJ)
	@rm -f $@
	$(AR) rcs $@ $(OBJ)

$(BUILD)/bin/%: $(BUILD)/cmd/%.o $(BUILD)/libcertline.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libcertline.a $(LDLIBS)

# Drivers of the tests, and modules that they load.
$(BUILD)/t/%: t/%.c $(wildcard t/*.h) $(BUILD)/libcertline.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(HARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libcertline.a $(LDLIBS)

$(BUILD)/t/%.so: t/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

# All but the bench's: two files of tests that run side by side must not build the same one.
SHIMS = $(wildcard t/*-shim.c)
test-programs: $(patsubst t/%.c,$(BUILD)/t/%,$(filter-out t/bench-%.c $(SHIMS),$(wildcard t/*.c))) \
	$(SHIMS:t/%.c=$(BUILD)/t/%.so)

# libFuzzer's programs: CC=clang, CFLAGS with -fsanitize=fuzzer-no-link.
$(BUILD)/fuzz/%: t/fuzz/%.c $(BUILD)/libcertline.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -fsanitize=fuzzer -o $@ $< $(BUILD)/libcertline.a $(LDLIBS)

fuzz-programs: $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

check:
	scripts/test

lint: all
	BUILD=$(BUILD) scripts/lint-layers
	BUILD=$(BUILD) scripts/lint-options
	scripts/lint-tree

completions: $(BIN)
	@mkdir -p $(BUILD)/completions/bash $(BUILD)/completions/zsh $(BUILD)/completions/fish
	@for p in $(PROGRAMS); do \
		scripts/completions bash $(BUILD)/bin/$$p >$(BUILD)/completions/bash/$$p && \
		scripts/completions zsh $(BUILD)/bin/$$p >$(BUILD)/completions/zsh/_$$p && \
		scripts/completions fish $(BUILD)/bin/$$p >$(BUILD)/completions/fish/$$p.fish || exit 1; \
	done

# The systemd units, with the folder that the programs are installed in.
UNITS = $(BUILD)/systemd/certline-renew.service $(BUILD)/systemd/certline-renew.timer
$(UNITS): $(BUILD)/systemd/%: scripts/% FORCE
	@mkdir -p $(@D)
	@sed 's,/usr/local/bin/,$(BINDIR)/,' $< >$@

# What goes where: FILES:FOLDER. install and uninstall walk the same list.
INSTALLED = $(foreach p,$(PROGRAMS),$(BUILD)/bin/$(p):$(BINDIR)) \
	$(foreach n,1 5 7,$(foreach f,$(wildcard man/*.$(n)),$(f):$(MANDIR)/man$(n))) \
	$(foreach p,$(PROGRAMS),$(BUILD)/completions/bash/$(p):$(BASHDIR) \
		$(BUILD)/completions/zsh/_$(p):$(ZSHDIR) $(BUILD)/completions/fish/$(p).fish:$(FISHDIR)) \
	$(foreach f,README.md LICENSE,$(f):$(DOCDIR)) \
	$(foreach f,$(wildcard examples/*) scripts/certline.cron,$(f):$(DOCDIR)/examples) \
	scripts/fleet-renew:$(BINDIR) $(foreach f,$(UNITS),$(f):$(SYSTEMDDIR))

install: all completions $(UNITS)
	@for pair in $(INSTALLED); do \
		file=$${pair%%:*} dir=$(DESTDIR)$${pair#*:} mode=644; \
		[ -x $$file ] && mode=755; \
		install -d $$dir && install -m $$mode $$file $$dir/ || exit 1; \
	done

uninstall:
	@for pair in $(INSTALLED); do \
		file=$${pair%%:*}; rm -f $(DESTDIR)$${pair#*:}/$${file##*/}; \
	done
	@rmdir $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR) 2>/dev/null || :

clean:
	rm -rf $(BUILD)

print-%:
	@echo $($*)

.PHONY: all test-programs fuzz-programs check lint completions install uninstall clean FORCE
.SECONDARY:
-include $(wildcard $(BUILD)/lib/*.d $(BUILD)/cmd/*.d)
