/* check: what `aloha check` says of a configuration and of the machine. Pure: facts in, a table out. An error is
 * what a start would fail with, in the same words; a warning is what an operator should know. */
#ifndef ALOHA_CHECK_H
#define ALOHA_CHECK_H

#include "aloha/config.h"

enum {
    CHECK_ROWS_MAX = 32,
    CHECK_TEXT_SIZE_MAX = 512,
    CHECK_VERSION_SIZE_MAX = 32,
};

enum check_verdict { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

/* A port that would be listened on. */
struct check_port {
    char where[160]; /* "port 3000 of ::", "unix:/run/aloha.sock"; empty: not wanted */
    char problem[CHECK_TEXT_SIZE_MAX]; /* what a start would say; empty: it is free */
    bool is_ours;                      /* it is not free because an aloha runs there */
    bool is_untried;                   /* socket files only, which would be replaced by trying */
};

enum check_tls { CHECK_TLS_NONE, CHECK_TLS_SELF_SIGNED, CHECK_TLS_FILES };

struct check_facts {
    const struct config *config; /* borrowed */
    int64_t now_s;               /* since 1970, by this machine */

    struct check_port public_port, ops_port, redirect_port;

    enum check_tls tls;
    char certificate_problem[CHECK_TEXT_SIZE_MAX]; /* what a start would say */
    int64_t certificate_expires_s;
    bool certificate_is_trusted; /* by this machine */
    bool tls_key_is_open;        /* others can read the file */
    bool tls_is_read_once;       /* who it would run as cannot read both files */
    bool host_is_certified[HOSTS_MAX];

    char key_file[256]; /* of the resume tokens, there or not; empty: there is no place for one */
    char key_problem[CHECK_TEXT_SIZE_MAX];
    bool key_is_there;
    bool key_is_wanted; /* without it there is no start: its place was set, or it is there */
    bool key_directory_is_open; /* others can write to it */

    char ops_problem[CHECK_TEXT_SIZE_MAX]; /* what a start would say of the plane's options */
    bool ops_has_token;

    bool stays_root;
    char user[64];         /* who it would run as */
    unsigned landlock_abi; /* 0: the kernel has none */
    bool has_seccomp;

    uint64_t descriptors_max;
    unsigned descriptors_each; /* of a connection */
    uint64_t memory_size;      /* of the machine, or what its cgroup may have; 0: unknown */
    uint64_t backlog_max;      /* net.core.somaxconn; 0: unknown */
    bool clock_is_known, clock_is_synchronised;
    char openssl_version[CHECK_VERSION_SIZE_MAX], lws_version[CHECK_VERSION_SIZE_MAX],
        mhd_version[CHECK_VERSION_SIZE_MAX];
};

struct check_row {
    const char *name;
    enum check_verdict verdict;
    char text[CHECK_TEXT_SIZE_MAX], remedy[CHECK_TEXT_SIZE_MAX]; /* remedy may be empty */
};

struct check_report {
    struct check_row rows[CHECK_ROWS_MAX];
    size_t count;
    size_t counts[CHECK_ERROR + 1]; /* rows of each verdict */
};

void check_judge(struct check_report *out, const struct check_facts *facts);

/* The table and a line that sums it up; what came from outside cannot steer the terminal. */
void check_write(const struct check_report *report, bool colour, struct buf *out);

#endif
