#include "sandbox_private.h"

#include "aloha/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void sandbox_paths_add(struct sandbox_paths *paths, const char *path, enum sandbox_access access)
{
    if (!path || !path[0])
        return;
    assert(paths->count < SANDBOX_PATHS_MAX);
    paths->items[paths->count].path = path;
    paths->items[paths->count++].access = access;
}

void sandbox_paths_add_socket(struct sandbox_paths *paths, const char *address)
{
    static const char scheme[] = "unix:";

    if (strncmp(address, scheme, sizeof scheme - 1) == 0)
        sandbox_paths_add(paths, address + sizeof scheme - 1, SANDBOX_SOCKET);
}

void sandbox_probe(struct sandbox_support *out)
{
    out->landlock_abi = sandbox_landlock_abi();
    out->seccomp = sandbox_calls_available();
}

/* Keys are in this process' memory: no file of it, and nobody of the same user looks into it. */
static void close_memory(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (!SANDBOX_SANITIZED)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static bool is_open_to_us(const char *path, enum sandbox_access kind)
{
    if (kind == SANDBOX_SOCKET || kind == SANDBOX_READ_DIR)
        return true; /* a socket that stays is replaced by who comes next */
    if (kind == SANDBOX_STATE && access(path, W_OK | X_OK) != 0)
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A file that root could read and this user cannot is not read again: its change would go unnoticed. */
static bool look_at_paths(const struct sandbox_options *options, char *problem, size_t problem_size)
{
    for (size_t i = 0; i < options->paths.count; i++) {
        const char *path = options->paths.items[i].path;
        enum sandbox_access kind = options->paths.items[i].access;
        if (is_open_to_us(path, kind))
            continue;
        if (kind == SANDBOX_READ_TREE) {
            snprintf(problem, problem_size, "%.120s: cannot be read by the user \"%.40s\" (--user)",
                     path, options->user.name);
            return false;
        }
        if (kind == SANDBOX_STATE)
            log_warning("state_not_writable", log_text("path", path),
                        log_text("user", options->user.name), log_text("reason", strerror(errno)));
        else
            log_warning("not_readable_again", log_text("path", path),
                        log_text("user", options->user.name), log_text("reason", strerror(errno)));
    }
    return true;
}

static bool become(const struct sandbox_options *options, char *problem, size_t problem_size)
{
    const struct sandbox_user *user = &options->user;

    if (user->changes)
        sandbox_give_paths(user, &options->paths);
    if (sandbox_become(user))
        return true;
    snprintf(problem, problem_size,
             "cannot become the user \"%.40s\": %s; root goes on as root with \"--user root\"",
             user->name, strerror(errno));
    return false;
}

/* Forbids what is left. Each part is done without the other, but for tests, which want to know. */
static bool confine(const struct sandbox_options *options, int rules, struct sandbox_state *out,
                    char *problem, size_t problem_size)
{
    bool kill = options->mode == SANDBOX_KILL;

    out->no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (rules >= 0 && sandbox_landlock_enforce(rules))
        out->landlock_abi = sandbox_landlock_abi();
    if (!look_at_paths(options, problem, problem_size))
        return false;
    if (sandbox_calls_enforce(kill))
        out->seccomp = options->mode;
    else if (kill)
        snprintf(problem, problem_size, "--sandbox kill: no seccomp: %s", strerror(errno));
    return out->seccomp != SANDBOX_OFF || !kill;
}

static void report(const struct sandbox_options *options, const struct sandbox_state *state)
{
    static const char *const modes[] = {
        [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off", [SANDBOX_KILL] = "kill"};

    log_info("sandboxed", log_text("user", options->user.name),
             log_uint("landlock_abi", state->landlock_abi),
             log_text("seccomp", modes[state->seccomp]),
             log_text("no_new_privs", state->no_new_privs ? "yes" : "no"));
    if (options->mode == SANDBOX_OFF)
        return;
    if (!state->landlock_abi)
        log_warning("sandbox_incomplete", log_text("missing", "landlock"));
    if (state->seccomp == SANDBOX_OFF)
        log_warning("sandbox_incomplete", log_text("missing", "seccomp"));
}

bool sandbox_enter(const struct sandbox_options *options, struct sandbox_state *out, char *problem,
                   size_t problem_size)
{
    bool wanted = options->mode != SANDBOX_OFF;
    /* By root, who reaches paths that the user may be let into later. */
    int rules = wanted ? sandbox_landlock_prepare(&options->paths) : -1;

    *out = (struct sandbox_state){.is_root = options->user.is_root, .seccomp = SANDBOX_OFF};
    umask(S_IRWXG | S_IRWXO);
    if (!become(options, problem, problem_size)) {
        if (rules >= 0)
            close(rules);
        return false;
    }
    if (wanted)
        close_memory();
    bool done = wanted ? confine(options, rules, out, problem, problem_size)
                       : look_at_paths(options, problem, problem_size);
    if (done)
        report(options, out);
    return done;
}
