/* The manual pages, in the language of mdoc(7). */
#include "aloha/commands.h"
#include "config_text.h"

#include <stdio.h>
#include <string.h>

enum { LINE_COLUMNS = 76 };

#define MANUAL_DATE "November 22, 2026"

static const char generated[] =
    ".\\\" Generated from the table in src/core/config_table.c by tests/unit/write_docs.\n";

/* Adds a word so that it is shown as it stands: a dash stays a dash that can be copied, and what begins
 * a line is no request. */
static void add_word(struct buf *out, struct str word)
{
    bool is_name = false; /* of a file, a host, an option: not to be broken */

    if (word.size && (word.text[0] == '.' || word.text[0] == '\''))
        buf_add(out, STR("\\&"));
    for (size_t i = 0; i + 1 < word.size; i++)
        is_name |= strchr("./:=_", word.text[i]) != NULL;
    if (is_name)
        buf_add(out, STR("\\%"));
    for (size_t i = 0; i < word.size; i++) {
        if (word.text[i] == '\\')
            buf_add(out, STR("\\e"));
        else if (word.text[i] == '-')
            buf_add(out, STR("\\-"));
        else
            buf_add(out, (struct str){&word.text[i], 1});
    }
}

/* Text: a new sentence begins a new line, as mdoc wants it. */
static void add_text(struct buf *out, struct str text)
{
    size_t column = 0;

    while (text.size) {
        struct str word = str_cut(&text, ' ');
        if (column && column + 1 + word.size > LINE_COLUMNS) {
            buf_add(out, STR("\n"));
            column = 0;
        }
        if (column)
            buf_add(out, STR(" "));
        add_word(out, word);
        column += word.size + 2;
        if (word.size && strchr(".?", word.text[word.size - 1]) && text.size) {
            buf_add(out, STR("\n"));
            column = 0;
        }
    }
    buf_add(out, STR("\n"));
}

/* "Value: ... Default: ...", in words. */
static void add_values(struct buf *out, const struct option *option)
{
    char def[TEXT_DEFAULT_SIZE], wanted[OPTION_VALUES_SIZE_MAX];
    char text[TEXT_DEFAULT_SIZE + OPTION_VALUES_SIZE_MAX + 32];

    option_describe_values(option, wanted);
    text_default(option, def);
    snprintf(text, sizeof text, "Value: %s; default: %s.", wanted, def[0] ? def : "none");
    add_text(out, str_of(text));
}

static void add_option(struct buf *out, const struct option *option)
{
    char flag[OPTION_NAME_SIZE_MAX], text[TEXT_HELP_SIZE];
    const char *value = text_placeholder(option);

    option_flag_name(option, flag);
    buf_add_format(out, ".It Fl \\-%s", flag);
    if (option->type == OPTION_TOPIC)
        buf_add(out, STR(" Op Ar TOPIC"));
    else if (value[0])
        buf_add_format(out, " Ar %s", value);
    buf_add(out, STR("\n"));
    add_text(out, text_help(option, text));
    if (option_is_in_environment(option))
        add_values(out, option);
}

static void add_header(struct buf *out, const char *title, int section, const char *name,
                       const char *what)
{
    buf_add(out, str_of(generated));
    buf_add_format(out, ".Dd " MANUAL_DATE "\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", title,
                   section, name, what);
}

static void add_commands(struct buf *out)
{
    buf_add(out, STR(".Sh COMMANDS\nWithout a command\n.Nm\nserves.\n.Bl -tag -width Ds\n"));
    for (size_t i = 0; i < command_count; i++) {
        const struct command_row *row = &command_rows[i];
        buf_add_format(out, ".It Cm %s%s%s\n", row->name, row->arguments[0] ? " " : "",
                       row->arguments);
        add_text(out, str_of(row->help));
    }
    buf_add(out, STR(".El\n"));
}

static const char environment_text[] =
    ".Sh ENVIRONMENT\n"
    "Each option can be set as a variable: its name in capitals behind\n"
    ".Ev ALOHA_ ,\n"
    "with an underscore for each dash:\n"
    ".Ev ALOHA_ROOM_PEERS_MAX\n"
    "for\n"
    ".Fl \\-room\\-peers\\-max .\n"
    "A variable of such a name that is none of ours is an error.\n"
    ".Bl -tag -width Ds\n"
    ".It Ev STATE_DIRECTORY , XDG_STATE_HOME , HOME\n"
    "Where the state directory is when nobody says.\n"
    ".It Ev CREDENTIALS_DIRECTORY\n"
    "Where systemd has put the credentials, see\n"
    ".Sx SECRETS .\n"
    ".It Ev NO_COLOR\n"
    "If it is set and not empty,\n"
    ".Fl \\-help\n"
    "is not in bold on a terminal.\n"
    ".El\n"
    ".Sh SECRETS\n"
    "No secret is taken from the command line, which every user can read.\n"
    "Each comes from the first of these places that has it:\n"
    "the file that a flag names; the environment, as itself or as the path of\n"
    "a file; the file that the configuration names; the credential of its name.\n"
    "The file of a secret belongs to root or to the user that\n"
    ".Nm\n"
    "runs as, and nobody else may read it.\n"
    ".Bl -tag -width Ds\n";

static void add_secrets(struct buf *out)
{
    const struct option *option;
    char variable[OPTION_NAME_SIZE_MAX + 6];

    buf_add(out, str_of(environment_text));
    for (size_t i = 0; (option = config_option(i, NULL)); i++) {
        if (option->type != OPTION_SECRET)
            continue;
        config_environment_name(option->name, variable, sizeof variable);
        buf_add_format(out,
                       ".It Cm %s\n.Fl \\-%s\\-file ,\n.Ev %s ,\n.Ev %s_FILE ,\n"
                       ".Pa $CREDENTIALS_DIRECTORY/%s\n",
                       option->name, option->name, variable, variable, option->name);
    }
    buf_add(out, STR(".El\n"));
}

static const char end_text[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa " CONFIG_FILE_USUAL "\n"
    "The configuration, see\n"
    ".Xr aloha.conf 5 .\n"
    ".It Pa secret\n"
    "In the state directory: the key of the resume tokens.\n"
    "It is made at the first start, and as long as it stays, a restart goes\n"
    "unnoticed by those who are in a call.\n"
    ".It Pa self-signed.pem\n"
    "There too, with\n"
    ".Fl \\-tls Cm self-signed :\n"
    "the certificate and its key.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds\n"
    ".It 0\n"
    "Ended by a signal, or there was nothing to do but to print;\n"
    ".Cm check\n"
    "has found no error;\n"
    ".Cm ctl\n"
    "has done it.\n"
    ".It 1\n"
    "Could not start; one line says why.\n"
    ".Cm check\n"
    "has found such an error;\n"
    ".Cm ctl\n"
    "could not do it.\n"
    ".It 2\n"
    "A bad option, variable, command or line of the file; one line says which, and\n"
    "what was expected.\n"
    ".El\n"
    ".Sh SIGNALS\n"
    ".Bl -tag -width Ds\n"
    ".It Dv SIGHUP\n"
    "Reads the certificate, its key and the operator's token again; what cannot be\n"
    "used is told in the log, and the old one stays.\n"
    "Calls go on.\n"
    ".It Dv SIGTERM , SIGINT\n"
    "Tells all connections when to come back, and ends; a second one ends it at\n"
    "once.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "On this machine:\n"
    ".Dl $ aloha\n"
    ".Pp\n"
    "On a local network, with a certificate of its own making:\n"
    ".Dl $ aloha \\-\\-tls self-signed\n"
    ".Pp\n"
    "Would that start, and what should be known?\n"
    ".Dl $ aloha check \\-\\-tls self-signed\n"
    ".Pp\n"
    "Behind a proxy with a certificate:\n"
    ".Dl $ aloha \\-\\-bind 127.0.0.1 \\-\\-trusted\\-proxies 127.0.0.1\n"
    ".Pp\n"
    "What holds, and who said so:\n"
    ".Dl $ aloha \\-\\-print\\-config\n"
    ".Sh SEE ALSO\n"
    ".Xr aloha.conf 5\n";

void config_write_manual(struct buf *out)
{
    add_header(out, "ALOHA", 1, "aloha", "video calls from your own machine");
    buf_add(out, STR(".Sh SYNOPSIS\n.Nm\n.Op Ar option ...\n.Nm\n.Ar command\n.Op Ar argument ...\n"
                     ".Sh DESCRIPTION\n.Nm\nserves a page on which people meet: it introduces "
                     "their browsers to\none another and steps aside.\nPicture and sound go from "
                     "browser to browser, encrypted.\nRun it, open the address that it shows, "
                     "share the link of the room.\n"));
    add_commands(out);
    buf_add(out, STR(".Sh OPTIONS\nA flag beats the environment, the environment beats the file, "
                     "the file\nbeats the default.\n"
                     ".Fl \\-name Ns = Ns Ar value\nis the same as\n.Fl \\-name Ar value .\n"));
    for (size_t g = 0; g < config_group_count; g++) {
        buf_add_format(out, ".Ss %s\n.Bl -tag -width Ds\n", config_groups[g].title);
        for (size_t i = 0; i < config_groups[g].count; i++)
            add_option(out, &config_groups[g].options[i]);
        buf_add(out, STR(".El\n"));
    }
    add_secrets(out);
    buf_add(out, str_of(end_text));
}

/* ---- aloha.conf(5) ---- */

static const char file_text[] =
    ".Sh SYNOPSIS\n"
    ".Pa " CONFIG_FILE_USUAL "\n"
    ".Sh DESCRIPTION\n"
    ".Xr aloha 1\n"
    "reads this file when it starts, or the one that\n"
    ".Fl \\-config\n"
    "or\n"
    ".Ev ALOHA_CONFIG\n"
    "names; with an empty name it reads none.\n"
    "Flags and the environment beat what it says.\n"
    ".Pp\n"
    "Each line is a setting,\n"
    ".Dl name = value\n"
    "or the beginning of a section,\n"
    ".Dl [section]\n"
    "or a comment behind\n"
    ".Ql #\n"
    "or\n"
    ".Ql \\&; ,\n"
    "which has a line of its own.\n"
    "Without any section all settings may stand one after another.\n"
    "A setting in a section that is not its own is an error, and so is one that\n"
    "stands twice, and one that does not exist.\n"
    ".Pp\n"
    "A list goes on in the next line when that begins with blanks.\n"
    "Nothing else may begin with blanks.\n"
    "Values stand without quotes; behind a value a blank and then\n"
    ".Ql #\n"
    "or\n"
    ".Ql \\&;\n"
    "are an error.\n"
    "A line has at most 197 bytes, comments aside, the file at most 64 KiB.\n"
    ".Pp\n"
    "The file must not be writable for everybody.\n"
    "It belongs to root or to the user that\n"
    ".Xr aloha 1\n"
    "runs as: from anybody else's file root does not start, and others start\n"
    "with a warning.\n"
    "Secrets do not stand in it, only the paths of their files.\n";

static void add_setting(struct buf *out, const struct option *option)
{
    char key[OPTION_NAME_SIZE_MAX], text[TEXT_HELP_SIZE];

    option_flag_name(option, key);
    buf_add_format(out, ".It Ic %s = Ar %s\n", key, text_placeholder(option));
    add_text(out, text_help(option, text));
    add_values(out, option);
}

void config_write_file_manual(struct buf *out)
{
    add_header(out, "ALOHA.CONF", 5, "aloha.conf", "configuration of aloha");
    buf_add(out, str_of(file_text));
    for (size_t g = 0; g < config_group_count; g++) {
        const struct option_group *group = &config_groups[g];
        if (!group_is_in_file(group))
            continue;
        buf_add_format(out, ".Ss Section %s\n%s.\n.Bl -tag -width Ds\n", group->section,
                       group->title);
        for (size_t i = 0; i < group->count; i++)
            if (option_is_in_file(&group->options[i]))
                add_setting(out, &group->options[i]);
        buf_add(out, STR(".El\n"));
    }
    buf_add(out, STR(".Sh FILES\n.Bl -tag -width Ds\n.It Pa " CONFIG_FILE_USUAL
                     "\nThe usual place.\n.El\n"
                     ".Sh EXAMPLES\n.Bd -literal -offset indent\n[serving]\nport = 4000\n"
                     "host = call.example.org,\n    www.example.org\n\n[limits]\n"
                     "room\\-peers\\-max = 6\n.Ed\n.Sh SEE ALSO\n.Xr aloha 1\n"));
}
