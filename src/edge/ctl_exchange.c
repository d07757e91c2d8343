/* One request and its answer, blocking: plain over the loopback or a socket's file, else by TLS. */
#include "aloha/ctl_run.h"
#include "aloha/ops.h"
#include "aloha/state_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { STEP_SECONDS = 5, ALL_SECONDS = 15 };

struct complaint {
    char *text;
    size_t size;
};

struct line {
    int fd;
    SSL_CTX *context; /* NULL: plain */
    SSL *tls;
    time_t until_s;
};

static bool fail(struct complaint complaint, const char *host, const char *what)
{
    snprintf(complaint.text, complaint.size, "%s: %s", host, what);
    return false;
}

/* ---- where ---- */

static const char *unix_path(const char *bind)
{
    return strncmp(bind, "unix:", 5) == 0 ? bind + 5 : NULL;
}

/* Whoever listens on all addresses is asked on the loopback. */
static const char *reachable(const char *bind)
{
    return strcmp(bind, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(bind, "::") == 0 ? "::1" : bind;
}

void ctl_host(char out[CTL_HOST_SIZE], const struct config *config)
{
    const char *address = reachable(config->ops_bind);
    bool ipv6 = strchr(address, ':') != NULL;

    if (unix_path(config->ops_bind))
        snprintf(out, CTL_HOST_SIZE, "localhost");
    else
        snprintf(out, CTL_HOST_SIZE, "%s%.50s%s:%u", ipv6 ? "[" : "", address, ipv6 ? "]" : "",
                 config->ops_port);
}

static int dial(const struct sockaddr *to, socklen_t size)
{
    const struct timeval patience = {.tv_sec = STEP_SECONDS};
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, to, size) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int dial_path(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof to.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    return dial((struct sockaddr *)&to, sizeof to);
}

static int dial_address(const char *address, uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        return dial((struct sockaddr *)&four, sizeof four);
    if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1)
        return dial((struct sockaddr *)&six, sizeof six);
    errno = EINVAL;
    return -1;
}

static const char *reason_of(int error)
{
    switch (error) {
    case EAGAIN:
    case EINPROGRESS:
        return "nobody answers in time";
    case ECONNREFUSED:
    case ENOENT:
        return "nobody listens there; is aloha running, and with the same --ops-bind and "
               "--ops-port?";
    default:
        return strerror(error);
    }
}

static bool open_line(struct line *line, const struct config *config, const char *host,
                      struct complaint complaint)
{
    const char *path = unix_path(config->ops_bind);

    if (!path && config->ops_port == 0)
        return fail(complaint, host, "port 0 is any free one; tell by --ops-port which");
    line->until_s = time(NULL) + ALL_SECONDS;
    line->fd = path ? dial_path(path)
                    : dial_address(reachable(config->ops_bind), (uint16_t)config->ops_port);
    return line->fd >= 0 || fail(complaint, path ? path : host, reason_of(errno));
}

/* ---- TLS ---- */

/* The certificate that the server shows, if we may read it: then no other will do, and no name needs to fit. */
static X509 *own_certificate(const struct config *config)
{
    char dir[STATE_PATH_SIZE_MAX], path[STATE_PATH_SIZE_MAX + 32];

    snprintf(path, sizeof path, "%s", config->tls_cert);
    if (!path[0] && state_dir_find(dir, config->state_dir))
        snprintf(path, sizeof path, "%s/self-signed.pem", dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    return certificate;
}

static bool is_named(X509 *certificate, const struct config *config)
{
    for (size_t i = 0; i < config->hosts.count; i++) {
        struct str name = config->hosts.items[i];
        name = str_cut(&name, ':');
        if (X509_check_host(certificate, name.text, name.size, 0, NULL) == 1)
            return true;
    }
    return X509_check_ip_asc(certificate, reachable(config->ops_bind), 0) == 1;
}

static bool is_trustworthy(SSL *tls, const struct config *config)
{
    X509 *shown = SSL_get1_peer_certificate(tls), *own = own_certificate(config);
    bool good = shown && own && X509_cmp(shown, own) == 0;

    if (!good && shown)
        good = SSL_get_verify_result(tls) == X509_V_OK && is_named(shown, config);
    X509_free(shown);
    X509_free(own);
    return good;
}

static bool start_tls(struct line *line, const struct config *config, const char *host,
                      struct complaint complaint)
{
    if (!ops_bind_is_exposed(config->ops_bind))
        return true;
    line->context = SSL_CTX_new(TLS_client_method());
    line->tls = line->context ? SSL_new(line->context) : NULL;
    if (!line->tls || !SSL_CTX_set_min_proto_version(line->context, TLS1_2_VERSION) ||
        !SSL_set_fd(line->tls, line->fd))
        return fail(complaint, host, "out of memory");
    (void)SSL_CTX_set_default_verify_paths(line->context);
    if (SSL_connect(line->tls) != 1)
        return fail(complaint, host, "no TLS can be had there");
    return is_trustworthy(line->tls, config) ||
           fail(complaint, host, "shows a certificate that is neither --tls-cert nor trusted here");
}

/* ---- to and fro ---- */

static bool say(struct line *line, struct str text)
{
    while (text.size) {
        ssize_t done = line->tls ? SSL_write(line->tls, text.text, (int)text.size)
                                 : send(line->fd, text.text, text.size, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        text = (struct str){text.text + done, text.size - (size_t)done};
    }
    return true;
}

/* To the end, whatever kind of end: the answer tells how long it is. */
static bool hear(struct line *line, struct buf *reply)
{
    for (;;) {
        char *to = buf_reserve(reply, 4096);
        if (!to || time(NULL) > line->until_s)
            return false;
        ssize_t done = line->tls ? SSL_read(line->tls, to, 4096) : recv(line->fd, to, 4096, 0);
        if (done <= 0)
            return done == 0 || line->tls || errno == ECONNRESET;
        reply->size += (size_t)done;
    }
}

static void close_line(struct line *line)
{
    SSL_free(line->tls);
    SSL_CTX_free(line->context);
    if (line->fd >= 0)
        close(line->fd);
}

bool ctl_exchange(const struct config *config, struct str request, struct buf *reply, char *problem,
                  size_t problem_size)
{
    struct complaint complaint = {problem, problem_size};
    struct line line = {.fd = -1};
    char host[CTL_HOST_SIZE];

    ctl_host(host, config);
    bool done =
        open_line(&line, config, host, complaint) && start_tls(&line, config, host, complaint);
    if (done) { /* a refusal may come before all was said: what is heard counts */
        (void)say(&line, request);
        done = hear(&line, reply) || fail(complaint, host, "the answer did not come to its end");
    }
    close_line(&line);
    return done;
}
