/* What is told about the options: --help and docs/configuration.md, from the table. */
#include "config_private.h"

#include <stdio.h>

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
        [OPTION_UINT] = "NUMBER",
        [OPTION_PORT] = "NUMBER",
        [OPTION_TEXT] = "TEXT",
        [OPTION_PATH] = "PATH",
        [OPTION_HOSTS] = "NAME,...",
        [OPTION_ORIGINS] = "ORIGIN,...",
        [OPTION_NETWORKS] = "NETWORK,...",
        [OPTION_SECRET] = "PATH",
    };
    const char *value = option->type == OPTION_CHOICE ? option->choices : values[option->type];
    char name[OPTION_NAME_SIZE_MAX];

    option_flag_name(option, name);
    buf_add_format(out, "  --%s %s", name, value);
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
    for (size_t g = 0; g < config_group_count; g++) {
        buf_add_format(out, "\n%s:\n", config_groups[g].title);
        for (size_t i = 0; i < config_groups[g].count; i++)
            add_option_help(out, &config_groups[g].options[i]);
    }
    buf_add(out, STR("\nOthers:\n"
                     "  --help, -h\n      Shows this.\n"
                     "  --version\n      Shows the version.\n"
                     "\nDefaults stand in brackets. Each option can be set in the environment as "
                     "well:\n--room-peers-max as ALOHA_ROOM_PEERS_MAX.\n"));
}

static void add_markdown_group(struct buf *out, const struct option_group *group)
{
    bool limits = group->options[0].exceeding != NULL;

    buf_add_format(out,
                   "\n## %s\n\n| flag | environment | default | values | what it does |%s\n"
                   "| --- | --- | --- | --- | --- |%s\n",
                   group->title, limits ? " past it |" : "", limits ? " --- |" : "");
    for (size_t i = 0; i < group->count; i++) {
        const struct option *option = &group->options[i];
        const char *unit = unit_text(option->unit), *quote = option->def[0] ? "`" : "";
        char flag[OPTION_NAME_SIZE_MAX], name[OPTION_NAME_SIZE_MAX];
        char wanted[OPTION_VALUES_SIZE_MAX];
        option_flag_name(option, flag);
        config_environment_name(flag, name, sizeof name);
        option_describe_values(option, wanted);
        buf_add_format(out, "| `--%s` | `%s` | %s%s%s%s%s | %s | %s |", flag, name, quote,
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
                "<!-- Generated from the table in src/core/config_table.c: "
                "build/debug/tests/unit/write_docs configuration > docs/configuration.md -->\n\n"
                "Everything has a default that works. A flag beats the environment, the "
                "environment beats the\ndefault. An unknown name or a bad value is one line "
                "on standard error and exit status 2.\n"));
    for (size_t g = 0; g < config_group_count; g++)
        add_markdown_group(out, &config_groups[g]);
}
