#include "aloha/console.h"

#include "aloha/ids.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t wall_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A pipe that polls as writable has room for PIPE_BUF bytes at least, so a line does not block. */
static bool write_line(void *ctx, const char *line, size_t size)
{
    struct pollfd error_output = {.fd = STDERR_FILENO, .events = POLLOUT};

    (void)ctx;
    if (poll(&error_output, 1, 0) != 1 || !(error_output.revents & POLLOUT))
        return false;
    return write(STDERR_FILENO, line, size) == (ssize_t)size;
}

/* systemd.exec(5): JOURNAL_STREAM has the device and inode of the journal's socket; whoever has put something
 * else in its place since then has another. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    char here[64];

    if (!stream || fstat(fd, &info) != 0)
        return false;
    snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    return strcmp(stream, here) == 0;
}

void console_start_log(enum log_level level, enum log_format format)
{
    static const struct log_sink sink = {.wall_ms = wall_ms, .write = write_line};
    struct log_style style = {.format = format, .journal = is_journal(STDERR_FILENO)};

    ids_random(&style.key, sizeof style.key);
    log_set_style(&style);
    log_init(&sink, level);
}

static void show_networks(uint16_t port, bool secure)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        char text[INET_ADDRSTRLEN];
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK) ||
            !(at->ifa_flags & IFF_UP))
            continue;
        inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, text, sizeof text);
        printf("  From your network   http%s://%s:%u/%s\n", secure ? "s" : "", text, port,
               secure ? "" : "   (browsers allow cameras there over https only)");
    }
    freeifaddrs(all);
}

static bool is_any(const char *address)
{
    return strcmp(address, "::") == 0 || strcmp(address, "0.0.0.0") == 0;
}

static void show_addresses(const char *bind, uint16_t port, bool secure)
{
    bool loopback = strcmp(bind, "127.0.0.1") == 0 || strcmp(bind, "::1") == 0;
    bool ipv6 = strchr(bind, ':') != NULL;
    const char *scheme = secure ? "https" : "http";

    if (is_any(bind) || loopback)
        printf("  On this machine     %s://localhost:%u/\n", scheme, port);
    else
        printf("  Open                %s://%s%s%s:%u/\n", scheme, ipv6 ? "[" : "", bind,
               ipv6 ? "]" : "", port);
    if (is_any(bind))
        show_networks(port, secure);
}

void console_show_addresses(const char *bind, uint16_t port, const struct tls_store *tls,
                            const struct hosts *hosts)
{
    printf("aloha " ALOHA_VERSION "\n\n");
    for (size_t i = 0; i < hosts->count; i++)
        printf("  By its name         %.*s\n", (int)hosts->items[i].size, hosts->items[i].text);
    if (hosts->count)
        printf("  Listening on        port %u of %s\n", port, bind);
    else
        show_addresses(bind, port, tls != NULL);
    if (tls && tls_store_is_self_signed(tls))
        printf("\n  Browsers warn of its certificate, which was made here; its SHA-256 fingerprint "
               "is\n"
               "  %s\n",
               tls_store_fingerprint(tls));
    printf("\n  Open it, allow the camera, and share the link of the room. Ctrl-C ends it.\n\n");
    fflush(stdout);
}
