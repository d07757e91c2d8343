/* sandbox: what this process gives up for good once all that it needs is open. Whoever takes it over
 * through a fault finds no other user's rights, no file but those told here, no program to start and
 * no connection to open. docs/adr/0012-sandbox.md.
 *
 *   user       as root: another user, for good; no capability is kept by anybody
 *   landlock   only the paths told here are reachable, as far as the kernel can (Linux 5.13)
 *   seccomp    only the system calls of the table in sandbox_calls.c
 *
 * What the kernel cannot do is done without, and said. */
#ifndef ALOHA_SANDBOX_H
#define ALOHA_SANDBOX_H

#include "aloha/config.h"

#include <sys/types.h>

enum { SANDBOX_PATHS_MAX = 32, SANDBOX_USER_SIZE_MAX = 64 };

enum sandbox_access {
    SANDBOX_READ_FILE, /* a file read again later: its directory, and the one that a link leads to */
    SANDBOX_READ_DIR,  /* a directory with such files, if any: nobody minds if it cannot be read */
    SANDBOX_READ_TREE, /* a directory and what is below it; to enter fails if it cannot be read then */
    SANDBOX_STATE,     /* a directory: files in it are read, written, made and removed */
    SANDBOX_SOCKET,    /* a Unix socket that this process listens on: given to the user, removed */
};

/* What stays reachable. Paths are borrowed. */
struct sandbox_paths {
    struct {
        const char *path;
        enum sandbox_access access;
    } items[SANDBOX_PATHS_MAX];
    size_t count;
};

/* Adds a path; NULL and "" are passed over. More than SANDBOX_PATHS_MAX are a bug. */
void sandbox_paths_add(struct sandbox_paths *paths, const char *path, enum sandbox_access access);

/* Adds the socket of an address like "unix:/path"; passes over any other. */
void sandbox_paths_add_socket(struct sandbox_paths *paths, const char *address);

/* Who this process will be. */
struct sandbox_user {
    bool is_root; /* it will still be root */
    bool changes; /* it is root and becomes somebody else */
    uid_t uid;
    gid_t gid;
    char name[SANDBOX_USER_SIZE_MAX];
};

/* Who this process shall be: as root `wanted`, and if that is empty "aloha" if there is such a user,
 * else "nobody"; "root" stays root. Who is not root stays who they are, and can want nobody else.
 *   problem  on false: one line that says what is wrong, without a line feed. */
MUST_USE bool sandbox_find_user(const char *wanted, struct sandbox_user *out, char *problem,
                                size_t problem_size);

/* Tells whether who this process will be can read a file: a child of ours becomes them and tries. False
 * too if that cannot be found out. Not for the sandbox, where there are no children. */
bool sandbox_user_can_read(const struct sandbox_user *user, const char *path);

/* Makes the state directory (config.h) for who this process will be, unless it is there. By default it
 * is /var/lib/aloha then, for root's home is closed to others. To be called before anybody looks for
 * it; does nothing for who does not change. That it could not be made is told by who needs it. */
void sandbox_make_state_dir(const struct sandbox_user *user, const char *state_dir);

/* What this machine's kernel and libseccomp can do. */
struct sandbox_support {
    unsigned landlock_abi; /* 0: no landlock */
    bool seccomp;
};
void sandbox_probe(struct sandbox_support *out);

/* Lets nobody in this process have an io_uring, which does what it is asked past the sandbox's filter: libuv
 * 1.49 and later makes one for each loop, whatever UV_USE_IO_URING says, and ends the process when a filter
 * that comes later takes it away. To be called before there is a loop.
 *   returns  false when there is no seccomp: then nothing will take it away. */
bool sandbox_refuse_rings(void);

struct sandbox_options {
    enum sandbox_mode mode;
    struct sandbox_user user;
    struct sandbox_paths paths;
};

/* What holds now. */
struct sandbox_state {
    bool is_root, no_new_privs;
    unsigned landlock_abi; /* 0: not confined */
    enum sandbox_mode seccomp;
};

/* Gives it all up, in this order: other users' rights, capabilities, core dumps, new privileges,
 * paths, system calls. Says so in the log, and warns of what the kernel cannot do and of each path
 * that cannot be read any more. To be called when everything is open, by the only thread.
 *   problem  on false: one line that says why this process must not go on: it could not become the
 *            user, a tree is closed to that user, or with SANDBOX_KILL there is no seccomp. */
MUST_USE bool sandbox_enter(const struct sandbox_options *options, struct sandbox_state *out,
                            char *problem, size_t problem_size);

#endif
