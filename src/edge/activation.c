#include "aloha/activation.h"

#include "aloha/sockets.h"
#include "aloha/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */

static const char *const names[] = {[ACTIVATION_REDIRECT] = "redirect", [ACTIVATION_OPS] = "ops"};

static enum activation_plane plane_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i] && str_equal(name, str_of(names[i])))
            return (enum activation_plane)i;
    return ACTIVATION_PUBLIC;
}

/* Close-on-exec, for nobody whom we start is to have them; non-blocking, as the loop wants them. */
static bool tune(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool take(struct listener_given *given, int fd, char *problem, size_t problem_size)
{
    char address[SOCKET_ADDRESS_SIZE_MAX];

    if (given->count == LISTENER_SOCKETS_MAX) {
        snprintf(problem, problem_size, "LISTEN_FDS: more than %d sockets", LISTENER_SOCKETS_MAX);
        return false;
    }
    if (!socket_describe(fd, address) || !tune(fd)) {
        snprintf(problem, problem_size,
                 "LISTEN_FDS: descriptor %d is no stream socket that listens on TCP or on a path",
                 fd);
        return false;
    }
    given->fds[given->count++] = fd;
    return true;
}

static bool take_all(struct activation *out, uint64_t count, struct str list, char *problem,
                     size_t problem_size)
{
    for (int fd = FIRST; fd < FIRST + (int)count; fd++) {
        struct str name = str_cut(&list, ':');
        if (!take(&out->planes[plane_of(name)], fd, problem, problem_size))
            return false;
    }
    return true;
}

bool activation_take(struct activation *out, char *problem, size_t problem_size)
{
    struct str pid = str_of(getenv("LISTEN_PID")), fds = str_of(getenv("LISTEN_FDS"));
    const char *list = getenv("LISTEN_FDNAMES");
    uint64_t wanted = 0, count = 0;
    bool fine = true;

    *out = (struct activation){0};
    if (fds.size && str_to_uint(pid, INT32_MAX, &wanted) && wanted == (uint64_t)getpid()) {
        fine = str_to_uint(fds, (uint64_t)LISTENER_SOCKETS_MAX * ACTIVATION_PLANES, &count);
        if (!fine)
            snprintf(problem, problem_size, "LISTEN_FDS: \"%.40s\" is no small number", fds.text);
        fine = fine && take_all(out, count, str_of(list), problem, problem_size);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return fine;
}
