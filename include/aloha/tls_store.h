/* tls_store: the certificate that this server shows, and how it stays a good one.
 *
 * A pair of certificate and key is staged in a context of its own and checked; only a good one takes the
 * place of the one in use, and connections that are open keep theirs. Looked for on tls_store_reload(),
 * when something changes beside the files (a file renamed over them, a symbolic link that points
 * elsewhere: Caddy's and certbot's ways), and every minute. docs/operations.md tells what an operator sees of it.
 * spec: docs/security.md R11; docs/adr/0009. */
#ifndef ALOHA_TLS_STORE_H
#define ALOHA_TLS_STORE_H

#include "aloha/hosts.h"
#include "aloha/metrics.h"

#include <uv.h>

struct tls_store;

struct tls_store_options { /* borrowed for life, as all pointers here */
    const char *cert_file; /* PEM: the certificate, then its chain; empty: self-signed */
    const char *key_file;  /* PEM, without a password */
    const char *state_dir; /* of a self-signed one; empty: the usual place (state_dir.h) */
    const struct hosts
        *hosts; /* the names that a self-signed one is for, beside the machine's own */
    struct metrics *metrics;
};

/* Loads the pair, or makes one.
 *   returns  NULL with one line in `problem`: the pair is unreadable, mismatched, not yet valid, expired. */
MUST_USE struct tls_store *tls_store_new(uv_loop_t *loop, const struct tls_store_options *options,
                                         char *problem, size_t problem_size);

/* Looks again. A bad pair leaves the old one where it is; the log and the metrics tell.
 *   returns   false when it was one. */
bool tls_store_reload(struct tls_store *store);

/* True when this machine's trust store vouches for the certificate: one that browsers take without being
 * asked to, so that https may be demanded of them for a year (R11). */
bool tls_store_is_trusted(const struct tls_store *store);

/* Where that trust store is: what a sandbox must leave readable for tls_store_reload(), for links lead from the
 * one to the others. Some need not be there.
 *   returns  how many there are. */
enum { TLS_TRUST_PATHS_MAX = 8 };
size_t tls_store_trust_paths(const char *out[TLS_TRUST_PATHS_MAX]);

/* SHA-256 of the certificate, as browsers show it: "AB:CD:...". Valid until the next turn of the loop. */
const char *tls_store_fingerprint(const struct tls_store *store);
bool tls_store_is_self_signed(const struct tls_store *store); /* made here */

/* Ends it with its links (tls_link.h), which have a second to say goodbye once their other ends are closed; the
 * memory goes when the loop has closed the handles. Accepts NULL. */
void tls_store_stop(struct tls_store *store);

#endif
