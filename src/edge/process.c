#include "aloha/process.h"

#include "aloha/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <libwebsockets.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

struct process {
    uint64_t began_ms; /* wall clock */
    int memory;        /* /proc/self/statm; -1: not to be had */
    DIR *descriptors;  /* /proc/self/fd; NULL likewise */
};

struct process *process_new(void)
{
    struct timespec now;
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    process->began_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    process->memory = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    process->descriptors = opendir("/proc/self/fd");
    return process;
}

void process_free(struct process *process)
{
    if (!process)
        return;
    if (process->memory >= 0)
        close(process->memory);
    if (process->descriptors)
        closedir(process->descriptors);
    free(process);
}

/* ---- the numbers ---- */

/* proc(5), /proc/[pid]/statm: the second number, in pages. */
static bool read_resident(const struct process *process, uint64_t *out)
{
    char text[128];
    uint64_t pages;
    ssize_t size = process->memory < 0 ? -1 : pread(process->memory, text, sizeof text, 0);
    struct str rest = {text, size > 0 ? (size_t)size : 0};

    (void)str_cut(&rest, ' ');
    if (!str_to_uint(str_cut(&rest, ' '), UINT32_MAX, &pages))
        return false;
    *out = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* Since Linux 6.2 the directory's size is their number, and nothing has to be walked through. */
static bool read_open_descriptors(const struct process *process, uint64_t *out)
{
    struct stat status;
    int fd = process->descriptors ? dirfd(process->descriptors) : -1;

    if (fd < 0)
        return false;
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        *out = (uint64_t)status.st_size;
        return true;
    }
    *out = 0;
    rewinddir(process->descriptors);
    for (const struct dirent *entry = readdir(process->descriptors); entry;
         entry = readdir(process->descriptors))
        *out += entry->d_name[0] != '.';
    return true;
}

/* ---- writing ---- */

#define PROCESS_ENUMERATOR(id, name, type, help) id,
enum row { PROCESS_TABLE(PROCESS_ENUMERATOR) };
#undef PROCESS_ENUMERATOR

static const struct {
    const char *name, *type, *help;
} rows[] = {
#define PROCESS_ROW(id, name, type, help) [id] = {name, type, help},
    PROCESS_TABLE(PROCESS_ROW)
#undef PROCESS_ROW
};

static void write_head(struct buf *out, enum row row)
{
    metrics_write_head(out, rows[row].name, rows[row].type, rows[row].help);
    buf_add(out, str_of(rows[row].name));
}

static void write_number(struct buf *out, enum row row, uint64_t number)
{
    write_head(out, row);
    buf_add_format(out, " %llu\n", (unsigned long long)number);
}

/* The number is in parts of which `scale`, 10 to the power of `digits`, make one. */
static void write_fraction(struct buf *out, enum row row, uint64_t number, uint64_t scale,
                           int digits)
{
    write_head(out, row);
    buf_add_format(out, " %llu.%0*llu\n", (unsigned long long)(number / scale), digits,
                   (unsigned long long)(number % scale));
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void write_label(struct buf *out, const char *before, const char *name, const char *version)
{
    buf_add_format(out, "%s%s=\"", before, name);
    for (; *version; version++) { /* what a library says of itself cannot end the label */
        char c = *version;
        bool plain = c > ' ' && c < 0x7f && c != '"' && c != '\\';
        buf_add(out, plain ? (struct str){&c, 1} : STR("_"));
    }
    buf_add(out, STR("\""));
}

static void write_build(struct buf *out)
{
    write_head(out, BUILD);
    write_label(out, "{", "version", ALOHA_VERSION);
    write_label(out, ",", "lws", lws_get_library_version());
    write_label(out, ",", "uv", uv_version_string());
    write_label(out, ",", "mhd", MHD_get_version());
    write_label(out, ",", "jansson", jansson_version_str());
    write_label(out, ",", "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    buf_add(out, STR("} 1\n"));
}

void process_write_metrics(void *ctx, struct buf *out)
{
    const struct process *process = ctx;
    struct rusage usage;
    struct rlimit descriptors;
    uint64_t number;

    if (read_resident(process, &number))
        write_number(out, RESIDENT, number);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        write_fraction(out, CPU, microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
                       1000000, 6);
    if (read_open_descriptors(process, &number))
        write_number(out, OPEN_FDS, number);
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0)
        write_number(out, MAX_FDS, descriptors.rlim_cur);
    write_fraction(out, START_TIME, process->began_ms, 1000, 3);
    write_build(out);
}
