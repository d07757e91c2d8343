/* Configuration files that are written: the effective one, and the example. */
#include "config_text.h"

#include <stdio.h>
#include <string.h>

/* Adds a line of a value: with a blank here and there if there is room, and without if there is not. Lists
 * need no comma where a line ends.
 *   key       empty: the line goes on with a list.
 *   returns   false when it does not fit. */
static bool add_line(struct buf *out, const char *key, struct str text, bool goes_on)
{
    static const char *const leads[][2] = {{" = ", "="}, {"    ", " "}};
    const char *const *lead = leads[key[0] == '\0'];
    size_t room = CONFIG_LINE_SIZE_MAX - strlen(key);
    bool is_wide = strlen(lead[0]) + text.size + goes_on <= room;

    if (!is_wide && strlen(lead[1]) + text.size > room)
        return false;
    buf_add_format(out, "%s%s%.*s%s\n", key, text.size ? lead[!is_wide] : " =", (int)text.size,
                   text.text, is_wide && goes_on ? "," : "");
    return true;
}

/* True when the parser would read this text as it is. */
static bool is_plain(const char *text)
{
    size_t size = strlen(text);

    if (size == 0)
        return true;
    if (strchr("\"'#; \t", text[0]) || text[size - 1] == ' ' || text[size - 1] == '\t')
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
        if (i && (c == '#' || c == ';') && (text[i - 1] == ' ' || text[i - 1] == '\t'))
            return false;
    }
    return true;
}

/* Each item in a line of its own but the first, so that the longest list fits. */
static bool add_list(struct buf *out, const char *key, struct str list)
{
    do {
        struct str item = str_trim(str_cut(&list, ','));
        if (!add_line(out, key, item, list.size != 0))
            return false;
        key = "";
    } while (list.size);
    return true;
}

static void add_value(struct buf *out, const struct option *option, const char *key,
                      const char *text)
{
    size_t before = out->size;
    bool done = option_is_list(option) ? add_list(out, key, str_of(text))
                                       : is_plain(text) && add_line(out, key, str_of(text), false);

    if (done)
        return;
    out->size = before;
    buf_add_format(out, "# %s has a value that cannot stand in a file\n", key);
}

static void add_origin(struct buf *out, const struct config *config, const char *key,
                       const struct config_setting *setting)
{
    char variable[OPTION_NAME_SIZE_MAX + 6], where[CONFIG_WHERE_SIZE];

    switch (setting->from) {
    case CONFIG_BY_DEFAULT:
        buf_add(out, STR("# default\n"));
        break;
    case CONFIG_BY_FILE:
        snprintf(where, sizeof where, "%.200s:%u", config->file_name, setting->line);
        str_make_printable(where);
        buf_add_format(out, "# %s\n", where);
        break;
    case CONFIG_BY_ENVIRONMENT:
        config_environment_name(key, variable, sizeof variable);
        buf_add_format(out, "# %s\n", variable);
        break;
    case CONFIG_BY_FLAG:
        buf_add_format(out, "# --%s\n", key);
        break;
    }
}

static void add_effective(struct buf *out, const struct config *config, const struct option *option,
                          const struct config_setting *setting)
{
    char key[OPTION_NAME_SIZE_MAX];
    const struct secret_source *secret = NULL;

    option_flag_name(option, key);
    if (option->type == OPTION_SECRET)
        secret = (const void *)((const char *)config + option->offset);
    if (secret && secret->value) {
        add_origin(out, config, option->name, setting);
        buf_add_format(out, "# %s: (set)\n", option->name);
        return;
    }
    add_origin(out, config, key, setting);
    add_value(out, option, key, setting->text);
}

void config_write_effective(const struct config *config, struct buf *out)
{
    const struct option_group *group = NULL, *before = NULL;
    const struct option *option;

    buf_add(out, STR("# aloha " ALOHA_VERSION ": what holds, and who said so.\n"));
    for (size_t i = 0; (option = config_option(i, &group)); i++) {
        if (!option_is_in_file(option))
            continue;
        if (group != before)
            buf_add_format(out, "\n[%s]\n", group->section);
        before = group;
        add_effective(out, config, option, &config->settings[i]);
    }
}

/* ---- the example ---- */

static void add_comment(struct buf *out, struct str text)
{
    struct buf lines;

    buf_init(&lines, 4096);
    text_wrap(&lines, text, 2, 0, 80);
    struct str rest = buf_str(&lines);
    while (rest.size) {
        struct str line = str_cut(&rest, '\n');
        buf_add_format(out, "# %.*s\n", (int)line.size, line.text);
    }
    out->failed |= lines.failed;
    buf_deinit(&lines);
}

static void add_example(struct buf *out, const struct option *option)
{
    char key[OPTION_NAME_SIZE_MAX], wanted[OPTION_VALUES_SIZE_MAX];
    char help[TEXT_HELP_SIZE], text[OPTION_VALUES_SIZE_MAX + 64];

    option_flag_name(option, key);
    option_describe_values(option, wanted);
    const char *unit = unit_text(option->unit);
    snprintf(text, sizeof text, "Value: %s%s%s%s.", wanted, unit[0] ? " (" : "", unit,
             unit[0] ? ")" : "");
    buf_add(out, STR("\n"));
    add_comment(out, text_help(option, help));
    add_comment(out, str_of(text));
    buf_add_format(out, "#%s =%s%s\n", key, option->def[0] ? " " : "", option->def);
}

void config_write_example(struct buf *out)
{
    buf_add(out, STR("# The configuration of aloha: aloha.conf(5), docs/configuration.md.\n#\n"
                     "# Every setting is here, with its default. Take the # away from one, and "
                     "change it.\n# aloha --print-config shows what holds and who said so.\n"));
    for (size_t g = 0; g < config_group_count; g++) {
        const struct option_group *group = &config_groups[g];
        if (!group_is_in_file(group))
            continue;
        buf_add_format(out, "\n\n[%s]\n", group->section);
        for (size_t i = 0; i < group->count; i++)
            if (option_is_in_file(&group->options[i]))
                add_example(out, &group->options[i]);
    }
}
