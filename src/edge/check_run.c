#include "aloha/check_run.h"

#include "tls_private.h"

#include "aloha/check.h"
#include "aloha/console.h"
#include "aloha/listener.h"
#include "aloha/ops.h"
#include "aloha/secret.h"
#include "aloha/state_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum { ASK_SECONDS = 1, ANSWER_SIZE_MAX = 4096, SMALL_FILE_SIZE_MAX = 4096 };

/* ---- ports ---- */

static void refuse(void *ctx, int fd, const struct sockaddr *from)
{
    (void)ctx;
    (void)from;
    close(fd);
}

/* What this look listens on. All of it is held until the last was tried, for a start wants all of it at once: two
 * of its own ports may be the same. */
struct doors {
    uv_loop_t loop;
    struct listener *open[3];
    size_t count;
};

static void close_doors(struct doors *doors)
{
    for (size_t i = 0; i < doors->count; i++)
        listener_close(doors->open[i]);
    uv_run(&doors->loop, UV_RUN_DEFAULT);
    uv_loop_close(&doors->loop);
}

/* Listens as a start would, for a moment. */
static void try_port(struct doors *doors, const struct listener_options *options, char *problem,
                     size_t problem_size)
{
    struct listener *listener = listener_open(&doors->loop, options, problem, problem_size);

    if (!listener)
        return;
    problem[0] = '\0';
    doors->open[doors->count++] = listener;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = ASK_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect() too */
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Whether who listens on that port of the loopback gives that answer to a GET. */
static bool answers(uint16_t port, const char *path, const char *wanted)
{
    char text[ANSWER_SIZE_MAX];
    size_t size = 0;
    int fd = connect_to(port);

    if (fd < 0)
        return false;
    int asked = snprintf(text, sizeof text,
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    ssize_t got = send(fd, text, (size_t)asked, MSG_NOSIGNAL);
    while (got > 0 && size < sizeof text - 1) {
        got = recv(fd, text + size, sizeof text - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    text[size] = '\0';
    return strstr(text, wanted) != NULL;
}

static bool has_digits(const char *addresses)
{
    struct str rest = str_of(addresses);

    while (rest.text)
        if (!str_starts_with(str_trim(str_cut(&rest, ',')), STR("unix:")))
            return true;
    return false;
}

/* Looks whether a port could be listened on; it cannot if somebody does, and that may be us.
 *   path, wanted  what an aloha there is asked for, and says. */
static void look_at_port(struct doors *doors, const char *addresses, uint32_t port,
                         const char *option, const char *path, const char *wanted,
                         struct check_port *out)
{
    struct listener_options options = {.addresses = addresses,
                                       .port = (uint16_t)port,
                                       .port_option = option,
                                       .digits_only = true,
                                       .on_accept = refuse};

    out->is_untried = !has_digits(addresses);
    if (out->is_untried) {
        snprintf(out->where, sizeof out->where, "%.120s", addresses);
        return;
    }
    if (port)
        snprintf(out->where, sizeof out->where, "port %u of %.100s", port, addresses);
    else
        snprintf(out->where, sizeof out->where, "some port of %.100s", addresses);
    try_port(doors, &options, out->problem, sizeof out->problem);
    out->is_ours = port && out->problem[0] && answers((uint16_t)port, path, wanted);
}

static void look_at_ports(const struct config *config, struct check_facts *facts)
{
    /* What all answers of the public port have, whatever the name it was called by (R8). Over TLS nobody
     * answers to this: then the operator's port tells. */
    static const char page[] = "default-src 'none'; script-src 'self'; style-src 'self'";
    char *problem = facts->ops_port.problem;
    char reason[CHECK_TEXT_SIZE_MAX / 2];
    struct doors doors = {.count = 0};

    if (uv_loop_init(&doors.loop) != 0) {
        snprintf(problem, CHECK_TEXT_SIZE_MAX, "cannot start: no event loop");
        return;
    }
    look_at_port(&doors, config->ops_bind, config->ops_port, "--ops-port", "/healthz",
                 "\r\n\r\nok\n", &facts->ops_port);
    if (problem[0]) {
        snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, problem);
        snprintf(problem, CHECK_TEXT_SIZE_MAX, "the operator's plane: %s", reason);
    }
    look_at_port(&doors, config->bind, config->port, "--port", "/", page, &facts->public_port);
    if (config_has_tls(config) && facts->public_port.problem[0])
        facts->public_port.is_ours = facts->ops_port.is_ours;
    if (config->redirect_port != CONFIG_PORT_OFF)
        look_at_port(&doors, config->bind, config->redirect_port, "--redirect-port", "/", page,
                     &facts->redirect_port);
    close_doors(&doors);
}

static void look_at_operator(const struct config *config, struct check_facts *facts)
{
    struct operator_token token = {.is_set = false};

    if (ops_check(config, &token, facts->ops_problem, sizeof facts->ops_problem))
        facts->ops_problem[0] = '\0';
    facts->ops_has_token = token.is_set;
}

/* ---- the certificate ---- */

static void look_at_certificate(const struct config *config, const struct sandbox_user *user,
                                struct check_facts *facts)
{
    struct tls_complaint complaint = {facts->certificate_problem,
                                      sizeof facts->certificate_problem};
    struct tls_facts tls;
    struct stat info;

    facts->descriptors_each = config_has_tls(config) ? TLS_LINK_DESCRIPTORS : 1;
    if (!config_has_tls(config))
        return;
    facts->tls = config->tls_cert[0] ? CHECK_TLS_FILES : CHECK_TLS_SELF_SIGNED;
    if (facts->tls == CHECK_TLS_SELF_SIGNED)
        return; /* to look at it would be to make it */
    SSL_CTX *context = tls_pair_load(config->tls_cert, config->tls_key, &tls, complaint);
    if (!context)
        return;
    facts->certificate_expires_s = tls.expires_s;
    facts->certificate_is_trusted = tls.trusted;
    facts->tls_key_is_open = stat(config->tls_key, &info) == 0 && info.st_mode & S_IRWXO;
    facts->tls_is_read_once = !sandbox_user_can_read(user, config->tls_cert) ||
                              !sandbox_user_can_read(user, config->tls_key);
    for (size_t i = 0; i < config->hosts.count; i++)
        facts->host_is_certified[i] = tls_pair_has_name(context, config->hosts.items[i]);
    SSL_CTX_free(context);
}

/* ---- the key of the resume tokens ---- */

/* Whether a file could be made in a directory that may have to be made itself: 0, or why not. */
static int is_makeable(const char *dir)
{
    char part[STATE_PATH_SIZE_MAX];
    struct stat info;

    snprintf(part, sizeof part, "%s", dir);
    while (stat(part, &info) != 0) {
        char *slash = strrchr(part, '/');
        if (errno != ENOENT || !slash)
            return errno;
        slash[slash == part] = '\0'; /* the root is its own parent */
    }
    if (!S_ISDIR(info.st_mode))
        return ENOTDIR;
    return access(part, W_OK | X_OK) == 0 ? 0 : errno;
}

static void look_at_kept_key(const char *dir, struct check_facts *facts)
{
    char path[STATE_PATH_SIZE_MAX + 8];
    struct secret secret;
    struct stat info;
    int why;

    snprintf(path, sizeof path, "%s/secret", dir);
    snprintf(facts->key_file, sizeof facts->key_file, "%.200s", path);
    facts->key_directory_is_open = stat(dir, &info) == 0 && info.st_mode & (S_IWGRP | S_IWOTH);
    facts->key_is_there = access(path, F_OK) == 0;
    if (facts->key_is_there) {
        struct secret_source there = {.name = "secret", .file = path};
        facts->key_is_wanted |= secret_read(&secret, &there, facts->key_problem,
                                            sizeof facts->key_problem) == SECRET_UNUSABLE;
        secret_forget(&secret);
    } else if ((why = is_makeable(dir)) != 0) {
        snprintf(facts->key_problem, sizeof facts->key_problem, "%.200s: %s", dir, strerror(why));
    }
}

static void look_at_key(const struct config *config, struct check_facts *facts)
{
    char dir[STATE_PATH_SIZE_MAX];
    struct secret secret;
    enum secret_verdict verdict =
        secret_read(&secret, &config->secret, facts->key_problem, sizeof facts->key_problem);

    secret_forget(&secret);
    facts->key_is_wanted = verdict != SECRET_NOT_GIVEN || config->state_dir[0];
    if (verdict != SECRET_NOT_GIVEN) {
        facts->key_is_there = true;
        snprintf(facts->key_file, sizeof facts->key_file, "%.200s",
                 config->secret.value     ? "given by the environment"
                 : config->secret.file[0] ? config->secret.file
                                          : "given as a credential");
    } else if (state_dir_find(dir, config->state_dir)) {
        look_at_kept_key(dir, facts);
    } else {
        snprintf(facts->key_problem, sizeof facts->key_problem, "state: no home directory");
    }
}

/* ---- the machine ---- */

/* A small file of the kernel's, up to its first line feed; empty when there is none. */
static void read_line(const char *path, char out[SMALL_FILE_SIZE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, out, SMALL_FILE_SIZE_MAX - 1);

    if (fd >= 0)
        close(fd);
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* What our control group and those above it may have (cgroups(7), version 2): the least. */
static uint64_t find_memory(void)
{
    char group[SMALL_FILE_SIZE_MAX], path[SMALL_FILE_SIZE_MAX + 64], line[SMALL_FILE_SIZE_MAX];
    struct sysinfo info;
    uint64_t most = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0, limit;

    read_line("/proc/self/cgroup", group);
    if (strncmp(group, "0::/", 4) != 0)
        return most;
    for (char *end = group + strlen(group); end; end = strrchr(group + 3, '/')) {
        *end = '\0';
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group + 3);
        read_line(path, line);
        if (str_to_uint(str_of(line), UINT64_MAX, &limit) && (!most || limit < most))
            most = limit;
    }
    return most;
}

static void look_at_machine(struct check_facts *facts)
{
    char line[SMALL_FILE_SIZE_MAX];
    struct rlimit descriptors;
    struct timex clock = {.modes = 0};

    facts->now_s = (int64_t)time(NULL);
    facts->descriptors_max = getrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? descriptors.rlim_max : 0;
    facts->memory_size = find_memory();
    read_line("/proc/sys/net/core/somaxconn", line);
    if (!str_to_uint(str_of(line), UINT64_MAX, &facts->backlog_max))
        facts->backlog_max = 0;
    int state = adjtimex(&clock);
    facts->clock_is_known = state >= 0;
    facts->clock_is_synchronised = state >= 0 && !(clock.status & STA_UNSYNC);
    snprintf(facts->openssl_version, CHECK_VERSION_SIZE_MAX, "%s",
             OpenSSL_version(OPENSSL_VERSION_STRING));
    snprintf(facts->lws_version, CHECK_VERSION_SIZE_MAX, "%.*s",
             (int)strcspn(lws_get_library_version(), "- "), lws_get_library_version());
    snprintf(facts->mhd_version, CHECK_VERSION_SIZE_MAX, "%s", MHD_get_version());
}

static void look_at_user(const struct sandbox_user *user, struct check_facts *facts)
{
    struct sandbox_support support;

    facts->stays_root = user->is_root;
    snprintf(facts->user, sizeof facts->user, "%s", user->name);
    sandbox_probe(&support);
    facts->landlock_abi = support.landlock_abi;
    facts->has_seccomp = support.seccomp;
    if (user->changes)
        setenv("XDG_STATE_HOME", "/var/lib", 0); /* as sandbox_make_state_dir() has it */
}

int check_run(const struct config *config, const struct sandbox_user *user)
{
    static struct check_facts facts;
    static struct check_report report;
    struct buf text;

    facts.config = config;
    look_at_user(user, &facts);
    look_at_ports(config, &facts);
    look_at_operator(config, &facts);
    look_at_certificate(config, user, &facts);
    look_at_key(config, &facts);
    look_at_machine(&facts);
    check_judge(&report, &facts);
    buf_init(&text, 64 * 1024);
    check_write(&report, console_has_colour(STDOUT_FILENO), &text);
    fwrite(text.data, 1, text.size, stdout);
    buf_deinit(&text);
    return report.counts[CHECK_ERROR] ? EXIT_FAILURE : EXIT_SUCCESS;
}
