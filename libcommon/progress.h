/* What -p shows: one line on stderr that counts while the program works, only where stderr is a
 * terminal. The cursor stays at the line's beginning, so that a diagnostic writes over it. */
#ifndef PROGRESS_H
#define PROGRESS_H

/* Shows from now on; `what` is counted ("requests"), borrowed for the life of the process. No
 * effect where stderr is no terminal. */
void progress_start(const char *what);
/* n more are done; shown at most ten times a second. No effect before progress_start. */
void progress_step(long n);
/* Shows the last state and leaves the line. */
void progress_end(void);

#endif
