# certline: `make`, `make check`, `make lint`, `make install PREFIX=/usr/local DESTDIR=`.

VERSION = 0.1.0
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/certline
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d

# The layers of the library, lowest first: a module includes only what stands before it (`make lint`). A
# module is libcommon/NAME.h, libcommon/NAME.c and, where one file would be too long, libcommon/NAME_*.c.
MODULES = status diag alloc buf clock io launch opt progress \
	pem der yaml config csv \
	p11 p11key p11prov signer \
	x509 csr anchor path profile \
	cms cmc layers \
	lot ledger issue \
	unit judge direct hop

PROGRAMS = $(basename $(notdir $(wildcard cmd/*.c)))

BUILD = build
CC = cc
CFLAGS = -O2 -g
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wformat=2 -Wundef -Wvla -Wwrite-strings -Wno-unused-parameter
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
PKGS = libcrypto yaml-0.1 p11-kit-1 sqlite3
CPPFLAGS += -std=c11 -D_GNU_SOURCE -DCERTLINE_VERSION='"$(VERSION)"' -Ilibcommon \
	$(shell pkg-config --cflags $(PKGS))
LDFLAGS += -pie -Wl,-z,relro,-z,now
LDLIBS = $(shell pkg-config --libs $(PKGS)) -ldl

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
$(BUILD)/t/%: t/%.c $(BUILD)/libcertline.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(HARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libcertline.a $(LDLIBS)

$(BUILD)/t/%.so: t/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

clean:
	rm -rf $(BUILD)

.PHONY: all clean
.SECONDARY:
-include $(wildcard $(BUILD)/lib/*.d $(BUILD)/cmd/*.d)
