/* All that waits: for a list, or to be decided one after the other at a terminal. What it costs
 * follows from what waits, and not from what ever did: no other message is read. */
#include "approve_priv.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "clock.h"
#include "diag.h"
#include "io.h"

/* Whether people must still decide. A message that does not verify any more, or whose lot is gone,
 * cannot be granted: its next poll is answered with that. */
static enum status waits(const struct approve *a, struct approve_held *h, int changed,
                         struct approve_tally *t, int *yes)
{
    char why[CMS_WHY];
    const struct lot *lot = lots_find(a->u->lots, h->lot);
    *t = (struct approve_tally){0};
    *yes = 0;
    if (changed || !lot)
        return ST_OK;
    if (!approve_held_open(a, h, why)) {
        diag_note("a message for lot %s is not good any more: %s", h->lot, why);
        return ST_OK;
    }
    enum status st = approve_tally(a, h, lot, t);
    *yes = st == ST_OK && t->state == APPROVE_WAITS;
    return st;
}

static void put_line(const struct approve_held *h, const struct approve_tally *t, size_t digits)
{
    struct buf line = {0}, id = {0};
    char when[CLOCK_TEXT], shown[4 * 200 + 1];
    const char *const texts[] = {h->lot, h->owner, h->attach};
    clock_format(h->since, when);
    buf_hex(&id, h->message, sizeof h->message);
    buf_put(&line, id.d, digits);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        diag_escape(texts[i], shown, sizeof shown);
        buf_printf(&line, "\t%s", shown);
    }
    buf_printf(&line, "\t%u\t%s\t%d of %d\n", (unsigned)h->requests, when, t->granted, t->needed);
    io_stdout(line.d, line.n);
    buf_free(&line);
    buf_free(&id);
}

enum status approve_list(const struct approve *a)
{
    struct approve_places p;
    size_t n = 0;
    enum status st = approve_places(a, NULL, &p);
    for (size_t i = 0; st == ST_OK && i < p.n; i++) {
        struct approve_held h = {0};
        struct approve_tally t = {0};
        int changed, yes = 0;
        st = approve_held_at(a, &p.v[i], &h, &changed);
        if (st == ST_OK)
            st = waits(a, &h, changed, &t, &yes);
        if (yes)
            put_line(&h, &t, p.digits);
        n += (size_t)yes;
        approve_tally_free(&t);
        approve_held_free(&h);
    }
    approve_places_free(&p);
    return st == ST_OK && n ? ST_REFUSED : st;
}

/* --- at a terminal --- */

/* A line without its end; 0 at the end of input. */
static int ask(FILE *tty, const char *question, char *out, size_t n)
{
    tcflush(fileno(tty), TCIFLUSH); /* nobody answers what was not shown yet */
    fputs(question, tty);
    fflush(tty);
    if (!fgets(out, (int)n, tty))
        return 0;
    if (!strchr(out, '\n')) /* too long: what stands behind it is no answer to the next question */
        for (int c; (c = getc(tty)) != EOF && c != '\n';)
            ;
    out[strcspn(out, "\n")] = 0;
    return 1;
}

/* y grants, r refuses, all else leaves it waiting. 0 at the end of input. */
static int answer(FILE *tty, const char **why, int *votes, char *text, size_t n)
{
    char word[8];
    *votes = 0;
    *why = NULL;
    if (!ask(tty, "grant? y, N (leave it), r (refuse): ", word, sizeof word))
        return 0;
    *votes = !strcmp(word, "y") || !strcmp(word, "Y") || !strcmp(word, "yes");
    if (strcmp(word, "r") && strcmp(word, "R"))
        return 1;
    do {
        if (!ask(tty, "why: ", text, n))
            return 0;
    } while (!*text || !x509_text_ok(text, strlen(text)));
    *votes = 1;
    *why = text;
    return 1;
}

static enum status ask_one(const struct approve *a, struct approve_hand *hand,
                           struct approve_held *h, FILE *tty, int *more)
{
    struct buf shown = {0};
    char text[APPROVE_REASON + 1];
    const char *why;
    int votes = 0;
    enum status st = approve_show_put(a, h, 0, &shown);
    if (st == ST_OK) {
        fprintf(tty, "%s\n", (char *)shown.d);
        *more = answer(tty, &why, &votes, text, sizeof text) && !io_stopping();
    }
    buf_free(&shown);
    return st == ST_OK && votes ? approve_vote(a, hand, h, 0, why) : st;
}

static enum status ask_all(const struct approve *a, struct approve_hand *hand, FILE *tty)
{
    struct approve_places p;
    enum status worst = approve_places(a, NULL, &p);
    int more = 1;
    for (size_t i = 0; more && worst <= ST_REFUSED && i < p.n; i++) {
        struct approve_held h = {0};
        struct approve_tally t = {0};
        int changed, yes = 0;
        enum status st = approve_held_at(a, &p.v[i], &h, &changed);
        if (st == ST_OK)
            st = waits(a, &h, changed, &t, &yes);
        if (yes)
            st = ask_one(a, hand, &h, tty, &more);
        worst = status_worse(worst, st);
        approve_tally_free(&t);
        approve_held_free(&h);
    }
    approve_places_free(&p);
    return worst;
}

enum status approve_ask(const struct approve *a, const struct approve_person *p)
{
    struct approve_hand hand = {0};
    FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty) {
        diag_warn("--ask: there is no terminal to ask on");
        diag_hint("--list, --show, --grant and --refuse need none");
        return ST_USAGE;
    }
    enum status st = approve_hand_open(a, p, &hand);
    if (st == ST_OK)
        st = ask_all(a, &hand, tty);
    signer_close(hand.signer);
    fclose(tty);
    return st;
}
