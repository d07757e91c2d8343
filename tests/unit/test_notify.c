/* notify: what systemd would hear, on a socket of our own. */
#include "aloha/notify.h"

#include "harness.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 30000 }; /* only ends what would hang */

static int manager;
static char address[108], heard[512];

/* The socket of the service manager; abstract: a name that is no file. */
static void listen_as_manager(bool abstract)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(address, sizeof address, "%s/tmp/aloha-notify-%d", abstract ? "@" : "", getpid());
    memcpy(at.sun_path, address, strlen(address));
    if (abstract)
        at.sun_path[0] = '\0';
    else
        unlink(address);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));
    if (manager < 0 || bind(manager, (struct sockaddr *)&at, size) != 0)
        abort();
    setenv("NOTIFY_SOCKET", address, 1);
}

static void leave(void)
{
    close(manager);
    unlink(address);
}

/* The next datagram; "" when none comes in time. */
static const char *hear(int timeout_ms)
{
    struct pollfd ready = {.fd = manager, .events = POLLIN};
    ssize_t size = poll(&ready, 1, timeout_ms) == 1 ? recv(manager, heard, sizeof heard - 1, 0) : 0;

    heard[size > 0 ? size : 0] = '\0';
    return heard;
}

static void end(uv_loop_t *loop, struct notify *notify)
{
    notify_free(notify);
    uv_run(loop, UV_RUN_DEFAULT);
    EXPECT(uv_loop_close(loop) == 0);
}

TEST(nobody_is_told_anything_where_nobody_asked)
{
    uv_loop_t loop;

    uv_loop_init(&loop);
    unsetenv("NOTIFY_SOCKET");
    EXPECT_NULL(notify_new(&loop));
    notify_ready(NULL);
    notify_reloading(NULL);
    notify_status(NULL, "x");
    notify_stopping(NULL);
    end(&loop, NULL);
}

TEST(an_address_that_cannot_be_is_passed_over)
{
    static const char too_long[] =
        "/1234567890123456789012345678901234567890123456789012345678901234567"
        "8901234567890123456789012345678901234567890";
    static const char *const addresses[] = {
        "", "/", "@", "relative", "vsock:2:1234", "/does/not/exist", too_long};
    uv_loop_t loop;

    uv_loop_init(&loop);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        setenv("NOTIFY_SOCKET", addresses[i], 1);
        EXPECT_THAT(!notify_new(&loop), "%s", addresses[i]);
        EXPECT_NULL(getenv("NOTIFY_SOCKET"));
    }
    end(&loop, NULL);
}

static void lives_through(bool abstract)
{
    struct timespec now;
    long long told_us;
    uv_loop_t loop;

    uv_loop_init(&loop);
    listen_as_manager(abstract);
    struct notify *notify = notify_new(&loop);
    EXPECT(notify != NULL);
    EXPECT_NULL(getenv("NOTIFY_SOCKET"));
    notify_status(notify, "Serving");
    EXPECT_STR("STATUS=Serving", str_of(hear(DEADLINE_MS)));
    notify_ready(notify);
    EXPECT_STR("READY=1", str_of(hear(DEADLINE_MS)));
    notify_reloading(notify);
    clock_gettime(CLOCK_MONOTONIC, &now);
    EXPECT_THAT(sscanf(hear(DEADLINE_MS), "RELOADING=1\nMONOTONIC_USEC=%lld", &told_us) == 1, "%s",
                heard);
    long long now_us = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    EXPECT(told_us <= now_us && told_us > now_us - DEADLINE_MS * 1000LL);
    notify_ready(notify);
    EXPECT_STR("READY=1", str_of(hear(DEADLINE_MS)));
    notify_stopping(notify);
    EXPECT_STR("STOPPING=1", str_of(hear(DEADLINE_MS)));
    EXPECT_STR("", str_of(hear(0)));
    end(&loop, notify);
    leave();
}

TEST(a_life_is_told_to_a_socket_that_is_a_file)
{
    lives_through(false);
}

TEST(a_life_is_told_to_a_socket_with_an_abstract_name)
{
    lives_through(true);
}

TEST(a_manager_that_went_away_or_does_not_listen_stops_nobody)
{
    uv_loop_t loop;

    uv_loop_init(&loop);
    listen_as_manager(false);
    struct notify *notify = notify_new(&loop);
    for (int i = 0; i < 10000; i++) /* more than the socket holds */
        notify_status(notify, "still here");
    leave();
    notify_ready(notify);
    end(&loop, notify);
}

/* ---- the watchdog ---- */

enum { INTERVAL_MS = 20, PINGS = 3 };

struct life {
    uv_timer_t turn, stall;
    unsigned pings;
    bool pinged_while_stalled;
};

static void count_pings(uv_timer_t *timer)
{
    struct life *life = timer->data;

    while (hear(0)[0])
        life->pings += strcmp(heard, "WATCHDOG=1") == 0;
    if (life->pings >= PINGS)
        uv_close((uv_handle_t *)timer, NULL);
}

/* A callback that takes too long: nobody else has a turn meanwhile. */
static void stall(uv_timer_t *timer)
{
    struct life *life = timer->data;

    while (hear(0)[0]) {
    }
    life->pinged_while_stalled = hear(5 * INTERVAL_MS)[0] != '\0';
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(the_watchdog_hears_from_us_as_long_as_the_loop_turns_and_only_then)
{
    struct life life = {.pings = 0};
    uv_loop_t loop;

    uv_loop_init(&loop);
    listen_as_manager(true);
    setenv("WATCHDOG_USEC", fmt("%d", 2 * INTERVAL_MS * 1000), 1);
    setenv("WATCHDOG_PID", fmt("%d", getpid()), 1);
    struct notify *notify = notify_new(&loop);
    EXPECT_NULL(getenv("WATCHDOG_USEC"));
    EXPECT_NULL(getenv("WATCHDOG_PID"));
    notify_ready(notify);
    EXPECT_STR("READY=1", str_of(hear(DEADLINE_MS)));
    uv_timer_init(&loop, &life.turn);
    uv_timer_init(&loop, &life.stall);
    life.turn.data = life.stall.data = &life;
    uv_timer_start(&life.turn, count_pings, 1, 1);
    uv_timer_start(&life.stall, stall, 2 * INTERVAL_MS, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT(life.pings >= PINGS);
    EXPECT(!life.pinged_while_stalled);
    end(&loop, notify);
    leave();
}

static void look_once(uv_timer_t *timer)
{
    struct life *life = timer->data;

    life->pings = hear(0)[0] != '\0';
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(the_watchdog_of_another_process_is_not_ours)
{
    struct life life = {.pings = 0};
    uv_loop_t loop;

    uv_loop_init(&loop);
    listen_as_manager(true);
    setenv("WATCHDOG_USEC", "2000", 1);
    setenv("WATCHDOG_PID", fmt("%d", getppid()), 1);
    struct notify *notify = notify_new(&loop);
    notify_ready(notify);
    EXPECT_STR("READY=1", str_of(hear(DEADLINE_MS)));
    uv_timer_init(&loop, &life.stall);
    life.stall.data = &life;
    uv_timer_start(&life.stall, look_once, 20, 0); /* many times the interval */
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_UINT(0, life.pings);
    EXPECT_STR("", str_of(hear(0)));
    end(&loop, notify);
    leave();
}
