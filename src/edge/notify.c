#include "aloha/notify.h"

#include "aloha/log.h"
#include "aloha/str.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE_MAX = 256 };

struct notify {
    uv_timer_t watchdog;
    int fd;
    uint64_t interval_ms; /* 0: there is no watchdog */
};

/* A path, or a name in the abstract namespace as "@name"; anything else is nothing we can reach. */
static socklen_t read_address(const char *text, struct sockaddr_un *out)
{
    size_t size = strlen(text);

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof out->sun_path)
        return 0;
    memcpy(out->sun_path, text, size);
    if (text[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Connected, for the sandbox lets nothing be connected later. */
static int connect_to(const char *text)
{
    struct sockaddr_un address;
    socklen_t size = read_address(text, &address);

    errno = EINVAL;
    int fd = size ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    log_warning("notify_unreachable", log_text("reason", strerror(errno)));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Half of the time after which we are thought to hang; 0 when nobody watches this process. */
static uint64_t read_interval(void)
{
    const char *microseconds = getenv("WATCHDOG_USEC");
    const char *watched = getenv("WATCHDOG_PID");
    uint64_t number = 0;

    if (watched &&
        (!str_to_uint(str_of(watched), UINT32_MAX, &number) || number != (uint64_t)getpid()))
        return 0;
    if (!microseconds || !str_to_uint(str_of(microseconds), UINT64_MAX, &number) || number < 2000)
        return 0;
    return number / 2000;
}

struct notify *notify_new(uv_loop_t *loop)
{
    const char *address = getenv("NOTIFY_SOCKET");
    int fd = address ? connect_to(address) : -1;
    struct notify *notify = fd >= 0 ? calloc(1, sizeof *notify) : NULL;

    if (notify) {
        notify->fd = fd;
        notify->interval_ms = read_interval();
        uv_timer_init(loop, &notify->watchdog);
        uv_unref((uv_handle_t *)&notify->watchdog);
        notify->watchdog.data = notify;
    } else if (fd >= 0) {
        close(fd);
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return notify;
}

/* What does not arrive is not said again: who counts on it asks by its own means. */
static void tell(struct notify *notify, const char *message)
{
    if (notify)
        (void)!send(notify->fd, message, strlen(message), MSG_NOSIGNAL);
}

static void on_watchdog(uv_timer_t *timer)
{
    tell(timer->data, "WATCHDOG=1");
}

void notify_ready(struct notify *notify)
{
    tell(notify, "READY=1");
    if (notify && notify->interval_ms)
        uv_timer_start(&notify->watchdog, on_watchdog, notify->interval_ms, notify->interval_ms);
}

void notify_reloading(struct notify *notify)
{
    char message[MESSAGE_SIZE_MAX];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(notify, message);
}

void notify_stopping(struct notify *notify)
{
    tell(notify, "STOPPING=1");
}

void notify_status(struct notify *notify, const char *text)
{
    char message[MESSAGE_SIZE_MAX];

    snprintf(message, sizeof message, "STATUS=%s", text);
    tell(notify, message);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void notify_free(struct notify *notify)
{
    if (!notify)
        return;
    close(notify->fd);
    uv_close((uv_handle_t *)&notify->watchdog, on_closed);
}
