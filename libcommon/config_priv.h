/* What libyaml's events are turned into: a bounded tree that knows where each part stood. */
#ifndef CONFIG_PRIV_H
#define CONFIG_PRIV_H

#include "config.h"

#define CONFIG_OCTETS (4 << 20)
#define CONFIG_DEPTH 16
#define CONFIG_NODES 100000

struct cfg_node {
    enum cfg_kind kind;
    int plain;                  /* a scalar without quotes */
    unsigned long line, column; /* from 1 */
    char *text;                 /* of a scalar */
    struct cfg_node **item;     /* values of a list or map */
    struct cfg_node **key;      /* of a map; one more than items while it is being read */
    size_t items, keys;
};

struct cfg {
    char *path;
    struct cfg_node *root;
    void **own; /* what was made of the nodes for the callers */
    size_t owned;
};

/* Reads the text of the file named c->path into c->root. 0 after a warning; c is then still to be
 * freed. */
int cfg_tree_parse(struct cfg *c, const void *text, size_t n);
void cfg_tree_free(struct cfg_node *n);

#endif
