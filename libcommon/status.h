/* The exit status, the same in every program, and the verdict that functions of this library
 * give when the kind of failure matters to the caller. certline(7), EXIT STATUS. */
#ifndef STATUS_H
#define STATUS_H

enum status {
    ST_OK = 0,      /* done, every request served */
    ST_REFUSED = 1, /* done, but a request was refused, or a person must act */
    ST_USAGE = 2,   /* usage or configuration */
    ST_INPUT = 3,   /* malformed or unauthenticated input */
    ST_TEMP = 4,    /* temporary: HSM, ledger or network; run it again, nothing is lost */
    ST_EMPTY = 5    /* stdin was empty: a stage before this one died */
};

/* The one that decides the exit when both happened: TEMP, then INPUT, then the higher of the rest. */
enum status status_worse(enum status a, enum status b);

#endif
