/* Part of ledger-test.c: counting, looking up, and what happens within a transaction. */
#ifndef LEDGER_TEST_H
#define LEDGER_TEST_H

/* count OWNER LOT FIRST N [KEY]: what counts for a lot, unless it does already; a transaction each.
 */
static void count(void)
{
    long first = number(2, 0), n = number(3, 1);
    for (long i = first; i < first + n; i++) {
        char name[64];
        int yes = 0;
        int64_t used;
        snprintf(name, sizeof name, "d%ld", i);
        struct ledger_identity who = {.owner = word[0], .profile = "p", .device = name};
        who.key = (struct span){(unsigned char *)name, strlen(name)};
        if (word[4])
            who.key = (struct span){(unsigned char *)word[4], strlen(word[4])};
        struct ledger_entry e = {.kind = LEDGER_COUNTED,
                                 .owner = word[0],
                                 .lot = word[1],
                                 .profile = "p",
                                 .device = name,
                                 .key = who.key};
        must(ledger_begin(ledger));
        must(ledger_expect(ledger, LEDGER_COUNTED, &who, 1));
        must(ledger_is_counted(ledger, word[1], &who, &yes));
        if (!yes)
            must(ledger_add(ledger, &e));
        must(ledger_counted(ledger, word[0], word[1], &used));
        must(ledger_commit(ledger));
        printf("%s %lld\n", yes ? "again" : "counted", (long long)used);
    }
}

/* put KIND [FIELD=VALUE...]: one entry. */
static void put(void)
{
    unsigned char t[16];
    struct ledger_entry e = {.kind = (enum ledger_kind)number(0, 0)};
    for (int i = 1; word[i]; i++) {
        char *value = strchr(word[i], '=') + 1;
        struct span octets = {(unsigned char *)value, strlen(value)};
        switch (word[i][0]) {
        case 'd':
            e.device = value;
            break;
        case 'i':
            e.digest_in = octets;
            break;
        case 'k':
            e.key = octets;
            break;
        case 'l':
            e.lot = value;
            break;
        case 'n':
            e.note = value;
            break;
        case 'o':
            e.owner = value;
            break;
        case 'p':
            e.profile = value;
            break;
        case 's':
            e.serial = octets;
            break;
        case 't':
            e.tid = name16(t, value, 0);
            break;
        case 'u':
            e.unit = value;
            break;
        default:
            exit(ST_USAGE);
        }
    }
    must(ledger_begin(ledger));
    must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
}

static void show(const struct ledger_entry *e)
{
    int n = 0;
    if (e->id)
        print(e, &n);
}

/* newest KIND [NOTE] */
static void newest(void)
{
    struct ledger_entry e;
    must(ledger_newest(ledger, (enum ledger_kind)number(0, 0), word[1], &e));
    show(&e);
}

/* revoked SERIAL ISSUER */
static void revoked(void)
{
    struct ledger_entry e;
    must(ledger_revoked(ledger, (struct span){(unsigned char *)word[0], strlen(word[0])}, word[1],
                        &e));
    show(&e);
}

static void held(void)
{
    int n = 0;
    must(ledger_held(ledger, print, &n));
}

/* allowed OWNER PROFILE DEVICE */
static void allowed(void)
{
    int n = 0;
    must(ledger_allowed(ledger, word[0], word[1], word[2], print, &n));
}

/* scan KINDS AFTER LAST [FIELD=VALUE]: KINDS as digits, joined by commas; "bare": without data. */
static void scan(void)
{
    struct ledger_filter f = {.after = number(1, 0), .last = number(2, 0)};
    unsigned char t[16];
    int n = 0;
    for (char *k = strtok(word[0], ","); k; k = strtok(NULL, ","))
        f.kinds |= 1u << atoi(k);
    for (int i = 3; word[1] && word[2] && word[i]; i++) {
        char *value = strchr(word[i], '=');
        value = value ? value + 1 : word[i];
        f.no_data |= word[i][0] == 'b';
        f.device = word[i][0] == 'd' ? value : f.device;
        f.lot = word[i][0] == 'l' ? value : f.lot;
        f.owner = word[i][0] == 'o' ? value : f.owner;
        f.profile = word[i][0] == 'p' ? value : f.profile;
        f.unit = word[i][0] == 'u' ? value : f.unit;
        f.since = word[i][0] == 'S' ? atol(value) : f.since;
        f.until = word[i][0] == 'U' ? atol(value) : f.until;
        if (word[i][0] == 's')
            f.serial = (struct span){(unsigned char *)value, strlen(value)};
        if (word[i][0] == 't')
            f.tid = name16(t, value, 0);
    }
    must(ledger_scan(ledger, &f, print, &n));
}

/* stand SINCE: and each link as it is recorded */
static void stand(void)
{
    struct ledger_stand s;
    unsigned char hash[32];
    must(ledger_stand(ledger, number(0, 0), &s));
    printf("entry %lld\n", (long long)s.entry);
    for (size_t i = 0; i < s.n; i++) {
        const struct ledger_link *at = &s.links[i];
        int there = ledger_link(ledger, at->writer, at->n, hash);
        printf("writer %lld n %lld %s\n", (long long)at->writer, (long long)at->n,
               there == 1 && !memcmp(hash, at->hash, sizeof hash) ? "linked" : "other");
    }
    ledger_stand_free(&s);
}

/* link WRITER N */
static void link_at(void)
{
    unsigned char hash[32] = {0};
    int there = ledger_link(ledger, number(0, 1), number(1, 1), hash);
    printf("%d ", there);
    for (size_t i = 0; i < sizeof hash; i++)
        printf("%02X", hash[i]);
    printf("\n");
}

static void unit(void)
{
    printf("%s\n", ledger_unit(ledger));
}

static struct span word_span(const char *s)
{
    return (struct span){(const unsigned char *)s, strlen(s)};
}

/* within: everything that a transaction added, asked for before it ends. */
static void within(void)
{
    unsigned char t[16];
    struct ledger_entry v[] = {
        {.kind = LEDGER_UP, .tid = name16(t, "x", 1), .unit = "a1", .device = "up"},
        {.kind = LEDGER_ISSUED,
         .owner = "o",
         .profile = "p",
         .device = "d1",
         .key = word_span("k")},
        {.kind = LEDGER_COUNTED, .owner = "o", .lot = "l", .profile = "p", .device = "d2"},
        {.kind = LEDGER_REVOKED, .serial = word_span("s"), .note = "ca", .device = "d3"},
        {.kind = LEDGER_CRL, .note = "ca", .device = "crl1"},
        {.kind = LEDGER_CRL, .note = "ca", .device = "crl2"},
        {.kind = LEDGER_ALLOWED, .owner = "o", .profile = "p", .device = "d1"},
    };
    struct ledger_identity who = {
        .owner = "o", .profile = "p", .device = "d2", .key = word_span("k2")};
    struct ledger_entry e;
    int n = 0, yes = 0;
    int64_t used = 0;
    v[2].key = who.key;
    must(ledger_begin(ledger));
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        must(ledger_add(ledger, &v[i]));
    must(ledger_by_tid(ledger, LEDGER_UP, v[0].tid, "a1", print, &n));
    must(ledger_by_tid(ledger, LEDGER_UP, v[0].tid, "a2", print, &n));
    must(ledger_by_key(ledger, v[1].key, print, &n));
    must(ledger_by_device(ledger, "o", "p", "d1", print, &n));
    must(ledger_is_counted(ledger, "l", &who, &yes));
    must(ledger_counted(ledger, "o", "l", &used));
    printf("%d %lld\n", yes, (long long)used);
    must(ledger_revoked(ledger, v[3].serial, "ca", &e));
    show(&e);
    must(ledger_newest(ledger, LEDGER_CRL, "ca", &e));
    show(&e);
    must(ledger_allowed(ledger, "o", "p", "d1", print, &n));
    ledger_abort(ledger);
}

/* claim KEY DEVICE: issues for the key unless it has a certificate; between the two, a line from
 * stdin. */
static void claim(void)
{
    int n = 0;
    struct ledger_identity who = {
        .owner = "acme", .profile = "p", .device = word[1], .key = word_span(word[0])};
    struct ledger_entry e = {
        .kind = LEDGER_ISSUED, .owner = "acme", .profile = "p", .device = word[1], .key = who.key};
    must(ledger_begin(ledger));
    must(ledger_expect(ledger, LEDGER_ISSUED, &who, 1));
    must(ledger_by_key(ledger, who.key, tally, &n));
    printf("looked %d\n", n);
    fflush(stdout);
    getchar();
    if (!n)
        must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
    printf(n ? "refused\n" : "issued\n");
}

/* next KIND: one that follows from the newest; between the two, a line from stdin. */
static void next(void)
{
    struct ledger_entry e;
    must(ledger_begin(ledger));
    must(ledger_newest(ledger, (enum ledger_kind)number(0, 0), NULL, &e));
    e = (struct ledger_entry){.kind = (enum ledger_kind)number(0, 0), .status = e.status + 1};
    printf("%lld\n", (long long)e.status);
    fflush(stdout);
    getchar();
    must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
}

/* expect N: a transaction of so many identities. */
static void expect(void)
{
    long n = number(0, 1);
    int seen = 0;
    struct ledger_identity *who = calloc((size_t)n, sizeof *who);
    char(*name)[32] = calloc((size_t)n, sizeof *name);
    for (long i = 0; i < n; i++) {
        snprintf(name[i], sizeof name[i], "d%ld", i);
        who[i] = (struct ledger_identity){
            .owner = "acme", .profile = "p", .device = name[i], .key = word_span(name[i])};
    }
    must(ledger_begin(ledger));
    must(ledger_expect(ledger, LEDGER_ISSUED, who, (size_t)n));
    for (long i = 0; i < n; i++)
        must(ledger_by_key(ledger, who[i].key, tally, &seen));
    must(ledger_commit(ledger));
    printf("%ld\n", n);
    free(who);
    free(name);
}

/* twice: a transaction, a line from stdin, another. */
static void twice(void)
{
    struct ledger_entry e = {.kind = LEDGER_HELD};
    for (int i = 0; i < 2; i++) {
        must(ledger_begin(ledger));
        must(ledger_add(ledger, &e));
        must(ledger_commit(ledger));
        printf(i ? "second\n" : "first\n");
        fflush(stdout);
        if (!i)
            getchar();
    }
}

#endif
