/* YAML files read through a strict schema. Every error says file:line:column, and is printed at the
 * site; the program then ends with ST_USAGE. Aliases, anchors, tags and multiple documents are
 * refused; limits: 4 MiB, depth 16, 100,000 nodes. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct cfg;      /* a file; owns all strings that were read from it */
struct cfg_node; /* a place in it */

enum cfg_kind { CFG_SCALAR, CFG_LIST, CFG_MAP };

enum cfg_type {
    CFG_STRING,   /* const char *; not empty */
    CFG_PATH,     /* const char *; a relative path starts in the file's folder */
    CFG_BOOL,     /* int: true/false, yes/no */
    CFG_INT,      /* int64_t in min..max */
    CFG_DURATION, /* int64_t seconds (clock_duration) in min..max; max 0: no bound */
    CFG_ENUM,     /* int: index in choices */
    CFG_STRINGS,  /* struct cfg_strings; a single scalar is a list of one */
    CFG_PATHS,    /* struct cfg_strings */
    CFG_NODE      /* const struct cfg_node *: the caller reads on */
};

struct cfg_strings {
    const char **v;
    size_t n;
};

struct cfg_field {
    const char *name; /* NULL behind the last one */
    enum cfg_type type;
    size_t offset; /* in the caller's struct; what is absent stays as the caller set it */
    int required;
    int64_t min, max;
    const char *const *choices; /* NULL-terminated */
};

/* NULL after a warning. */
struct cfg *cfg_load(const char *path);
/* Of what was read already; `path` names it in warnings. */
struct cfg *cfg_parse(const char *path, const void *text, size_t n);
void cfg_free(struct cfg *c);
const char *cfg_path(const struct cfg *c);
const struct cfg_node *cfg_root(const struct cfg *c);

/* Reads the mapping into `out`; an unknown, repeated or missing key, a wrong type or a bad value is
 * an error. 1, or 0 after a warning. */
int cfg_read(struct cfg *c, const struct cfg_node *map, const struct cfg_field *fields, void *out);

enum cfg_kind cfg_kind(const struct cfg_node *n);
size_t cfg_size(const struct cfg_node *n);                           /* entries of a list or map */
const struct cfg_node *cfg_item(const struct cfg_node *n, size_t i); /* i-th value */
const char *cfg_key(const struct cfg_node *n, size_t i);             /* i-th key of a map */
const struct cfg_node *cfg_key_node(const struct cfg_node *n, size_t i);   /* for its position */
const struct cfg_node *cfg_get(const struct cfg_node *n, const char *key); /* NULL if absent */
const char *cfg_text(const struct cfg_node *n); /* of a scalar; NULL otherwise */
/* Parses a scalar as a list of strings would be: allocated with the file. 0 after a warning. */
int cfg_strings(struct cfg *c, const struct cfg_node *n, struct cfg_strings *out);

/* Warns "file:line:column: why" and returns 0. */
int cfg_bad(const struct cfg *c, const struct cfg_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
