/* config: everything that can be set, as one table. From each row come the flag, the environment
 * variable, the line of --help and the row of docs/configuration.md; a test compares that page.
 * A flag beats the environment, the environment beats the default. */
#ifndef ALOHA_CONFIG_H
#define ALOHA_CONFIG_H

#include "aloha/hosts.h"
#include "aloha/ip.h"
#include "aloha/limits.h"
#include "aloha/log.h"

/* Where a secret was said to be. It is never an argument, which every user of the machine can read;
 * secret_read() (secret.h) looks at these places, in this order, and then at the credential `name`. */
struct secret_source {
    const char *name;  /* of the option: "secret" for --secret-file, ALOHA_SECRET, the credential */
    const char *value; /* itself, from the environment; NULL: not given there */
    const char *file;  /* its path; empty: not given */
};
enum { CONFIG_PORT_OFF = 65536 };

struct config {
    /* Texts point into argv or the environment, and so do the lists of names. */
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

    const char *ops_bind; /* an address in digits, or unix:/path */
    uint32_t ops_port;
    struct secret_source ops_token;
    uint32_t metrics_open; /* 1: yes */

    uint32_t log_level;  /* an enum log_level */
    uint32_t log_format; /* an enum log_format */

    const char *state_dir;       /* empty: the usual place */
    struct secret_source secret; /* not given: in the state directory */

    struct limits limits;

    bool show_help, show_version;
};

/* Reads the environment and the command line.
 *   environment  as `environ`; only names that begin with ALOHA_ matter, an unknown one is an error.
 *   problem      on false: one line that says what is wrong with which option, without a line feed.
 *   lifetime     texts in *out point into argv and environment. */
MUST_USE bool config_read(struct config *out, int argc, char *const argv[],
                          char *const environment[], char *problem, size_t problem_size);

/* "room-peers-max" as "ALOHA_ROOM_PEERS_MAX". */
void config_environment_name(const char *name, char *out, size_t out_size);
/* True when the public port speaks https. */
bool config_has_tls(const struct config *config);

/* What `aloha --help` shows, at most 80 columns wide. */
void config_write_help(struct buf *out);

/* docs/configuration.md, whole. */
void config_write_markdown(struct buf *out);

#endif
