/* What the files of TLS share. */
#ifndef ALOHA_TLS_PRIVATE_H
#define ALOHA_TLS_PRIVATE_H

#include "aloha/str.h"
#include "aloha/tls_link.h"

#include <openssl/ssl.h>

/* ---- tls_pair.c: a certificate and its key ---- */

enum { TLS_FINGERPRINT_SIZE = 32 * 3 + 1, TLS_TIME_SIZE = 24, TLS_FILE_SIZE_MAX = 256 * 1024 };

struct tls_facts {
    char fingerprint[TLS_FINGERPRINT_SIZE]; /* SHA-256 */
    int64_t expires_s;                      /* since 1970 */
    bool trusted; /* by this machine's trust store, with the chain given */
};

/* Where a complaint goes: one line without a line feed. */
struct tls_complaint {
    char *text;
    size_t size;
};
bool tls_complain(struct tls_complaint complaint, const char *where, const char *what); /* false */

/* Reads the pair and makes a context that shows it, ready for connections. NULL with a complaint. */
SSL_CTX *tls_pair_load(const char *cert_file, const char *key_file, struct tls_facts *facts,
                       struct tls_complaint complaint);
/* The same of a pair that was made here, both in one text, which nobody vouches for. `name` is for complaints. */
SSL_CTX *tls_pair_of_text(struct str text, const char *name, struct tls_facts *facts,
                          struct tls_complaint complaint);
/* Whether the certificate is for that name of --host. */
bool tls_pair_has_name(SSL_CTX *context, struct str host);
/* Reads a whole file; malloc()ed, to be freed with tls_forget(). False with a complaint.
 *   is_private  it must be of root or of this user, and open to nobody else */
bool tls_read_file(const char *path, struct str *out, bool is_private,
                   struct tls_complaint complaint);
void tls_forget(struct str *text); /* wipes and frees */
/* "2026-03-01T10:15:02Z". */
void tls_write_time(int64_t time_s, char out[TLS_TIME_SIZE]);

/* ---- tls_self.c: one that is made here ---- */

/* Takes the pair that is kept in the state directory, or makes a new one if there is none, it has a month left,
 * or this machine has a name or an address that it does not speak of. Not kept if it cannot be: that is logged. */
SSL_CTX *tls_self_load(const char *state_dir, const struct hosts *hosts, struct tls_facts *facts,
                       struct tls_complaint complaint);
/* True when that would be another one than the certificate in use. */
bool tls_self_is_stale(SSL_CTX *context, const struct hosts *hosts);

/* ---- tls_watch.c: that files have changed ---- */

enum { TLS_WATCH_FILES = 2, TLS_WATCH_HANDLES = 1 + 2 * TLS_WATCH_FILES };

struct tls_watch {
    uv_timer_t settle;
    uv_fs_event_t directories[2 * TLS_WATCH_FILES];
    uint64_t since_ms; /* the first change that was not told yet */
    void (*on_change)(void *ctx);
    void *ctx;
};

/* on_change is called some time after something has happened beside the files, be it to them or not. */
void tls_watch_init(struct tls_watch *watch, uv_loop_t *loop, void (*on_change)(void *ctx),
                    void *ctx);
/* Watches these from now on; called again when the links among them may lead elsewhere. What cannot be watched is
 * not: nobody may rely on it alone. */
void tls_watch_files(struct tls_watch *watch, const char *const paths[TLS_WATCH_FILES]);
/* Closes TLS_WATCH_HANDLES handles, whose data is `data` then. */
void tls_watch_close(struct tls_watch *watch, uv_close_cb on_closed, void *data);

/* ---- tls_store.c, for links ---- */

struct tls_links {
    struct tls_link *all;   /* utlist */
    struct tls_link *timed; /* those with a deadline */
    uv_timer_t timer;       /* runs while there are any */
    size_t count;           /* of links whose memory is not yet free */
    bool stopping;
    uint64_t turn_ms; /* of the loop, and the handshakes that went on in it */
    unsigned handshakes;
};

struct tls_links *tls_store_links(struct tls_store *store);
struct metrics *tls_store_metrics(struct tls_store *store);
SSL *tls_store_session(
    struct tls_store *store); /* a new one, of the pair in use; NULL: no memory */
void tls_store_link_gone(struct tls_store *store); /* it may have been the last */

/* ---- tls_link.c, for contexts ---- */

/* As SSL_CTX_set_msg_callback() wants it. */
void tls_link_see_record(int is_ours, int version, int kind, const void *bytes, size_t size,
                         SSL *ssl, void *ctx);

/* ---- tls_link.c, for the store ---- */

void tls_links_init(struct tls_links *links,
                    uv_loop_t *loop); /* a timer, to be closed by the store */
/* Those that are left after so long are cut. */
void tls_links_stop(struct tls_links *links, uint64_t after_ms);

#endif
