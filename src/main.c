/* The commands. Without one it serves: serve.c. */
#include "program.h"

#include "aloha/check_run.h"
#include "aloha/commands.h"
#include "aloha/config_load.h"
#include "aloha/ctl_run.h"
#include "aloha/listener.h"
#include "aloha/secret.h"
#include "aloha/site_disk.h"
#include "aloha/spelling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int complain(char *problem, int status)
{
    str_make_printable(problem);
    fprintf(stderr, "aloha: %s\n", problem);
    return status;
}

static int print(struct buf *text)
{
    bool done = !text->failed && fwrite(text->data, 1, text->size, stdout) == text->size &&
                fflush(stdout) == 0;
    buf_deinit(text);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool program_check_options(const struct config *config, char *problem, size_t problem_size)
{
    char where[CONFIG_WHERE_SIZE];

    if (!listener_addresses_are_valid(config->bind)) {
        config_where(config, "bind", where);
        snprintf(problem, problem_size,
                 "%s: \"%.40s\" is not addresses in digits or unix:/path, with commas between them",
                 where, config->bind);
        return false;
    }
    struct site *site = config->assets[0] ? site_disk_load(config->assets) : NULL;
    if (config->assets[0] && !site) {
        config_where(config, "assets", where);
        snprintf(problem, problem_size, "%s: \"%.80s\" has no readable public/ and views/", where,
                 config->assets);
        return false;
    }
    site_disk_free(site);
    return true;
}

/* ---- what is done instead of serving ---- */

static int show_help(const char *topic)
{
    struct buf text;
    char problem[CONFIG_PROBLEM_SIZE];
    const char *no_color = getenv("NO_COLOR"); /* no-color.org */
    bool is_bold = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);

    buf_init(&text, 1024 * 1024);
    if (config_write_help(&text, topic, is_bold, problem, sizeof problem))
        return print(&text);
    buf_deinit(&text);
    return complain(problem, EXIT_BAD_USAGE);
}

static int print_config(const struct config *config)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    config_write_effective(config, &text);
    return print(&text);
}

static int show_version(void)
{
    return puts("aloha " ALOHA_VERSION) < 0;
}

/* Each command gets its own name as argv[0]. */
static int run_help(int argc, char *argv[])
{
    char problem[CONFIG_PROBLEM_SIZE];

    if (argc <= 2)
        return show_help(argc == 2 ? argv[1] : "");
    snprintf(problem, sizeof problem, "help: one topic at a time");
    return complain(problem, EXIT_BAD_USAGE);
}

static int run_version(int argc, char *argv[])
{
    char problem[CONFIG_PROBLEM_SIZE];

    if (argc == 1)
        return show_version();
    snprintf(problem, sizeof problem, "version: \"%.40s\" is too much", argv[1]);
    return complain(problem, EXIT_BAD_USAGE);
}

static int check(const struct config *config)
{
    char problem[CONFIG_PROBLEM_SIZE];

    struct sandbox_user user;

    if (!sandbox_find_user(config->user, &user, problem, sizeof problem) ||
        !program_check_options(config, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    secret_trust_user(user.uid);
    return check_run(config, &user);
}

static int run_check(int argc, char *argv[])
{
    static struct config config;
    char problem[CONFIG_PROBLEM_SIZE];

    if (!config_load(&config, argc, argv, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    int status = config.show_help ? show_help("check") : check(&config);
    config_deinit(&config);
    return status;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char *argv[]);
} commands[] = {
#define COMMAND(name, run, ...) {name, run},
    COMMAND_TABLE(COMMAND)
#undef COMMAND
};

static int run_command(int argc, char *argv[])
{
    char problem[CONFIG_PROBLEM_SIZE];
    const char *guess = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
        if (spelling_is_near(str_of(argv[0]), str_of(commands[i].name)))
            guess = commands[i].name;
    }
    snprintf(problem, sizeof problem, "%.40s: no such command; %s%s%s", argv[0],
             guess ? "did you mean aloha " : "--help lists them", guess ? guess : "",
             guess ? "?" : "");
    return complain(problem, EXIT_BAD_USAGE);
}

int main(int argc, char *argv[])
{
    static struct config config;
    char problem[CONFIG_PROBLEM_SIZE];
    int status;

    if (argc > 1 && argv[1][0] != '-')
        return run_command(argc - 1, argv + 1);
    if (!config_load(&config, argc, argv, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    if (config.show_help)
        status = show_help(config.help_topic);
    else if (config.show_version)
        status = show_version();
    else if (config.print_config)
        status = print_config(&config);
    else if (config.check)
        status = check(&config);
    else
        status = serve(&config);
    config_deinit(&config);
    return status;
}
