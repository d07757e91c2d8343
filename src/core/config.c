/* Reading the environment and the command line by the table. */
#include "config_private.h"

#include <stdio.h>
#include <string.h>

/* What a name stands for: an option's value, or the path of a secret's file. */
struct meaning {
    const struct option *option; /* NULL: nothing */
    bool is_file;
};

static struct meaning meaning_of(struct str name)
{
    for (size_t g = 0; g < config_group_count; g++) {
        for (size_t i = 0; i < config_groups[g].count; i++) {
            const struct option *option = &config_groups[g].options[i];
            char flag[OPTION_NAME_SIZE_MAX];
            option_flag_name(option, flag);
            if (str_equal(name, str_of(flag)))
                return (struct meaning){option, option->type == OPTION_SECRET};
            if (str_equal(name, str_of(option->name)))
                return (struct meaning){option, false};
        }
    }
    return (struct meaning){NULL, false};
}

/* "ALOHA_ROOM_PEERS_MAX", read the other way round. */
static struct meaning meaning_of_variable(struct str variable)
{
    char name[OPTION_NAME_SIZE_MAX], again[OPTION_NAME_SIZE_MAX];
    size_t size = variable.size - 6;

    if (variable.size >= sizeof name)
        return (struct meaning){NULL, false};
    for (size_t i = 0; i < size; i++) {
        char c = variable.text[6 + i];
        name[i] = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    name[size] = '\0';
    config_environment_name(name, again, sizeof again);
    if (!str_equal(variable, str_of(again)))
        return (struct meaning){NULL, false};
    return meaning_of(str_of(name));
}

/* The index of a word among choices like "no|yes". */
static bool find_choice(struct str choices, struct str word, uint64_t *out)
{
    for (*out = 0; choices.size; ++*out)
        if (str_equal(str_cut(&choices, '|'), word))
            return true;
    return false;
}

static bool store(struct config *config, struct meaning meaning, const char *value)
{
    const struct option *option = meaning.option;
    void *field = (char *)config + option->offset;
    uint64_t number = 0;

    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
        *(const char **)field = value;
        return true;
    case OPTION_UINT:
    case OPTION_PORT:
        if (option->type == OPTION_PORT && strcmp(value, "off") == 0)
            number = CONFIG_PORT_OFF;
        else if (!str_to_uint(str_of(value), option->max, &number) || number < option->min)
            return false;
        break;
    case OPTION_CHOICE:
        if (!find_choice(str_of(option->choices), str_of(value), &number))
            return false;
        break;
    case OPTION_HOSTS:
        return hosts_read(str_of(value), field);
    case OPTION_ORIGINS:
        return origins_read(str_of(value), field);
    case OPTION_NETWORKS:
        return ip_networks_read(str_of(value), field);
    case OPTION_SECRET:
        *(struct secret_source *)field =
            (struct secret_source){.name = option->name,
                                   .value = meaning.is_file ? NULL : value,
                                   .file = meaning.is_file ? value : ""};
        return true;
    }
    *(uint32_t *)field = (uint32_t)number * unit_scale(option->unit);
    return true;
}

static bool store_or_complain(struct config *config, struct meaning meaning, const char *where,
                              const char *value, char *problem, size_t problem_size)
{
    char wanted[OPTION_VALUES_SIZE_MAX];

    if (store(config, meaning, value))
        return true;
    option_describe_values(meaning.option, wanted);
    snprintf(problem, problem_size, "%s: \"%.40s\" is not %s", where, value, wanted);
    return false;
}

static void store_defaults(struct config *config)
{
    for (size_t g = 0; g < config_group_count; g++)
        for (size_t i = 0; i < config_groups[g].count; i++)
            (void)store(config, (struct meaning){&config_groups[g].options[i], true},
                        config_groups[g].options[i].def);
}

static bool read_environment(struct config *config, char *const environment[], char *problem,
                             size_t problem_size)
{
    for (; environment && *environment; environment++) {
        struct str value = str_of(*environment);
        struct str name = str_cut(&value, '=');
        char where[OPTION_NAME_SIZE_MAX];
        if (!str_starts_with(name, STR("ALOHA_")) || !value.text)
            continue;
        snprintf(where, sizeof where, "%.*s", (int)name.size, name.text);
        struct meaning meaning = meaning_of_variable(name);
        if (!meaning.option) {
            snprintf(problem, problem_size, "%s: no such setting; --help lists them", where);
            return false;
        }
        if (!store_or_complain(config, meaning, where, value.text, problem, problem_size))
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
    char where[OPTION_NAME_SIZE_MAX];

    snprintf(where, sizeof where, "%.*s", (int)flag.size, flag.text);
    struct meaning meaning = str_starts_with(flag, STR("--"))
                                 ? meaning_of((struct str){flag.text + 2, flag.size - 2})
                                 : (struct meaning){NULL, false};
    if (!meaning.option) {
        snprintf(problem, problem_size, "%s: no such option; --help lists them", where);
        return false;
    }
    if (meaning.option->type == OPTION_SECRET && !meaning.is_file) {
        char variable[OPTION_NAME_SIZE_MAX];
        config_environment_name(meaning.option->name, variable, sizeof variable);
        snprintf(
            problem, problem_size,
            "%s: everybody can read a command line; use %s-file PATH, or %s in the environment",
            where, where, variable);
        return false;
    }
    if (!value && ++*at < argc)
        value = argv[*at];
    if (!value) {
        snprintf(problem, problem_size, "%s: needs a value", where);
        return false;
    }
    return store_or_complain(config, meaning, where, value, problem, problem_size);
}

/* What each for itself may be, but not together. */
static bool check_together(const struct config *config, char *problem, size_t problem_size)
{
    const char *wrong = NULL;

    if (!config->tls_cert[0] != !config->tls_key[0])
        wrong = "--tls-cert, --tls-key: one needs the other";
    else if (config->tls && config->tls_cert[0])
        wrong = "--tls: self-signed and --tls-cert exclude each other";
    else if (config->redirect_port != CONFIG_PORT_OFF && !config_has_tls(config))
        wrong = "--redirect-port: needs https: --tls-cert and --tls-key, or --tls self-signed";
    if (wrong)
        snprintf(problem, problem_size, "%s", wrong);
    return !wrong;
}

bool config_has_tls(const struct config *config)
{
    return config->tls || config->tls_cert[0];
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
    return check_together(out, problem, problem_size);
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
