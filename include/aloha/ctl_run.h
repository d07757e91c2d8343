/* ctl_run: `aloha ctl`, with its sockets. */
#ifndef ALOHA_CTL_RUN_H
#define ALOHA_CTL_RUN_H

#include "aloha/buf.h"
#include "aloha/config.h"

enum { CTL_ANSWER_SIZE_MAX = 4 * 1024 * 1024, CTL_HOST_SIZE = 80 };

/* Runs a command.
 *   argc, argv   what stands behind `aloha`, `ctl` first.
 *   returns      the exit status: 0 done; 1 not done, with one line on standard error; 2 a bad command, likewise. */
int ctl_run(int argc, char *argv[]);

/* Where the operator's plane of that configuration is asked, as the Host header has it. */
void ctl_host(char out[CTL_HOST_SIZE], const struct config *config);

/* Says `request` there and hears the answer to its end, at most CTL_ANSWER_SIZE_MAX bytes; blocks for some seconds at
 * most. Where that is another address than the loopback, by TLS, with the server's own certificate or one that this
 * machine trusts.
 *   returns   false with one line in problem. */
MUST_USE bool ctl_exchange(const struct config *config, struct str request, struct buf *reply,
                           char *problem, size_t problem_size);

#endif
