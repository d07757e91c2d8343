/* docs/configuration.md, from the table. */
#include "aloha/commands.h"
#include "config_text.h"

#include <string.h>

static const char file_rules[] =
    "`--config FILE`, else `" CONFIG_FILE_USUAL
    "` if there is one. The name of a setting is that of\n"
    "the flag, without its dashes:\n\n"
    "```ini\n"
    "# A comment has a line of its own, behind # or ;\n"
    "[serving]\n"
    "port = 4000\n"
    "host = call.example.org,\n"
    "    www.example.org\n\n"
    "[limits]\n"
    "room-peers-max = 6\n"
    "```\n\n"
    "- A section is one of those below; without any section all settings may stand one after "
    "another.\n"
    "  A setting in a section that is not its own is an error, and so is one that stands twice.\n"
    "- A list goes on in the next line when that begins with blanks. Nothing else may begin with "
    "blanks.\n"
    "- Values stand without quotes. Blanks around them do not count. Behind a value a blank and "
    "then `#` or\n"
    "  `;` are an error, for in other files they begin a comment.\n"
    "- A line has at most 197 bytes, comments aside, the file at most 64 KiB.\n"
    "- The file must not be writable for everybody. It belongs to root or to the user that aloha "
    "runs as: from\n"
    "  anybody else's file root does not start, and others start with a warning "
    "(`config_of_another_user`).\n"
    "- Secrets do not stand in it, only where they lie: `secret-file = PATH`.\n\n"
    "[packaging/aloha.conf](../packaging/aloha.conf) has all settings with their defaults.\n";

/* The example behind "like" is code, or whoever shows the page makes a link of it. */
static void add_markdown_values(struct buf *out, const char *wanted)
{
    const char *example = strstr(wanted, " like ");

    if (!example) {
        buf_add_format(out, " %s |", wanted);
        return;
    }
    example += strlen(" like ");
    buf_add_format(out, " %.*s`%s` |", (int)(example - wanted), wanted, example);
}

static void add_markdown_option(struct buf *out, const struct option *option)
{
    char flag[OPTION_NAME_SIZE_MAX], name[OPTION_NAME_SIZE_MAX + 6];
    char wanted[OPTION_VALUES_SIZE_MAX];
    const char *unit = unit_text(option->unit), *quote = option->def[0] ? "`" : "";

    option_flag_name(option, flag);
    if (!option_is_in_environment(option)) {
        buf_add_format(out, "| `--%s` | | | %s | %s |", flag, text_placeholder(option),
                       option->help);
        return;
    }
    config_environment_name(flag, name, sizeof name);
    option_describe_values(option, wanted);
    buf_add_format(out, "| `--%s` | `%s` | %s%s%s%s%s |", flag, name, quote,
                   option->def[0] ? option->def : "none", quote, unit[0] ? " " : "", unit);
    add_markdown_values(out, wanted);
    buf_add_format(out, " %s |", option->help);
}

static void add_markdown_group(struct buf *out, const struct option_group *group)
{
    bool limits = group->options[0].exceeding != NULL, in_file = group_is_in_file(group);

    buf_add_format(out,
                   "\n## %s\n\n%s%s%s| flag | environment | default | values | what it does |%s\n"
                   "| --- | --- | --- | --- | --- |%s\n",
                   group->title, in_file ? "In the file: `[" : "", in_file ? group->section : "",
                   in_file ? "]`\n\n" : "", limits ? " past it |" : "", limits ? " --- |" : "");
    for (size_t i = 0; i < group->count; i++) {
        add_markdown_option(out, &group->options[i]);
        if (limits)
            buf_add_format(out, " %s |", group->options[i].exceeding);
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
                "environment beats the\nfile, the file beats the default. An unknown name or "
                "a bad value is one line on standard error\nthat says where it stands and what "
                "was expected, and exit status 2. `aloha --print-config` shows what\nholds and "
                "who said so.\n\n"
                "## Commands\n\n| command | what it does |\n| --- | --- |\n"
                "| `aloha [OPTION...]` | Serves. |\n"));
    for (size_t i = 0; i < command_count; i++)
        buf_add_format(out, "| `aloha %s%s%s` | %s |\n", command_rows[i].name,
                       command_rows[i].arguments[0] ? " " : "", command_rows[i].arguments,
                       command_rows[i].help);
    buf_add(out, STR("\n## The file\n\n"));
    buf_add(out, str_of(file_rules));
    for (size_t g = 0; g < config_group_count; g++)
        add_markdown_group(out, &config_groups[g]);
}
