#include "status.h"

static int rank(enum status s)
{
    switch (s) {
    case ST_TEMP:
        return 5;
    case ST_INPUT:
        return 4;
    case ST_USAGE:
        return 3;
    case ST_EMPTY:
        return 2;
    case ST_REFUSED:
        return 1;
    case ST_OK:
        break;
    }
    return 0;
}

enum status status_worse(enum status a, enum status b)
{
    return rank(a) >= rank(b) ? a : b;
}
