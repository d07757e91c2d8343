#include "aloha/ctl.h"

#include "aloha/log.h"
#include "aloha/message.h"

#include <stdio.h>

static const struct ctl_command commands[] = {
#define CTL_ROW(name, argument, action, body, help) {name, argument, action, body, help},
    CTL_TABLE(CTL_ROW)
#undef CTL_ROW
};

static const struct ctl_command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

/* ---- words ---- */

static bool is_valid(const struct ctl_command *command, const char *argument)
{
    enum log_level level;

    switch (command->action) {
    case OPERATOR_SHOW_ROOM:
    case OPERATOR_CLOSE_ROOM:
        return room_id_is_valid(str_of(argument));
    case OPERATOR_REMOVE_PEER:
        return strlen(argument) == PEER_ID_SIZE && room_id_is_valid(str_of(argument));
    case OPERATOR_SET_DRAIN:
        return strcmp(argument, "on") == 0 || strcmp(argument, "off") == 0;
    case OPERATOR_SET_LOG_LEVEL:
        return log_level_of(str_of(argument), &level);
    default:
        return false;
    }
}

static bool take_word(struct ctl_call *call, const char *word, char problem[CTL_PROBLEM_SIZE])
{
    if (!call->command) {
        call->command = find_command(word);
        if (!call->command)
            snprintf(problem, CTL_PROBLEM_SIZE,
                     "%.40s: no such command; aloha ctl --help lists them", word);
        return call->command != NULL;
    }
    if (call->argument || !call->command->argument[0]) {
        snprintf(problem, CTL_PROBLEM_SIZE, "%s: \"%.40s\" is too much", call->command->name, word);
        return false;
    }
    call->argument = word;
    return true;
}

static bool take_flag(struct ctl_call *call, struct str flag, bool *wants_help)
{
    const struct {
        struct str name;
        bool *set;
    } own[] = {
        {STR("--ids"), &call->ids},
        {STR("--json"), &call->json},
        {STR("--help"), wants_help},
        {STR("-h"), wants_help},
    };

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (str_equal(flag, own[i].name)) {
            *own[i].set = true;
            return true;
        }
    }
    return false;
}

static bool check(const struct ctl_call *call, char problem[CTL_PROBLEM_SIZE])
{
    const struct ctl_command *command = call->command;

    if (!command)
        snprintf(problem, CTL_PROBLEM_SIZE, "ctl: needs a command; aloha ctl --help lists them");
    else if (command->argument[0] && !call->argument)
        snprintf(problem, CTL_PROBLEM_SIZE, "%s: needs %s", command->name, command->argument);
    else if (call->argument && !is_valid(command, call->argument))
        snprintf(problem, CTL_PROBLEM_SIZE, "%s: \"%.70s\" is no %s", command->name, call->argument,
                 command->argument);
    else if (call->ids && command->action != OPERATOR_LIST_ROOMS)
        snprintf(problem, CTL_PROBLEM_SIZE, "--ids: belongs to rooms");
    else
        return true;
    return false;
}

bool ctl_read(struct ctl_call *out, int argc, char *const argv[], char *options[],
              int *option_count, char problem[CTL_PROBLEM_SIZE])
{
    bool wants_help = false, only_words = false;

    *out = (struct ctl_call){0};
    *option_count = 0;
    for (int i = 0; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (!only_words && str_equal(word, STR("--"))) {
            only_words = true; /* a room may be called --json */
            continue;
        }
        if (!only_words && take_flag(out, word, &wants_help))
            continue;
        if (only_words || word.size == 0 || word.text[0] != '-') {
            if (!take_word(out, argv[i], problem))
                return false;
            continue;
        }
        options[(*option_count)++] = argv[i];
        if (!memchr(word.text, '=', word.size) && i + 1 < argc)
            options[(*option_count)++] = argv[++i];
    }
    if (wants_help)
        *out = (struct ctl_call){0};
    return wants_help || check(out, problem);
}

void ctl_write_help(struct buf *out)
{
    buf_add(out,
            STR("aloha ctl: asks the server that runs on this machine, and tells it what to do.\n"
                "\nUsage: aloha ctl COMMAND [options]\n\n"));
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        char name[32];
        snprintf(name, sizeof name, "%s %s", commands[i].name, commands[i].argument);
        buf_add_format(out, "  %-18s %s\n", name, commands[i].help);
    }
    buf_add(out,
            STR("\n  --json             Shows the answer as it came.\n"
                "\nWhere the server is, and its token, come from the server's own options: "
                "--ops-bind,\n--ops-port, --ops-token-file, in whatever way they were given to "
                "it.\nExit status: 0 done, 1 the server did not do it or is not there, 2 a bad "
                "command.\n"));
}

/* ---- the request ---- */

static void write_target(struct buf *out, const struct ctl_call *call)
{
    struct str path = str_of(operator_routes[call->command->action].path);
    struct str hole = STR("{id}");

    if (path.size > hole.size && path.text[path.size - 1] == '}')
        buf_add_format(out, "%.*s%s", (int)(path.size - hole.size), path.text, call->argument);
    else
        buf_add(out, path);
    if (call->command->action == OPERATOR_LIST_ROOMS)
        buf_add_format(out, "?ids=%s&after=%llu", call->ids ? "yes" : "no",
                       (unsigned long long)call->after);
}

static int write_body(char out[64], const struct ctl_call *call)
{
    const char *argument = call->argument ? call->argument : "";
    struct str form = str_of(call->command->body), tail = form;
    struct str head = str_cut(&tail, '%');

    if (call->command->action == OPERATOR_SET_DRAIN)
        argument = strcmp(argument, "on") == 0 ? "true" : "false";
    if (!tail.size)
        return snprintf(out, 64, "%.*s", (int)head.size, head.text ? head.text : "");
    return snprintf(out, 64, "%.*s%s%.*s", (int)head.size, head.text, argument, (int)tail.size - 1,
                    tail.text + 1);
}

void ctl_write_request(struct buf *out, const struct ctl_call *call, const char *host,
                       struct str token)
{
    char body[64];
    int body_size = write_body(body, call);

    buf_add_format(out, "%s ", operator_routes[call->command->action].method);
    write_target(out, call);
    buf_add_format(out, " HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", host);
    if (token.size)
        buf_add_format(out, "Authorization: Bearer %.*s\r\n", (int)token.size, token.text);
    if (call->command->body)
        buf_add_format(out, "Content-Type: application/json\r\nContent-Length: %d\r\n", body_size);
    buf_add_format(out, "\r\n%s", body);
}
