/* config: everything that can be set. The rows of the table are read from the generated page, so
 * that each is tested without being named here. */
#include "aloha/config.h"
#include "harness.h"

#include <ctype.h>
#include <stdio.h>

static char problem[CONFIG_PROBLEM_SIZE];
static struct config config;

/* Reads a command line of up to four words and an environment of up to two. */
static bool read_words(const char *a, const char *b, const char *c, const char *d,
                       const char *environment_a, const char *environment_b)
{
    char *argv[] = {(char *)(uintptr_t)"aloha", (char *)(uintptr_t)a, (char *)(uintptr_t)b,
                    (char *)(uintptr_t)c,       (char *)(uintptr_t)d, NULL};
    char *environment[] = {(char *)(uintptr_t)environment_a, (char *)(uintptr_t)environment_b,
                           NULL};
    int argc = 1;

    while (argv[argc])
        argc++;
    strcpy(problem, "(none)");
    struct config_input input = {.argc = argc, .argv = argv, .environment = environment};
    return config_read(&config, &input, problem, sizeof problem);
}

static bool read_flags(const char *a, const char *b)
{
    return read_words(a, b, NULL, NULL, NULL, NULL);
}

static bool read_environment(const char *a)
{
    return read_words(NULL, NULL, NULL, NULL, a, NULL);
}

TEST(with_nothing_set_everything_has_a_default)
{
    EXPECT(read_flags(NULL, NULL));
    EXPECT_UINT(3000, config.port);
    EXPECT_UINT(3001, config.ops_port);
    EXPECT_STR("::", str_of(config.bind));
    EXPECT_STR("", str_of(config.assets));
    EXPECT_UINT(LOG_LEVEL_INFO, config.log_level);
    EXPECT_UINT(1, config.allow_no_origin);
    EXPECT_UINT(0, config.hosts.count + config.origins.count + config.trusted_proxies.count);
    EXPECT(!config.show_help && !config.show_version);
    EXPECT_STR("(none)", str_of(problem));
}

TEST(the_default_limits_are_the_promised_ones) /* SECURITY R13, R18 to R23, R32, R37 */
{
    EXPECT(read_flags(NULL, NULL));
    const struct limits *limits = &config.limits;
    EXPECT_UINT(10000, limits->connections_max);
    EXPECT_UINT(100, limits->connections_per_address);
    EXPECT_UINT(20 * 60, limits->connections.per_minute);
    EXPECT_UINT(60, limits->connections.burst);
    EXPECT_UINT(30, limits->joins.per_minute);
    EXPECT_UINT(50 * 60, limits->messages.per_minute);
    EXPECT_UINT(300, limits->messages.burst);
    EXPECT_UINT(256 * 1024 * 60, limits->bytes.per_minute);
    EXPECT_UINT(2 * 1024 * 1024, limits->bytes.burst);
    EXPECT_UINT(65536, limits->message_size_max);
    EXPECT_UINT(1024 * 1024, limits->queue_size_max);
    EXPECT_UINT(256, limits->queue_messages_max);
    EXPECT_UINT(128 * 1024 * 1024, limits->queues_size_max);
    EXPECT_UINT(12, limits->room_peers_max);
    EXPECT_UINT(10000, limits->join_deadline_ms);
    EXPECT_UINT(20000, limits->ping_after_ms);
    EXPECT_UINT(45000, limits->gone_after_ms);
    EXPECT_UINT(30, limits->joins.burst);
    EXPECT_UINT(16, limits->json_depth_max);
    EXPECT_UINT(512, limits->json_values_max);
    EXPECT_UINT(30000, limits->resume_ms);
    EXPECT_UINT(64, limits->backlog_messages_max);
    EXPECT_UINT(256 * 1024, limits->backlog_size_max);
    EXPECT_UINT(32 * 1024 * 1024, limits->backlogs_size_max);
    EXPECT_UINT(10000, limits->drain_ms);
}

TEST(a_flag_takes_its_value_behind_it_or_behind_an_equals_sign)
{
    EXPECT(read_flags("--port", "4000"));
    EXPECT_UINT(4000, config.port);
    EXPECT(read_flags("--port=4001", NULL));
    EXPECT_UINT(4001, config.port);
    EXPECT(read_flags("--bind=127.0.0.1", NULL));
    EXPECT_STR("127.0.0.1", str_of(config.bind));
    EXPECT(read_flags("--assets=a=b", NULL));
    EXPECT_STR("a=b", str_of(config.assets));
    EXPECT(read_flags("--assets=", NULL));
    EXPECT_STR("", str_of(config.assets));
    EXPECT(read_flags("--allow-no-origin", "no"));
    EXPECT_UINT(0, config.allow_no_origin);
    EXPECT(read_flags("--log-level", "debug"));
    EXPECT_UINT(LOG_LEVEL_DEBUG, config.log_level);
    EXPECT(read_words("--port=1", "--ops-port", "2", "--room-peers-max=3", NULL, NULL));
    EXPECT_UINT(1, config.port);
    EXPECT_UINT(2, config.ops_port);
    EXPECT_UINT(3, config.limits.room_peers_max);
}

TEST(a_mode_is_octal)
{
    EXPECT(read_flags(NULL, NULL));
    EXPECT_UINT(0660, config.socket_mode);
    EXPECT(read_flags("--socket-mode", "0600"));
    EXPECT_UINT(0600, config.socket_mode);
    EXPECT(read_flags("--socket-mode=777", NULL));
    EXPECT_UINT(0777, config.socket_mode);
    for (const char *const *bad = (const char *const[]){"", "66", "1660", "0668", "00660", "0x1ff",
                                                        "-660", "66 ", "rw-rw----", NULL};
         *bad; bad++)
        EXPECT(!read_flags("--socket-mode", *bad));
}

TEST(a_base_path_is_slash_or_segments)
{
    static const char *const bad[] = {"",    "x",   "/x/",          "//",   "/x//y", "/x y",
                                      "/.",  "/..", "/x/../y",      "/%41", "/x?",   "/x#",
                                      "/\"", "/<",  "/caf\xc3\xa9", "//x",  "x/y"};

    EXPECT(read_flags(NULL, NULL));
    EXPECT_STR("", config.base_path);
    EXPECT(read_flags("--base-path", "/calls"));
    EXPECT_STR("/calls", config.base_path);
    EXPECT(read_flags("--base-path=/a-b._~/9/Z...", NULL));
    EXPECT_STR("/a-b._~/9/Z...", config.base_path);
    EXPECT(read_flags("--base-path", "/"));
    EXPECT_STR("", config.base_path);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT(!read_flags("--base-path", bad[i]));
    EXPECT(read_flags("--base-path", fmt("/%0127d", 1)));
    EXPECT(!read_flags("--base-path", fmt("/%0128d", 1)));
}

TEST(an_option_may_have_another_name)
{
    EXPECT(read_flags("--trusted-proxy", "10.0.0.0/8"));
    EXPECT_UINT(1, config.trusted_proxies.count);
    EXPECT(read_environment("ALOHA_TRUSTED_PROXY=::1,10.0.0.1"));
    EXPECT_UINT(2, config.trusted_proxies.count);
    EXPECT(!read_flags("--trusted-proxy", "nonsense"));
}

TEST(a_list_has_commas_and_the_last_one_given_counts_whole)
{
    EXPECT(read_words("--host", "a.example,b.example:80", "--origin=https://c.example",
                      "--trusted-proxies=10.0.0.0/8, ::1", NULL, NULL));
    EXPECT_UINT(2, config.hosts.count);
    EXPECT_STR("b.example:80", config.hosts.items[1]);
    EXPECT_UINT(1, config.origins.count);
    EXPECT_UINT(2, config.trusted_proxies.count);
    EXPECT(read_words("--host=a,b", "--host=c", NULL, NULL, "ALOHA_HOST=d", NULL));
    EXPECT_UINT(1, config.hosts.count);
    EXPECT_STR("c", config.hosts.items[0]);
    EXPECT(read_words("--trusted-proxies=", NULL, NULL, NULL, "ALOHA_TRUSTED_PROXIES=::1", NULL));
    EXPECT_UINT(0, config.trusted_proxies.count);
}

TEST(a_flag_beats_the_environment_and_the_environment_beats_the_default)
{
    EXPECT(read_environment("ALOHA_PORT=4000"));
    EXPECT_UINT(4000, config.port);
    EXPECT(read_words("--port", "5000", NULL, NULL, "ALOHA_PORT=4000", "ALOHA_OPS_PORT=4001"));
    EXPECT_UINT(5000, config.port);
    EXPECT_UINT(4001, config.ops_port);
    EXPECT(read_words("--port=1", "--port=2", NULL, NULL, NULL, NULL)); /* the last one counts */
    EXPECT_UINT(2, config.port);
}

TEST(the_rest_of_the_environment_does_not_matter)
{
    EXPECT(read_words(NULL, NULL, NULL, NULL, "PORT=1", "ALOHAPORT=2"));
    EXPECT(read_words(NULL, NULL, NULL, NULL, "aloha_port=1", "XALOHA_PORT=2"));
    EXPECT(read_environment("ALOHA_PORT")); /* no assignment */
    EXPECT_UINT(3000, config.port);
    char *argv[] = {(char *)(uintptr_t)"aloha", NULL};
    struct config_input input = {.argc = 1, .argv = argv};
    EXPECT(config_read(&config, &input, problem, sizeof problem));
}

TEST(a_burst_is_set_by_itself)
{
    EXPECT(read_words("--burst-messages=10", "--burst-joins=7", "--burst-connections=8",
                      "--burst-bytes=100", NULL, NULL));
    EXPECT_UINT(10, config.limits.messages.burst);
    EXPECT_UINT(7, config.limits.joins.burst);
    EXPECT_UINT(8, config.limits.connections.burst);
    EXPECT_UINT(100 * 1024, config.limits.bytes.burst);
    EXPECT_UINT(50 * 60, config.limits.messages.per_minute);
    EXPECT(read_flags("--rate-messages=1", "--rate-connections=2"));
    EXPECT_UINT(300, config.limits.messages.burst); /* it does not follow the rate */
    EXPECT_UINT(60, config.limits.connections.burst);
    EXPECT_UINT(60, config.limits.messages.per_minute);
    EXPECT_UINT(120, config.limits.connections.per_minute);
}

TEST(a_secret_is_a_file_or_stands_in_the_environment)
{
    EXPECT(read_flags(NULL, NULL));
    EXPECT_STR("", str_of(config.state_dir));
    EXPECT_STR("secret", str_of(config.secret.name));
    EXPECT_NULL(config.secret.value);
    EXPECT_STR("", str_of(config.secret.file));
    EXPECT(read_words("--state-dir=/a b", NULL, NULL, NULL, "ALOHA_SECRET_FILE=c=d", NULL));
    EXPECT_STR("/a b", str_of(config.state_dir));
    EXPECT_STR("c=d", str_of(config.secret.file));
    EXPECT_NULL(config.secret.value);
    EXPECT(read_environment("ALOHA_SECRET=e"));
    EXPECT_STR("e", str_of(config.secret.value));
    EXPECT_STR("", str_of(config.secret.file));
    EXPECT(read_words("--secret-file", "/f", NULL, NULL, "ALOHA_SECRET=e", NULL));
    EXPECT_NULL(config.secret.value); /* the flag beats it */
    EXPECT_STR("/f", str_of(config.secret.file));
}

/* Every user of the machine reads command lines, and shells keep them. */
TEST(a_secret_on_the_command_line_is_refused_and_not_repeated)
{
    static const char line[] =
        "--secret: everybody can read a command line; use --secret-file PATH, "
        "or ALOHA_SECRET in the environment";

    EXPECT(!read_flags("--secret", "hush"));
    EXPECT_STR(line, str_of(problem));
    EXPECT(!read_flags("--secret=hush", NULL));
    EXPECT_STR(line, str_of(problem));
}

TEST(zero_switches_a_rate_off)
{
    EXPECT(read_words("--rate-messages=0", "--rate-bytes=0", "--rate-connections=0",
                      "--rate-joins=0", NULL, NULL));
    EXPECT_UINT(0, config.limits.messages.per_minute);
    EXPECT_UINT(0, config.limits.bytes.per_minute);
    EXPECT_UINT(0, config.limits.connections.per_minute);
    EXPECT_UINT(0, config.limits.joins.per_minute);
}

TEST(help_and_version_are_asked_for)
{
    EXPECT(read_flags("--help", NULL) && config.show_help);
    EXPECT(read_flags("-h", NULL) && config.show_help);
    EXPECT(read_flags("--version", NULL) && config.show_version);
    EXPECT(read_flags("--port=1", "--help") && config.show_help);
    EXPECT_STR("", str_of(config.help_topic));
    EXPECT(read_flags("--print-config", NULL) && config.print_config && !config.show_help);
}

TEST(a_word_behind_help_is_its_topic)
{
    EXPECT(read_flags("--help", "limits") && config.show_help);
    EXPECT_STR("limits", str_of(config.help_topic));
    EXPECT(read_flags("--help=all", NULL) && config.show_help);
    EXPECT_STR("all", str_of(config.help_topic));
    EXPECT(read_flags("-h", "port") && config.show_help);
    EXPECT_STR("port", str_of(config.help_topic));
    EXPECT(read_flags("--help", "--port=4"));
    EXPECT_STR("", str_of(config.help_topic));
}

TEST(who_asks_for_help_gets_it_whatever_is_wrong_elsewhere)
{
    EXPECT(read_words("--help", NULL, NULL, NULL, "ALOHA_PORT=x", NULL) && config.show_help);
    EXPECT(read_words("--version", NULL, NULL, NULL, "ALOHA_X=x", NULL) && config.show_version);
    EXPECT(read_words("--help", "--ping-after=3600", NULL, NULL, NULL, NULL));
    EXPECT(!read_words("--help", "--port=x", NULL, NULL, NULL, NULL));
}

TEST(a_variable_that_is_there_twice_is_a_mistake)
{
    EXPECT(!read_words(NULL, NULL, NULL, NULL, "ALOHA_PORT=1", "ALOHA_PORT=2"));
    EXPECT_STR("ALOHA_PORT: the environment sets it twice", str_of(problem));
    EXPECT(!read_words(NULL, NULL, NULL, NULL, "ALOHA_SECRET=1", "ALOHA_SECRET_FILE=2"));
    EXPECT_STR("ALOHA_SECRET_FILE: the environment sets it twice", str_of(problem));
}

TEST(each_bad_flag_is_one_clear_line)
{
    static const struct {
        const char *a, *b, *line;
    } rows[] = {
        {"--port", "x", "--port: \"x\" is not a number from 0 to 65535"},
        {"--port=65536", NULL, "--port: \"65536\" is not a number from 0 to 65535"},
        {"--port=-1", NULL, "--port: \"-1\" is not a number from 0 to 65535"},
        {"--port=", NULL, "--port: \"\" is not a number from 0 to 65535"},
        {"--port= 1", NULL, "--port: \" 1\" is not a number from 0 to 65535"},
        {"--port=1.5", NULL, "--port: \"1.5\" is not a number from 0 to 65535"},
        {"--port=4294967297", NULL, "--port: \"4294967297\" is not a number from 0 to 65535"},
        {"--port", NULL, "--port: needs a value"},
        {"--room-peers-max=0", NULL, "--room-peers-max: \"0\" is not a number from 1 to 50"},
        {"--room-peers-max=51", NULL, "--room-peers-max: \"51\" is not a number from 1 to 50"},
        {"--log-level=loud", NULL, "--log-level: \"loud\" is not error, warning, info or debug"},
        {"--log-level=Info", NULL, "--log-level: \"Info\" is not error, warning, info or debug"},
        {"--allow-no-origin=maybe", NULL, "--allow-no-origin: \"maybe\" is not no or yes"},
        {"--allow-no-origin=", NULL, "--allow-no-origin: \"\" is not no or yes"},
        {"--host=a,,b", NULL, "--host: \"a,,b\" is not names like call.example.org,[::1]:3000"},
        {"--origin=call.example.org", NULL,
         "--origin: \"call.example.org\" is not origins like "
         "https://call.example.org,http://[::1]:3000"},
        {"--trusted-proxies=10.0.0.1/8", NULL,
         "--trusted-proxies: \"10.0.0.1/8\" is not networks like "
         "127.0.0.1,10.0.0.0/8,2001:db8::/32"},
        {"--ports=1", NULL, "--ports: no such option; did you mean --port?"},
        {"--por", "1", "--por: no such option; did you mean --port?"},
        {"--prot", "1", "--prot: no such option; did you mean --port?"},
        {"--ops_port", "1", "--ops_port: no such option; did you mean --ops-port?"},
        {"--secret-fiel", "1", "--secret-fiel: no such option; did you mean --secret-file?"},
        {"--hepl", NULL, "--hepl: no such option; did you mean --help?"},
        {"--room-max-peers", "1", "--room-max-peers: no such option; --help lists them"},
        {"-port=1", NULL, "-port: no such option; did you mean --port?"},
        {"-p", "1", "-p: no such option; --help lists them"},
        {"port=1", NULL, "port: no such option; --help lists them"},
        {"3000", NULL, "3000: no such option; --help lists them"},
        {"--", NULL, "--: no such option; --help lists them"},
        {"", NULL, ": no such option; --help lists them"},
        {"--version=yes", NULL, "--version: takes no value"},
        {"--print-config=", NULL, "--print-config: takes no value"},
        {"--Port=1", NULL, "--Port: no such option; did you mean --port?"},
        {"--redirect-port=no", NULL,
         "--redirect-port: \"no\" is not a number from 0 to 65535, or off"},
        {"--redirect-port=80", NULL,
         "--redirect-port: needs https: --tls-cert and --tls-key, or --tls self-signed"},
        {"--tls=yes", NULL, "--tls: \"yes\" is not no or self-signed"},
        {"--tls-cert=a", NULL, "--tls-cert: needs tls-key as well"},
        {"--tls-key=a", NULL, "--tls-key: needs tls-cert as well"},
        {"--ping-after=45", NULL, "--ping-after: must be shorter than gone-after (45 s)"},
        {"--gone-after=20", NULL, "--gone-after: must be longer than ping-after (20 s)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        EXPECT_THAT(!read_flags(rows[i].a, rows[i].b), "%s", rows[i].a);
        EXPECT_STR(rows[i].line, str_of(problem));
    }
}

TEST(tls_is_on_with_a_pair_or_with_one_made_here_but_not_both)
{
    EXPECT(read_flags(NULL, NULL));
    EXPECT(!config_has_tls(&config));
    EXPECT_UINT(CONFIG_PORT_OFF, config.redirect_port);
    EXPECT(read_flags("--tls=self-signed", "--redirect-port=0"));
    EXPECT(config_has_tls(&config));
    EXPECT_UINT(0, config.redirect_port);
    EXPECT(read_flags("--tls-cert=a", "--tls-key=b"));
    EXPECT(config_has_tls(&config));
    EXPECT(read_flags("--tls=self-signed", "--redirect-port=off"));
    EXPECT_UINT(CONFIG_PORT_OFF, config.redirect_port);
    EXPECT(!read_words("--tls=self-signed", "--tls-cert=a", "--tls-key=b", NULL, NULL, NULL));
    EXPECT_STR("--tls: self-signed and --tls-cert exclude each other", str_of(problem));
}

TEST(each_bad_variable_is_one_clear_line)
{
    static const struct {
        const char *variable, *line;
    } rows[] = {
        {"ALOHA_PORT=x", "ALOHA_PORT: \"x\" is not a number from 0 to 65535"},
        {"ALOHA_PORT=", "ALOHA_PORT: \"\" is not a number from 0 to 65535"},
        {"ALOHA_LOG_LEVEL=", "ALOHA_LOG_LEVEL: \"\" is not error, warning, info or debug"},
        {"ALOHA_ALLOW_NO_ORIGIN=1", "ALOHA_ALLOW_NO_ORIGIN: \"1\" is not no or yes"},
        {"ALOHA_PORTS=1", "ALOHA_PORTS: no such setting; did you mean ALOHA_PORT?"},
        {"ALOHA_OPSPORT=1", "ALOHA_OPSPORT: no such setting; did you mean ALOHA_OPS_PORT?"},
        {"ALOHA_VERSIO=1", "ALOHA_VERSIO: no such setting; --help lists them"},
        {"ALOHA_PRINT_CONFIG=1", "ALOHA_PRINT_CONFIG: no such setting; --help lists them"},
        {"ALOHA_port=1", "ALOHA_port: no such setting; did you mean ALOHA_PORT?"},
        {"ALOHA_=1", "ALOHA_: no such setting; --help lists them"},
        {"ALOHA_OPS-PORT=1", "ALOHA_OPS-PORT: no such setting; did you mean ALOHA_OPS_PORT?"},
        {"ALOHA_GONE_AFTER=20", "ALOHA_GONE_AFTER: must be longer than ping-after (20 s)"},
        {"ALOHA_HELP=1", "ALOHA_HELP: no such setting; --help lists them"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        EXPECT_THAT(!read_environment(rows[i].variable), "%s", rows[i].variable);
        EXPECT_STR(rows[i].line, str_of(problem));
    }
}

TEST(a_problem_is_one_line_whatever_was_typed)
{
    static const char *const flags[] = {"--a\nb=1", "--port=1\n2", "--port=\x1b[31m", "x\r\n",
                                        "--bad\x07name"};
    static char endless[2000];

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        EXPECT(!read_flags(flags[i], NULL));
        for (const char *at = problem; *at; at++)
            EXPECT_THAT((unsigned char)*at >= 0x20 && *at != 0x7f,
                        "byte %02x in the line of flag %zu", (unsigned)(unsigned char)*at, i);
    }
    memset(endless, 'x', sizeof endless - 1);
    EXPECT(!read_flags(endless, NULL));
    EXPECT(!read_flags("--port", endless));
    EXPECT(strlen(problem) < 160);
}

/* What may be set together must also work together. */
TEST(limits_that_contradict_each_other_are_refused_or_made_to_fit)
{
    if (read_flags("--message-max=1024", "--queue-max=64"))
        EXPECT_THAT(config.limits.message_size_max < config.limits.queue_size_max,
                    "a message of the allowed size does not fit into the queue of its receiver");
    if (read_flags("--message-max=1024", "--rate-bytes=1"))
        EXPECT_THAT(config.limits.message_size_max <= config.limits.bytes.burst,
                    "a message of the allowed size is always over the rate");
    if (read_flags("--room-peers-max=50", "--queue-messages=1"))
        EXPECT_THAT(config.limits.queue_messages_max >= 49 * 22,
                    "who joins a full room is sent away for what the others offer");
    EXPECT(read_flags("--room-peers-max=50", "--queue-messages=0"));
    EXPECT_UINT(0, config.limits.queue_messages_max);
}

/* ---- the table, as the page has it ---- */

struct row {
    char flag[64], variable[64], def[64];
    unsigned min, max; /* 0, 0 when it is not a number */
};

enum { ROWS_MAX = 64 };

static size_t read_page(struct row rows[ROWS_MAX])
{
    struct buf page;
    size_t count = 0;

    buf_init(&page, 1024 * 1024);
    config_write_markdown(&page);
    struct str rest = buf_str(&page);
    while (rest.size && count < ROWS_MAX) {
        struct str line = str_cut(&rest, '\n');
        struct row *row = &rows[count];
        const char *text = fmt("%.*s", (int)line.size, line.text);
        *row = (struct row){.def = ""};
        if (sscanf(text, "| `--%63[^`]` | `%63[^`]` |", row->flag, row->variable) != 2)
            continue;
        sscanf(text, "| `--%*[^`]` | `%*[^`]` | `%63[^`]`", row->def);
        const char *range = strstr(text, "| a number from ");
        if (range)
            sscanf(range, "| a number from %u to %u", &row->min, &row->max);
        count++;
    }
    buf_deinit(&page);
    return count;
}

TEST(each_row_takes_its_limits_and_refuses_what_lies_beyond)
{
    static struct row rows[ROWS_MAX];
    size_t count = read_page(rows), numbers = 0;

    EXPECT(count >= 20);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        if (row->max == 0)
            continue;
        numbers++;
        /* at the ends of their ranges some contradict others, which then say so */
        EXPECT(read_flags(fmt("--%s=%u", row->flag, row->max), NULL) ||
               !strstr(problem, fmt("\"%u\"", row->max)));
        EXPECT(read_flags(fmt("--%s=%u", row->flag, row->min), NULL) ||
               !strstr(problem, fmt("\"%u\"", row->min)));
        EXPECT(!read_flags(fmt("--%s=%u", row->flag, row->max + 1), NULL));
        EXPECT(str_starts_with(str_of(problem),
                               str_of(fmt("--%s: \"%u\" is not a number from %u to %u", row->flag,
                                          row->max + 1, row->min, row->max))));
        if (row->min)
            EXPECT(!read_flags(fmt("--%s=%u", row->flag, row->min - 1), NULL));
        EXPECT(!read_environment(fmt("%s=x", row->variable)));
        EXPECT(
            str_starts_with(str_of(problem), str_of(fmt("%s: \"x\" is not a number from %u to %u",
                                                        row->variable, row->min, row->max))));
    }
    EXPECT(numbers >= 15);
}

TEST(each_row_has_a_variable_by_rule_and_a_default_that_is_allowed)
{
    static struct row rows[ROWS_MAX];
    size_t count = read_page(rows);

    for (size_t i = 0; i < count; i++) {
        char variable[80];
        size_t size = (size_t)snprintf(variable, sizeof variable, "ALOHA_%.64s", rows[i].flag);
        for (size_t at = 6; at < size; at++)
            variable[at] = (char)(variable[at] == '-' ? '_' : toupper((unsigned char)variable[at]));
        EXPECT_STR(variable, str_of(rows[i].variable));
        EXPECT_THAT(read_flags(fmt("--%s=%s", rows[i].flag, rows[i].def), NULL), "%s", problem);
        EXPECT_THAT(read_environment(fmt("%s=%s", rows[i].variable, rows[i].def)), "%s", problem);
        for (size_t other = 0; other < i; other++)
            EXPECT(strcmp(rows[other].flag, rows[i].flag) != 0);
    }
}

/* ---- --help ---- */

static struct buf page;

/* Writes a page with a NUL behind it, and checks that a terminal of 80 columns shows it well. */
static const char *read_help(const char *topic)
{
    buf_deinit(&page);
    buf_init(&page, 65536);
    if (!config_write_help(&page, topic, false, problem, sizeof problem))
        return NULL;
    buf_add(&page, (struct str){"", 1});
    for (const char *line = page.data; *line && !page.failed;) {
        size_t size = strcspn(line, "\n");
        if (size > 80 || (size && line[size - 1] == ' '))
            test_fail(__FILE__, __LINE__, "%zu columns: \"%.*s\"", size, (int)size, line);
        line += size + (line[size] == '\n');
    }
    return page.failed ? NULL : page.data;
}

TEST(the_whole_help_shows_each_option_and_fits_into_80_columns)
{
    static struct row rows[ROWS_MAX];
    size_t count = read_page(rows);
    const char *help = read_help("all");

    EXPECT(help);
    for (size_t i = 0; i < count; i++) {
        EXPECT_THAT(strstr(help, fmt("\n  --%s ", rows[i].flag)), "%s", rows[i].flag);
        EXPECT_THAT(strstr(help, rows[i].variable), "%s", rows[i].variable);
    }
    EXPECT(strstr(help, "\n  --help [TOPIC]\n") && strstr(help, "\n  --version\n"));
    buf_deinit(&page);
}

TEST(the_first_page_has_a_line_for_each_option_but_the_limits)
{
    const char *help = read_help("");

    EXPECT(help);
    EXPECT(strstr(help, "\n  --port NUMBER             TCP port of the pages and of the WebSocket "
                        "(3000)\n"));
    EXPECT(strstr(help, "\n  help [TOPIC]              Shows the options\n"));
    EXPECT(strstr(help, "\nLimits: ") && strstr(help, "; aloha help limits\n"));
    EXPECT(!strstr(help, "--room-peers-max"));
    buf_deinit(&page);
}

/* What takes two lines should come to its point sooner: up to a colon it says enough. */
TEST(on_the_first_page_no_option_takes_two_lines_of_text)
{
    bool had_text = false;

    EXPECT(read_help(""));
    struct str rest = {page.data, page.size - 1};
    while (rest.size) {
        struct str line = str_cut(&rest, '\n');
        bool is_row = str_starts_with(line, STR("  "));
        bool goes_on = str_starts_with(line, STR("                            "));
        EXPECT_THAT(!(goes_on && had_text), "goes on: %.*s", (int)line.size, line.text);
        had_text = goes_on || (is_row && memmem(line.text + 2, line.size - 2, "  ", 2) != NULL);
    }
    buf_deinit(&page);
}

TEST(a_topic_is_a_group_or_an_option)
{
    const char *help = read_help("limits");
    EXPECT(help && strncmp(help, "Limits, in the file [limits]\n", 29) == 0);
    EXPECT(strstr(help, "--room-peers-max NUMBER\n") && !strstr(help, "--port"));
    help = read_help("ping-after");
    EXPECT(help);
    EXPECT_STR("  --ping-after NUMBER\n"
               "      Silence after which a connection is pinged. Past it: a ping.\n"
               "      A number from 1 to 3600. Default: 20 s. ALOHA_PING_AFTER\n",
               str_of(help));
    EXPECT(read_help("secret-file"));
    EXPECT_NULL(read_help("limit"));
    EXPECT_STR("help: there is no topic \"limit\"; did you mean limits?", str_of(problem));
    EXPECT_NULL(read_help("prot"));
    EXPECT_STR("help: there is no topic \"prot\"; did you mean port?", str_of(problem));
    EXPECT_NULL(read_help("the\nweather"));
    EXPECT(strncmp(problem, "help: there is no topic \"the?weather\"; there are serving, ", 58) ==
           0);
    buf_deinit(&page);
}

TEST(bold_help_is_the_same_text)
{
    struct buf bold;
    char *to;

    EXPECT(read_help(""));
    buf_init(&bold, 65536);
    EXPECT(config_write_help(&bold, "", true, problem, sizeof problem));
    buf_add(&bold, (struct str){"", 1});
    to = bold.data;
    for (const char *at = bold.data; *at; at++) {
        if (strncmp(at, "\x1b[1m", 4) == 0 || strncmp(at, "\x1b[0m", 4) == 0)
            at += 3;
        else
            *to++ = *at;
    }
    *to = '\0';
    EXPECT(strlen(bold.data) + 8 < bold.size);
    EXPECT_STR(page.data, str_of(bold.data));
    buf_deinit(&bold);
    buf_deinit(&page);
}
