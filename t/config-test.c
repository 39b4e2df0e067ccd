/* Reads a file with a schema that has a field of each type, and shows what it holds; -t shows the
 * tree. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "diag.h"
#include "io.h"

struct all {
    const char *name, *path;
    int on, mode;
    int64_t count, age, life;
    struct cfg_strings words, files;
    const struct cfg_node *more;
};

static const char *const modes[] = {"slow", "fast", NULL};

static const struct cfg_field fields[] = {
    {"name", CFG_STRING, offsetof(struct all, name), 1, 0, 0, NULL},
    {"path", CFG_PATH, offsetof(struct all, path), 0, 0, 0, NULL},
    {"on", CFG_BOOL, offsetof(struct all, on), 0, 0, 0, NULL},
    {"mode", CFG_ENUM, offsetof(struct all, mode), 0, 0, 0, modes},
    {"count", CFG_INT, offsetof(struct all, count), 0, 1, 64, NULL},
    {"age", CFG_DURATION, offsetof(struct all, age), 0, 60, 86400, NULL},
    {"life", CFG_DURATION, offsetof(struct all, life), 0, 1, 0, NULL},
    {"words", CFG_STRINGS, offsetof(struct all, words), 0, 0, 0, NULL},
    {"files", CFG_PATHS, offsetof(struct all, files), 0, 0, 0, NULL},
    {"more", CFG_NODE, offsetof(struct all, more), 0, 0, 0, NULL},
    {NULL, CFG_NODE, 0, 0, 0, 0, NULL}};

static void tree(const struct cfg_node *n)
{
    if (cfg_kind(n) == CFG_SCALAR) {
        printf("<%s>", cfg_text(n));
        return;
    }
    putchar(cfg_kind(n) == CFG_MAP ? '{' : '[');
    for (size_t i = 0; i < cfg_size(n); i++) {
        if (cfg_kind(n) == CFG_MAP)
            printf("%s=", cfg_key(n, i));
        tree(cfg_item(n, i));
    }
    putchar(cfg_kind(n) == CFG_MAP ? '}' : ']');
}

static void list(const char *name, const struct cfg_strings *s)
{
    for (size_t i = 0; i < s->n; i++)
        printf("%s[%zu]=%s\n", name, i, s->v[i]);
}

static void show(const struct all *a)
{
    printf("name=%s path=%s on=%d mode=%d count=%lld age=%lld life=%lld\n", a->name,
           a->path ? a->path : "-", a->on, a->mode, (long long)a->count, (long long)a->age,
           (long long)a->life);
    list("words", &a->words);
    list("files", &a->files);
    if (a->more) {
        tree(a->more);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    int only_tree = argc > 1 && !strcmp(argv[1], "-t"), ok = 1;
    struct all a = {.on = -1, .mode = -1, .count = -1, .age = -1, .life = -1};
    io_init();
    diag_program("config-test");
    struct cfg *c = argc > 1 ? cfg_load(argv[argc - 1]) : NULL;
    if (!c)
        return ST_USAGE;
    if (only_tree) {
        tree(cfg_root(c));
        putchar('\n');
    } else if ((ok = cfg_read(c, cfg_root(c), fields, &a))) {
        show(&a);
    }
    cfg_free(c);
    return ok ? ST_OK : ST_USAGE;
}
