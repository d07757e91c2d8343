/* The part of the sandbox that is about paths: landlock(7). */
#include "sandbox_private.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What Debian 12's headers do not know yet; the kernel may. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif

/* struct landlock_ruleset_attr as it is since ABI 6; older kernels take it as long as the rest is 0. */
struct ruleset {
    uint64_t fs, net, scoped;
};

enum { ABI_1 = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1 }; /* all rights of the first version */

/* clang-format off */
#define READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
               LANDLOCK_ACCESS_FS_TRUNCATE)
/* clang-format on */

static const uint64_t rights[] = {
    [SANDBOX_READ_FILE] = READ,
    [SANDBOX_READ_DIR] = READ,
    [SANDBOX_READ_TREE] = READ,
    [SANDBOX_STATE] = READ | WRITE,
    [SANDBOX_SOCKET] = LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

/* All that a version of landlock can forbid is forbidden: what is not handled is allowed. */
static struct ruleset all_of(unsigned abi)
{
    struct ruleset set = {.fs = ABI_1};

    if (abi >= 2)
        set.fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        set.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 4)
        set.net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    if (abi >= 5)
        set.fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    if (abi >= 6)
        set.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
    return set;
}

unsigned sandbox_landlock_abi(void)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? (unsigned)abi : 0;
}

/* Allows `access` at and below a path. A path that is not there is not reachable either. */
static void allow(int rules, const char *path, uint64_t access)
{
    struct stat info;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
        access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    if (access)
        (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
}

/* The directory that a file is in, so that a file which takes its place is reachable too. Of a file in the
 * root directory only itself: the rest is everything. */
static void allow_beside(int rules, const char *path, uint64_t access)
{
    char copy[PATH_MAX];

    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return;
    const char *dir = dirname(copy);
    allow(rules, strcmp(dir, "/") == 0 ? path : dir, access);
}

static void allow_item(int rules, const char *path, enum sandbox_access kind, uint64_t handled)
{
    uint64_t access = rights[kind] & handled;
    char resolved[PATH_MAX];

    if (kind != SANDBOX_READ_FILE && kind != SANDBOX_SOCKET) {
        allow(rules, path, access);
        return;
    }
    allow_beside(rules, path, access);
    if (kind == SANDBOX_READ_FILE && realpath(path, resolved))
        allow_beside(rules, resolved, access); /* certbot: live/NAME/x.pem -> archive/NAME/x1.pem */
}

/* What every process may: look at itself. The descriptor stays open, for the kernel makes the
 * directory's inode anew, and strange to the rule, once nobody holds it. */
static void allow_own_proc(int rules, uint64_t handled)
{
    static int self = -1;

    if (self < 0)
        self = open("/proc/self", O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = READ & handled, .parent_fd = self};
    (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* A report names functions by reading the program and its libraries. */
static void allow_sanitizer(int rules, uint64_t handled)
{
    static const char *const paths[] = {"/proc", "/usr/lib", "/lib", "/lib64"};

    for (size_t i = 0; SANDBOX_SANITIZED && i < ARRAY_SIZE(paths); i++)
        allow(rules, paths[i], READ & handled);
    if (SANDBOX_SANITIZED)
        allow(rules, "/proc/self/exe", READ & handled);
}

int sandbox_landlock_prepare(const struct sandbox_paths *paths)
{
    struct ruleset set = all_of(sandbox_landlock_abi());
    int rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof set, 0);

    if (rules < 0)
        return -1;
    for (size_t i = 0; i < paths->count; i++)
        allow_item(rules, paths->items[i].path, paths->items[i].access, set.fs);
    allow_own_proc(rules, set.fs);
    allow_sanitizer(rules, set.fs);
    return rules;
}

bool sandbox_landlock_enforce(int rules)
{
    bool done = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return done;
}
