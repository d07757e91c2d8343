#include "aloha/console.h"

#include "aloha/ids.h"
#include "aloha/qr.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <qrencode.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* ---- the welcome ---- */

static bool read_address(const struct ifaddrs *from, struct welcome_address *out)
{
    if (!from->ifa_addr || !(from->ifa_flags & IFF_UP) || (from->ifa_flags & IFF_LOOPBACK))
        return false;
    int family = from->ifa_addr->sa_family;
    const void *bytes = family == AF_INET
                            ? (const void *)&((struct sockaddr_in *)from->ifa_addr)->sin_addr
                            : (const void *)&((struct sockaddr_in6 *)from->ifa_addr)->sin6_addr;
    if (family != AF_INET && family != AF_INET6)
        return false;
    snprintf(out->interface, sizeof out->interface, "%s", from->ifa_name);
    return inet_ntop(family, bytes, out->text, sizeof out->text) &&
           ip_read(str_of(out->text), &out->ip);
}

static size_t list_addresses(struct welcome_address out[WELCOME_ADDRESSES_MAX])
{
    struct ifaddrs *all = NULL;
    size_t count = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    for (struct ifaddrs *at = all; at && count < WELCOME_ADDRESSES_MAX; at = at->ifa_next)
        count += read_address(at, &out[count]);
    freeifaddrs(all);
    return count;
}

bool console_has_colour(int fd)
{
    const char *refused = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(refused && refused[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

/* POSIX.1-2017 section 8.2: the first of these that is not empty counts. */
static bool is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

/* The code of the address for others, if a terminal is there to show it: https only, for without it the telephone
 * that reads it has no camera to give. NULL: none. */
static QRcode *make_code(const struct welcome *welcome)
{
    char url[WELCOME_URL_SIZE_MAX];
    struct winsize size = {0};

    if (!welcome->https || !welcome->colour || !is_utf8() || !welcome_url(welcome, url) ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return NULL;
    QRcode *code = QRcode_encodeString(url, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code && qr_columns((unsigned)code->width) + 2 <= size.ws_col &&
        qr_rows((unsigned)code->width) + 3 <= size.ws_row)
        return code;
    QRcode_free(code);
    return NULL;
}

void console_show_welcome(struct welcome *welcome)
{
    struct welcome_address addresses[WELCOME_ADDRESSES_MAX];
    struct buf text;

    if (is_journal(STDOUT_FILENO))
        return;
    welcome->addresses = addresses;
    welcome->address_count = list_addresses(addresses);
    welcome->colour = console_has_colour(STDOUT_FILENO);
    QRcode *code = make_code(welcome);
    welcome->qr_modules = code ? code->data : NULL;
    welcome->qr_width = code ? (unsigned)code->width : 0;
    buf_init(&text, 64 * 1024);
    welcome_write(welcome, &text);
    fwrite(text.data, 1, text.size, stdout);
    fflush(stdout);
    buf_deinit(&text);
    QRcode_free(code);
}
