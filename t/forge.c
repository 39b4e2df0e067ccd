/* The attacker's tool: takes messages apart and changes what is in them. It reads one PEM block, or
 * DER, from stdin. forge-sign makes messages.
 *
 *   forge get PATH     prints the element as DER
 *   forge hex PATH     prints its content octets in hex
 *   forge pem LABEL    prints the whole as PEM
 *   forge nest N       prints N SEQUENCEs inside each other
 *   forge edit EDIT... changes it; what came as PEM goes as PEM
 *   forge resign KEY   signs the signed attributes of a message again, as they are now
 *
 * PATH: numbers of children from the outermost element inward, "1/0/3"; "." is the outermost, "$" a
 * last child; an octet string is entered as if it were constructed. EDIT is "PATH OP [VALUE]":
 *   del | dup | swap               itself; put once more behind it; changed with the next
 *   set V | before V | after V     another element in its place, or beside it
 *   add V | body V                 one more child; other content octets
 *   tag XX                         another identifier octet
 *   long | indef                   a length of more octets than it needs; BER's open length
 * V is hex, or @FILE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "alloc.h"
#include "der.h"
#include "diag.h"
#include "io.h"
#include "pem.h"
#include "x509.h"

#define INPUT_MAX (16 * 1024 * 1024)

/* --- a tree of elements --- */

struct node {
    unsigned char id;
    int open; /* content is in kids */
    enum { SHORT, LONG, INDEFINITE } form;
    struct buf body;
    struct node *kids, *next;
};

static void tree_free(struct node *t)
{
    while (t) {
        struct node *next = t->next;
        tree_free(t->kids);
        buf_free(&t->body);
        free(t);
        t = next;
    }
}

static struct node *tree_read(struct span in)
{
    struct node *first = NULL, **end = &first;
    struct der_tlv t;
    while (in.n) {
        if (!der_next(&in.p, &in.n, &t))
            diag_exit(ST_INPUT, "not a row of elements");
        struct node *one = *end = alloc_zero(1, sizeof *one);
        end = &one->next;
        one->id = t.der[0];
        one->open = t.constructed != 0;
        if (t.constructed)
            one->kids = tree_read((struct span){t.content, t.len});
        else
            buf_put(&one->body, t.content, t.len);
    }
    return first;
}

static void put_length(struct buf *out, const struct node *t, size_t n)
{
    unsigned char octets[8];
    int k = 0;
    if (t->form == INDEFINITE) {
        buf_char(out, 0x80);
        return;
    }
    if (n < 128 && t->form == SHORT) {
        buf_char(out, (int)n);
        return;
    }
    for (size_t left = n; left; left >>= 8)
        octets[k++] = (unsigned char)left;
    if (t->form == LONG)
        octets[k++] = 0;
    buf_char(out, 0x80 | k);
    while (k)
        buf_char(out, octets[--k]);
}

static void tree_write(const struct node *t, struct buf *out)
{
    for (; t; t = t->next) {
        struct buf inside = {0};
        if (t->open)
            tree_write(t->kids, &inside);
        else
            buf_put(&inside, t->body.d, t->body.n);
        buf_char(out, t->id);
        put_length(out, t, inside.n);
        buf_put(out, inside.d, inside.n);
        if (t->form == INDEFINITE)
            buf_put(out, "\0\0", 2);
        buf_free(&inside);
    }
}

static void tree_open(struct node *t)
{
    if (t->open)
        return;
    t->kids = tree_read(buf_span(&t->body));
    t->open = 1;
}

/* The place that points to the element. */
static struct node **tree_find(struct node **top, const char *path)
{
    struct node **at = top;
    const char *step = strcmp(path, ".") ? path : "";
    while (*step) {
        char *end;
        long n = *step == '$' ? -1 : strtol(step, &end, 10);
        if (*step == '$')
            end = (char *)(uintptr_t)step + 1;
        if (end == step || (*end && *end != '/'))
            diag_exit(ST_USAGE, "%s: not a path", path);
        tree_open(*at);
        at = &(*at)->kids;
        while (*at && (n > 0 || (n < 0 && (*at)->next))) {
            at = &(*at)->next;
            n -= n > 0;
        }
        if (!*at)
            diag_exit(ST_USAGE, "%s: there is no such element", path);
        step = *end ? end + 1 : end;
    }
    return at;
}

/* --- edits --- */

static void value(const char *text, struct buf *out)
{
    unsigned octet;
    if (*text == '@') {
        if (!io_read_file(text + 1, INPUT_MAX, out))
            exit(ST_USAGE);
        return;
    }
    for (; *text; text += 2) {
        if (sscanf(text, "%2x", &octet) != 1 || !text[1])
            diag_exit(ST_USAGE, "%s: not hex", text);
        buf_char(out, (int)octet);
    }
}

static struct node *copy_of(const struct node *t)
{
    struct buf der = {0};
    struct node alone = *t;
    alone.next = NULL;
    tree_write(&alone, &der);
    struct node *copy = tree_read(buf_span(&der));
    buf_free(&der);
    return copy;
}

static void drop(struct node **at)
{
    struct node *gone = *at;
    *at = gone->next;
    gone->next = NULL;
    tree_free(gone);
}

/* Ops that take a value. */
static int edit_with(struct node **at, const char *op, const char *text)
{
    struct buf v = {0};
    struct node *t = *at, **to = NULL;
    value(text, &v);
    if (!strcmp(op, "tag") && v.n == 1)
        t->id = v.d[0];
    else if (!strcmp(op, "body")) {
        tree_free(t->kids);
        t->kids = NULL;
        t->open = 0;
        buf_free(&t->body);
        t->body = v;
        return 1;
    } else if (!strcmp(op, "set")) {
        drop(at);
        to = at;
    } else if (!strcmp(op, "before"))
        to = at;
    else if (!strcmp(op, "after"))
        to = &t->next;
    else if (!strcmp(op, "add")) {
        tree_open(t);
        for (to = &t->kids; *to; to = &(*to)->next)
            ;
    }
    if (to) {
        struct node *rest = *to, *last = *to = tree_read(buf_span(&v));
        while (last->next)
            last = last->next;
        last->next = rest;
    }
    int known = to || !strcmp(op, "tag");
    buf_free(&v);
    return known;
}

static int edit_alone(struct node **at, const char *op)
{
    struct node *t = *at, *other;
    if (!strcmp(op, "del"))
        drop(at);
    else if (!strcmp(op, "dup")) {
        other = copy_of(t);
        other->next = t->next;
        t->next = other;
    } else if (!strcmp(op, "swap") && t->next) {
        other = t->next;
        t->next = other->next;
        other->next = t;
        *at = other;
    } else if (!strcmp(op, "long"))
        t->form = LONG;
    else if (!strcmp(op, "indef"))
        t->form = INDEFINITE;
    else
        return 0;
    return 1;
}

static void edit(struct node **top, const char *words)
{
    char *copy = alloc_str(words), *save = NULL;
    const char *path = strtok_r(copy, " ", &save), *op = strtok_r(NULL, " ", &save);
    const char *text = strtok_r(NULL, " ", &save);
    if (!op)
        diag_exit(ST_USAGE, "%s: not an edit", words);
    struct node **at = tree_find(top, path);
    if (!(text ? edit_with(at, op, text) : edit_alone(at, op)))
        diag_exit(ST_USAGE, "%s: not an edit", words);
    free(copy);
}

/* --- the commands --- */

static void do_get(struct span in, const char *path, int hex)
{
    struct node *top = tree_read(in), *t = *tree_find(&top, path);
    struct buf out = {0}, text = {0};
    struct node *rest = t->next;
    t->next = NULL;
    tree_write(t, &out);
    if (hex) {
        struct der_tlv tlv;
        der_one(out.d, out.n, t->id >> 6, t->id & 31, &tlv);
        buf_hex(&text, tlv.content, tlv.len);
        buf_char(&text, '\n');
        io_stdout(text.d, text.n);
    } else
        io_stdout(out.d, out.n);
    t->next = rest;
    buf_free(&out);
    buf_free(&text);
    tree_free(top);
}

static void do_edit(struct span in, const char *label, int argc, char **argv)
{
    struct node *top = tree_read(in);
    struct buf der = {0}, pem = {0};
    for (int i = 0; i < argc; i++)
        edit(&top, argv[i]);
    tree_write(top, &der);
    if (*label)
        pem_put(&pem, label, der.d, der.n);
    io_stdout(*label ? pem.d : der.d, *label ? pem.n : der.n);
    tree_free(top);
    buf_free(&der);
    buf_free(&pem);
}

static void do_nest(int n)
{
    struct buf der = {0};
    x509_put(&der, 0x05, NULL, 0);
    while (n--)
        x509_wrap(&der, 0, 0x30);
    io_stdout(der.d, der.n);
    buf_free(&der);
}

/* The signature is the last element of a message, and what it covers stands two before it. */
static void do_resign(struct span in, const char *key_file)
{
    static const char info[] = "1/0/4/0";
    struct node *top = tree_read(in), *attributes, *signature;
    struct buf tbs = {0}, pem = {0};
    char path[sizeof info + 4];
    FILE *f = fopen(key_file, "r");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[512];
    size_t n = sizeof sig;
    snprintf(path, sizeof path, "%s/3", info);
    attributes = *tree_find(&top, path);
    struct node *rest = attributes->next;
    attributes->next = NULL;
    tree_write(attributes, &tbs);
    attributes->next = rest;
    tbs.d[0] = 0x31; /* SET OF, where it is signed: RFC 5652, section 5.4 */
    snprintf(path, sizeof path, "%s/5", info);
    signature = *tree_find(&top, path);
    if (!key || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(ctx, sig, &n, tbs.d, tbs.n) != 1)
        diag_exit(ST_USAGE, "%s: cannot sign", key_file);
    buf_reset(&signature->body);
    buf_put(&signature->body, sig, n);
    buf_reset(&tbs);
    tree_write(top, &tbs);
    pem_put(&pem, "CMS", tbs.d, tbs.n);
    io_stdout(pem.d, pem.n);
    fclose(f);
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(ctx);
    tree_free(top);
    buf_free(&tbs);
    buf_free(&pem);
}

/* One PEM block, whose label goes to `label`, or DER. */
static void read_input(struct buf *der, char label[64])
{
    struct buf in = {0};
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long n = 0;
    *label = '\0';
    if (!io_read_fd(0, INPUT_MAX, &in, "stdin"))
        exit(ST_TEMP);
    BIO *bio = BIO_new_mem_buf(in.d, (int)in.n);
    if (in.n && in.d[0] != 0x30 && PEM_read_bio(bio, &name, &header, &data, &n)) {
        snprintf(label, 64, "%s", name);
        buf_put(der, data, (size_t)n);
    } else
        buf_put(der, in.d, in.n);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(bio);
    buf_free(&in);
}

int main(int argc, char **argv)
{
    struct buf in = {0}, pem = {0};
    char label[64];
    io_init();
    diag_program("forge");
    if (argc < 3 && (argc < 2 || strcmp(argv[1], "edit")))
        diag_exit(ST_USAGE, "get, hex, pem, nest, edit or resign");
    if (!strcmp(argv[1], "nest")) {
        do_nest(atoi(argv[2]));
        return 0;
    }
    read_input(&in, label);
    if (!strcmp(argv[1], "get") || !strcmp(argv[1], "hex"))
        do_get(buf_span(&in), argv[2], argv[1][0] == 'h');
    else if (!strcmp(argv[1], "pem")) {
        pem_put(&pem, argv[2], in.d, in.n);
        io_stdout(pem.d, pem.n);
    } else if (!strcmp(argv[1], "edit"))
        do_edit(buf_span(&in), label, argc - 2, argv + 2);
    else if (!strcmp(argv[1], "resign"))
        do_resign(buf_span(&in), argv[2]);
    else
        diag_exit(ST_USAGE, "%s: no such command", argv[1]);
    buf_free(&in);
    buf_free(&pem);
    return 0;
}
