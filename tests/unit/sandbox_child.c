#include "sandbox_child.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

char problem[256];
static char place[64];

/* ---- a place with something in it ---- */

const char *in_place(const char *name)
{
    return fmt("%s/%s", place, name);
}

void put_file(const char *path, const char *text, mode_t mode)
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

void arrive(void)
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
}

void depart(void)
{
    nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- children ---- */

bool enter(enum sandbox_mode mode, const char *user)
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

int fate_as(const char *user, enum sandbox_mode mode, int (*act)(const void *), const void *with)
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

int fate(enum sandbox_mode mode, int (*act)(const void *), const void *with)
{
    return fate_as("", mode, act, with);
}
