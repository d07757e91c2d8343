/* What shells complete behind "aloha", one script each. */
#include "aloha/commands.h"
#include "config_text.h"

#include <string.h>

static const char generated[] =
    "# Generated from the table in src/core/config_table.c by tests/unit/write_docs.\n";

/* What a shell can find out about a value. */
enum completion { COMPLETE_NOTHING, COMPLETE_FILES, COMPLETE_CHOICES, COMPLETE_TOPICS };

static enum completion completion_of(const struct option *option)
{
    switch (option->type) {
    case OPTION_PATH:
    case OPTION_SECRET:
        return COMPLETE_FILES;
    case OPTION_CHOICE:
        return COMPLETE_CHOICES;
    case OPTION_TOPIC:
        return COMPLETE_TOPICS;
    default:
        return COMPLETE_NOTHING;
    }
}

/* "no|yes" as "no yes". */
static void add_choices(struct buf *out, const char *choices)
{
    for (; *choices; choices++)
        buf_add(out, (struct str){*choices == '|' ? " " : choices, 1});
}

/* Text between single quotes, of which the shells take no character for anything else; those in `special`
 * get a backslash, for who reads the text after the shell. */
static void add_quoted(struct buf *out, struct str text, const char *special)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.text[i];
        if (c == '\'') {
            buf_add(out, STR("'\\''"));
            continue;
        }
        if (strchr(special, c))
            buf_add(out, STR("\\"));
        buf_add(out, (struct str){&text.text[i], 1});
    }
}

static void add_flags(struct buf *out)
{
    const struct option *option;
    char flag[OPTION_NAME_SIZE_MAX];

    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        option_flag_name(option, flag);
        buf_add_format(out, "%s--%s", i ? " " : "", flag);
    }
}

/* The command's words behind it: those of --help, or its own. */
static void add_words(struct buf *out, const char *words)
{
    if (strcmp(words, "topics") == 0)
        text_topics(out, " ");
    else
        buf_add(out, str_of(words));
}

static bool takes_options(const struct command_row *row)
{
    return strcmp(row->words, "options") == 0;
}

/* What stands behind a word of `aloha ctl`. */
static const struct {
    const char *word, *choices;
} ctl_choices[] = {{"drain", "on off"}, {"log-level", "error warning info debug"}};

/* ---- bash ---- */

static const char bash_begin[] =
    "_aloha() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at words=''\n"
    "    # --name=value is three words here: the sign is in COMP_WORDBREAKS\n"
    "    if [[ $word == '=' ]]; then\n"
    "        word=''\n"
    "    elif [[ $before == '=' ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    case $before in\n";

static const char bash_end[] = "    COMPREPLY=()\n"
                               "    while read -r at; do\n"
                               "        [[ -z $at ]] || COMPREPLY+=(\"$at\")\n"
                               "    done < <(compgen -W \"$words\" -- \"$word\")\n"
                               "}\n"
                               "complete -F _aloha aloha\n";

static const char bash_files[] = "        COMPREPLY=()\n"
                                 "        while IFS= read -r at; do\n"
                                 "            COMPREPLY+=(\"$at\")\n"
                                 "        done < <(compgen -f -- \"$word\")\n"
                                 "        compopt -o filenames 2>/dev/null\n"
                                 "        return\n"
                                 "        ;;\n";

/* One branch for all options whose values are of that kind. */
static void add_bash_branch(struct buf *out, enum completion kind, const char *body)
{
    const struct option *option;
    char flag[OPTION_NAME_SIZE_MAX];
    bool is_first = true;

    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        if (completion_of(option) != kind || option->type == OPTION_SWITCH)
            continue;
        option_flag_name(option, flag);
        buf_add_format(out, "%s--%s", is_first ? "    " : " | \\\n        ", flag);
        is_first = false;
    }
    if (!is_first)
        buf_add_format(out, ")\n%s", body);
}

static void add_bash_choices(struct buf *out)
{
    const struct option *option;

    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        if (completion_of(option) != COMPLETE_CHOICES)
            continue;
        buf_add_format(out, "    --%s) words='", option->name);
        add_choices(out, option->choices);
        buf_add(out, STR("' ;;\n"));
    }
    buf_add(out, STR("    --help) words='"));
    text_topics(out, " ");
    buf_add(out, STR("' ;;\n"));
}

static void add_bash_commands(struct buf *out)
{
    for (size_t i = 0; i < command_count; i++) {
        if (takes_options(&command_rows[i]))
            continue;
        buf_add_format(out, "        %s) ((COMP_CWORD > 2)) || words='", command_rows[i].name);
        add_words(out, command_rows[i].words);
        buf_add(out, STR("' ;;\n"));
    }
}

static void add_bash_ctl(struct buf *out)
{
    buf_add(out, STR("    case ${COMP_WORDS[1]}-$before in\n"));
    for (size_t i = 0; i < ARRAY_SIZE(ctl_choices); i++)
        buf_add_format(out, "    ctl-%s) words='%s' ;;\n", ctl_choices[i].word,
                       ctl_choices[i].choices);
    buf_add(out, STR("    esac\n"));
}

void config_write_bash(struct buf *out)
{
    buf_add(out, STR("# bash completion for aloha\n"));
    buf_add(out, str_of(generated));
    buf_add(out, str_of(bash_begin));
    add_bash_branch(out, COMPLETE_FILES, bash_files);
    add_bash_branch(out, COMPLETE_NOTHING,
                    "        COMPREPLY=()\n        return # nobody can guess it\n        ;;\n");
    add_bash_choices(out);
    buf_add(out, STR("    *)\n        case ${COMP_WORDS[1]} in\n"));
    add_bash_commands(out);
    buf_add(out, STR("        *) words='"));
    add_flags(out);
    buf_add(out, STR("' ;;\n        esac\n        ((COMP_CWORD > 1)) || words+='"));
    for (size_t i = 0; i < command_count; i++)
        buf_add_format(out, " %s", command_rows[i].name);
    buf_add(out, STR("'\n        ;;\n    esac\n"));
    add_bash_ctl(out);
    buf_add(out, str_of(bash_end));
}

/* ---- zsh ---- */

static void add_zsh_option(struct buf *out, const struct option *option)
{
    static const char special[] = "[]:\\";
    char flag[OPTION_NAME_SIZE_MAX];

    option_flag_name(option, flag);
    buf_add_format(out, "    '*--%s%s[", flag,
                   option->type == OPTION_SWITCH || option->type == OPTION_TOPIC ? "" : "=");
    add_quoted(out, text_brief(option->help), special);
    buf_add(out, STR("]"));
    switch (completion_of(option)) {
    case COMPLETE_FILES:
        buf_add(out, STR(":path:_files"));
        break;
    case COMPLETE_CHOICES:
        buf_add(out, STR(":value:("));
        add_choices(out, option->choices);
        buf_add(out, STR(")"));
        break;
    case COMPLETE_TOPICS:
        buf_add(out, STR("::topic:("));
        text_topics(out, " ");
        buf_add(out, STR(")"));
        break;
    case COMPLETE_NOTHING:
        if (option->type != OPTION_SWITCH)
            buf_add(out, STR(":value: "));
        break;
    }
    buf_add(out, STR("' \\\n"));
}

void config_write_zsh(struct buf *out)
{
    const struct option *option;

    buf_add(out, STR("#compdef aloha\n"));
    buf_add(out, str_of(generated));
    buf_add(out, STR("local -a commands options\ncommands=(\n"));
    for (size_t i = 0; i < command_count; i++) {
        buf_add_format(out, "    '%s:", command_rows[i].name);
        add_quoted(out, text_brief(command_rows[i].help), ":\\");
        buf_add(out, STR("'\n"));
    }
    buf_add(out, STR(")\nif ((CURRENT > 2)); then\n    case $words[2]-$words[CURRENT-1] in\n"));
    for (size_t i = 0; i < ARRAY_SIZE(ctl_choices); i++)
        buf_add_format(out, "    ctl-%s) compadd -- %s; return ;;\n", ctl_choices[i].word,
                       ctl_choices[i].choices);
    for (size_t i = 0; i < command_count; i++) {
        if (takes_options(&command_rows[i]))
            continue;
        buf_add_format(out, "    %s-*) ((CURRENT > 3)) || compadd -- ", command_rows[i].name);
        add_words(out, command_rows[i].words);
        buf_add(out, STR("; return ;;\n"));
    }
    buf_add(out, STR("    esac\nfi\n_arguments \\\n"));
    for (size_t i = 0; (option = config_option(i, NULL)); i++)
        add_zsh_option(out, option);
    buf_add(out, STR("    '1::command:{_describe command commands}'\n"));
}

/* ---- fish ---- */

static void add_fish_option(struct buf *out, const struct option *option)
{
    char flag[OPTION_NAME_SIZE_MAX];

    option_flag_name(option, flag);
    buf_add_format(out, "complete -c aloha -l %s", flag);
    switch (completion_of(option)) {
    case COMPLETE_FILES:
        buf_add(out, STR(" -r -F"));
        break;
    case COMPLETE_CHOICES:
        buf_add(out, STR(" -x -a '"));
        add_choices(out, option->choices);
        buf_add(out, STR("'"));
        break;
    case COMPLETE_TOPICS:
        buf_add(out, STR(" -x -a '"));
        text_topics(out, " ");
        buf_add(out, STR("'"));
        break;
    case COMPLETE_NOTHING:
        if (option->type != OPTION_SWITCH)
            buf_add(out, STR(" -x"));
        break;
    }
    buf_add(out, STR(" -d '"));
    struct str brief = text_brief(option->help);
    for (size_t i = 0; i < brief.size; i++) {
        if (strchr("'\\", brief.text[i]))
            buf_add(out, STR("\\"));
        buf_add(out, (struct str){&brief.text[i], 1});
    }
    buf_add(out, STR("'\n"));
}

void config_write_fish(struct buf *out)
{
    const struct option *option;

    buf_add(out, STR("# fish completion for aloha\n"));
    buf_add(out, str_of(generated));
    buf_add(out, STR("complete -c aloha -f\n"));
    for (size_t i = 0; i < command_count; i++) {
        const struct command_row *row = &command_rows[i];
        struct str brief = text_brief(row->help);
        buf_add_format(out, "complete -c aloha -n __fish_use_subcommand -a %s -d \"%.*s\"\n",
                       row->name, (int)brief.size, brief.text);
        if (!row->words[0] || takes_options(row))
            continue;
        buf_add_format(out,
                       "complete -c aloha -n '__fish_seen_subcommand_from %s; and not "
                       "__fish_seen_subcommand_from ",
                       row->name);
        add_words(out, row->words);
        buf_add(out, STR("' -a '"));
        add_words(out, row->words);
        buf_add(out, STR("'\n"));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ctl_choices); i++)
        buf_add_format(out,
                       "complete -c aloha -n '__fish_seen_subcommand_from ctl; and "
                       "__fish_seen_subcommand_from %s; and not "
                       "__fish_seen_subcommand_from %s' -a '%s'\n",
                       ctl_choices[i].word, ctl_choices[i].choices, ctl_choices[i].choices);
    for (size_t i = 0; (option = config_option(i, NULL)); i++)
        add_fish_option(out, option);
}
