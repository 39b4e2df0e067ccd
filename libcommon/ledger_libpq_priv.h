/* libpq, loaded when a ledger is in a database: with what it needs itself it takes longer to start
 * than a unit, and who keeps a file does not need it. */
#ifndef LEDGER_LIBPQ_PRIV_H
#define LEDGER_LIBPQ_PRIV_H

#include <libpq-fe.h>

#define LEDGER_LIBPQ(f)                                                                            \
    f(PQclear) f(PQcmdStatus) f(PQconnectStartParams) f(PQconninfoFree) f(PQconninfoParse)         \
        f(PQerrorMessage) f(PQexec) f(PQexecParams) f(PQfinish) f(PQfreemem) f(PQgetResult)        \
            f(PQgetisnull) f(PQgetlength) f(PQgetvalue) f(PQntuples) f(PQprepare) f(PQreset)       \
                f(PQresultErrorField) f(PQresultStatus) f(PQsendQueryPrepared)                     \
                    f(PQsetErrorVerbosity) f(PQsetNoticeProcessor) f(PQsetSingleRowMode)           \
                        f(PQstatus) f(PQtransactionStatus) f(PQuser)

#define LEDGER_LIBPQ_MEMBER(name) __typeof__(name) *name##_;
struct ledger_libpq {
    LEDGER_LIBPQ(LEDGER_LIBPQ_MEMBER)
};
extern struct ledger_libpq ledger_libpq;

/* 1; 0 after a warning. */
int ledger_libpq_load(void);

#ifndef LEDGER_LIBPQ_NAMES_ALONE
#define PQclear ledger_libpq.PQclear_
#define PQcmdStatus ledger_libpq.PQcmdStatus_
#define PQconnectStartParams ledger_libpq.PQconnectStartParams_
#define PQconninfoFree ledger_libpq.PQconninfoFree_
#define PQconninfoParse ledger_libpq.PQconninfoParse_
#define PQerrorMessage ledger_libpq.PQerrorMessage_
#define PQexec ledger_libpq.PQexec_
#define PQexecParams ledger_libpq.PQexecParams_
#define PQfinish ledger_libpq.PQfinish_
#define PQfreemem ledger_libpq.PQfreemem_
#define PQgetResult ledger_libpq.PQgetResult_
#define PQgetisnull ledger_libpq.PQgetisnull_
#define PQgetlength ledger_libpq.PQgetlength_
#define PQgetvalue ledger_libpq.PQgetvalue_
#define PQntuples ledger_libpq.PQntuples_
#define PQprepare ledger_libpq.PQprepare_
#define PQreset ledger_libpq.PQreset_
#define PQresultErrorField ledger_libpq.PQresultErrorField_
#define PQresultStatus ledger_libpq.PQresultStatus_
#define PQsendQueryPrepared ledger_libpq.PQsendQueryPrepared_
#define PQsetErrorVerbosity ledger_libpq.PQsetErrorVerbosity_
#define PQsetNoticeProcessor ledger_libpq.PQsetNoticeProcessor_
#define PQsetSingleRowMode ledger_libpq.PQsetSingleRowMode_
#define PQstatus ledger_libpq.PQstatus_
#define PQtransactionStatus ledger_libpq.PQtransactionStatus_
#define PQuser ledger_libpq.PQuser_
#endif

#endif
