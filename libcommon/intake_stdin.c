/* Blocks from stdin. */
#include "intake_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "head.h"

struct source {
    struct pem *in;
    enum pem_result got; /* the next one, handed over */
    struct pem_block *block;
};

static enum status take(struct intake *w, const struct pem_block *p)
{
    char where[40];
    snprintf(where, sizeof where, "stdin:%lu", p->line);
    if (!strcmp(p->label, "CMS")) {
        w->blocks++;
        intake_bad(w, where, "a message of a unit among requests");
        return ST_INPUT;
    }
    struct intake_block b = {
        .where = where, .line = p->line, .label = p->label, .text = p->text, .der = {p->der, p->n}};
    return intake_take(w, &b);
}

static enum status bad_block(struct intake *w, const struct pem_block *p)
{
    char where[40];
    snprintf(where, sizeof where, "stdin:%lu", p->line);
    w->blocks++;
    intake_bad(w, where, p->why);
    return ST_OK;
}

static enum status feed(struct intake *w, void *arg)
{
    struct source *s = arg;
    enum status st = ST_OK;
    for (;; s->got = pem_next(s->in, s->block, 0)) {
        switch (s->got) {
        case PEM_BLOCK:
            st = take(w, s->block);
            break;
        case PEM_BAD:
            st = bad_block(w, s->block);
            break;
        case PEM_WAIT: /* nothing more is there to read: do not let those wait that are */
            st = intake_send(w);
            if (st == ST_OK)
                st = head_wait(w->u, 0);
            break;
        case PEM_FAIL:
            diag_warn("stdin: %s", strerror(errno));
            return ST_TEMP;
        case PEM_END:
            return ST_OK;
        }
        if (st != ST_OK)
            return st;
    }
}

enum status intake_run(struct unit *u, const struct intake_options *o, struct pem *in,
                       enum pem_result got, struct pem_block *first)
{
    struct source s = {in, got, first};
    return intake_work(u, o, feed, &s);
}
