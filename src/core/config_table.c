/* Everything that can be set: the table. */
#include "config_private.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define FIELD(member) offsetof(struct config, member)
#define NUMBER(name_, field, def_, min_, max_, help_) \
    {.name = (name_), .type = OPTION_UINT, .offset = FIELD(field), .def = (def_), .min = (min_), .max = (max_), \
     .help = (help_)}
#define TEXT(name_, type_, field, def_, help_) \
    {.name = (name_), .type = (type_), .offset = FIELD(field), .def = (def_), .help = (help_)}
#define SECRET(name_, field, help_) TEXT(name_, OPTION_SECRET, field, "", help_)
#define CHOICE(name_, field, def_, choices_, help_) \
    {.name = (name_), .type = OPTION_CHOICE, .offset = FIELD(field), .def = (def_), .choices = (choices_), \
     .help = (help_)}

static const struct option serving[] = {
    NUMBER("port", port, "3000", 0, 65535,
        "TCP port of the pages and of the WebSocket; 0 takes any free one."),
    TEXT("bind", OPTION_TEXT, bind, "::",
        "Addresses to listen on: in digits, or unix:/path, with commas between them. :: is every address of this machine, "
        "IPv4 too; 127.0.0.1 is this machine only; unix:/run/aloha/http.sock is for a proxy on this machine, and believed "
        "as a trusted proxy is."),
    TEXT("host", OPTION_HOSTS, hosts, "",
        "Names that this server is called by; requests for any other are refused (421). A name with a port is meant "
        "with that port only. None: every name is served."),
    TEXT("origin", OPTION_ORIGINS, origins, "",
        "Origins of other pages that may open a WebSocket: as browsers write them, scheme, host, and the port "
        "unless it is the scheme's own."),
    CHOICE("allow-no-origin", allow_no_origin, "yes", "no|yes",
        "Whether a WebSocket may come without an Origin: of a tool, a native client."),
    TEXT("assets", OPTION_PATH, assets, "",
        "Directory with public/ and views/ to serve: instead of what the binary carries, read anew for each request, "
        "for work on the page."),
};

static const struct option tls[] = {
    CHOICE("tls", tls, "no", "no|self-signed",
        "Whether to make a certificate for https: it is kept in the state directory, for this machine's names and "
        "addresses, and browsers ask once whether to trust it."),
    TEXT("tls-cert", OPTION_PATH, tls_cert, "",
        "PEM file with the certificate and its chain: https. Read again when it changes, and at SIGHUP."),
    TEXT("tls-key", OPTION_PATH, tls_key, "",
        "PEM file with the certificate's key: without a password."),
    {.name = "redirect-port", .type = OPTION_PORT, .offset = FIELD(redirect_port), .def = "off", .max = 65535, .help =
        "TCP port where plain http is sent on to https: on the same address; 0 takes any free one."},
};

static const struct option proxy[] = {
    {.name = "trusted-proxies", .alias = "trusted-proxy", .type = OPTION_NETWORKS, .offset = FIELD(trusted_proxies), .def = "", .help =
        "Proxies in front of this server: their addresses and networks; what they say in X-Forwarded-For and "
        "X-Forwarded-Proto is believed, and limits of an address count for who is behind them. --trusted-proxy is the same."},
    TEXT("socket-mode", OPTION_MODE, socket_mode, "0660",
        "Mode of the socket file of --bind unix:/path: who may write to it may connect, as a proxy that is trusted."),
    TEXT("base-path", OPTION_BASE, base_path, "/",
        "Where on its host this server is: with /calls the addresses are /calls/ and /calls/room/..., and the proxy "
        "passes them on as they are."),
};

static const struct option operator_plane[] = {
    TEXT("ops-bind", OPTION_TEXT, ops_bind, "127.0.0.1",
        "Where the operator's plane listens: 127.0.0.1, ::1, or unix:/path for a socket's file of mode 0660. Any other "
        "address needs TLS and a token."),
    NUMBER("ops-port", ops_port, "3001", 0, 65535,
        "TCP port for the operator: /healthz, /readyz, /metrics and the admin API. 0 takes any free one."),
    SECRET("ops-token", ops_token,
        "File with the token for all but /healthz and /readyz: at least 32 letters, digits or -._~+/=, readable by its "
        "owner only. Without one the admin API is switched off."),
    CHOICE("metrics-open", metrics_open, "no", "no|yes",
        "Whether /metrics can be read without the token."),
};

static const struct option logging[] = {
    CHOICE("log-level", log_level, "info", LOG_LEVELS,
        "How much to log on standard error."),
    CHOICE("log-format", log_format, "logfmt", LOG_FORMATS,
        "How a line of the log is written: name=value, or a JSON object. Under systemd each line says its priority as well."),
};

static const struct option state[] = {
    TEXT("state-dir", OPTION_PATH, state_dir, "",
        "Directory for what outlives a restart: the key of the resume tokens. By default $STATE_DIRECTORY, else "
        "$XDG_STATE_HOME/aloha, else ~/.local/state/aloha; started as root, /var/lib/aloha."),
    SECRET("secret", secret,
        "File with the key of the resume tokens: at least 32 bytes, readable by its owner only; instead of the one in "
        "the state directory, for servers that share it."),
};

static const struct option process[] = {
    TEXT("user", OPTION_TEXT, user, "",
        "Who to become when started as root: once ports, key and certificates are open. By default the user aloha if "
        "there is one, else nobody; root stays root."),
    CHOICE("sandbox", sandbox, "on", SANDBOX_MODES,
        "Whether to give up what is not needed: as far as the kernel can, all files but one's own (landlock) and most "
        "system calls (seccomp). kill ends the process where on refuses the call: for tests."),
};

#define LIMIT_OPTION(field, option, member, unit_, def_, min_, max_, help_, exceeding_)                    \
    {.name = (option), .type = OPTION_UINT, .offset = FIELD(limits.field), .def = #def_, .min = (min_),   \
     .max = (max_), .unit = (unit_), .help = (help_), .exceeding = (exceeding_)},
static const struct option limit_options[] = {LIMIT_TABLE(LIMIT_OPTION)};
#undef LIMIT_OPTION

static const struct option general[] = {
    {.name = "config", .type = OPTION_PATH, .offset = FIELD(file_asked), .def = CONFIG_FILE_USUAL, .is_not_in_file = true,
     .help = "Configuration file; the usual one is read if it is there, another one has to be. An empty path: none."},
    {.name = "print-config", .type = OPTION_SWITCH, .offset = FIELD(print_config), .def = "",
     .help = "Prints what holds now and who said so; the output is a configuration file."},
    {.name = "check", .type = OPTION_SWITCH, .offset = FIELD(check), .def = "",
     .help = "As the command check: tells what is wrong with these options and this machine, and does not serve."},
    {.name = "help", .type = OPTION_TOPIC, .offset = FIELD(show_help), .def = "",
     .help = "Shows the options; in full those of a group or all, or a single one."},
    {.name = "version", .type = OPTION_SWITCH, .offset = FIELD(show_version), .def = "",
     .help = "Shows the version."},
};

#define GROUP(title, section, options) {title, section, options, ARRAY_SIZE(options)}
const struct option_group config_groups[] = {
    GROUP("Serving", "serving", serving),
    GROUP("TLS", "tls", tls),
    GROUP("Behind a proxy", "proxy", proxy),
    GROUP("Operator", "operator", operator_plane),
    GROUP("Log", "log", logging),
    GROUP("State", "state", state),
    GROUP("Process", "process", process),
    GROUP("Limits", "limits", limit_options),
    GROUP("General", "general", general),
};
const size_t config_group_count = ARRAY_SIZE(config_groups);
/* clang-format on */

const struct option *config_option(size_t index, const struct option_group **group)
{
    for (size_t g = 0; g < config_group_count; g++) {
        if (index < config_groups[g].count) {
            if (group)
                *group = &config_groups[g];
            return &config_groups[g].options[index];
        }
        index -= config_groups[g].count;
    }
    return NULL;
}

bool option_is_list(const struct option *option)
{
    return option->type == OPTION_HOSTS || option->type == OPTION_ORIGINS ||
           option->type == OPTION_NETWORKS;
}

bool option_is_in_environment(const struct option *option)
{
    return option->type != OPTION_SWITCH && option->type != OPTION_TOPIC;
}

bool option_is_in_file(const struct option *option)
{
    return option_is_in_environment(option) && !option->is_not_in_file;
}

bool group_is_in_file(const struct option_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (option_is_in_file(&group->options[i]))
            return true;
    return false;
}

void option_flag_name(const struct option *option, char out[OPTION_NAME_SIZE_MAX])
{
    snprintf(out, OPTION_NAME_SIZE_MAX, "%s%s", option->name,
             option->type == OPTION_SECRET ? "-file" : "");
}

void config_environment_name(const char *name, char *out, size_t out_size)
{
    snprintf(out, out_size, "ALOHA_%s", name);
    for (char *at = out + 6; *at; at++)
        *at = (char)(*at == '-' ? '_' : *at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
}

/* "error|warning|info" as "error, warning or info". */
static void describe_choices(const char *choices, char out[OPTION_VALUES_SIZE_MAX])
{
    struct str rest = str_of(choices);
    size_t size = 0;

    while (rest.size && size < OPTION_VALUES_SIZE_MAX) {
        struct str word = str_cut(&rest, '|');
        const char *joint = size == 0 ? "" : rest.size ? ", " : " or ";
        size += (size_t)snprintf(out + size, OPTION_VALUES_SIZE_MAX - size, "%s%.*s", joint,
                                 (int)word.size, word.text);
    }
}

void option_describe_values(const struct option *option, char out[OPTION_VALUES_SIZE_MAX])
{
    static const char *const words[] = {
        [OPTION_TEXT] = "a text",
        [OPTION_MODE] = "a file mode like 0660",
        [OPTION_BASE] = "/, or a path like /calls",
        [OPTION_PATH] = "a path",
        [OPTION_SECRET] = "a path",
        [OPTION_HOSTS] = "names like call.example.org,[::1]:3000",
        [OPTION_ORIGINS] = "origins like https://call.example.org,http://[::1]:3000",
        [OPTION_NETWORKS] = "networks like 127.0.0.1,10.0.0.0/8,2001:db8::/32",
    };

    if (option->type == OPTION_CHOICE)
        describe_choices(option->choices, out);
    else if (option->type == OPTION_UINT || option->type == OPTION_PORT)
        snprintf(out, OPTION_VALUES_SIZE_MAX, "a number from %u to %u%s", option->min, option->max,
                 option->type == OPTION_PORT ? ", or off" : "");
    else
        snprintf(out, OPTION_VALUES_SIZE_MAX, "%s", words[option->type]);
}
