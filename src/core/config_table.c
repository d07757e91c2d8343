/* Everything that can be set: the table. */
#include "config_private.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define FIELD(member) offsetof(struct config, member)
#define NUMBER(name, field, def, min, max, help) {name, OPTION_UINT, FIELD(field), def, min, max, UNIT_NONE, NULL, help, NULL}
#define TEXT(name, type, field, def, help)       {name, type, FIELD(field), def, 0, 0, UNIT_NONE, NULL, help, NULL}
#define SECRET(name, field, help)                {name, OPTION_SECRET, FIELD(field), "", 0, 0, UNIT_NONE, NULL, help, NULL}
#define CHOICE(name, field, def, choices, help)  {name, OPTION_CHOICE, FIELD(field), def, 0, 0, UNIT_NONE, choices, help, NULL}

static const struct option serving[] = {
    NUMBER("port", port, "3000", 0, 65535,
        "TCP port of the pages and of the WebSocket; 0 takes any free one."),
    TEXT("bind", OPTION_TEXT, bind, "::",
        "Address to listen on. :: is every address of this machine, IPv4 too; 127.0.0.1 is this machine only."),
    TEXT("host", OPTION_HOSTS, hosts, "",
        "Names that this server is called by; requests for any other are refused (421). A name with a port is meant "
        "with that port only. None: every name is served."),
    TEXT("origin", OPTION_ORIGINS, origins, "",
        "Origins of other pages that may open a WebSocket here, as browsers write them: scheme, host, and the port "
        "unless it is the scheme's own."),
    CHOICE("allow-no-origin", allow_no_origin, "yes", "no|yes",
        "Whether a WebSocket without an Origin header (a tool, a native client) is let in."),
    TEXT("assets", OPTION_PATH, assets, "",
        "Directory with public/ and views/ to serve instead of what the binary carries, read anew for each request: "
        "for work on the page."),
};

static const struct option tls[] = {
    CHOICE("tls", tls, "no", "no|self-signed",
        "Whether to speak https with a certificate that is made and kept here, for this machine's names and addresses: "
        "browsers ask once whether to trust it."),
    TEXT("tls-cert", OPTION_PATH, tls_cert, "",
        "PEM file with this server's certificate and its chain: https. Read again when it changes, and at SIGHUP."),
    TEXT("tls-key", OPTION_PATH, tls_key, "",
        "PEM file with the certificate's key, without a password."),
    {"redirect-port", OPTION_PORT, FIELD(redirect_port), "off", 0, 65535, UNIT_NONE, NULL,
        "TCP port, on the same address, where plain http is sent on to https; 0 takes any free one.", NULL},
};

static const struct option proxy[] = {
    TEXT("trusted-proxies", OPTION_NETWORKS, trusted_proxies, "",
        "Addresses and networks of proxies in front of this server: what they say in X-Forwarded-For is believed, and "
        "limits of an address count for who is behind them."),
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
        "$XDG_STATE_HOME/aloha, else ~/.local/state/aloha."),
    SECRET("secret", secret,
        "File with the key of the resume tokens, at least 32 bytes, readable by its owner only; instead of the one in "
        "the state directory, for servers that share it."),
};

#define LIMIT_OPTION(field, option, member, unit, def, min, max, help, exceeding) \
    {option, OPTION_UINT, FIELD(limits.field), #def, min, max, unit, NULL, help, exceeding},
static const struct option limit_options[] = {LIMIT_TABLE(LIMIT_OPTION)};
#undef LIMIT_OPTION

#define GROUP(title, options) {title, options, ARRAY_SIZE(options)}
const struct option_group config_groups[] = {
    GROUP("Serving", serving),
    GROUP("TLS", tls),
    GROUP("Behind a proxy", proxy),
    GROUP("Operator", operator_plane),
    GROUP("Log", logging),
    GROUP("State", state),
    GROUP("Limits", limit_options),
};
const size_t config_group_count = ARRAY_SIZE(config_groups);
/* clang-format on */

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
