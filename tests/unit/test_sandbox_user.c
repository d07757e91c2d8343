/* sandbox: who a process is then, what it has lost, and what belongs to whom. Most of it needs root to begin with. */
#include "sandbox_child.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- a kernel that has none of it ---- */

/* What such a kernel says, or a container that forbids it. */
static void lose_landlock_and_seccomp(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) !=
            0 ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) != 0 ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) != 0 ||
        seccomp_load(filter) != 0)
        abort();
    seccomp_release(filter);
}

static int end_on_an_old_kernel(enum sandbox_mode mode)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        lose_landlock_and_seccomp();
        if (!enter(mode, ""))
            _exit(BROKEN);
        _exit(geteuid() != 0 && status_line("CapEff:") == 0 && status_line("NoNewPrivs:") == 1 ? 0
                                                                                               : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(a_kernel_without_landlock_and_seccomp_is_lived_with_but_not_by_tests)
{
    arrive();
    EXPECT_UINT(0, end_on_an_old_kernel(SANDBOX_ON));
    EXPECT_UINT(BROKEN, end_on_an_old_kernel(SANDBOX_KILL));
    depart();
}
