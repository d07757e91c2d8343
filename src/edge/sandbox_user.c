/* The part of the sandbox that is about users and capabilities. */
#include "sandbox_private.h"

#include "aloha/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- who ---- */

static void take(struct sandbox_user *out, const struct passwd *found)
{
    out->uid = found->pw_uid;
    out->gid = found->pw_gid;
    snprintf(out->name, sizeof out->name, "%s", found->pw_name);
}

/* Not root: we stay who we are, whether or not there is a name for that. */
static bool find_self(const char *wanted, struct sandbox_user *out, char *problem, size_t size)
{
    const struct passwd *found = getpwuid(geteuid());

    out->uid = geteuid();
    out->gid = getegid();
    snprintf(out->name, sizeof out->name, "%u", out->uid);
    if (found)
        take(out, found);
    if (!wanted[0] || strcmp(wanted, out->name) == 0)
        return true;
    snprintf(problem, size, "--user: only root can become \"%.40s\"; this is \"%.40s\"", wanted,
             out->name);
    return false;
}

static const struct passwd *find_usual(void)
{
    const struct passwd *found = getpwnam("aloha");
    return found ? found : getpwnam("nobody");
}

bool sandbox_find_user(const char *wanted, struct sandbox_user *out, char *problem, size_t size)
{
    *out = (struct sandbox_user){0};
    if (geteuid() != 0)
        return find_self(wanted, out, problem, size);
    const struct passwd *found = wanted[0] ? getpwnam(wanted) : find_usual();
    if (!found && strcmp(wanted, "root") != 0) {
        snprintf(problem, size,
                 "--user: there is no user \"%.40s\"; root goes on as root with \"--user root\"",
                 wanted[0] ? wanted : "nobody");
        return false;
    }
    snprintf(out->name, sizeof out->name, "root");
    if (found)
        take(out, found);
    out->is_root = out->uid == 0;
    out->changes = !out->is_root;
    return true;
}

/* ---- what belongs to whom ---- */

void sandbox_make_state_dir(const struct sandbox_user *user, const char *state_dir)
{
    char dir[STATE_PATH_SIZE_MAX];

    if (!user->changes)
        return;
    setenv("XDG_STATE_HOME", "/var/lib", 0); /* a service's place: FHS 3.0 section 5.8 */
    if (state_dir_find(dir, state_dir))
        (void)!state_dir_make_for(dir, user->uid, user->gid);
}

/* Root has made this file if there is no other name for it: nobody else can have linked one of root's here. */
static void give_file(int dir, const char *name, const struct sandbox_user *user)
{
    struct stat info;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == 0 && info.st_nlink == 1)
        (void)!fchown(fd, user->uid, user->gid);
    close(fd);
}

/* A directory that is the user's, for one that is root's has been made by somebody, for something. */
static void give_files_in(const char *path, const struct sandbox_user *user)
{
    struct stat info;
    DIR *dir = opendir(path);
    int fd = dir ? dirfd(dir) : -1;

    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_uid == user->uid)
        for (const struct dirent *entry; (entry = readdir(dir));)
            give_file(fd, entry->d_name, user);
    if (dir)
        closedir(dir);
}

static void give_socket(const char *path, const struct sandbox_user *user)
{
    struct stat info;

    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) && info.st_uid == 0)
        (void)!lchown(path, user->uid, user->gid);
}

void sandbox_give_paths(const struct sandbox_user *user, const struct sandbox_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (paths->items[i].access == SANDBOX_STATE)
            give_files_in(paths->items[i].path, user);
        if (paths->items[i].access == SANDBOX_SOCKET)
            give_socket(paths->items[i].path, user);
    }
}

/* ---- for good ---- */

static bool has_none(const struct __user_cap_data_struct *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (data[i].permitted || data[i].effective || data[i].inheritable)
            return false;
    return true;
}

/* Drops all capabilities but those of `kept` that are there. glibc has no capset(2), and libcap is not worth
 * two calls. */
static bool drop_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    if (has_none(data, ARRAY_SIZE(data)))
        return true; /* and the service manager's filter may not allow capset(2) */
    for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0;
}

/* What a program that we started could get at most. Needs CAP_SETPCAP, and is done as far as it goes: there
 * is no starting of programs in the sandbox anyway. */
static void empty_bounding_set(void)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static bool change(const struct sandbox_user *user)
{
    uid_t real, effective, saved;

    if (initgroups(user->name, user->gid) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0)
        return false;
    errno = EPERM;
    return getresuid(&real, &effective, &saved) == 0 && real == user->uid &&
           effective == user->uid && saved == user->uid;
}

/* There is a way back for who kept any of it. */
static bool can_return(const struct sandbox_user *user)
{
    return user->changes && (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || seteuid(0) == 0 ||
                             setresgid((gid_t)-1, 0, (gid_t)-1) == 0);
}

bool sandbox_become(const struct sandbox_user *user)
{
    uint64_t kept = user->is_root ? 1ULL << CAP_DAC_OVERRIDE : 0;

    empty_bounding_set();
    if (user->changes && !change(user))
        return false;
    if (!drop_capabilities(kept))
        return false;
    errno = EPERM;
    return !can_return(user);
}

bool sandbox_user_can_read(const struct sandbox_user *user, const char *path)
{
    int status = -1;

    if (!user->changes)
        return access(path, R_OK) == 0;
    pid_t child = fork();
    if (child == 0) {
        bool can = sandbox_become(user) && open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0;
        _exit(can ? 0 : 1);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
