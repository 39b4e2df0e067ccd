/* libFuzzer: any octets as a YAML file, read with a schema. Run it with -close_fd_mask=2: nearly
 * every input gives a warning. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

struct all {
    const char *name, *path;
    int on, mode;
    int64_t count, age;
    struct cfg_strings words, files;
    const struct cfg_node *more;
};

static const char *const modes[] = {"slow", "fast", NULL};

static const struct cfg_field fields[] = {
    {"name", CFG_STRING, offsetof(struct all, name), 0, 0, 0, NULL},
    {"path", CFG_PATH, offsetof(struct all, path), 0, 0, 0, NULL},
    {"on", CFG_BOOL, offsetof(struct all, on), 0, 0, 0, NULL},
    {"mode", CFG_ENUM, offsetof(struct all, mode), 0, 0, 0, modes},
    {"count", CFG_INT, offsetof(struct all, count), 0, 1, 64, NULL},
    {"age", CFG_DURATION, offsetof(struct all, age), 0, 60, 86400, NULL},
    {"words", CFG_STRINGS, offsetof(struct all, words), 0, 0, 0, NULL},
    {"files", CFG_PATHS, offsetof(struct all, files), 0, 0, 0, NULL},
    {"more", CFG_NODE, offsetof(struct all, more), 0, 0, 0, NULL},
    {NULL, CFG_NODE, 0, 0, 0, 0, NULL}};

static size_t walk(const struct cfg_node *n, int depth)
{
    size_t octets = 0;
    if (depth > 16)
        abort();
    if (cfg_text(n))
        return strlen(cfg_text(n));
    for (size_t i = 0; i < cfg_size(n); i++) {
        if (cfg_kind(n) == CFG_MAP && cfg_get(n, cfg_key(n, i)) != cfg_item(n, i))
            abort(); /* a repeated key */
        octets += walk(cfg_item(n, i), depth + 1);
    }
    return octets;
}

static void check(const struct all *a)
{
    size_t octets = (a->name ? strlen(a->name) : 1) + (a->path ? strlen(a->path) : 1);
    for (size_t i = 0; i < a->words.n; i++)
        octets += strlen(a->words.v[i]);
    for (size_t i = 0; i < a->files.n; i++)
        octets += strlen(a->files.v[i]);
    if (!octets || a->count < 1 || a->count > 64 || a->age < 60 || a->age > 86400)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct all a = {.count = 1, .age = 60};
    char path[64];
    int fd = memfd_create("yaml", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    struct cfg *c = cfg_load(path);
    if (c) {
        walk(cfg_root(c), 1);
        if (cfg_read(c, cfg_root(c), fields, &a))
            check(&a);
    }
    cfg_free(c);
    close(fd);
    return 0;
}
