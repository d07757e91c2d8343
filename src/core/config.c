#include "aloha/config.h"

#include <stdio.h>
#include <string.h>

enum option_type {
    OPTION_UINT,   /* decimal digits, from min to max */
    OPTION_TEXT,   /* anything */
    OPTION_LEVEL,  /* a log level by name */
    OPTION_SWITCH, /* yes or no */
    OPTION_HOSTS,  /* lists, with commas between their items; an empty text is an empty list */
    OPTION_ORIGINS,
    OPTION_NETWORKS,
};

struct option {
    const char *name; /* as in --name; ALOHA_NAME in the environment */
    enum option_type type;
    size_t offset; /* of the field in struct config */
    const char *def;
    uint32_t min, max;
    enum unit unit; /* what the number counts, and how much of it one is in the field */
    const char *help;
    const char *exceeding; /* of a limit: what happens then */
};

#define FIELD(member) offsetof(struct config, member)

/* Options that stand together in --help and in the documentation. */
struct group {
    const char *title;
    const struct option *options;
    size_t count;
};

/* clang-format off */
static const struct option serving[] = {
    {"port", OPTION_UINT, FIELD(port), "3000", 0, 65535, UNIT_NONE,
     "TCP port of the pages and of the WebSocket; 0 takes any free one.", NULL},
    {"bind", OPTION_TEXT, FIELD(bind), "::", 0, 0, UNIT_NONE,
     "Address to listen on. :: is every address of this machine, IPv4 too; 127.0.0.1 is this machine only.", NULL},
    {"ops-port", OPTION_UINT, FIELD(ops_port), "3001", 0, 65535, UNIT_NONE,
     "TCP port for the operator, always on 127.0.0.1: /healthz, /readyz, /metrics. 0 takes any free one.", NULL},
    {"state-dir", OPTION_TEXT, FIELD(state_dir), "", 0, 0, UNIT_NONE,
     "Directory for what outlives a restart: the key of the resume tokens. By default $STATE_DIRECTORY, else "
     "$XDG_STATE_HOME/aloha, else ~/.local/state/aloha.", NULL},
    {"secret-file", OPTION_TEXT, FIELD(secret_file), "", 0, 0, UNIT_NONE,
     "File with the key of the resume tokens, at least 32 bytes, readable by its owner only; instead of the one in "
     "the state directory, for servers that share it.", NULL},
    {"log-level", OPTION_LEVEL, FIELD(log_level), "info", 0, 0, UNIT_NONE,
     "How much to log on standard error: error, warning, info or debug.", NULL},
    {"assets", OPTION_TEXT, FIELD(assets), "", 0, 0, UNIT_NONE,
     "Directory with public/ and views/ to serve instead of what the binary carries, read anew for each request: for work on the page.", NULL},
    {"allow-no-origin", OPTION_SWITCH, FIELD(allow_no_origin), "yes", 0, 0, UNIT_NONE,
     "Whether a WebSocket without an Origin header (a tool, a native client) is let in.", NULL},
    {"host", OPTION_HOSTS, FIELD(hosts), "", 0, 0, UNIT_NONE,
     "Names that this server is called by; requests for any other are refused (421). A name with a port is meant with that port only. None: every name is served.", NULL},
    {"origin", OPTION_ORIGINS, FIELD(origins), "", 0, 0, UNIT_NONE,
     "Origins of other pages that may open a WebSocket here, as browsers write them: scheme, host, and the port unless it is the scheme's own.", NULL},
    {"trusted-proxies", OPTION_NETWORKS, FIELD(trusted_proxies), "", 0, 0, UNIT_NONE,
     "Addresses and networks of proxies in front of this server: what they say in X-Forwarded-For is believed, and limits of an address count for who is behind them.", NULL},
};

#define LIMIT_OPTION(field, option, member, unit, def, min, max, help, exceeding) \
    {option, OPTION_UINT, FIELD(limits.field), #def, min, max, unit, help, exceeding},
static const struct option limit_options[] = {LIMIT_TABLE(LIMIT_OPTION)};
#undef LIMIT_OPTION
/* clang-format on */

static const struct group groups[] = {
    {"Serving", serving, ARRAY_SIZE(serving)},
    {"Limits", limit_options, ARRAY_SIZE(limit_options)},
};

enum { NAME_MAX_SIZE = 64 };

/* "room-peers-max" as "ALOHA_ROOM_PEERS_MAX". */
static void environment_name(const char *name, char out[NAME_MAX_SIZE])
{
    size_t size = (size_t)snprintf(out, NAME_MAX_SIZE, "ALOHA_%s", name);
    for (size_t i = 6; i < size; i++)
        out[i] = (char)(out[i] == '-' ? '_' : out[i] - 'a' + 'A');
}

static const struct option *find_option(struct str name)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        for (size_t i = 0; i < groups[g].count; i++)
            if (str_equal(name, str_of(groups[g].options[i].name)))
                return &groups[g].options[i];
    return NULL;
}

static const struct option *find_environment_option(struct str name)
{
    char candidate[NAME_MAX_SIZE];

    for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            environment_name(groups[g].options[i].name, candidate);
            if (str_equal(name, str_of(candidate)))
                return &groups[g].options[i];
        }
    }
    return NULL;
}

/* What a value of this option looks like, for complaints and for the documentation. */
static void describe_values(const struct option *option, char *out, size_t size)
{
    switch (option->type) {
    case OPTION_UINT:
        snprintf(out, size, "a number from %u to %u", option->min, option->max);
        break;
    case OPTION_TEXT:
        snprintf(out, size, "a text");
        break;
    case OPTION_LEVEL:
        snprintf(out, size, "error, warning, info or debug");
        break;
    case OPTION_SWITCH:
        snprintf(out, size, "yes or no");
        break;
    case OPTION_HOSTS:
        snprintf(out, size, "names like call.example.org,[::1]:3000");
        break;
    case OPTION_ORIGINS:
        snprintf(out, size, "origins like https://call.example.org,http://[::1]:3000");
        break;
    case OPTION_NETWORKS:
        snprintf(out, size, "networks like 127.0.0.1,10.0.0.0/8,2001:db8::/32");
        break;
    }
}

static bool store(struct config *config, const struct option *option, const char *value)
{
    void *field = (char *)config + option->offset;
    uint64_t number = 0;
    enum log_level level;

    switch (option->type) {
    case OPTION_TEXT:
        *(const char **)field = value;
        return true;
    case OPTION_UINT:
        if (!str_to_uint(str_of(value), option->max, &number) || number < option->min)
            return false;
        break;
    case OPTION_LEVEL:
        if (!log_level_of(str_of(value), &level))
            return false;
        number = level;
        break;
    case OPTION_SWITCH:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
            return false;
        number = strcmp(value, "yes") == 0;
        break;
    case OPTION_HOSTS:
        return hosts_read(str_of(value), field);
    case OPTION_ORIGINS:
        return origins_read(str_of(value), field);
    case OPTION_NETWORKS:
        return ip_networks_read(str_of(value), field);
    }
    *(uint32_t *)field = (uint32_t)number * unit_scale(option->unit);
    return true;
}

static bool store_or_complain(struct config *config, const struct option *option, const char *where,
                              const char *value, char *problem, size_t problem_size)
{
    char wanted[64];

    if (store(config, option, value))
        return true;
    describe_values(option, wanted, sizeof wanted);
    snprintf(problem, problem_size, "%s: \"%.40s\" is not %s", where, value, wanted);
    return false;
}

static void store_defaults(struct config *config)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        for (size_t i = 0; i < groups[g].count; i++)
            (void)store(config, &groups[g].options[i], groups[g].options[i].def);
}

static bool read_environment(struct config *config, char *const environment[], char *problem,
                             size_t problem_size)
{
    for (; environment && *environment; environment++) {
        struct str value = str_of(*environment);
        struct str name = str_cut(&value, '=');
        char where[NAME_MAX_SIZE];
        if (!str_starts_with(name, STR("ALOHA_")) || !value.text)
            continue;
        snprintf(where, sizeof where, "%.*s", (int)name.size, name.text);
        const struct option *option = find_environment_option(name);
        if (!option) {
            snprintf(problem, problem_size, "%s: no such setting; --help lists them", where);
            return false;
        }
        if (!store_or_complain(config, option, where, value.text, problem, problem_size))
            return false;
    }
    return true;
}

static bool read_flag(struct config *config, int argc, char *const argv[], int *at, char *problem,
                      size_t problem_size)
{
    struct str rest = str_of(argv[*at]);
    struct str flag = str_cut(&rest, '=');
    const char *value = rest.text;
    char where[NAME_MAX_SIZE];

    snprintf(where, sizeof where, "%.*s", (int)flag.size, flag.text);
    const struct option *option = str_starts_with(flag, STR("--"))
                                      ? find_option((struct str){flag.text + 2, flag.size - 2})
                                      : NULL;
    if (!option) {
        snprintf(problem, problem_size, "%s: no such option; --help lists them", where);
        return false;
    }
    if (!value && ++*at < argc)
        value = argv[*at];
    if (!value) {
        snprintf(problem, problem_size, "%s: needs a value", where);
        return false;
    }
    return store_or_complain(config, option, where, value, problem, problem_size);
}

static bool read_all(struct config *out, int argc, char *const argv[], char *const environment[],
                     char *problem, size_t problem_size)
{
    store_defaults(out);
    if (!read_environment(out, environment, problem, problem_size))
        return false;
    for (int i = 1; i < argc; i++) {
        struct str flag = str_of(argv[i]);
        if (str_equal(flag, STR("--help")) || str_equal(flag, STR("-h")))
            out->show_help = true;
        else if (str_equal(flag, STR("--version")))
            out->show_version = true;
        else if (!read_flag(out, argc, argv, &i, problem, problem_size))
            return false;
    }
    if (out->limits.gone_after_ms <= out->limits.ping_after_ms) {
        snprintf(problem, problem_size, "--gone-after: must be longer than --ping-after (%u s)",
                 out->limits.ping_after_ms / 1000);
        return false;
    }
    return true;
}

bool config_read(struct config *out, int argc, char *const argv[], char *const environment[],
                 char *problem, size_t problem_size)
{
    *out = (struct config){0};
    if (!read_all(out, argc, argv, environment, problem, problem_size)) {
        str_make_printable(problem);
        return false;
    }
    limits_derive(&out->limits);
    return true;
}

enum { HELP_COLUMNS = 80, HELP_INDENT = 6 };

/* Adds `text` in lines of at most HELP_COLUMNS, each behind HELP_INDENT spaces. */
static void add_wrapped(struct buf *out, struct str text)
{
    size_t column = 0;

    while (text.size) {
        struct str word = str_cut(&text, ' ');
        if (column == 0 || column + 1 + word.size > HELP_COLUMNS) {
            buf_add_format(out, "%s%*s", column ? "\n" : "", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            buf_add(out, STR(" "));
            column++;
        }
        buf_add(out, word);
        column += word.size;
    }
    buf_add(out, STR("\n"));
}

static void add_option_help(struct buf *out, const struct option *option)
{
    static const char *const values[] = {
        [OPTION_UINT] = "NUMBER",          [OPTION_TEXT] = "TEXT",
        [OPTION_LEVEL] = "LEVEL",          [OPTION_SWITCH] = "yes|no",
        [OPTION_HOSTS] = "NAME,...",       [OPTION_ORIGINS] = "ORIGIN,...",
        [OPTION_NETWORKS] = "NETWORK,...",
    };

    buf_add_format(out, "  --%s %s", option->name, values[option->type]);
    const char *unit = unit_text(option->unit);
    if (option->def[0])
        buf_add_format(out, "  (%s%s%s", option->def, unit[0] ? " " : "", unit);
    if (option->def[0] && option->type == OPTION_UINT)
        buf_add_format(out, ", from %u to %u", option->min, option->max);
    buf_add(out, option->def[0] ? STR(")") : STR(""));
    buf_add(out, STR("\n"));
    char text[512];
    snprintf(text, sizeof text, "%s%s%s%s", option->help, option->exceeding ? " Past it: " : "",
             option->exceeding ? option->exceeding : "", option->exceeding ? "." : "");
    add_wrapped(out, str_of(text));
}

void config_write_help(struct buf *out)
{
    buf_add(out, STR("aloha: video calls from your own machine.\n"
                     "Run it, open the address that it shows, share the link of the room.\n"
                     "\nUsage: aloha [options]\n"));
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
        buf_add_format(out, "\n%s:\n", groups[g].title);
        for (size_t i = 0; i < groups[g].count; i++)
            add_option_help(out, &groups[g].options[i]);
    }
    buf_add(out, STR("\nOthers:\n"
                     "  --help, -h\n      Shows this.\n"
                     "  --version\n      Shows the version.\n"
                     "\nDefaults stand in brackets. Each option can be set in the environment as "
                     "well:\n--room-peers-max as ALOHA_ROOM_PEERS_MAX.\n"));
}

static void add_markdown_group(struct buf *out, const struct group *group)
{
    bool limits = group->options[0].exceeding != NULL;

    buf_add_format(out,
                   "\n## %s\n\n| flag | environment | default | values | what it does |%s\n"
                   "| --- | --- | --- | --- | --- |%s\n",
                   group->title, limits ? " past it |" : "", limits ? " --- |" : "");
    for (size_t i = 0; i < group->count; i++) {
        const struct option *option = &group->options[i];
        const char *unit = unit_text(option->unit), *quote = option->def[0] ? "`" : "";
        char name[NAME_MAX_SIZE], wanted[64];
        environment_name(option->name, name);
        describe_values(option, wanted, sizeof wanted);
        buf_add_format(out, "| `--%s` | `%s` | %s%s%s%s%s | %s | %s |", option->name, name, quote,
                       option->def[0] ? option->def : "none", quote, unit[0] ? " " : "", unit,
                       wanted, option->help);
        if (limits)
            buf_add_format(out, " %s |", option->exceeding);
        buf_add(out, STR("\n"));
    }
}

void config_write_markdown(struct buf *out)
{
    buf_add(out,
            STR("# Configuration\n\n"
                "<!-- Generated from the table in src/core/config.c: "
                "build/debug/tests/unit/write_docs configuration > docs/configuration.md -->\n\n"
                "Everything has a default that works. A flag beats the environment, the "
                "environment beats the\ndefault. An unknown name or a bad value is one line "
                "on standard error and exit status 2.\n"));
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        add_markdown_group(out, &groups[g]);
}
