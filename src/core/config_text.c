#include "config_text.h"

#include <stdio.h>
#include <string.h>

void text_wrap(struct buf *out, struct str text, size_t column, size_t indent, size_t end)
{
    bool is_first = true;

    while (text.size) {
        struct str word = str_cut(&text, ' ');
        if (!is_first && column + 1 + word.size > end) {
            buf_add_format(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!is_first) {
            buf_add(out, STR(" "));
            column++;
        }
        buf_add(out, word);
        column += word.size;
        is_first = false;
    }
}

struct str text_brief(const char *help)
{
    size_t size = 0;

    while (help[size] && !(strchr(".;:", help[size]) && strchr(" ", help[size + 1])))
        size++;
    return (struct str){help, size};
}

const char *text_placeholder(const struct option *option)
{
    static const char *const values[] = {
        [OPTION_UINT] = "NUMBER",        [OPTION_TEXT] = "TEXT",
        [OPTION_PATH] = "PATH",          [OPTION_HOSTS] = "NAME,...",
        [OPTION_ORIGINS] = "ORIGIN,...", [OPTION_NETWORKS] = "NETWORK,...",
        [OPTION_SECRET] = "PATH",        [OPTION_SWITCH] = "",
        [OPTION_TOPIC] = "[TOPIC]",      [OPTION_PORT] = "NUMBER|off",
        [OPTION_MODE] = "MODE",          [OPTION_BASE] = "/PATH",
    };
    return option->type == OPTION_CHOICE ? option->choices : values[option->type];
}

void text_default(const struct option *option, char out[TEXT_DEFAULT_SIZE])
{
    const char *unit = unit_text(option->unit);
    snprintf(out, TEXT_DEFAULT_SIZE, "%s%s%s", option->def, option->def[0] && unit[0] ? " " : "",
             option->def[0] ? unit : "");
}

void text_topics(struct buf *out, const char *separator)
{
    for (size_t g = 0; g < config_group_count; g++)
        buf_add_format(out, "%s%s", config_groups[g].section, separator);
    buf_add(out, STR("all"));
}

struct str text_help(const struct option *option, char out[TEXT_HELP_SIZE])
{
    snprintf(out, TEXT_HELP_SIZE, "%s%s%s%s", option->help, option->exceeding ? " Past it: " : "",
             option->exceeding ? option->exceeding : "", option->exceeding ? "." : "");
    return str_of(out);
}
