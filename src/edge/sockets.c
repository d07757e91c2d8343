#include "aloha/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    HOLD_TRIES_MAX = 100, /* a second in all: only while starting and at the end */
    HOLD_TRY_MS = 10,
};

static const char prefix[] = "unix:";

/* Closes it and keeps errno; returns -1. */
static int give_up(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ---- addresses in digits ---- */

static struct addrinfo *parse_digits(const char *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    return getaddrinfo(address, NULL, &hints, &found) == 0 ? found : NULL;
}

static int open_digits(const struct addrinfo *address, uint16_t port)
{
    struct sockaddr_storage at = {0};
    int on = 1, off = 0;

    memcpy(&at, address->ai_addr, address->ai_addrlen);
    if (at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&at)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&at)->sin_port = htons(port);

    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&at, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return give_up(fd);
    return fd;
}

static int listen_on_digits(const char *address, uint16_t port, char *problem, size_t problem_size)
{
    struct addrinfo *found = parse_digits(address);
    int fd = found ? open_digits(found, port) : -1;
    int error = found ? errno : EINVAL;

    if (found)
        freeaddrinfo(found);
    if (fd < 0 && error == EAFNOSUPPORT && strcmp(address, "::") == 0)
        return listen_on_digits("0.0.0.0", port, problem, problem_size);
    if (fd < 0)
        snprintf(problem, problem_size, "cannot listen on port %u of %s: %s", port, address,
                 strerror(error));
    errno = error;
    return fd;
}

/* ---- paths ---- */

static struct sockaddr_un at_path(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    return at;
}

/* Two servers that start at once must not both find a stale file and each remove the other's: whoever looks holds
 * the directory. Returns a descriptor to close, or -1. */
static int hold_directory(const char *path)
{
    char directory[sizeof(struct sockaddr_un)];

    snprintf(directory, sizeof directory, "%s", path);
    char *end = strrchr(directory, '/');
    end[end == directory ? 1 : 0] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK || tries == HOLD_TRIES_MAX)
            return give_up(fd);
        poll(NULL, 0, HOLD_TRY_MS);
    }
    return fd;
}

enum occupant { NOBODY, STALE_SOCKET, LIVING_SOCKET, OTHER_FILE };

static enum occupant look_at(const char *path)
{
    struct sockaddr_un at = at_path(path);
    struct stat info;

    if (lstat(path, &info) != 0)
        return errno == ENOENT ? NOBODY : OTHER_FILE;
    if (!S_ISSOCK(info.st_mode))
        return OTHER_FILE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return LIVING_SOCKET; /* who knows */
    bool refused = connect(fd, (struct sockaddr *)&at, sizeof at) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused ? STALE_SOCKET : LIVING_SOCKET;
}

static int open_path(const char *path, uint32_t mode)
{
    struct sockaddr_un at = at_path(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    mode_t before = umask(0777 & ~(mode_t)mode);
    int bound = bind(fd, (struct sockaddr *)&at, sizeof at);
    umask(before);
    if (bound != 0 || listen(fd, BACKLOG) != 0)
        return give_up(fd);
    return fd;
}

/* With the directory held. */
static int replace_and_open(const char *path, uint32_t mode, const char **why)
{
    enum occupant occupant = look_at(path);

    if (occupant == LIVING_SOCKET || occupant == OTHER_FILE) {
        *why = occupant == OTHER_FILE ? "something that is no socket is there"
                                      : "a server that lives listens there";
        errno = EADDRINUSE;
        return -1;
    }
    if (occupant == STALE_SOCKET)
        unlink(path);
    return open_path(path, mode);
}

static int listen_on_path(const char *path, uint32_t mode, char *problem, size_t problem_size)
{
    const char *why = NULL;
    int directory = hold_directory(path);
    int fd = directory >= 0 ? replace_and_open(path, mode, &why) : -1;
    int error = errno;

    if (directory >= 0)
        close(directory);
    if (fd < 0)
        snprintf(problem, problem_size, "cannot listen on unix:%s: %s", path,
                 why ? why : strerror(error));
    errno = error;
    return fd;
}

/* ---- both ---- */

const char *socket_path(const char *address)
{
    return strncmp(address, prefix, strlen(prefix)) == 0 ? address + strlen(prefix) : NULL;
}

bool socket_address_is_valid(const char *address)
{
    const char *path = socket_path(address);
    struct addrinfo *found = path ? NULL : parse_digits(address);

    if (found)
        freeaddrinfo(found);
    if (path)
        return path[0] == '/' && strlen(path) < sizeof((struct sockaddr_un){0}.sun_path) &&
               path[strlen(path) - 1] != '/';
    return found != NULL;
}

int socket_listen(const char *address, uint16_t port, uint32_t mode, char *problem,
                  size_t problem_size)
{
    const char *path = socket_path(address);

    if (!path)
        return listen_on_digits(address, port, problem, problem_size);
    if (socket_address_is_valid(address))
        return listen_on_path(path, mode, problem, problem_size);
    snprintf(problem, problem_size, "cannot listen on %s: no absolute path that is short enough",
             address);
    errno = EINVAL;
    return -1;
}

struct socket_file socket_file_of(const char *address)
{
    const char *path = socket_path(address);
    struct stat info;

    if (!path || lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return (struct socket_file){0};
    return (struct socket_file){.device = info.st_dev, .inode = info.st_ino};
}

/* Neither connects nor opens the directory: a sandbox has taken both away by now. */
void socket_file_remove(const char *address, struct socket_file file)
{
    struct socket_file now = socket_file_of(address);

    if (file.inode && now.inode == file.inode && now.device == file.device)
        unlink(socket_path(address));
}

static bool option_is(int fd, int option, int wanted)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool socket_describe(int fd, char out[SOCKET_ADDRESS_SIZE_MAX])
{
    union {
        struct sockaddr_storage any;
        struct sockaddr sa;
        struct sockaddr_un path;
    } at = {0};
    socklen_t size = sizeof at;

    if (!option_is(fd, SO_TYPE, SOCK_STREAM) || !option_is(fd, SO_ACCEPTCONN, 1) ||
        getsockname(fd, &at.sa, &size) != 0)
        return false;
    if (at.sa.sa_family == AF_UNIX) {
        at.path.sun_path[sizeof at.path.sun_path - 1] = '\0';
        snprintf(out, SOCKET_ADDRESS_SIZE_MAX, "%s%s", prefix, at.path.sun_path);
        return at.path.sun_path[0] == '/';
    }
    return (at.sa.sa_family == AF_INET || at.sa.sa_family == AF_INET6) &&
           getnameinfo(&at.sa, size, out, SOCKET_ADDRESS_SIZE_MAX, NULL, 0, NI_NUMERICHOST) == 0;
}

uint16_t socket_port(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    if (at.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    return at.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&at)->sin_port) : 0;
}
