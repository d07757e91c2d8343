/* sandbox: what cannot be done from inside. Each attempt is made by a child that has entered, in both modes.
 * This file is built twice: with the calls that the sanitizers need, and, as test_sandbox_release, without. */
#include "edge/sandbox_private.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BROKEN = 200 }; /* exit status of a child that could not even enter */

static char place[64], problem[256];
static int stranger, tcp; /* opened before: the parent's pid, and a socket */

/* ---- a place with something in it ---- */

static const char *in_place(const char *name)
{
    return fmt("%s/%s", place, name);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, mode) != 0)
        abort();
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static void arrive(void)
{
    strcpy(place, "/tmp/aloha-sandbox-XXXXXX");
    if (!mkdtemp(place) || chmod(place, 0711) != 0)
        abort();
    static const char *const dirs[] = {"certs", "live", "elsewhere", "tree"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (mkdir(in_place(dirs[i]), 0755) != 0 || chmod(in_place(dirs[i]), 0755) != 0)
            abort();
    put_file(in_place("certs/cert.pem"), "certificate", 0644);
    put_file(in_place("elsewhere/file"), "not ours", 0666);
    put_file(in_place("tree/page"), "page", 0644);
    if (symlink(in_place("certs/cert.pem"), in_place("live/cert.pem")) != 0)
        abort();
    stranger = getpid();
    tcp = socket(AF_INET, SOCK_STREAM, 0);
}

static void depart(void)
{
    close(tcp);
    nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- children ---- */

static bool enter(enum sandbox_mode mode, const char *user)
{
    struct sandbox_options options = {.mode = mode};
    struct sandbox_state state;
    static char state_dir[128], cert[128], tree[128]; /* longer than fmt() keeps them */

    snprintf(state_dir, sizeof state_dir, "%s/state", place);
    snprintf(cert, sizeof cert, "%s/live/cert.pem", place);
    snprintf(tree, sizeof tree, "%s/tree", place);
    if (!sandbox_find_user(user, &options.user, problem, sizeof problem))
        return false;
    sandbox_make_state_dir(&options.user, state_dir);
    (void)!mkdir(state_dir, 0700);
    sandbox_paths_add(&options.paths, state_dir, SANDBOX_STATE);
    sandbox_paths_add(&options.paths, cert, SANDBOX_READ_FILE);
    sandbox_paths_add(&options.paths, tree, SANDBOX_READ_TREE);
    return sandbox_enter(&options, &state, problem, sizeof problem);
}

/* How a child ends that enters and then does this: its exit status, or 1000 and the signal. */
static int fate_as(const char *user, enum sandbox_mode mode, int (*act)(const void *),
                   const void *with)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!enter(mode, user)) {
            fprintf(stderr, "# %s\n", problem);
            _exit(BROKEN);
        }
        _exit(act(with));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int fate(enum sandbox_mode mode, int (*act)(const void *), const void *with)
{
    return fate_as("", mode, act, with);
}

/* ---- system calls ---- */

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
    REFUSED(connect, 3, 0, 0), REFUSED(listen, 3, 5),
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
    if (support.landlock_abi >= 4)
        EXPECT_UINT(EACCES, fate(SANDBOX_KILL, bind_tcp, NULL));
    depart();
}

/* ---- what has to go on ---- */

static void *be_a_thread(void *with)
{
    prctl(PR_SET_NAME, "worker");
    return with;
}

static int start_thread(const void *with)
{
    pthread_t thread;
    void *back = NULL;
    int result = pthread_create(&thread, NULL, be_a_thread, &stranger);

    (void)with;
    return result ? result : pthread_join(thread, &back) != 0 || back != &stranger;
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

/* ---- users ---- */

static unsigned long long status_line(const char *name)
{
    char line[256];
    unsigned long long value = ~0ULL;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name) + 1, NULL, 16);
    if (file)
        fclose(file);
    return value;
}

static int be_nobody(const void *with)
{
    uid_t uids[3];
    gid_t groups[64];

    (void)with;
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || !uids[0] || !uids[1] || !uids[2])
        return 1;
    int count = getgroups(ARRAY_SIZE(groups), groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == 0)
            return 2;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0)
        return 3;
    static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        if (status_line(sets[i]) != 0)
            return 10 + (int)i;
    return 0;
}

TEST(root_becomes_nobody_and_there_is_no_way_back)
{
    arrive();
    if (geteuid() == 0)
        EXPECT_UINT(0,
                    fate_as("nobody", SANDBOX_OFF, be_nobody, NULL)); /* the kernel alone says no */
    depart();
}

static int be_root(const void *with)
{
    enum { DAC_OVERRIDE = 1 };

    (void)with;
    return getuid() != 0                                 ? 1
           : status_line("CapEff:") != 1 << DAC_OVERRIDE ? 2
           : status_line("CapBnd:") != 0                 ? 3
                                                         : 0;
}

TEST(root_that_stays_root_keeps_files_and_no_other_power)
{
    arrive();
    if (geteuid() == 0)
        EXPECT_UINT(0, fate_as("root", SANDBOX_KILL, be_root, NULL));
    depart();
}

static int look_at_ourselves(const void *with)
{
    struct rlimit cores;

    (void)with;
    if (getrlimit(RLIMIT_CORE, &cores) != 0 || cores.rlim_max != 0)
        return 1;
    if (umask(0) != 0077)
        return 2;
    if (status_line("NoNewPrivs:") != 1 || status_line("Seccomp:") != 2)
        return 3;
    return 0;
}

TEST(nothing_of_the_memory_is_left_and_nobody_gains_anything)
{
    arrive();
    EXPECT_UINT(0, fate(SANDBOX_KILL, look_at_ourselves, NULL));
    depart();
}

TEST(only_root_can_want_to_be_somebody_else)
{
    struct sandbox_user user;

    EXPECT(sandbox_find_user("", &user, problem, sizeof problem));
    EXPECT(user.changes == (geteuid() == 0));
    EXPECT(!sandbox_find_user("no-such-user-here", &user, problem, sizeof problem));
    EXPECT_THAT(strncmp(problem, "--user: ", 8) == 0, "%s", problem);
    if (geteuid() != 0) {
        EXPECT(!sandbox_find_user("root", &user, problem, sizeof problem));
        return;
    }
    EXPECT(sandbox_find_user("root", &user, problem, sizeof problem));
    EXPECT(user.is_root && !user.changes);
    EXPECT(sandbox_find_user("nobody", &user, problem, sizeof problem));
    EXPECT(!user.is_root && user.changes && user.uid != 0);
}

/* ---- what belongs to whom ---- */

static uid_t owner_of(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 ? info.st_uid : (uid_t)-1;
}

static int do_nothing(const void *with)
{
    (void)with;
    return 0;
}

TEST(what_root_has_made_in_the_state_directory_becomes_the_users_and_nothing_else_does)
{
    struct sandbox_user user;

    arrive();
    if (geteuid() != 0) {
        depart();
        return;
    }
    EXPECT(sandbox_find_user("nobody", &user, problem, sizeof problem));
    sandbox_make_state_dir(&user, in_place("a/b/state"));
    EXPECT_UINT(0, owner_of(in_place("a/b")));
    EXPECT_UINT(user.uid, owner_of(in_place("a/b/state")));
    sandbox_make_state_dir(&user, in_place("state"));
    put_file(in_place("state/secret"), "key", 0600);
    put_file(in_place("roots"), "not the user's", 0600);
    EXPECT(link(in_place("roots"), in_place("state/roots")) ==
           0); /* by the user, on an old kernel */
    EXPECT(symlink(in_place("elsewhere/file"), in_place("state/link")) == 0);
    EXPECT_UINT(0, fate_as("nobody", SANDBOX_KILL, do_nothing, NULL));
    EXPECT_UINT(user.uid, owner_of(in_place("state/secret")));
    EXPECT_UINT(0, owner_of(in_place("roots")));
    EXPECT_UINT(0, owner_of(in_place("elsewhere/file")));
    EXPECT_UINT(0, owner_of(in_place("state/link")));
    depart();
}

TEST(a_directory_that_was_there_stays_whose_it_was)
{
    arrive();
    if (geteuid() == 0) {
        EXPECT(mkdir(in_place("state"), 0700) == 0);
        put_file(in_place("state/secret"), "key", 0600);
        EXPECT_UINT(0, fate_as("nobody", SANDBOX_KILL, do_nothing, NULL));
        EXPECT_UINT(0, owner_of(in_place("state")));
        EXPECT_UINT(0, owner_of(in_place("state/secret")));
    }
    depart();
}

TEST(a_tree_that_the_user_cannot_read_stops_the_start)
{
    arrive();
    if (geteuid() == 0) {
        EXPECT(chmod(in_place("tree"), 0700) == 0);
        EXPECT_UINT(BROKEN, fate_as("nobody", SANDBOX_ON, do_nothing, NULL));
        EXPECT_UINT(BROKEN, fate_as("nobody", SANDBOX_OFF, do_nothing, NULL));
        EXPECT_UINT(0, fate_as("root", SANDBOX_ON, do_nothing, NULL));
    }
    depart();
}
