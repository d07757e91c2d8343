/* What the load generator measures with: time, a histogram, and the server's /proc entries. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdint.h>
#include <sys/types.h>

/* Monotonic time in nanoseconds. */
int64_t stats_now_ns(void);

/* Durations in buckets of 1/32 of a power of two: any quantile is right within about 3 %. */
enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 40 };
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
};

void histogram_add(struct histogram *histogram, int64_t duration_ns);
/* The upper edge of the bucket that holds the given share (0..1) of all durations, in microseconds;
 * 0 of none. */
double histogram_quantile_us(const struct histogram *histogram, double share);

/* User plus system time of all threads of a process, seconds; negative when it cannot be read. The
 * kernel counts in ticks of (as a rule) 10 ms: measure over seconds. */
double stats_process_cpu_s(pid_t pid);
/* Resident memory of a process, KiB; negative when it cannot be read. */
double stats_process_rss_kib(pid_t pid);
/* User plus system time of this process, seconds. */
double stats_own_cpu_s(void);

#endif
