/* The part of the sandbox that is about system calls: seccomp, by libseccomp. What is not in these
 * tables is refused (EPERM), or ends the process where tests want to know of it.
 *
 * A new row is a new way out: name who needs it. Names that an architecture or an older libseccomp
 * does not know are passed over. */
#include "sandbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- with any arguments ---- */

/* clang-format off */
static const char *const plain_calls[] = {
    /* descriptors that are open */
    "read", "readv", "pread64", "write", "writev", "pwrite64", "close", "lseek", "fstat", "fsync", "fdatasync",
    "ftruncate", "fchmod", "flock", "fstatfs", "getdents64",

    /* connections that came in; the socket to systemd; netlink for the addresses of this machine */
    "accept4", "accept", "recvfrom", "recvmsg", "shutdown", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "bind",

    /* the loop of libuv, epoll of libmicrohttpd, files that are watched */
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create1", "eventfd2", "poll", "ppoll", "pipe2",
    "inotify_init1", "inotify_add_watch", "inotify_rm_watch",

    /* files by name: landlock says which */
    "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getcwd", "unlink", "unlinkat", "link", "linkat", "rename", "renameat", "renameat2", "umask",

    /* memory; where it can be executed is judged below */
    "brk", "munmap", "mremap", "madvise",

    /* time and chance */
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "nanosleep", "time", "getrandom",

    /* threads of this process, as libuv's pool has them */
    "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getcpu", "gettid", "membarrier", "exit",

    /* signals to ourselves, and the end */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit_group",

    /* who and where we are */
    "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrusage",
};
/* clang-format on */

/* ---- with some arguments only ---- */

struct call {
    const char *name;
    unsigned count;
    struct scmp_arg_cmp arguments[2];
};

/* clang-format off */
#define IS(at, value)        {at, SCMP_CMP_EQ, (scmp_datum_t)(value), 0}
#define HAS(at, mask, value) {at, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value)}

enum { SOCK_TYPE = 0xf }; /* of socket(2)'s argument: the rest is flags */

static const struct call judged_calls[] = {
    /* no memory that is written and then executed, nor a program brought in */
    {"mmap", 1, {HAS(2, PROT_EXEC, 0)}},
    {"mprotect", 1, {HAS(2, PROT_EXEC, 0)}},

    /* threads, no processes; clone3 hides its arguments, so glibc is told below that there is none */
    {"clone", 1, {HAS(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM)}},

    /* no connection to anywhere: not to the network, and connect() is in no table; a datagram needs none */
    {"socket", 2, {IS(0, AF_UNIX), HAS(1, SOCK_TYPE, SOCK_STREAM)}},
    {"socket", 2, {IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)}}, /* getifaddrs() */
    {"socketpair", 2, {IS(0, AF_UNIX), HAS(1, SOCK_TYPE, SOCK_STREAM)}},

    /* nor one that is made by sending (RFC 7413), which landlock does not see */
    {"sendto", 1, {HAS(3, MSG_FASTOPEN, 0)}},
    {"sendmsg", 1, {HAS(2, MSG_FASTOPEN, 0)}},

    /* no signal to others: what a descriptor has to tell goes to the process of F_SETOWN, as any that F_SETSIG says */
    {"fcntl", 1, {IS(1, F_GETFL)}},
    {"fcntl", 1, {IS(1, F_SETFL)}},
    {"fcntl", 1, {IS(1, F_GETFD)}},
    {"fcntl", 1, {IS(1, F_SETFD)}},
    {"fcntl", 1, {IS(1, F_DUPFD)}},
    {"fcntl", 1, {IS(1, F_DUPFD_CLOEXEC)}},

    {"ioctl", 1, {IS(1, FIONREAD)}},
    {"ioctl", 1, {IS(1, FIONBIO)}},
    {"ioctl", 1, {IS(1, TIOCOUTQ)}}, /* SIOCOUTQ */
    {"ioctl", 1, {IS(1, TCGETS)}},   /* isatty() */
    {"ioctl", 1, {IS(1, TIOCGWINSZ)}},

    {"prlimit64", 1, {IS(2, 0)}}, /* to ask, not to set */
    {"prctl", 1, {IS(0, PR_SET_NAME)}},
};
/* clang-format on */

/* What libraries try first and know how to do without: they must hear that there is no such call. */
static const char *const absent_calls[] = {"clone3", "io_uring_setup", "openat2", "close_range"};

/* The check for leaks at the end of a test: a thread stops the others by ptrace and reads them. */
static const char *const sanitizer_calls[] = {"clone",  "ptrace", "wait4",    "kill",
                                              "tgkill", "prctl",  "getdents", "process_vm_readv"};

/* ---- the filter ---- */

/* True as well for what this architecture does not have. */
static bool add(scmp_filter_ctx filter, uint32_t action, const struct call *call)
{
    int number = seccomp_syscall_resolve_name(call->name);

    if (number == __NR_SCMP_ERROR)
        return true;
    int status = seccomp_rule_add_array(filter, action, number, call->count, call->arguments);
    errno = -status;
    return status == 0 || status == -EDOM;
}

static bool add_plain(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!add(filter, action, &(struct call){.name = names[i]}))
            return false;
    return true;
}

static bool add_judged(scmp_filter_ctx filter)
{
    /* abort() signals itself, and nobody else. */
    const struct call to_itself = {"tgkill", 1, {IS(0, getpid())}};

    for (size_t i = 0; i < ARRAY_SIZE(judged_calls); i++)
        if (!add(filter, SCMP_ACT_ALLOW, &judged_calls[i]))
            return false;
    return add(filter, SCMP_ACT_ALLOW, &to_itself);
}

static bool add_all(scmp_filter_ctx filter)
{
    return add_plain(filter, SCMP_ACT_ALLOW, plain_calls, ARRAY_SIZE(plain_calls)) &&
           (!SANDBOX_SANITIZED ||
            add_plain(filter, SCMP_ACT_ALLOW, sanitizer_calls, ARRAY_SIZE(sanitizer_calls))) &&
           add_judged(filter) &&
           add_plain(filter, SCMP_ACT_ERRNO(ENOSYS), absent_calls, ARRAY_SIZE(absent_calls));
}

bool sandbox_calls_available(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && seccomp_api_get() >= 1;
}

bool sandbox_refuse_rings(void)
{
    const struct call setup = {.name = "io_uring_setup"};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter)
        return false;
    bool done = add(filter, SCMP_ACT_ERRNO(ENOSYS), &setup) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

bool sandbox_calls_enforce(bool kill)
{
    scmp_filter_ctx filter = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));

    if (!filter)
        return false;
    /* A tree instead of a list: fewer steps to the call that is asked for. Best effort, older than 2.5
     * has none. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    bool done = add_all(filter);
    int status = done ? seccomp_load(filter) : -errno;
    seccomp_release(filter);
    errno = -status;
    return status == 0;
}
