/* audit-test CONFIG LOT BLOCKS: exports with manifests of so few blocks that there are several. */
#include <stdlib.h>

#include "audit.h"
#include "diag.h"
#include "io.h"

int main(int argc, char **argv)
{
    struct unit *u = NULL;
    if (argc != 4)
        return ST_USAGE;
    diag_program("audit-test");
    io_init();
    enum status st = unit_open(PATH_CA_SIGN, argv[1], &u);
    if (st == ST_OK) {
        struct audit_filter f = {.lot = argv[2]};
        st = audit_export(u, &f, strtoul(argv[3], NULL, 10));
    }
    unit_close(u);
    signer_finish();
    return (int)st;
}
