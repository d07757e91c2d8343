/* config: everything that can be set, as one table. From each row come the flag, the environment
 * variable, the key of the configuration file, the line of --help, of the manual and of the shells'
 * completions, and the row of docs/configuration.md; a test compares what is generated.
 * A flag beats the environment, the environment beats the file, the file beats the default. */
#ifndef ALOHA_CONFIG_H
#define ALOHA_CONFIG_H

#include "aloha/hosts.h"
#include "aloha/ip.h"
#include "aloha/limits.h"
#include "aloha/log.h"

enum {
    CONFIG_OPTIONS_MAX = 128,
    CONFIG_FILE_SIZE_MAX = 65536,
    CONFIG_LINE_SIZE_MAX = 197, /* what inih's buffer takes, as it is packaged */
    CONFIG_PROBLEM_SIZE = 512,  /* enough for any line of complaint */
    CONFIG_WHERE_SIZE = 256,
};

#define CONFIG_FILE_USUAL "/etc/aloha/aloha.conf"

enum config_from { CONFIG_BY_DEFAULT, CONFIG_BY_FILE, CONFIG_BY_ENVIRONMENT, CONFIG_BY_FLAG };

/* How an option came to its value. */
struct config_setting {
    const char *text; /* as it was given */
    enum config_from from;
    uint32_t line; /* of the file */
};

/* Where a secret was said to be, by a flag, else the environment, else the configuration file. It is never an
 * argument, which every user of the machine can read. secret_read() (secret.h) takes it from there, and
 * when nobody has said anything, from the credential `name`. */
struct secret_source {
    const char *name;  /* of the option: "secret" for --secret-file, ALOHA_SECRET, the credential */
    const char *value; /* itself, from the environment; NULL: not given there */
    const char *file;  /* its path; empty: not given */
};
enum { CONFIG_PORT_OFF = 65536 };

enum sandbox_mode { SANDBOX_ON, SANDBOX_OFF, SANDBOX_KILL };
#define SANDBOX_MODES "on|off|kill" /* their names, in that order */

struct config {
    /* Texts point into argv, the environment or file_texts, and so do the lists of names. */
    uint32_t port;
    const char *bind;
    struct hosts hosts, origins;
    uint32_t allow_no_origin; /* 1: yes */
    const char *assets;       /* empty: those in the binary */

    uint32_t tls;         /* 1: self-signed */
    const char *tls_cert; /* both or none */
    const char *tls_key;
    uint32_t redirect_port; /* CONFIG_PORT_OFF: none */

    struct ip_networks trusted_proxies;
    uint32_t socket_mode;
    struct str base_path; /* "/x", or nothing for "/" */

    const char *ops_bind; /* an address in digits, or unix:/path */
    uint32_t ops_port;
    struct secret_source ops_token;
    uint32_t metrics_open; /* 1: yes */

    uint32_t log_level;  /* an enum log_level */
    uint32_t log_format; /* an enum log_format */

    const char *state_dir;       /* empty: the usual place */
    struct secret_source secret; /* not given: in the state directory */

    const char *user; /* empty: the usual one */
    uint32_t sandbox; /* an enum sandbox_mode */

    struct limits limits;

    /* What is to be done instead of serving. */
    bool show_help, show_version, print_config, check;
    const char *help_topic; /* of --help TOPIC; empty: the first page */

    const char *file_asked; /* --config */
    const char *file_name;  /* of the file that was read; empty: none was */
    bool file_is_strangers; /* it belongs to neither us nor root; set by config_load() */
    char *file_texts;       /* owned */
    struct config_setting settings[CONFIG_OPTIONS_MAX]; /* in the order of the table */
};

/* What there is to read. */
struct config_input {
    int argc;
    char *const *argv;
    char *const *environment; /* as `environ`; only names that begin with ALOHA_ matter */
    const char *file_name;    /* what complaints call the file; NULL: there is none */
    struct str file;          /* its text */
};

/* Reads what there is.
 *   problem      on false: one line that says what is wrong with which option, without a line feed.
 *   lifetime     texts in *out point into what *input points to, but of the file's text it has a copy;
 *                config_deinit() frees that, and is wanted only when true came back. */
MUST_USE bool config_read(struct config *out, const struct config_input *input, char *problem,
                          size_t problem_size);
void config_deinit(struct config *config);

/* Which file is to be read, by argv and environment alone. */
struct config_place {
    const char *path; /* empty: none, also when only --help or --version was asked for */
    bool was_asked;   /* somebody named it: then it has to be there */
};
MUST_USE bool config_find_file(struct config_place *out, const struct config_input *input,
                               char *problem, size_t problem_size);

/* Where that option was set, for a complaint that only somebody else can make: "--bind", "ALOHA_BIND",
 * "/etc/aloha/aloha.conf:3: bind". */
void config_where(const struct config *config, const char *option, char out[CONFIG_WHERE_SIZE]);

/* "room-peers-max" as "ALOHA_ROOM_PEERS_MAX". */
void config_environment_name(const char *name, char *out, size_t out_size);

/* True when the public port speaks https. */
bool config_has_tls(const struct config *config);

/* What `aloha --help TOPIC` shows, at most 80 columns wide.
 *   topic    empty: the first page. "all", a group's section, or an option's name.
 *   is_bold  headings and names are in bold, by the control sequences of ECMA-48.
 *   returns  false with one line in `problem` when there is no such topic. */
MUST_USE bool config_write_help(struct buf *out, const char *topic, bool is_bold, char *problem,
                                size_t problem_size);

/* What holds now and who said so, as a configuration file that says the same. No secret is in it. */
void config_write_effective(const struct config *config, struct buf *out);

/* Files of the repository that come out of the table, whole (tests/unit/docs.h names them). */
void config_write_markdown(struct buf *out);
void config_write_example(struct buf *out);     /* packaging/aloha.conf */
void config_write_manual(struct buf *out);      /* aloha(1), in mdoc */
void config_write_file_manual(struct buf *out); /* aloha.conf(5) */
void config_write_bash(struct buf *out);        /* completions */
void config_write_zsh(struct buf *out);
void config_write_fish(struct buf *out);

#endif
