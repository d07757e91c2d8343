/* Serving: wiring and lifecycle, starting -> ready -> draining -> closing -> done. */
#include "aloha/activation.h"
#include "aloha/console.h"
#include "aloha/ids.h"
#include "aloha/listener.h"
#include "aloha/notify.h"
#include "aloha/ops.h"
#include "aloha/process.h"
#include "aloha/sandbox.h"
#include "aloha/secret.h"
#include "aloha/site_disk.h"
#include "aloha/sockets.h"
#include "aloha/state_dir.h"
#include "aloha/tls_link.h"
#include "aloha/web.h"
#include "program.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DESCRIPTORS_FOR_OURSELVES = 64 };

struct server {
    uv_loop_t loop;
    struct config *config;
    struct metrics metrics;
    struct process *process;
    struct admission *admission;
    struct web *web;
    struct ops *ops;
    struct operator_token ops_token;
    struct activation activation;
    char ops_address[SOCKET_ADDRESS_SIZE_MAX]; /* that was given */
    struct listener *listener, *redirect_listener;
    struct tls_store *tls; /* NULL: plain http */
    struct notify *notify; /* NULL: nobody wants to know */
    struct sandbox_user user;
    uv_signal_t terminate, interrupt, hangup;
    bool closing;
};

/* ---- limits ---- */

/* As many descriptors as the connections need, and no more: libwebsockets makes tables of that size
 * and walks through one at each accept (SECURITY F6). Lowers connections_max to what is to be had.
 */
static void fit_descriptors(struct limits *limits, unsigned each)
{
    struct rlimit descriptors;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return;
    rlim_t wanted = (rlim_t)limits->connections_max * each + DESCRIPTORS_FOR_OURSELVES;
    descriptors.rlim_cur = wanted < descriptors.rlim_max ? wanted : descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_cur < wanted) {
        limits->connections_max =
            descriptors.rlim_cur > 2 * DESCRIPTORS_FOR_OURSELVES
                ? (uint32_t)(descriptors.rlim_cur - DESCRIPTORS_FOR_OURSELVES) / each
                : DESCRIPTORS_FOR_OURSELVES / each;
        log_warning("connections_limited", log_uint("connections_max", limits->connections_max));
    }
}

static void log_switched_off(const struct config *config)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++)
        if (limits_is_off(&config->limits, &limit_rows[i]))
            log_warning("limit_switched_off", log_text("option", limit_rows[i].option));
}

/* ---- reloading ---- */

/* Reads again what may change while we run. What cannot be used leaves the old one as it is, and says so.
 *   returns   false when something was. */
static bool reload(void *ctx)
{
    struct server *server = ctx;
    struct operator_token token;
    char problem[256];
    bool fine = true;

    if (server->closing)
        return false;
    notify_reloading(server->notify);
    if (server->tls)
        fine = tls_store_reload(server->tls);
    notify_ready(server->notify);
    if (!ops_token_load(&token, &server->config->ops_token, problem, sizeof problem)) {
        log_error("ops_token_kept", log_text("reason", problem));
        return false;
    }
    ops_set_token(server->ops, &token);
    log_info("reloaded", log_text("operator_token", token.is_set ? "set" : "none"));
    return fine;
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    log_info("reload_asked", log_text("by", "signal"));
    (void)reload(handle->data);
}

/* ---- closing ---- */

static void stop_web(void *ctx)
{
    struct server *server = ctx;
    web_stop(server->web);
    ops_stop(server->ops);
    server->ops = NULL;
    tls_store_stop(server->tls);
    notify_free(server->notify);
    server->notify = NULL;
    uv_close((uv_handle_t *)&server->terminate, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    uv_close((uv_handle_t *)&server->hangup, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;

    (void)number;
    if (server->closing)
        _exit(EXIT_SUCCESS); /* asked twice: at once */
    server->closing = true;
    log_info("draining", log_uint("connections", web_connection_count(server->web)),
             log_uint("peers", server->metrics.values[METRIC_PEERS]),
             log_uint("seconds", server->config->limits.drain_ms / 1000));
    ops_set_not_ready(server->ops, NOT_READY_DRAINING, true);
    notify_stopping(server->notify);
    notify_status(server->notify, "Draining: connections are told to come back elsewhere");
    listener_close(server->listener);
    listener_close(server->redirect_listener);
    web_drain(server->web, stop_web, server);
}

static void start_signals(struct server *server)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&server->loop, &server->terminate);
    uv_signal_init(&server->loop, &server->interrupt);
    uv_signal_init(&server->loop, &server->hangup);
    server->terminate.data = server->interrupt.data = server->hangup.data = server;
    uv_signal_start(&server->terminate, on_signal, SIGTERM);
    uv_signal_start(&server->interrupt, on_signal, SIGINT);
    uv_signal_start(&server->hangup, on_hangup, SIGHUP);
}

/* ---- starting ---- */

static bool start_tls(struct server *server, char *problem, size_t problem_size)
{
    const struct config *config = server->config;
    struct tls_store_options options = {
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .state_dir = config->state_dir,
        .hosts = &config->hosts,
        .metrics = &server->metrics,
    };
    if (!config_has_tls(config))
        return true;
    server->tls = tls_store_new(&server->loop, &options, problem, problem_size);
    return server->tls != NULL;
}

static bool start_listening(struct server *server, char *problem, size_t problem_size)
{
    const struct config *config = server->config;

    struct listener_options options = {
        .given = &server->activation.planes[ACTIVATION_PUBLIC],
        .addresses = config->bind,
        .port = (uint16_t)config->port,
        .port_option = "--port",
        .socket_mode = config->socket_mode,
        .on_accept = web_adopt,
        .ctx = server->web,
    };

    server->listener = listener_open(&server->loop, &options, problem, problem_size);
    options.given = &server->activation.planes[ACTIVATION_REDIRECT];
    if (!server->listener || (config->redirect_port == CONFIG_PORT_OFF && !options.given->count))
        return server->listener != NULL;
    web_redirect_to(server->web, listener_port(server->listener));
    options.port = (uint16_t)config->redirect_port;
    options.port_option = "--redirect-port";
    options.digits_only = true;
    options.on_accept = web_adopt_redirect;
    server->redirect_listener = listener_open(&server->loop, &options, problem, problem_size);
    return server->redirect_listener != NULL;
}

static bool start_ops(struct server *server, char *problem, size_t problem_size)
{
    const struct config *config = server->config;
    struct ops_options options = {
        .given = &server->activation.planes[ACTIVATION_OPS],
        .bind = config->ops_bind,
        .port = (uint16_t)config->ops_port,
        .metrics_open = config->metrics_open != 0,
        .token = server->ops_token,
        .tls = ops_bind_is_exposed(config->ops_bind) ? server->tls : NULL,
        .hosts = &config->hosts,
        .limits = &config->limits,
        .metrics = &server->metrics,
        .hub = web_hub(server->web),
        .server = {.ctx = server, .reload = reload},
    };

    server->ops = ops_new(&server->loop, &options, problem, problem_size);
    return server->ops != NULL;
}

static bool start_planes(struct server *server, char *problem, size_t problem_size)
{
    struct siphash_key key;
    const struct config *config = server->config;

    if (!start_tls(server, problem, problem_size))
        return false;
    ids_random(&key, sizeof key);
    server->admission = admission_new(&config->limits, key);
    struct web_options web = {
        .limits = &config->limits,
        .policy = {.site = &embedded_site,
                   .base_path = config->base_path,
                   .allow_no_origin = config->allow_no_origin != 0,
                   .hosts = &config->hosts,
                   .origins = &config->origins},
        .assets_dir = config->assets[0] ? config->assets : NULL,
        .metrics = &server->metrics,
        .admission = server->admission,
        .trusted_proxies = &config->trusted_proxies,
        .tls = server->tls,
        .key = key,
    };
    if (!secret_load(&web.token_key, &config->secret, config->state_dir, problem, problem_size))
        return false;
    server->web = server->admission ? web_new(&server->loop, &web) : NULL;
    if (!server->web) {
        snprintf(problem, problem_size,
                 "cannot start: no memory, or libwebsockets-evlib-uv is missing");
        return false;
    }
    if (!start_ops(server, problem, problem_size))
        return false;
    return start_listening(server, problem, problem_size);
}

static void show_welcome(const struct server *server)
{
    const struct config *config = server->config;
    char base_path[BASE_PATH_SIZE_MAX + 2];

    snprintf(base_path, sizeof base_path, "%.*s/", (int)config->base_path.size,
             config->base_path.text);
    struct welcome welcome = {
        .bind = listener_address(server->listener, 0),
        .port = listener_port_of(server->listener, 0),
        .hosts = &config->hosts,
        .base_path = base_path,
        .https = server->tls != NULL,
        .fingerprint = server->tls && tls_store_is_self_signed(server->tls)
                           ? tls_store_fingerprint(server->tls)
                           : NULL,
        .proxied =
            config->trusted_proxies.count > 0 || socket_path(listener_address(server->listener, 0)),
    };
    for (size_t i = 1; listener_address(server->listener, i) && i <= WELCOME_SOCKETS_MAX; i++)
        welcome.also[welcome.also_count++] =
            (struct welcome_socket){listener_address(server->listener, i),
                                    listener_port_of(server->listener, i)};
    console_show_welcome(&welcome);
}

static void announce_sockets(const struct listener *listener, const char *plane, const char *scheme)
{
    for (size_t i = 0; listener_address(listener, i); i++)
        log_info("listening", log_text("plane", plane),
                 log_text("address", listener_address(listener, i)),
                 log_uint("port", listener_port_of(listener, i)), log_text("scheme", scheme));
}

/* What is read and written from now on: all that a reload reads anew. Everything else is out of reach. */
static void list_paths(const struct server *server, char state_dir[STATE_PATH_SIZE_MAX],
                       struct sandbox_paths *out)
{
    const struct config *config = server->config;
    const char *trusted[TLS_TRUST_PATHS_MAX];

    for (size_t i = config->tls_cert[0] ? tls_store_trust_paths(trusted) : 0; i; i--)
        sandbox_paths_add(out, trusted[i - 1], SANDBOX_READ_DIR);
    sandbox_paths_add(out, config->assets, SANDBOX_READ_TREE);
    sandbox_paths_add(out, config->tls_cert, SANDBOX_READ_FILE);
    sandbox_paths_add(out, config->tls_key, SANDBOX_READ_FILE);
    sandbox_paths_add(out, config->ops_token.file, SANDBOX_READ_FILE);
    sandbox_paths_add(out, getenv("CREDENTIALS_DIRECTORY"), SANDBOX_READ_DIR);
    if (!server->activation.planes[ACTIVATION_OPS].count) /* those belong to who has opened them */
        sandbox_paths_add_socket(out, config->ops_bind);
    for (size_t i = 0; listener_address(server->listener, i); i++)
        if (!server->activation.planes[ACTIVATION_PUBLIC].count)
            sandbox_paths_add_socket(out, listener_address(server->listener, i));
    if (state_dir_find(state_dir, config->state_dir) && access(state_dir, F_OK) == 0)
        sandbox_paths_add(out, state_dir, SANDBOX_STATE);
}

static bool enter_sandbox(struct server *server, char *problem, size_t problem_size)
{
    struct sandbox_options options = {.mode = (enum sandbox_mode)server->config->sandbox,
                                      .user = server->user};
    char state_dir[STATE_PATH_SIZE_MAX];
    struct sandbox_state state;

    list_paths(server, state_dir, &options.paths);
    if (!sandbox_enter(&options, &state, problem, problem_size))
        return false;
    server->metrics.values[METRIC_SANDBOX_LANDLOCK] = state.landlock_abi;
    server->metrics.values[METRIC_SANDBOX_SECCOMP] = state.seccomp != SANDBOX_OFF;
    server->metrics.values[METRIC_SANDBOX_ROOT] = state.is_root;
    return true;
}

static void announce(struct server *server)
{
    announce_sockets(server->listener, "public", server->tls ? "https" : "http");
    if (server->redirect_listener)
        announce_sockets(server->redirect_listener, "redirect", "http");
    log_info("listening", log_text("plane", "operator"),
             log_text("address", server->config->ops_bind),
             log_uint("port", ops_port(server->ops)));
    ops_set_not_ready(server->ops, NOT_READY_STARTING, false);
    notify_status(server->notify, "Serving");
    notify_ready(server->notify);
    log_info("ready", log_text("version", ALOHA_VERSION));
    show_welcome(server);
}

/* Ends what has been started, in the order that libwebsockets wants, and checks that nothing is
 * left. */
static void finish(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
    web_free(server->web);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    admission_free(server->admission);
    process_free(server->process);
    if (uv_loop_close(&server->loop) != 0)
        log_error("loop_not_empty", log_text("reason", "a handle was left open"));
}

static void start_metrics(struct server *server)
{
    server->process = process_new();
    if (!server->process)
        return;
    server->metrics.write_more = process_write_metrics;
    server->metrics.write_more_ctx = server->process;
}

static int run(struct server *server)
{
    char problem[CONFIG_PROBLEM_SIZE] = "";
    int status = 0;

    sandbox_make_state_dir(&server->user, server->config->state_dir);
    server->notify = notify_new(&server->loop);
    start_metrics(server);
    if (start_planes(server, problem, sizeof problem) &&
        enter_sandbox(server, problem, sizeof problem)) {
        start_signals(server);
        announce(server);
    } else {
        status = complain(problem, EXIT_CANNOT_START);
        ops_stop(server->ops);
        listener_close(server->listener);
        listener_close(server->redirect_listener);
        if (server->web)
            web_stop(server->web);
        tls_store_stop(server->tls);
        notify_free(server->notify);
    }
    finish(server);
    if (status == 0)
        log_info("closed", log_uint("status", 0),
                 log_uint("joins", server->metrics.values[METRIC_JOINS_TOTAL]),
                 log_uint("lines_dropped", log_dropped_count()));
    return status;
}

/* Starts the log, and says in it what an operator should know of the configuration. */
static void start_log(const struct config *config)
{
    console_start_log((enum log_level)config->log_level, (enum log_format)config->log_format);
    if (config->file_is_strangers)
        log_warning("config_of_another_user", log_text("file", config->file_name));
}

/* Where the operator's plane is reached is judged in the same way, whoever has opened its socket. */
static bool take_sockets(struct server *server, char *problem, size_t problem_size)
{
    const struct listener_given *ops = &server->activation.planes[ACTIVATION_OPS];
    const struct listener_given *redirect = &server->activation.planes[ACTIVATION_REDIRECT];

    if (!activation_take(&server->activation, problem, problem_size))
        return false;
    if (ops->count > 1 || (redirect->count && !config_has_tls(server->config))) {
        snprintf(problem, problem_size,
                 ops->count > 1 ? "LISTEN_FDNAMES: more than one socket is for ops"
                                : "LISTEN_FDNAMES: redirect needs TLS");
        return false;
    }
    if (ops->count && socket_describe(ops->fds[0], server->ops_address))
        server->config->ops_bind = server->ops_address;
    return true;
}

int serve(struct config *config)
{
    static struct server the_server;
    struct server *server = &the_server;
    char problem[CONFIG_PROBLEM_SIZE];

    server->config = config;
    if (!sandbox_find_user(server->config->user, &server->user, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    secret_trust_user(server->user.uid);
    if (!take_sockets(server, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    if (!program_check_options(server->config, problem, sizeof problem) ||
        !ops_check(server->config, &server->ops_token, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    start_log(server->config);
    fit_descriptors(&server->config->limits,
                    config_has_tls(server->config) ? TLS_LINK_DESCRIPTORS : 1);
    log_switched_off(server->config);
    json_object_seed(0); /* jansson's hash seed, from the kernel, before the first object */
    if (server->config->sandbox != SANDBOX_OFF)
        (void)sandbox_refuse_rings();
    if (uv_loop_init(&server->loop) != 0)
        return complain(strcpy(problem, "cannot start: no event loop"), EXIT_CANNOT_START);
    return run(server);
}
