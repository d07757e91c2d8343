/* sandbox: which files can be reached from inside, and what has to go on. Each attempt is made by a child that
 * has entered. Built twice: with what the sanitizers need, and, as test_sandbox_release, without. */
#include "sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files ---- */

struct opening {
    const char *path;
    int flags, verdict; /* 0 or errno */
};

static int open_it(const void *with)
{
    const struct opening *o = with;
    int fd = open(o->path[0] == '/' ? o->path : in_place(o->path), o->flags | O_CLOEXEC, 0600);

    return fd < 0 ? errno : 0;
}

static const struct opening openings[] = {
    {"/etc/passwd", O_RDONLY, EACCES},
    {"/", O_RDONLY | O_DIRECTORY, EACCES},
    {"/dev/null", O_WRONLY, EACCES},
    {"/proc/1/status", O_RDONLY, EACCES},
    {"/proc/self/root/etc/passwd", O_RDONLY, EACCES},
    {"/proc/self/stat", O_RDONLY, 0},
    {"/proc/self/fd", O_RDONLY | O_DIRECTORY, 0},
    {"elsewhere/file", O_RDONLY, EACCES},
    {"elsewhere/file", O_WRONLY | O_TRUNC, EACCES},
    {"elsewhere/new", O_WRONLY | O_CREAT, EACCES},
    {"state/../elsewhere/file", O_RDONLY, EACCES},
    {"live/cert.pem", O_RDONLY, 0}, /* by its link, and where that leads */
    {"certs/cert.pem", O_RDONLY, 0},
    {"certs/cert.pem", O_RDWR, EACCES},
    {"tree/page", O_RDONLY, 0},
    {"tree/page", O_WRONLY, EACCES},
    {"tree/new", O_WRONLY | O_CREAT, EACCES},
    {"state", O_RDONLY | O_DIRECTORY, 0},
    {"state/new", O_RDWR | O_CREAT | O_EXCL, 0},
};

/* Some of these are shut to the user nobody as well: where root stays root it is landlock alone. */
static void expect_openings(const char *user)
{
    struct sandbox_support support;

    sandbox_probe(&support);
    for (size_t i = 0; i < ARRAY_SIZE(openings) && support.landlock_abi; i++) {
        const struct opening *o = &openings[i];
        int end = fate_as(user, SANDBOX_KILL, open_it, o);
        if (strcmp(o->path, "/proc/1/status") == 0 && SANDBOX_SANITIZED)
            continue; /* its reports read /proc */
        EXPECT_THAT(end == o->verdict, "%s (%#x): %d", o->path, (unsigned)o->flags, end);
        unlink(in_place("state/new"));
    }
}

TEST(only_files_that_were_told_can_be_opened)
{
    arrive();
    expect_openings("");
    depart();
}

TEST(root_that_stays_root_sees_no_more_files)
{
    arrive();
    if (geteuid() == 0)
        expect_openings("root");
    depart();
}

/* What a renewal of a certificate of our own does. */
static int keep_state(const void *with)
{
    (void)with;
    int fd = open(in_place("state/draft"), O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0)
        return 1;
    if (rename(in_place("state/draft"), in_place("state/kept")) != 0)
        return 2;
    if (link(in_place("state/kept"), in_place("state/linked")) != 0 ||
        unlink(in_place("state/linked")) != 0)
        return 3;
    if (open(in_place("state/kept"), O_WRONLY | O_TRUNC) < 0)
        return 4;
    if (rename(in_place("state/kept"), in_place("elsewhere/kept")) == 0)
        return 5;
    return unlink(in_place("state/kept")) == 0 ? 0 : 6;
}

TEST(state_can_be_kept)
{
    arrive();
    EXPECT_UINT(0, fate(SANDBOX_KILL, keep_state, NULL));
    depart();
}

/* The file is replaced by its directory's owner, while we run. */
static int read_after_renewal(const void *with)
{
    char text[16] = "", ready;
    const int *pipes = with;

    if (write(pipes[1], "!", 1) != 1 || read(pipes[2], &ready, 1) != 1)
        return 1;
    int fd = open(in_place("live/cert.pem"), O_RDONLY);
    return fd >= 0 && read(fd, text, sizeof text) == 3 && strcmp(text, "new") == 0 ? 0 : 2;
}

TEST(a_file_that_took_the_place_of_another_can_be_read)
{
    int there[2], back[2];
    char ready;

    arrive();
    EXPECT(pipe(there) == 0 && pipe(back) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        const int pipes[] = {there[0], there[1], back[0]};
        _exit(enter(SANDBOX_KILL, "") ? read_after_renewal(pipes) : BROKEN);
    }
    EXPECT(read(there[0], &ready, 1) == 1);
    put_file(in_place("certs/cert2.pem"), "new", 0644); /* as certbot does */
    EXPECT(unlink(in_place("live/cert.pem")) == 0);
    EXPECT(symlink("../certs/cert2.pem", in_place("live/cert.pem")) == 0);
    EXPECT(write(back[1], "!", 1) == 1);
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT_UINT(0, status);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    depart();
}

/* ---- the network ---- */

static int tcp; /* from before */

static int bind_tcp(const void *with)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)with;
    return bind(tcp, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : errno;
}

TEST(a_socket_from_before_can_be_bound_no_more)
{
    struct sandbox_support support;

    arrive();
    sandbox_probe(&support);
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (support.landlock_abi >= 4)
        EXPECT_UINT(EACCES, fate(SANDBOX_KILL, bind_tcp, NULL));
    close(tcp);
    depart();
}

/* RFC 7413 section 4.2.1: sendto() that connects. shutdown() turns what listened into a socket that may. */
static int connect_by_sending(const void *with)
{
    shutdown(tcp, SHUT_RD);
    ssize_t sent = sendto(tcp, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, with,
                          sizeof(struct sockaddr_in));
    return sent < 0 && errno != EINPROGRESS ? errno : 0;
}

TEST(a_socket_that_listened_connects_to_nobody)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int other = socket(AF_INET, SOCK_STREAM, 0);

    arrive();
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(listen(tcp, 1) == 0);
    EXPECT(bind(other, (struct sockaddr *)&at, sizeof at) == 0 && listen(other, 1) == 0);
    EXPECT(getsockname(other, (struct sockaddr *)&at, &size) == 0);
    EXPECT_UINT(EPERM, fate(SANDBOX_ON, connect_by_sending, &at));
    close(other);
    close(tcp);
    depart();
}

/* ---- what has to go on ---- */

static void *be_a_thread(void *with)
{
    prctl(PR_SET_NAME, "worker");
    return with;
}

static int back_then;

static int start_thread(const void *with)
{
    pthread_t thread;
    void *back = NULL;
    int result = pthread_create(&thread, NULL, be_a_thread, &back_then);

    (void)with;
    return result ? result : pthread_join(thread, &back) != 0 || back != &back_then;
}

static int ask_addresses(const void *with)
{
    struct ifaddrs *all = NULL;

    (void)with;
    if (getifaddrs(&all) != 0)
        return errno;
    freeifaddrs(all);
    return 0;
}

static int make_pair(const void *with)
{
    int pair[2];

    (void)with;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0 ? 0
                                                                                         : errno;
}

static int watch(const void *with)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    (void)with;
    if (fd < 0 || inotify_add_watch(fd, in_place("certs"), IN_CREATE) < 0)
        return errno;
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    return poller >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

static int use_memory(const void *with)
{
    enum { BIG = 64 * 1024 * 1024 };
    void *big = malloc(BIG);

    (void)with;
    if (!big)
        return 1;
    memset(big, 1, BIG);
    void *bigger = realloc(big, 2 * (size_t)BIG);
    free(bigger ? bigger : big);
    return bigger ? 0 : 2;
}

TEST(what_the_server_and_its_libraries_do_goes_on)
{
    static const struct {
        const char *name;
        int (*act)(const void *);
    } acts[] = {{"a thread", start_thread},
                {"getifaddrs", ask_addresses},
                {"socketpair", make_pair},
                {"inotify and epoll", watch},
                {"memory", use_memory}};

    arrive();
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        int end = fate(SANDBOX_KILL, acts[i].act, NULL);
        EXPECT_THAT(end == 0, "%s: %d", acts[i].name, end);
    }
    depart();
}

static int give_up(const void *with)
{
    (void)with;
    abort();
}

TEST(an_assertion_that_fails_still_ends_as_one)
{
    arrive();
    EXPECT_UINT(1000 + SIGABRT, fate(SANDBOX_KILL, give_up, NULL));
    depart();
}
