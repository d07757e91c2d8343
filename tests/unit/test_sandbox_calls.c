/* sandbox: the system calls that there are no more. Each is made by a child that has entered, in both modes.
 * Built twice: with the calls that the sanitizers need, and, as test_sandbox_calls_release, without. */
#include "sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attempt {
    const char *name;
    long number, arguments[5];
    int refusal; /* errno when it is only refused; the absent ones kill nobody */
};

static int call(const void *with)
{
    const struct attempt *a = with;
    long result = syscall(a->number, a->arguments[0], a->arguments[1], a->arguments[2],
                          a->arguments[3], a->arguments[4]);

    if (result == 0 && (a->number == SYS_clone || a->number == SYS_clone3))
        _exit(0); /* a grandchild */
    return result == -1 ? errno : 0;
}

/* clang-format off */
#define REFUSED(name, ...) {#name, SYS_##name, {__VA_ARGS__}, EPERM}
#define ABSENT(name, ...)  {#name, SYS_##name, {__VA_ARGS__}, ENOSYS}

static const struct attempt never[] = {
    REFUSED(execve, (long)"/bin/true", 0, 0),
    REFUSED(execveat, AT_FDCWD, (long)"/bin/true", 0, 0, 0),
    REFUSED(socket, AF_INET, SOCK_STREAM, 0), REFUSED(socket, AF_INET6, SOCK_DGRAM, 0),
    REFUSED(socket, AF_PACKET, SOCK_RAW, 0), REFUSED(socket, AF_ALG, SOCK_SEQPACKET, 0),
    REFUSED(socket, AF_VSOCK, SOCK_STREAM, 0),
    REFUSED(socket, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT), REFUSED(socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER),
    REFUSED(socket, AF_UNIX, SOCK_DGRAM, 0), REFUSED(socket, AF_UNIX, SOCK_SEQPACKET, 0),
    REFUSED(socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, (long)&problem),
    REFUSED(connect, 3, 0, 0), REFUSED(listen, 3, 5), REFUSED(sendto, -1, 0, 0, MSG_FASTOPEN, 0), REFUSED(sendmsg, -1, 0, MSG_FASTOPEN),
    REFUSED(fcntl, 0, F_SETOWN, 1), REFUSED(fcntl, 0, F_SETOWN_EX, (long)&problem), REFUSED(fcntl, 0, F_SETSIG, SIGKILL),
    REFUSED(fcntl, 0, F_SETLEASE, F_RDLCK), REFUSED(fcntl, 0, F_NOTIFY, 0), REFUSED(fcntl, 0, F_SETPIPE_SZ, 1 << 20),
    REFUSED(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
    REFUSED(mprotect, 0, 4096, PROT_READ | PROT_EXEC), REFUSED(pkey_mprotect, 0, 4096, PROT_EXEC, -1),
    REFUSED(memfd_create, (long)"x", 0), REFUSED(remap_file_pages, 0, 0, 0, 0, 0),
    REFUSED(mount, 0, 0, 0, 0, 0), REFUSED(umount2, 0, 0), REFUSED(pivot_root, 0, 0), REFUSED(chroot, (long)"/tmp"),
    REFUSED(chdir, (long)"/tmp"), REFUSED(unshare, CLONE_NEWUSER), REFUSED(setns, 3, 0),
    REFUSED(mkdirat, AT_FDCWD, (long)"/tmp/x", 0), REFUSED(mknodat, AT_FDCWD, (long)"/tmp/x", S_IFIFO, 0),
    REFUSED(symlinkat, (long)"x", AT_FDCWD, (long)"/tmp/x"), REFUSED(fchmodat, AT_FDCWD, (long)"/tmp/x", 0),
    REFUSED(fchownat, AT_FDCWD, (long)"/tmp/x", 0, 0, 0), REFUSED(fchown, 3, 0, 0), REFUSED(truncate, (long)"/tmp/x", 0),
    REFUSED(setuid, 0), REFUSED(setresuid, 0, 0, 0), REFUSED(setgid, 0), REFUSED(setgroups, 0, 0), REFUSED(capset, 0, 0),
    REFUSED(prlimit64, 0, RLIMIT_NOFILE, (long)&problem, 0),
    REFUSED(keyctl, 0, 0), REFUSED(add_key, 0, 0, 0, 0, 0), REFUSED(request_key, 0, 0, 0, 0),
    REFUSED(bpf, 0, 0, 0), REFUSED(perf_event_open, 0, 0, -1, -1, 0), REFUSED(userfaultfd, 0), REFUSED(io_uring_enter, 3, 0, 0, 0, 0),
    REFUSED(process_vm_writev, 0, 0, 0, 0, 0), REFUSED(pidfd_open, 1, 0), REFUSED(pidfd_getfd, 3, 0, 0), REFUSED(kcmp, 0, 0, 0, 0, 0),
    REFUSED(init_module, 0, 0, 0), REFUSED(finit_module, 3, 0, 0), REFUSED(reboot, 0, 0, 0), REFUSED(kexec_load, 0, 0, 0, 0),
    REFUSED(open_by_handle_at, 3, 0, 0), REFUSED(name_to_handle_at, 0, 0, 0, 0, 0), REFUSED(quotactl, 0, 0, 0, 0),
    REFUSED(ioctl, 0, TIOCSTI, 0), REFUSED(ioctl, 0, TIOCCONS, 0), REFUSED(setsid, 0), REFUSED(sethostname, 0, 0),
    REFUSED(clock_settime, 0, 0), REFUSED(settimeofday, 0, 0), REFUSED(syslog, 0, 0, 0), REFUSED(acct, 0), REFUSED(swapon, 0, 0),
    REFUSED(msgget, 0, 0), REFUSED(shmget, 0, 0, 0), REFUSED(mq_open, 0, 0, 0, 0), REFUSED(seccomp, 0, 0, 0), REFUSED(splice, 0, 0, 0, 0, 0),
    REFUSED(landlock_create_ruleset, 0, 0, 0),
};

/* Sanitizers' reports need them; a release has no such excuse. */
static const struct attempt never_in_a_release[] = {
    REFUSED(clone, SIGCHLD, 0, 0, 0, 0), REFUSED(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
    REFUSED(ptrace, PTRACE_TRACEME, 0, 0, 0), REFUSED(process_vm_readv, 0, 0, 0, 0, 0), REFUSED(kill, 0, 0),
    REFUSED(tgkill, 1, 1, 0), REFUSED(wait4, -1, 0, 0, 0), REFUSED(prctl, PR_SET_DUMPABLE, 1), REFUSED(prctl, PR_SET_SECCOMP, 0),
};

static const struct attempt absent[] = {
    ABSENT(clone3, 0, 0), ABSENT(io_uring_setup, 1, 0), ABSENT(openat2, AT_FDCWD, 0, 0, 0), ABSENT(close_range, 1000, 1001, 0),
};
/* clang-format on */

static void expect_refused(const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count && !test_has_failed(); i++) {
        const struct attempt *a = &attempts[i];
        int refused = fate(SANDBOX_ON, call, a), killed = fate(SANDBOX_KILL, call, a);
        EXPECT_THAT(refused == a->refusal, "%s (%ld): %d", a->name, a->arguments[0], refused);
        EXPECT_THAT(killed == (a->refusal == ENOSYS ? ENOSYS : 1000 + SIGSYS), "%s (%ld): %d",
                    a->name, a->arguments[0], killed);
    }
}

TEST(what_is_not_in_the_table_is_refused_and_kills_where_tests_want_that)
{
    arrive();
    expect_refused(never, ARRAY_SIZE(never));
    if (!SANDBOX_SANITIZED)
        expect_refused(never_in_a_release, ARRAY_SIZE(never_in_a_release));
    depart();
}

TEST(what_libraries_can_do_without_is_not_there)
{
    arrive();
    expect_refused(absent, ARRAY_SIZE(absent));
    depart();
}

#if defined(__x86_64__)
TEST(the_calls_of_another_architecture_are_no_way_around)
{
    enum { X32 = 0x40000000 };
    const struct attempt getpid_x32 = {"x32 getpid", X32 + SYS_getpid, {0}, 0};

    arrive();
    int end = fate(SANDBOX_ON, call, &getpid_x32);
    EXPECT_THAT(end == 1000 + SIGSYS || end == EPERM || end == ENOSYS, "%d", end);
    depart();
}
#endif
