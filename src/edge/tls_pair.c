/* A certificate and its key: read, checked, and put into a context. */
#include "tls_private.h"

#include "aloha/hosts.h"
#include "aloha/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Mozilla's "intermediate" list without finite-field DH; TLS 1.3 has its own, which are all sound. */
static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

bool tls_complain(struct tls_complaint complaint, const char *where, const char *what)
{
    snprintf(complaint.text, complaint.size, "%.150s: %s", where, what);
    return false;
}

/* What OpenSSL has to say, or `otherwise`. */
static bool complain_of_library(struct tls_complaint complaint, const char *where,
                                const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    tls_complain(complaint, where, reason ? reason : otherwise);
    ERR_clear_error();
    return false;
}

void tls_write_time(int64_t time_s, char out[TLS_TIME_SIZE])
{
    time_t time = (time_t)time_s;
    struct tm utc = {0};

    gmtime_r(&time, &utc);
    strftime(out, TLS_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ---- files ---- */

void tls_forget(struct str *text)
{
    void *memory = (void *)(uintptr_t)text->text;

    if (memory)
        OPENSSL_cleanse(memory, text->size);
    free(memory);
    *text = (struct str){NULL, 0};
}

static bool read_whole(int fd, const char *path, struct str *out, bool is_private,
                       struct tls_complaint complaint)
{
    struct stat info;
    size_t used = 0;
    ssize_t got = 1;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return tls_complain(complaint, path, "is not a file");
    if (is_private && secret_file_fault(&info))
        return tls_complain(complaint, path, secret_file_fault(&info));
    char *bytes = malloc(TLS_FILE_SIZE_MAX);
    if (!bytes)
        return tls_complain(complaint, path, "no memory");
    while (used < TLS_FILE_SIZE_MAX && got > 0) {
        got = read(fd, bytes + used, TLS_FILE_SIZE_MAX - used);
        used += got > 0 ? (size_t)got : 0;
    }
    *out = (struct str){bytes, used};
    if (got == 0)
        return true;
    tls_forget(out);
    return tls_complain(complaint, path, got < 0 ? strerror(errno) : "is too long");
}

bool tls_read_file(const char *path, struct str *out, bool is_private,
                   struct tls_complaint complaint)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return tls_complain(complaint, path, strerror(errno));
    bool done = read_whole(fd, path, out, is_private, complaint);
    close(fd);
    return done;
}

/* ---- PEM ---- */

struct pair {
    X509 *leaf;
    STACK_OF(X509) * chain; /* what stood behind it */
    EVP_PKEY *key;
};

static void pair_deinit(struct pair *pair)
{
    X509_free(pair->leaf);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
}

/* A file that is being written may end anywhere: also behind a whole certificate, in the next one's first line. */
static bool ends_in_mark(struct str text)
{
    static const char end[] = "-----END ";
    const char *last = NULL;

    for (const char *at = text.text; at;) {
        at = memmem(at, text.size - (size_t)(at - text.text), end, sizeof end - 1);
        if (at)
            last = at += sizeof end - 1;
    }
    if (!last)
        return true;
    struct str rest = {last, text.size - (size_t)(last - text.text)};
    struct str name = str_cut(&rest, '\n'); /* KIND----- */
    return name.size < 5 || !memmem(name.text, name.size, "-----", 5) ||
           (rest.size && memmem(rest.text, rest.size, "--", 2));
}

static bool read_certificates(struct pair *out, struct str text, const char *name,
                              struct tls_complaint complaint)
{
    BIO *bio = BIO_new_mem_buf(text.text, (int)text.size);
    X509 *next = NULL;
    bool good = bio && (out->chain = sk_X509_new_null()) != NULL;

    out->leaf = good ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    while (out->leaf && good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        good = sk_X509_push(out->chain, next) > 0;
    unsigned long why = ERR_peek_last_error();
    BIO_free(bio);
    if (!out->leaf && ERR_GET_REASON(why) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return tls_complain(complaint, name, "holds no certificate");
    }
    if (!out->leaf || !good || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
        return complain_of_library(complaint, name, "no memory");
    ERR_clear_error();
    return !ends_in_mark(text) || tls_complain(complaint, name, "is not whole");
}

static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static bool read_key(struct pair *out, struct str text, const char *name,
                     struct tls_complaint complaint)
{
    BIO *bio = BIO_new_mem_buf(text.text, (int)text.size);

    out->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (out->key)
        return true;
    ERR_clear_error();
    if (memmem(text.text, text.size, "ENCRYPTED", 9))
        return tls_complain(complaint, name, "the key has a password; take it off");
    bool begun = memmem(text.text, text.size, "PRIVATE KEY", 11);
    return tls_complain(complaint, name, begun ? "the key cannot be read" : "holds no key");
}

/* ---- judging ---- */

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm utc;

    return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) : 0;
}

static bool is_valid_now(const X509 *leaf, const char *name, struct tls_complaint complaint)
{
    char what[64], when[TLS_TIME_SIZE];
    int64_t now_s = (int64_t)time(NULL);
    int64_t starts_s = seconds_of(X509_get0_notBefore(leaf));
    int64_t expires_s = seconds_of(X509_get0_notAfter(leaf));

    if (starts_s <= now_s && now_s < expires_s)
        return true;
    tls_write_time(now_s < starts_s ? starts_s : expires_s, when);
    snprintf(what, sizeof what, "the certificate %s %s",
             now_s < starts_s ? "is not valid before" : "has expired on", when);
    return tls_complain(complaint, name, what);
}

static bool is_good(const struct pair *pair, const char *cert_name, const char *key_name,
                    struct tls_complaint complaint)
{
    if (X509_check_private_key(pair->leaf, pair->key) != 1) {
        ERR_clear_error();
        return tls_complain(complaint, key_name, "is not the key of the certificate");
    }
    if (X509_check_purpose(pair->leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
        return tls_complain(complaint, cert_name, "the certificate is not one for servers");
    return is_valid_now(pair->leaf, cert_name, complaint);
}

/* By those in the trust store, of which `add` adds some. */
static bool is_vouched_for(const struct pair *pair, bool (*add)(X509_STORE *store))
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *judge = X509_STORE_CTX_new();
    bool trusted = store && judge && add(store) &&
                   X509_STORE_CTX_init(judge, store, pair->leaf, pair->chain) == 1 &&
                   X509_STORE_CTX_set_purpose(judge, X509_PURPOSE_SSL_SERVER) == 1 &&
                   X509_verify_cert(judge) == 1;

    X509_STORE_CTX_free(judge);
    X509_STORE_free(store);
    ERR_clear_error();
    return trusted;
}

/* $SSL_CERT_DIR, or the distribution's: files that are found by their names, and only those are read. */
static bool add_directory(X509_STORE *store)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
    return lookup && X509_LOOKUP_add_dir(lookup, NULL, X509_FILETYPE_DEFAULT) == 1;
}

/* $SSL_CERT_FILE, or the distribution's, which takes a tenth of a second to read. */
static bool add_file(X509_STORE *store)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    return lookup && X509_LOOKUP_load_file(lookup, NULL, X509_FILETYPE_DEFAULT) == 1;
}

static bool is_trusted(const struct pair *pair)
{
    return is_vouched_for(pair, add_directory) || is_vouched_for(pair, add_file);
}

/* OpenSSL's own places, and those that a distribution's links lead to. */
size_t tls_store_trust_paths(const char *out[TLS_TRUST_PATHS_MAX])
{
    const char *file = secure_getenv(X509_get_default_cert_file_env());
    const char *dir = secure_getenv(X509_get_default_cert_dir_env());
    size_t count = 0;

    out[count++] = file ? file : X509_get_default_cert_file();
    out[count++] = dir ? dir : X509_get_default_cert_dir();
    out[count++] = "/etc/ssl/certs";
    out[count++] = "/etc/pki/ca-trust/extracted";
    out[count++] = "/etc/ca-certificates";
    out[count++] = "/usr/share/ca-certificates";
    out[count++] = "/usr/local/share/ca-certificates";
    return count;
}

static void describe(const struct pair *pair, struct tls_facts *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    *out = (struct tls_facts){.expires_s = seconds_of(X509_get0_notAfter(pair->leaf))};
    if (X509_digest(pair->leaf, EVP_sha256(), digest, &size) != 1)
        return;
    for (unsigned i = 0; i < size && i < TLS_FINGERPRINT_SIZE / 3; i++)
        snprintf(out->fingerprint + (size_t)3 * i, sizeof out->fingerprint - (size_t)3 * i,
                 "%02X%s", digest[i], i + 1 < size ? ":" : "");
}

/* ---- the context ---- */

/* RFC 7301: HTTP/1.1 is all that is spoken here. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned offered_size, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_up(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, ciphers);
    /* Who leaves without close_notify has left: neither HTTP without bodies nor WebSocket, which says goodbye
     * itself, can be cut short unnoticed (RFC 8446 section 6.1). */
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle connection holds no buffers. No automatic retry: a client that sends nothing but key updates gets
     * one of them a look, like everybody. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets: the client keeps it */
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_msg_callback(context, tls_link_see_record);
}

static SSL_CTX *make_context(const struct pair *pair, const char *name,
                             struct tls_complaint complaint)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context)
        set_up(context);
    if (context && SSL_CTX_use_cert_and_key(context, pair->leaf, pair->key, pair->chain, 1) == 1)
        return context;
    complain_of_library(complaint, name, "no memory");
    SSL_CTX_free(context);
    return NULL;
}

/* given: by somebody else, who may have had it signed by one whom others know. */
static SSL_CTX *load(struct str cert, const char *cert_name, struct str key, const char *key_name,
                     bool given, struct tls_facts *facts, struct tls_complaint complaint)
{
    struct pair pair = {0};
    SSL_CTX *context = NULL;

    ERR_clear_error();
    if (read_certificates(&pair, cert, cert_name, complaint) &&
        read_key(&pair, key, key_name, complaint) &&
        is_good(&pair, cert_name, key_name, complaint)) {
        describe(&pair, facts);
        facts->trusted = given && is_trusted(&pair);
        context = make_context(&pair, cert_name, complaint);
    }
    pair_deinit(&pair);
    return context;
}

SSL_CTX *tls_pair_of_text(struct str text, const char *name, struct tls_facts *facts,
                          struct tls_complaint complaint)
{
    return load(text, name, text, name, false, facts, complaint);
}

SSL_CTX *tls_pair_load(const char *cert_file, const char *key_file, struct tls_facts *facts,
                       struct tls_complaint complaint)
{
    struct str cert = {NULL, 0}, key = {NULL, 0};
    SSL_CTX *context = NULL;

    if (tls_read_file(cert_file, &cert, false, complaint) &&
        tls_read_file(key_file, &key, false, complaint))
        context = load(cert, cert_file, key, key_file, true, facts, complaint);
    tls_forget(&cert);
    tls_forget(&key);
    return context;
}

bool tls_pair_has_name(SSL_CTX *context, struct str host)
{
    X509 *leaf = SSL_CTX_get0_certificate(context);
    char name[256];
    struct str bare = host_without_port(host);

    if (bare.text[0] == '[')
        bare = (struct str){bare.text + 1, bare.size - 2};
    if (bare.size >= sizeof name)
        return false;
    memcpy(name, bare.text, bare.size);
    name[bare.size] = '\0';
    bool has =
        X509_check_host(leaf, name, 0, 0, NULL) == 1 || X509_check_ip_asc(leaf, name, 0) == 1;
    ERR_clear_error();
    return has;
}
