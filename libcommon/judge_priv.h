/* What the parts of judge share. */
#ifndef JUDGE_PRIV_H
#define JUDGE_PRIV_H

#include "judge.h"

/* The device that the profile's rule finds in the names that will stand: those that were set, else
 * those that were asked. As profile_device. */
int judge_device(const struct profile *p, const struct profile_asked *a, struct buf *id,
                 char why[X509_WHY]);

#endif
