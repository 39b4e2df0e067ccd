/* What the parts of lot share. */
#ifndef LOT_PRIV_H
#define LOT_PRIV_H

#include <regex.h>

#include "lot.h"

#define LOT_PATTERN 200 /* octets of a pattern */
#define LOT_SAN 16      /* names of a lot's template, forms of an owner */
#define LOT_FIXED 16    /* attributes that an owner's subjects must have */
#define LOT_BAD_ROWS 20 /* warnings about a list, then it gives up */

/* --- lot_list.c: the index over a device list --- */

struct lot_list;

/* Reads the list once. NULL after a warning: every bad row is named. */
struct lot_list *lot_list_open(const char *path);
void lot_list_free(struct lot_list *t);
/* As lots_device. */
int lot_list_find(struct lot_list *t, const char *device, struct csv_row *row);
unsigned long lot_list_line(struct lot_list *t, int64_t offset);
const struct csv *lot_list_csv(const struct lot_list *t);
size_t lot_list_count(const struct lot_list *t);

/* --- the file --- */

struct lot_entry {
    struct lot lot; /* first: what callers hold points here */
    char *path;
    regex_t *pattern;
    struct lot_list *list;
    int unusable; /* it was said once; a list is not read again for each device */
};

struct lot_fixed {
    char *type, *value; /* as x509_name_each gives them */
};

struct lot_owner {
    const char *name, *subject;
    struct cfg_strings san, profiles;
    int has_san;         /* an empty list allows none */
    char *form[LOT_SAN]; /* of `san`, as x509_san_text writes it; as it stands where it has an
                            asterisk */
    struct lot_fixed fixed[LOT_FIXED];
    size_t n_fixed;
};

struct lots {
    struct cfg *cfg;
    struct lot_entry *v;
    size_t n;
    struct lot_owner *owners;
    size_t n_owners;
};

struct lot_entry *lot_entry(const struct lots *ls, const struct lot *l);

/* lot_read.c. 0 after a warning. */
int lot_read(struct lots *ls);

/* lot_owner.c: the file's owners, read ahead of its lots. 0 after a warning. */
int lot_owners_read(struct lots *ls, const struct cfg_node *list);
/* NULL: none of that name, or the file has none. */
const struct lot_owner *lot_owner_find(const struct lots *ls, const char *name);
void lot_owner_free(struct lot_owner *o);

/* lot_names.c: whether the templates of a lot are well-formed, and name `serial` alone where there
 * is no list. 0 after a warning. */
int lot_templates_read(struct lots *ls, const struct cfg_node *node, const struct lot *l);
/* Whether they name columns of this list. 0 after a warning. */
int lot_templates_fit(const struct lot *l, const struct csv *csv);
/* Whether they make the names of every device of this list. 0 after a warning for each whose names
 * they do not. */
int lot_templates_work(const struct lot *l, const char *path);

#endif
