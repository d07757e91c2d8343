/* process: what the kernel knows of this process, and what it runs with, in Prometheus' text format. The names are
 * those that Prometheus' own client libraries use, so that what people have for them works. */
#ifndef ALOHA_PROCESS_H
#define ALOHA_PROCESS_H

#include "aloha/buf.h"

/* Name, type, help. */
/* clang-format off */
#define PROCESS_TABLE(X)                                                                                          \
    X(RESIDENT,   "process_resident_memory_bytes", "gauge",   "Memory of this process that is in RAM.")           \
    X(CPU,        "process_cpu_seconds_total",     "counter", "Processor time that this process has used.")       \
    X(OPEN_FDS,   "process_open_fds",              "gauge",   "Open file descriptors.")                           \
    X(MAX_FDS,    "process_max_fds",               "gauge",   "Most file descriptors that may be open.")          \
    X(START_TIME, "process_start_time_seconds",    "gauge",   "When this process began, in seconds since 1970.")  \
    X(BUILD,      "aloha_build_info",              "gauge",   "Always 1; the labels say what is running.")
#define BUILD_LABELS "version, lws, uv, mhd, jansson, openssl"
/* clang-format on */

struct process;

/* Opens what is looked at later, for a sandbox may forbid to open it then. Call it early: the process is as old as
 * this. Returns NULL when there is no memory; what cannot be opened is not written. */
struct process *process_new(void);
void process_free(struct process *process);

/* Fits metrics->write_more: `ctx` is the struct process. */
void process_write_metrics(void *ctx, struct buf *out);

#endif
