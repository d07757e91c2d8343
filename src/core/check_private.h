/* What the files of the check share: rows are judged one by one. */
#ifndef ALOHA_CHECK_PRIVATE_H
#define ALOHA_CHECK_PRIVATE_H

#include "aloha/check.h"

typedef const struct check_facts facts_t;

void check_say(struct check_row *row, enum check_verdict verdict, const char *format, ...)
    PRINTF_LIKE(3, 4);
void check_advise(struct check_row *row, const char *format, ...) PRINTF_LIKE(2, 3);

/* check_machine.c. Each says what its row is about, or returns false when that is not there. */
bool check_user(facts_t *facts, struct check_row *row);
bool check_sandbox(facts_t *facts, struct check_row *row);
bool check_descriptors(facts_t *facts, struct check_row *row);
bool check_memory(facts_t *facts, struct check_row *row);
bool check_backlog(facts_t *facts, struct check_row *row);
bool check_clock(facts_t *facts, struct check_row *row);
bool check_libraries(facts_t *facts, struct check_row *row);

#endif
