#include "stats.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t stats_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Bucket b = exponent * STEPS + step. Below STEPS every nanosecond has its own bucket. */
static unsigned bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - 5U; /* 5 = log2(STEPS) */
    unsigned bucket =
        (shift + 1U) * HISTOGRAM_STEPS + (unsigned)((value >> shift) - HISTOGRAM_STEPS);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1U;
}

static double bucket_upper_ns(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return (double)bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1U;
    uint64_t mantissa = HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS;
    return (double)((mantissa + 1U) << shift);
}

void histogram_add(struct histogram *histogram, int64_t duration_ns)
{
    histogram->counts[bucket_of(duration_ns > 0 ? (uint64_t)duration_ns : 0)]++;
    histogram->total++;
}

double histogram_quantile_us(const struct histogram *histogram, double share)
{
    if (histogram->total == 0)
        return 0;
    uint64_t wanted = (uint64_t)((double)histogram->total * share);
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > wanted || seen == histogram->total)
            return bucket_upper_ns(bucket) / 1000;
    }
    return 0;
}

/* Reads one small /proc file of a process as text. Returns false when there is none. */
static int read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t used = fread(text, 1, size - 1, file);
    text[used] = '\0';
    fclose(file);
    return used > 0;
}

double stats_process_cpu_s(pid_t pid)
{
    char text[1024];
    if (!read_proc(pid, "stat", text, sizeof text))
        return -1;
    /* proc(5): "pid (name) state ppid ..."; the name may hold anything, so start after the last
     * ')'. utime and stime are fields 14 and 15, the 12th and 13th after the name. */
    const char *rest = strrchr(text, ')');
    unsigned long user = 0;
    unsigned long system = 0;
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                        &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double stats_process_rss_kib(pid_t pid)
{
    char text[4096];
    if (!read_proc(pid, "status", text, sizeof text))
        return -1;
    const char *line = strstr(text, "VmRSS:");
    unsigned long kib = 0;
    return line && sscanf(line, "VmRSS: %lu", &kib) == 1 ? (double)kib : -1;
}

double stats_own_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
