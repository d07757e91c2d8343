/* aloha --help. */
#include "aloha/commands.h"
#include "aloha/spelling.h"
#include "config_text.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, TEXT_COLUMN = 28, INDENT = 6 };

struct page {
    struct buf *out;
    bool is_bold;
};

static void add_bold(const struct page *page, const char *text)
{
    buf_add_format(page->out, page->is_bold ? "\x1b[1m%s\x1b[0m" : "%s", text);
}

/* "  name value      text", the text in a column of its own. */
static void add_row(const struct page *page, const char *name, const char *value, struct str text)
{
    size_t width = 2 + strlen(name) + (value[0] ? 1 + strlen(value) : 0);
    bool fits = width + 2 <= TEXT_COLUMN;

    buf_add(page->out, STR("  "));
    add_bold(page, name);
    buf_add_format(page->out, "%s%s%s%*s", value[0] ? " " : "", value, fits ? "" : "\n",
                   (int)(fits ? TEXT_COLUMN - width : TEXT_COLUMN), "");
    text_wrap(page->out, text, TEXT_COLUMN, TEXT_COLUMN, COLUMNS);
    buf_add(page->out, STR("\n"));
}

/* ---- the first page: a line an option ---- */

static void add_brief_option(const struct page *page, const struct option *option)
{
    char flag[OPTION_NAME_SIZE_MAX], name[OPTION_NAME_SIZE_MAX + 2], def[TEXT_DEFAULT_SIZE];
    char text[TEXT_HELP_SIZE];
    struct str brief = text_brief(option->help);

    option_flag_name(option, flag);
    snprintf(name, sizeof name, "--%s", flag);
    text_default(option, def);
    snprintf(text, sizeof text, "%.*s%s%s%s", (int)brief.size, brief.text, def[0] ? " (" : "", def,
             def[0] ? ")" : "");
    add_row(page, name, text_placeholder(option), str_of(text));
}

static void add_brief_group(const struct page *page, const struct option_group *group)
{
    buf_add(page->out, STR("\n"));
    add_bold(page, group->title);
    if (group->options[0].exceeding) { /* too many for this page */
        buf_add_format(page->out, ": %zu options; aloha help %s\n", group->count, group->section);
        return;
    }
    buf_add(page->out, STR("\n"));
    for (size_t i = 0; i < group->count; i++)
        add_brief_option(page, &group->options[i]);
}

static void add_first_page(const struct page *page)
{
    buf_add(page->out, STR("aloha " ALOHA_VERSION ": video calls from your own machine.\n"
                           "Run it, open the address that it shows, share the link of the "
                           "room.\n\n"));
    add_bold(page, "Usage");
    buf_add(page->out, STR("\n  aloha [OPTION...]\n  aloha COMMAND\n\n"));
    add_bold(page, "Commands");
    buf_add(page->out, STR("\n"));
    for (size_t i = 0; i < command_count; i++)
        add_row(page, command_rows[i].name, command_rows[i].arguments,
                text_brief(command_rows[i].help));
    for (size_t g = 0; g < config_group_count; g++)
        add_brief_group(page, &config_groups[g]);

    struct buf topics;
    buf_init(&topics, 4096);
    buf_add(&topics, STR("Defaults stand in brackets. More of a group or an option: aloha help "
                         "TOPIC, with "));
    text_topics(&topics, ", ");
    buf_add(&topics, STR(", or an option's name. Each option has a variable, as ALOHA_PORT for "
                         "--port, and a line in " CONFIG_FILE_USUAL ", as port = 3000. A flag "
                         "beats the environment, the environment beats the file."));
    buf_add(page->out, STR("\n"));
    text_wrap(page->out, buf_str(&topics), 0, 0, COLUMNS);
    buf_add(page->out, STR("\n"));
    page->out->failed |= topics.failed;
    buf_deinit(&topics);
}

/* ---- in full ---- */

/* The default, the values, and the other names. */
static void add_values(const struct page *page, const struct option *option)
{
    char def[TEXT_DEFAULT_SIZE], flag[OPTION_NAME_SIZE_MAX], variable[OPTION_NAME_SIZE_MAX + 6];
    char wanted[OPTION_VALUES_SIZE_MAX], text[TEXT_HELP_SIZE];

    if (!option_is_in_environment(option))
        return;
    option_flag_name(option, flag);
    config_environment_name(flag, variable, sizeof variable);
    option_describe_values(option, wanted);
    text_default(option, def);
    snprintf(text, sizeof text, "%c%s. Default: %s. %s",
             wanted[0] >= 'a' && wanted[0] <= 'z' ? wanted[0] - 'a' + 'A' : wanted[0], wanted + 1,
             def[0] ? def : "none", variable);
    buf_add_format(page->out, "%*s", INDENT, "");
    text_wrap(page->out, str_of(text), INDENT, INDENT, COLUMNS);
    buf_add(page->out, STR("\n"));
}

static void add_full_option(const struct page *page, const struct option *option)
{
    char flag[OPTION_NAME_SIZE_MAX], name[OPTION_NAME_SIZE_MAX + 2], text[TEXT_HELP_SIZE];
    const char *value = text_placeholder(option);

    option_flag_name(option, flag);
    snprintf(name, sizeof name, "--%s", flag);
    buf_add(page->out, STR("  "));
    add_bold(page, name);
    buf_add_format(page->out, "%s%s\n%*s", value[0] ? " " : "", value, INDENT, "");
    text_wrap(page->out, text_help(option, text), INDENT, INDENT, COLUMNS);
    buf_add(page->out, STR("\n"));
    add_values(page, option);
}

static void add_full_group(const struct page *page, const struct option_group *group)
{
    if (page->out->size)
        buf_add(page->out, STR("\n"));
    add_bold(page, group->title);
    if (group_is_in_file(group))
        buf_add_format(page->out, ", in the file [%s]", group->section);
    buf_add(page->out, STR("\n"));
    for (size_t i = 0; i < group->count; i++)
        add_full_option(page, &group->options[i]);
}

/* The topic that was probably meant; false when none is near. */
static bool guess_topic(struct str topic, char out[OPTION_NAME_SIZE_MAX])
{
    bool guessed = meaning_guess(topic, out);
    unsigned nearest = guessed ? spelling_distance(topic, str_of(out)) : SPELLING_DISTANCE_MAX + 1;

    for (size_t g = 0; g < config_group_count; g++) {
        struct str section = str_of(config_groups[g].section);
        unsigned distance = spelling_distance(topic, section);
        if (distance >= nearest || !spelling_is_near(topic, section))
            continue;
        nearest = distance;
        guessed = true;
        snprintf(out, OPTION_NAME_SIZE_MAX, "%s", section.text);
    }
    return guessed;
}

static bool complain_of_topic(const char *topic, char *problem, size_t problem_size)
{
    struct buf topics;
    char guess[OPTION_NAME_SIZE_MAX];

    if (guess_topic(str_of(topic), guess)) {
        snprintf(problem, problem_size, "help: there is no topic \"%.40s\"; did you mean %s?",
                 topic, guess);
    } else {
        buf_init(&topics, 1024);
        text_topics(&topics, ", ");
        snprintf(problem, problem_size,
                 "help: there is no topic \"%.40s\"; there are %.*s, and each option", topic,
                 (int)topics.size, topics.data);
        buf_deinit(&topics);
    }
    str_make_printable(problem);
    return false;
}

bool config_write_help(struct buf *out, const char *topic, bool is_bold, char *problem,
                       size_t problem_size)
{
    struct page page = {out, is_bold};
    bool is_all = strcmp(topic, "all") == 0, found = is_all;

    if (!topic[0]) {
        add_first_page(&page);
        return true;
    }
    for (size_t g = 0; g < config_group_count; g++) {
        if (!is_all && strcmp(topic, config_groups[g].section) != 0)
            continue;
        add_full_group(&page, &config_groups[g]);
        found = true;
    }
    if (found)
        return true;
    struct meaning meaning = meaning_of(str_of(topic));
    if (meaning.option)
        add_full_option(&page, meaning.option);
    return meaning.option || complain_of_topic(topic, problem, problem_size);
}
