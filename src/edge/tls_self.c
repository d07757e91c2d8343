/* A certificate that is made here, for this machine's names and addresses. */
#include "tls_private.h"

#include "aloha/ids.h"
#include "aloha/log.h"
#include "aloha/state_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 3600,
    VALID_DAYS = 397, /* browsers take no more than 398, one of which is over already */
    LEFT_DAYS_MIN = 30,
    NAMES_MAX = 80,
    NAME_SIZE = 256,
};

/* What the certificate is for: names, and addresses in digits. */
struct names {
    char items[NAMES_MAX][NAME_SIZE];
    size_t count;
};

/* ---- this machine ---- */

static void add(struct names *names, struct str name)
{
    if (name.size == 0 || name.size >= NAME_SIZE || names->count == NAMES_MAX)
        return;
    for (size_t i = 0; i < names->count; i++)
        if (str_equal_nocase(str_of(names->items[i]), name))
            return;
    memcpy(names->items[names->count], name.text, name.size);
    names->items[names->count++][name.size] = '\0';
}

/* A Host without its port and brackets. */
static void add_host(struct names *names, struct str host)
{
    host = host_without_port(host);
    if (host.text[0] == '[')
        host = (struct str){host.text + 1, host.size - 2};
    add(names, host);
}

/* The name alone, and with .local, by which others on the network find it (RFC 6762). */
static void add_hostname(struct names *names)
{
    char name[NAME_SIZE] = "", local[NAME_SIZE + 8];

    if (gethostname(name, sizeof name - 1) != 0 || !host_is_well_formed(str_of(name)))
        return;
    add(names, str_of(name));
    if (strchr(name, '.'))
        return;
    snprintf(local, sizeof local, "%s.local", name);
    add(names, str_of(local));
}

static void add_ipv4(struct names *names)
{
    struct ifaddrs *all = NULL;
    char text[INET_ADDRSTRLEN];

    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !(at->ifa_flags & IFF_UP))
            continue;
        inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, text, sizeof text);
        add(names, str_of(text));
    }
    freeifaddrs(all);
}

/* One line of /proc/net/if_inet6: the address in 32 digits, then index, size of the prefix, scope and flags, all
 * in hexadecimal. False for an address that no browser's address line holds for long: link-local, or there for
 * a day only (RFC 8981), or not sure yet. With those the certificate would be another one each morning. */
static bool read_ipv6(const char *line, struct in6_addr *out)
{
    enum { FLEETING = 0x01 | 0x08 | 0x20 | 0x40 }; /* temporary, taken by another, old, tentative */
    char *rest;

    if (strspn(line, "0123456789abcdef") != 32)
        return false;
    for (unsigned i = 0; i < 16; i++)
        out->s6_addr[i] = (uint8_t)strtoul((char[]){line[2 * i], line[2 * i + 1], '\0'}, NULL, 16);
    strtoul(line + 32, &rest, 16);
    strtoul(rest, &rest, 16);
    unsigned long scope = strtoul(rest, &rest, 16);
    unsigned long flags = strtoul(rest, &rest, 16);
    return scope == 0 && !(flags & FLEETING);
}

static void add_ipv6(struct names *names)
{
    FILE *file = fopen("/proc/self/net/if_inet6", "re");
    char line[128], text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    while (file && fgets(line, sizeof line, file)) {
        if (!read_ipv6(line, &address))
            continue;
        inet_ntop(AF_INET6, &address, text, sizeof text);
        add(names, str_of(text));
    }
    if (file)
        fclose(file);
}

static void collect(struct names *out, const struct hosts *hosts)
{
    *out = (struct names){0};
    add(out, STR("localhost"));
    for (size_t i = 0; i < hosts->count; i++)
        add_host(out, hosts->items[i]);
    add_hostname(out);
    add(out, STR("127.0.0.1"));
    add(out, STR("::1"));
    add_ipv4(out);
    add_ipv6(out);
}

/* ---- is it still good ---- */

static bool covers(X509 *cert, const char *name)
{
    return X509_check_ip_asc(cert, name, 0) == 1 || X509_check_host(cert, name, 0, 0, NULL) == 1;
}

static bool is_stale(X509 *cert, const struct hosts *hosts)
{
    static struct names names;
    int days = 0, seconds = 0;
    bool stale =
        !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) || days < LEFT_DAYS_MIN;

    collect(&names, hosts);
    for (size_t i = 0; i < names.count && !stale; i++)
        stale = !covers(cert, names.items[i]);
    ERR_clear_error();
    return stale;
}

bool tls_self_is_stale(SSL_CTX *context, const struct hosts *hosts)
{
    X509 *cert = SSL_CTX_get0_certificate(context);
    return !cert || is_stale(cert, hosts);
}

/* ---- making one ---- */

static GENERAL_NAME *make_name(const char *text)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *dns = address ? NULL : ASN1_IA5STRING_new();

    ERR_clear_error();
    if (name && address)
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    else if (name && dns && ASN1_STRING_set(dns, text, -1) == 1)
        GENERAL_NAME_set0_value(name, GEN_DNS, dns);
    else {
        GENERAL_NAME_free(name);
        ASN1_OCTET_STRING_free(address);
        ASN1_IA5STRING_free(dns);
        return NULL;
    }
    return name;
}

static bool add_names(X509 *cert, const struct names *names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    bool good = list != NULL;

    for (size_t i = 0; i < names->count && good; i++) {
        GENERAL_NAME *name = make_name(names->items[i]);
        good = name && sk_GENERAL_NAME_push(list, name) > 0;
        if (!good)
            GENERAL_NAME_free(name);
    }
    good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1;
    GENERAL_NAMES_free(list);
    return good;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool added = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* RFC 5280 section 4.1.2.2: positive, never the same twice. */
static bool set_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *number;

    ids_random(bytes, sizeof bytes);
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return set;
}

/* No CA: who trusts it trusts it for these names and nothing else. */
static bool fill_in(X509 *cert, EVP_PKEY *key, const struct names *names)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) && /* clocks differ */
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)(VALID_DAYS - 1) * DAY_S) &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"aloha, self-signed", -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && add_names(cert, names) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_key_identifier, "hash") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* Both as PEM, in one text; to be freed with tls_forget(). */
static bool make_pair(const struct hosts *hosts, struct str *out)
{
    static struct names names;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size = 0;

    collect(&names, hosts);
    if (key && cert && bio && fill_in(cert, key, &names) && PEM_write_bio_X509(bio, cert) == 1 &&
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        size = BIO_get_mem_data(bio, &text);
    char *copy = size > 0 ? malloc((size_t)size) : NULL;
    if (copy)
        memcpy(copy, text, (size_t)size);
    if (size > 0)
        OPENSSL_cleanse(text, (size_t)size);
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    *out = (struct str){copy, copy ? (size_t)size : 0};
    return copy != NULL;
}

/* ---- keeping it ---- */

static bool find_path(char out[STATE_PATH_SIZE_MAX], const char *state_dir)
{
    char dir[STATE_PATH_SIZE_MAX];

    if (!state_dir_find(dir, state_dir)) {
        errno = ENOENT;
        return false;
    }
    if (!state_dir_make(dir))
        return false;
    errno = ENAMETOOLONG;
    return (size_t)snprintf(out, STATE_PATH_SIZE_MAX, "%s/self-signed.pem", dir) <
           STATE_PATH_SIZE_MAX;
}

/* The one that is kept, if it is there and still good. */
static SSL_CTX *load_kept(const char *path, const struct hosts *hosts, struct tls_facts *facts)
{
    char problem[256];
    struct tls_complaint complaint = {problem, sizeof problem};
    struct str text = {NULL, 0};
    SSL_CTX *context = NULL;

    if (access(path, F_OK) != 0)
        return NULL;
    if (tls_read_file(path, &text, true, complaint))
        context = tls_pair_of_text(text, path, facts, complaint);
    tls_forget(&text);
    if (!context)
        log_warning("tls_self_signed_unusable", log_text("reason", problem));
    if (context && tls_self_is_stale(context, hosts)) {
        SSL_CTX_free(context);
        context = NULL;
    }
    return context;
}

SSL_CTX *tls_self_load(const char *state_dir, const struct hosts *hosts, struct tls_facts *facts,
                       struct tls_complaint complaint)
{
    char path[STATE_PATH_SIZE_MAX];
    struct str text;
    bool has_path = find_path(path, state_dir);
    int error = errno;
    SSL_CTX *context = has_path ? load_kept(path, hosts, facts) : NULL;

    if (context)
        return context;
    if (!make_pair(hosts, &text)) {
        ERR_clear_error();
        tls_complain(complaint, "self-signed", "the certificate cannot be made");
        return NULL;
    }
    if (has_path && !state_file_write(path, text, true)) {
        has_path = false;
        error = errno;
    }
    if (!has_path)
        log_warning("tls_self_signed_not_kept", log_text("reason", strerror(error)));
    context = tls_pair_of_text(text, "self-signed", facts, complaint);
    tls_forget(&text);
    return context;
}
