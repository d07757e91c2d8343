/* check_run: `aloha check`: looks at what a start would look at, and changes nothing. */
#ifndef ALOHA_CHECK_RUN_H
#define ALOHA_CHECK_RUN_H

#include "aloha/sandbox.h"

/* Prints check.h's table on standard output; ports are opened for a moment.
 *   user     who a start would run as.
 *   returns  the exit status: 0 when a start would succeed, else 1. */
int check_run(const struct config *config, const struct sandbox_user *user);

#endif
