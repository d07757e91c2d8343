/* Reading flags, environment and file by the table. */
#include "config_private.h"

#include "aloha/base_path.h"
#include "aloha/spelling.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool config_complain(const struct config_reader *reader, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->problem, reader->problem_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- names ---- */

struct meaning meaning_of(struct str name)
{
    const struct option_group *group = NULL;
    const struct option *option;
    char flag[OPTION_NAME_SIZE_MAX];

    for (size_t i = 0; (option = config_option(i, &group)); i++) {
        option_flag_name(option, flag);
        if (str_equal(name, str_of(flag)))
            return (struct meaning){option, group, i, option->type == OPTION_SECRET};
        if (str_equal(name, str_of(option->name)) ||
            (option->alias && str_equal(name, str_of(option->alias))))
            return (struct meaning){option, group, i, false};
    }
    return (struct meaning){.option = NULL};
}

bool meaning_guess(struct str name, char out[OPTION_NAME_SIZE_MAX])
{
    unsigned nearest = SPELLING_DISTANCE_MAX + 1;
    const struct option *option;
    char flag[OPTION_NAME_SIZE_MAX];

    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        option_flag_name(option, flag);
        unsigned distance = spelling_distance(name, str_of(flag));
        if (distance < nearest && spelling_is_near(name, str_of(flag))) {
            nearest = distance;
            memcpy(out, flag, sizeof flag);
        }
    }
    return nearest <= SPELLING_DISTANCE_MAX;
}

/* "ALOHA_ROOM_PEERS_MAX" as "room-peers-max", whether or not there is such a thing. */
static struct str name_of_variable(struct str variable, char out[OPTION_NAME_SIZE_MAX])
{
    size_t size = variable.size - 6;

    if (size >= OPTION_NAME_SIZE_MAX)
        return (struct str){NULL, 0};
    for (size_t i = 0; i < size; i++) {
        char c = variable.text[6 + i];
        out[i] = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[size] = '\0';
    return (struct str){out, size};
}

static struct meaning meaning_of_variable(struct str variable)
{
    char name[OPTION_NAME_SIZE_MAX], again[OPTION_NAME_SIZE_MAX + 6];
    struct meaning meaning = meaning_of(name_of_variable(variable, name));

    if (!meaning.option)
        return meaning;
    config_environment_name(name, again, sizeof again);
    if (!str_equal(variable, str_of(again)) || !option_is_in_environment(meaning.option))
        meaning.option = NULL;
    return meaning;
}

/* ---- values ---- */

/* The index of a word among choices like "no|yes". */
static bool find_choice(struct str choices, struct str word, uint64_t *out)
{
    for (*out = 0; choices.size; ++*out)
        if (str_equal(str_cut(&choices, '|'), word))
            return true;
    return false;
}

/* "660" or "0660". */
static bool read_mode(struct str text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.text[i] < '0' || text.text[i] > '7')
            return false;
        *out = *out << 3 | (uint64_t)(text.text[i] - '0');
    }
    return text.size == 3 || (text.size == 4 && text.text[0] == '0');
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
    case OPTION_BASE:
        return base_path_read(str_of(value), field);
    case OPTION_MODE:
        if (!read_mode(str_of(value), &number))
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
    case OPTION_SWITCH:
    case OPTION_TOPIC:
        *(bool *)field = true;
        return true;
    }
    *(uint32_t *)field = (uint32_t)number * unit_scale(option->unit);
    return true;
}

bool config_set(const struct config_reader *reader, struct meaning meaning,
                struct config_setting setting, const char *where)
{
    char wanted[OPTION_VALUES_SIZE_MAX];

    if (store(reader->config, meaning, setting.text)) {
        reader->config->settings[meaning.index] = setting;
        return true;
    }
    option_describe_values(meaning.option, wanted);
    return config_complain(reader, "%s: \"%.40s\" is not %s", where, setting.text, wanted);
}

static void set_defaults(struct config *config)
{
    const struct option *option;

    *config = (struct config){.help_topic = "", .file_name = ""};
    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        config->settings[i] = (struct config_setting){.text = option->def};
        if (option_is_in_environment(option))
            (void)store(config, (struct meaning){option, NULL, i, true}, option->def);
    }
}

/* ---- the environment ---- */

static bool complain_of_variable(const struct config_reader *reader, struct str variable)
{
    char name[OPTION_NAME_SIZE_MAX], guess[OPTION_NAME_SIZE_MAX] = "";
    char meant[OPTION_NAME_SIZE_MAX + 6];
    int size = (int)(variable.size < OPTION_NAME_SIZE_MAX ? variable.size : OPTION_NAME_SIZE_MAX);

    if (meaning_guess(name_of_variable(variable, name), guess) &&
        option_is_in_environment(meaning_of(str_of(guess)).option)) {
        config_environment_name(guess, meant, sizeof meant);
        return config_complain(reader, "%.*s: no such setting; did you mean %s?", size,
                               variable.text, meant);
    }
    return config_complain(reader, "%.*s: no such setting; --help lists them", size, variable.text);
}

static bool read_environment(const struct config_reader *reader, char *const environment[])
{
    for (; environment && *environment; environment++) {
        struct str value = str_of(*environment);
        struct str name = str_cut(&value, '=');
        char where[OPTION_NAME_SIZE_MAX + 6];
        if (!str_starts_with(name, STR("ALOHA_")) || !value.text)
            continue;
        struct meaning meaning = meaning_of_variable(name);
        if (!meaning.option)
            return complain_of_variable(reader, name);
        snprintf(where, sizeof where, "%.*s", (int)name.size, name.text);
        if (reader->config->settings[meaning.index].from == CONFIG_BY_ENVIRONMENT)
            return config_complain(reader, "%s: the environment sets it twice", where);
        struct config_setting setting = {value.text, CONFIG_BY_ENVIRONMENT, 0};
        if (!config_set(reader, meaning, setting, where))
            return false;
    }
    return true;
}

/* ---- flags ---- */

static bool complain_of_flag(const struct config_reader *reader, struct str flag)
{
    char guess[OPTION_NAME_SIZE_MAX];
    int size = (int)(flag.size < OPTION_NAME_SIZE_MAX ? flag.size : OPTION_NAME_SIZE_MAX);
    struct str name = flag;

    while (name.size && name.text[0] == '-')
        name = (struct str){name.text + 1, name.size - 1};
    if (name.size < flag.size && meaning_guess(name, guess))
        return config_complain(reader, "%.*s: no such option; did you mean --%s?", size, flag.text,
                               guess);
    return config_complain(reader, "%.*s: no such option; --help lists them", size, flag.text);
}

/* The words of the command line that have not been read. */
struct arguments {
    int at, count;
    char *const *words;
};

/* What stands behind a flag. NULL: nothing does. */
static const char *take_value(struct arguments *arguments, enum option_type type)
{
    const char *next =
        arguments->at + 1 < arguments->count ? arguments->words[arguments->at + 1] : NULL;

    if (type == OPTION_SWITCH)
        return "";
    if (type == OPTION_TOPIC && (!next || next[0] == '-'))
        return "";
    if (next)
        arguments->at++;
    return next;
}

static bool complain_of_secret(const struct config_reader *reader, const char *name)
{
    char variable[OPTION_NAME_SIZE_MAX];

    config_environment_name(name, variable, sizeof variable);
    return config_complain(reader,
                           "--%s: everybody can read a command line; use --%s-file PATH, or %s in "
                           "the environment",
                           name, name, variable);
}

static bool read_flag(const struct config_reader *reader, struct arguments *arguments)
{
    struct str rest = str_of(arguments->words[arguments->at]);
    struct str flag = str_cut(&rest, '=');
    struct meaning meaning = {.option = NULL};
    char where[OPTION_NAME_SIZE_MAX + 2];

    if (str_equal(flag, STR("-h")))
        flag = STR("--help");
    if (str_starts_with(flag, STR("--")))
        meaning = meaning_of((struct str){flag.text + 2, flag.size - 2});
    if (!meaning.option)
        return complain_of_flag(reader, flag);
    if (meaning.option->type == OPTION_SECRET && !meaning.is_file)
        return complain_of_secret(reader, meaning.option->name);
    snprintf(where, sizeof where, "%.*s", (int)flag.size, flag.text);
    if (rest.text && meaning.option->type == OPTION_SWITCH)
        return config_complain(reader, "%s: takes no value", where);
    const char *value = rest.text ? rest.text : take_value(arguments, meaning.option->type);
    if (!value)
        return config_complain(reader, "%s: needs a value", where);
    if (meaning.option->type == OPTION_TOPIC)
        reader->config->help_topic = value;
    return config_set(reader, meaning, (struct config_setting){value, CONFIG_BY_FLAG, 0}, where);
}

static bool read_flags(const struct config_reader *reader, const struct config_input *input)
{
    struct arguments arguments = {.at = 1, .count = input->argc, .words = input->argv};

    for (; arguments.at < arguments.count; arguments.at++)
        if (!read_flag(reader, &arguments))
            return false;
    return true;
}

/* ---- all of it ---- */

/* True when nothing else matters, not even whether the rest makes sense. */
static bool wants_help(const struct config *config)
{
    return config->show_help || config->show_version;
}

bool config_find_file(struct config_place *out, const struct config_input *input, char *problem,
                      size_t problem_size)
{
    struct config config;
    struct config_reader reader = {&config, problem, problem_size};
    size_t index = meaning_of(STR("config")).index;

    *out = (struct config_place){.path = ""};
    set_defaults(&config);
    bool done = read_flags(&reader, input);
    if (done && wants_help(&config))
        return true;
    set_defaults(&config);
    done = done && read_environment(&reader, input->environment) && read_flags(&reader, input);
    if (done)
        *out = (struct config_place){config.file_asked,
                                     config.settings[index].from != CONFIG_BY_DEFAULT};
    else
        str_make_printable(problem);
    return done;
}

static bool read_all(const struct config_reader *reader, const struct config_input *input)
{
    set_defaults(reader->config);
    if (!read_flags(reader, input))
        return false;
    if (wants_help(reader->config))
        return true;
    set_defaults(reader->config);
    reader->config->file_name = input->file_name ? input->file_name : "";
    return config_read_file(reader, input->file) && read_environment(reader, input->environment) &&
           read_flags(reader, input) && config_check_together(reader);
}

bool config_read(struct config *out, const struct config_input *input, char *problem,
                 size_t problem_size)
{
    struct config_reader reader = {out, problem, problem_size};

    if (!read_all(&reader, input)) {
        config_deinit(out);
        str_make_printable(problem);
        return false;
    }
    limits_derive(&out->limits);
    return true;
}

void config_deinit(struct config *config)
{
    free(config->file_texts);
    config->file_texts = NULL;
}
