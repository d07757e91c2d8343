/* config: what stands in the configuration file. */
#include "aloha/config.h"
#include "harness.h"

#include <stdio.h>

static char problem[CONFIG_PROBLEM_SIZE];
static struct config config;

/* Reads a file, and perhaps a flag and a variable. */
static bool read_with(const char *text, const char *flag, const char *variable)
{
    char *argv[] = {(char *)(uintptr_t)"aloha", (char *)(uintptr_t)flag, NULL};
    char *environment[] = {(char *)(uintptr_t)variable, NULL};
    /* in memory of its own size, so that a read past its end is seen */
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, text, size);
    struct config_input input = {flag ? 2 : 1, argv, environment, "a.conf", {copy, size}};

    config_deinit(&config);
    strcpy(problem, "(none)");
    bool done = config_read(&config, &input, problem, sizeof problem);
    free(copy);
    return done;
}

static bool read_text(const char *text)
{
    return read_with(text, NULL, NULL);
}

static void depart(void)
{
    config_deinit(&config);
}

TEST(settings_stand_in_sections_or_without)
{
    EXPECT_THAT(read_text("port = 4000\nroom-peers-max=3\n"), "%s", problem);
    EXPECT_UINT(4000, config.port);
    EXPECT_UINT(3, config.limits.room_peers_max);
    EXPECT_THAT(read_text("[serving]\nport = 4000\n\n[limits]\nroom-peers-max =3"), "%s", problem);
    EXPECT_UINT(4000, config.port);
    EXPECT_UINT(3, config.limits.room_peers_max);
    EXPECT_THAT(read_text("port = 4000\n[limits]\nqueue-max = 64\n[serving]\nbind = ::1\n[limits]"),
                "%s", problem);
    EXPECT_STR("::1", str_of(config.bind));
    EXPECT_STR("a.conf", str_of(config.file_name));
    depart();
}

TEST(blanks_comments_and_the_ends_of_lines_do_not_matter)
{
    EXPECT_THAT(read_text("\xef\xbb\xbf# about\r\n\r\n;\t\"port\" = 'x' ; #\nport\t=\t4000 \r\n"
                          "   # indented = comment\n[limits]  \r\nrooms-max: 128"),
                "%s", problem);
    EXPECT_UINT(4000, config.port);
    EXPECT_UINT(128, config.limits.rooms_max);
    EXPECT(read_text("\n\n\n"));
    EXPECT(read_text("# nothing"));
    EXPECT(read_text(""));
    EXPECT_UINT(3000, config.port);
    depart();
}

TEST(a_value_is_taken_to_its_end)
{
    EXPECT(read_text("assets = /a b=c;d#e:f\nstate-dir =\n"));
    EXPECT_STR("/a b=c;d#e:f", str_of(config.assets));
    EXPECT_STR("", str_of(config.state_dir));
    EXPECT(read_text(fmt("assets = %0188d", 7)));
    EXPECT_UINT(188, strlen(config.assets));
    depart();
}

TEST(a_comment_may_be_longer_than_any_line)
{
    EXPECT_THAT(read_text(fmt("# %05000d\nport = 1\n", 1)), "%s", problem);
    EXPECT_UINT(1, config.port);
    depart();
}

TEST(a_list_goes_on_in_indented_lines_with_or_without_commas)
{
    static const char *const texts[] = {
        "host = a.example, b.example, c.example\n",
        "host = a.example,\n  b.example,\n\tc.example\n",
        "host = a.example\n  b.example\n# between\n\n\tc.example\nport = 1\n",
        "host =\n  a.example, b.example\n c.example",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        EXPECT_THAT(read_text(texts[i]), "%s", problem);
        EXPECT_UINT(3, config.hosts.count);
        EXPECT_STR("a.example", config.hosts.items[0]);
        EXPECT_STR("b.example", config.hosts.items[1]);
        EXPECT_STR("c.example", config.hosts.items[2]);
    }
    depart();
}

TEST(a_list_may_be_longer_than_a_line)
{
    char text[2048];
    size_t size = (size_t)snprintf(text, sizeof text, "trusted-proxies = 2001:db8::1");

    for (int i = 2; i <= 14; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, ",\n    2001:db8:%d::/48", i);
    EXPECT_THAT(read_text(text), "%s", problem);
    EXPECT_UINT(14, config.trusted_proxies.count);
    depart();
}

TEST(a_secret_is_named_by_its_file)
{
    EXPECT(read_text("[state]\nsecret-file = /a/b\n"));
    EXPECT_STR("/a/b", str_of(config.secret.file));
    EXPECT_NULL(config.secret.value);
    EXPECT(read_with("secret-file = /a/b\n", NULL, "ALOHA_SECRET=x"));
    EXPECT_STR("x", str_of(config.secret.value));
    EXPECT_STR("", str_of(config.secret.file));
    depart();
}

TEST(a_flag_beats_the_environment_the_environment_the_file_and_the_file_the_default)
{
    static const struct {
        const char *text, *flag, *variable;
        unsigned port;
        enum config_from from;
        const char *where;
    } rows[] = {
        {"", NULL, NULL, 3000, CONFIG_BY_DEFAULT, "--port"},
        {"\nport=1", NULL, NULL, 1, CONFIG_BY_FILE, "a.conf:2: port"},
        {"port=1", NULL, "ALOHA_PORT=2", 2, CONFIG_BY_ENVIRONMENT, "ALOHA_PORT"},
        {"port=1", "--port=3", "ALOHA_PORT=2", 3, CONFIG_BY_FLAG, "--port"},
        {"port=1", "--port=3", NULL, 3, CONFIG_BY_FLAG, "--port"},
        {"", "--port=3", "ALOHA_PORT=2", 3, CONFIG_BY_FLAG, "--port"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char where[CONFIG_WHERE_SIZE];
        EXPECT_THAT(read_with(rows[i].text, rows[i].flag, rows[i].variable), "%s", problem);
        EXPECT_UINT(rows[i].port, config.port);
        EXPECT_UINT(rows[i].from, config.settings[0].from);
        config_where(&config, "port", where);
        EXPECT_STR(rows[i].where, str_of(where));
    }
    depart();
}

TEST(each_mistake_is_one_line_that_says_where_it_stands)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        {"port = x", "a.conf:1: port: \"x\" is not a number from 0 to 65535"},
        {"\n[serving]\nport =\nbind = ::1", "a.conf:3: port: \"\" is not a number from 0 to 65535"},
        {"log-level = loud\n",
         "a.conf:1: log-level: \"loud\" is not error, warning, info or debug"},
        {"# one\nhost = a,\n b,\n ,\n",
         "a.conf:2: host: \"a,b,,\" is not names like call.example.org,[::1]:3000"},
        {"prot = 1", "a.conf:1: prot: no such setting; did you mean port?"},
        {"Port = 1", "a.conf:1: Port: no such setting; did you mean port?"},
        {"--port = 1", "a.conf:1: --port: no such setting; did you mean port?"},
        {"weather = 1", "a.conf:1: weather: no such setting; --help lists them"},
        {"= 1", "a.conf:1: : no such setting; --help lists them"},
        {"config = /a", "a.conf:1: config: no such setting; --help lists them"},
        {"help = 1", "a.conf:1: help: no such setting; --help lists them"},
        {"secret = 0123456789abcdef0123456789abcdef",
         "a.conf:1: secret: has a file of its own: secret-file = PATH"},
        {"[limits]\nport = 1", "a.conf:2: port: belongs to [serving], not to [limits]"},
        {"port = 1\nbind = ::\nport = 1", "a.conf:3: port: is set in line 1 already"},
        {"host = a\nhost = b", "a.conf:2: host: is set in line 1 already"},
        {"[limit]\n", "a.conf:1: [limit]: no such section; did you mean [limits]?"},
        {"[weather]\n", "a.conf:1: [weather]: no such section"},
        {"[]\n", "a.conf:1: []: no such section"},
        {"[general]\n", "a.conf:1: [general]: no such section"},
        {"[ limits ]\n", "a.conf:1: [ limits ]: no such section; did you mean [limits]?"},
        {"[limits\n", "a.conf:1: a section is [name], and nothing else in its line"},
        {"[limits] port = 1\n", "a.conf:1: a section is [name], and nothing else in its line"},
        {"[\n", "a.conf:1: a section is [name], and nothing else in its line"},
        {"port\n", "a.conf:1: is neither \"key = value\" nor \"[section]\""},
        {"bind = ::\nport 4000\nport = x",
         "a.conf:2: is neither \"key = value\" nor \"[section]\""},
        {"port = 1 ; one", "a.conf:1: a comment needs a line of its own"},
        {"port = 1\t# one", "a.conf:1: a comment needs a line of its own"},
        {"assets = /a ;b", "a.conf:1: a comment needs a line of its own"},
        {"[limits] # few", "a.conf:1: a comment needs a line of its own"},
        {"  port = 1", "a.conf:1: begins with a blank, and only a list goes on like that"},
        {"bind = ::\n  port = 1",
         "a.conf:2: begins with a blank, and only a list goes on like that"},
        {"host = a\n[limits]\n  queue-max = 64",
         "a.conf:3: begins with a blank, and only a list goes on like that"},
        {"host = a\n  bind = ::1\n",
         "a.conf:1: host: \"a,bind = ::1\" is not names like call.example.org,[::1]:3000"},
        {"port = \"4000\"", "a.conf:1: port: a value begins with no quote, and no # or ;"},
        {"assets = '/a'", "a.conf:1: assets: a value begins with no quote, and no # or ;"},
        {"assets =#a", "a.conf:1: assets: a value begins with no quote, and no # or ;"},
        {"assets =;a", "a.conf:1: assets: a value begins with no quote, and no # or ;"},
        {"assets = /a\x1b[31m", "a.conf:1: a control character does not belong here"},
        {"assets = /a\rb", "a.conf:1: a control character does not belong here"},
        {"\xef\xbb\xbf\xef\xbb\xbf# one\n", "a.conf:1: two byte order marks are one too many"},
        {"[tls]\ntls-key = /a", "a.conf:2: tls-key: needs tls-cert as well"},
        {"redirect-port = 80",
         "a.conf:1: redirect-port: needs https: --tls-cert and --tls-key, or --tls self-signed"},
        {"ping-after = 90", "a.conf:1: ping-after: must be shorter than gone-after (45 s)"},
        {"gone-after = 20", "a.conf:1: gone-after: must be longer than ping-after (20 s)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        EXPECT_THAT(!read_text(rows[i].text), "%s", rows[i].text);
        EXPECT_STR(rows[i].line, str_of(problem));
    }
}

TEST(a_nul_does_not_end_the_file_unseen)
{
    static const char text[] = "port = 1\0\nbind = ::1\n";
    char *argv[] = {(char *)(uintptr_t)"aloha", NULL};
    struct config_input input = {1, argv, NULL, "a.conf", {text, sizeof text - 1}};

    EXPECT(!config_read(&config, &input, problem, sizeof problem));
    EXPECT_STR("a.conf:1: a control character does not belong here", str_of(problem));
}

TEST(a_line_that_the_parser_would_cut_is_refused)
{
    EXPECT(read_text(fmt("assets = %0188d\nport = 1", 7)));
    EXPECT_UINT(1, config.port);
    EXPECT(!read_text(fmt("\nassets = %0189d\nport = 1", 7)));
    EXPECT_STR(
        "a.conf:2: longer than 197 characters; a list goes on in the next line, behind blanks",
        str_of(problem));
    EXPECT(!read_text(fmt("assets = %05000d\n", 7)));
    EXPECT(!read_text(fmt("[%0500d]\n", 7)));
    EXPECT(!read_text(fmt("%0190d = 1\n", 7)));
    EXPECT(strlen(problem) < 160);
    depart();
}

TEST(a_long_or_odd_name_of_the_file_is_one_line_too)
{
    char *argv[] = {(char *)(uintptr_t)"aloha", NULL};
    struct config_input input = {1, argv, NULL, fmt("/a\nb\x1b/%04000d", 1), STR("port=x")};

    EXPECT(!config_read(&config, &input, problem, sizeof problem));
    EXPECT(strlen(problem) < 256 && strncmp(problem, "/a?b?/000", 9) == 0);
    EXPECT(strstr(problem, ":1: port: \"x\" is not a number from 0 to 65535"));
}

/* ---- which file ---- */

static const char *find_file(const char *flag, const char *variable, bool *was_asked)
{
    char *argv[] = {(char *)(uintptr_t)"aloha", (char *)(uintptr_t)flag, NULL};
    char *environment[] = {(char *)(uintptr_t)variable, NULL};
    struct config_input input = {flag ? 2 : 1, argv, environment, NULL, {NULL, 0}};
    struct config_place place;

    if (!config_find_file(&place, &input, problem, sizeof problem))
        return NULL;
    *was_asked = place.was_asked;
    return place.path;
}

TEST(the_file_is_the_flags_or_the_variables_or_the_usual_one)
{
    bool was_asked;

    EXPECT_STR("/etc/aloha/aloha.conf", str_of(find_file(NULL, NULL, &was_asked)));
    EXPECT(!was_asked);
    EXPECT_STR("v", str_of(find_file(NULL, "ALOHA_CONFIG=v", &was_asked)));
    EXPECT(was_asked);
    EXPECT_STR("f", str_of(find_file("--config=f", "ALOHA_CONFIG=v", &was_asked)));
    EXPECT(was_asked);
    EXPECT_STR("", str_of(find_file("--config=", "ALOHA_CONFIG=v", &was_asked)));
    EXPECT_STR("", str_of(find_file("--help", "ALOHA_CONFIG=v", &was_asked)));
    EXPECT_STR("", str_of(find_file("--version", "ALOHA_PORT=x", &was_asked)));
    EXPECT_NULL(find_file("--port=x", NULL, &was_asked));
    EXPECT_STR("--port: \"x\" is not a number from 0 to 65535", str_of(problem));
    /* what does not fit together may be put right by the file */
    EXPECT(find_file("--ping-after=100", NULL, &was_asked));
}

TEST(what_is_wrong_together_is_only_judged_with_the_file)
{
    EXPECT_THAT(read_with("gone-after = 200", "--ping-after=100", NULL), "%s", problem);
    EXPECT(!read_with("gone-after = 90", "--ping-after=100", NULL));
    EXPECT_STR("a.conf:1: gone-after: must be longer than ping-after (100 s)", str_of(problem));
    depart();
}

TEST(without_memory_the_file_is_not_read)
{
    char *argv[] = {(char *)(uintptr_t)"aloha", NULL};
    struct config_input input = {1, argv, NULL, "a.conf", STR("port=1")};
    fail_allocation(1);
    EXPECT(!config_read(&config, &input, problem, sizeof problem));
    fail_allocation(0);
    EXPECT_STR("a.conf: no memory", str_of(problem));
    EXPECT_NULL(config.file_texts);
}

/* ---- files that are written ---- */

/* The effective configuration, read again and written again, is the same but for who said so. */
static void expect_round_trip(void)
{
    static const char *const prefixes[] = {"# default\n", "# --", "# a.conf:", "# ALOHA_"};
    static struct config first;
    struct buf text, again;

    first = config;
    config.file_texts = NULL;
    buf_init(&text, 1024 * 1024);
    buf_init(&again, 1024 * 1024);
    config_write_effective(&first, &text);
    buf_add(&text, (struct str){"", 1});
    EXPECT_THAT(read_text(text.data), "%s", problem);
    config_write_effective(&config, &again);
    buf_add(&again, (struct str){"", 1});
    const char *a = text.data, *b = again.data;
    while (*a && *b) {
        bool is_origin = false;
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
            is_origin |= strncmp(a, prefixes[i], strlen(prefixes[i])) == 0;
        size_t a_size = strcspn(a, "\n"), b_size = strcspn(b, "\n");
        EXPECT_THAT(is_origin || (a_size == b_size && memcmp(a, b, a_size) == 0), "%.*s",
                    (int)a_size, a);
        a += a_size + 1;
        b += b_size + 1;
    }
    EXPECT(!*a && !*b);
    EXPECT(memcmp(&first.limits, &config.limits, sizeof first.limits) == 0);
    EXPECT_UINT(first.hosts.count, config.hosts.count);
    config_deinit(&first);
    buf_deinit(&again);
    buf_deinit(&text);
}

TEST(what_is_printed_is_a_file_that_says_the_same)
{
    EXPECT(read_text(""));
    expect_round_trip();
    EXPECT(read_with("[serving]\nhost = a.example,\n  b.example\nassets = /a b\n", "--ping-after=7",
                     "ALOHA_ROOM_PEERS_MAX=4"));
    expect_round_trip();
    EXPECT_UINT(7000, config.limits.ping_after_ms);
    EXPECT_UINT(4, config.limits.room_peers_max);
    EXPECT_STR("/a b", str_of(config.assets));
    depart();
}

TEST(what_just_fits_into_a_line_is_printed_so_that_it_still_does)
{
    for (int size = 185; size <= 190; size++) {
        EXPECT_THAT(read_text(fmt("assets=%0*d\n[tls]\n", size, 7)), "%s", problem);
        expect_round_trip();
        EXPECT_UINT((unsigned)size, strlen(config.assets));
    }
    EXPECT_THAT(read_text(fmt("host=%0192d\n %0196d\n %0196d", 1, 2, 3)), "%s", problem);
    expect_round_trip();
    EXPECT_UINT(3, config.hosts.count);
    for (int size = 186; size <= 192; size++) {
        EXPECT_THAT(read_text(fmt("host=%0*d", size, 7)), "%s", problem);
        expect_round_trip();
        EXPECT_UINT(1, config.hosts.count);
        EXPECT_UINT((unsigned)size, config.hosts.items[0].size);
    }
    depart();
}

static bool printed_has(const char *line)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    config_write_effective(&config, &text);
    buf_add(&text, (struct str){"", 1});
    bool has = strstr(text.data, line) != NULL;
    buf_deinit(&text);
    return has;
}

TEST(what_is_printed_says_who_said_so_and_no_secret)
{
    EXPECT(read_with("[serving]\nhost = a,\n  b\n", "--port=4000", "ALOHA_SECRET=hush"));
    EXPECT(printed_has("\n# --port\nport = 4000\n"));
    EXPECT(printed_has("\n# default\nbind = ::\n"));
    EXPECT(printed_has("\n# a.conf:2\nhost = a,\n    b\n"));
    EXPECT(printed_has("\n# ALOHA_SECRET\n# secret: (set)\n"));
    EXPECT(!printed_has("hush") && !printed_has("secret-file"));
    EXPECT(read_with("", "--secret-file=/a", NULL));
    EXPECT(printed_has("\n# --secret-file\nsecret-file = /a\n"));
    EXPECT(read_with("", "--assets=/a\nport = 1", NULL));
    EXPECT(printed_has("\n# assets has a value that cannot stand in a file\n"));
    EXPECT(!printed_has("port = 1"));
    EXPECT(read_with("", fmt("--host=a,%0200d", 1), NULL));
    EXPECT(printed_has("\n# host has a value that cannot stand in a file\n"));
    EXPECT(!printed_has("host ="));
    EXPECT(read_with("", "--assets=/a ;b", NULL) && !printed_has("/a"));
    EXPECT(read_with("", "--assets= /a", NULL) && !printed_has("/a"));
    EXPECT(read_with("", "--assets='", NULL) && !printed_has("assets = '"));
    depart();
}

/* The example with each "#" before a setting taken away. */
TEST(the_example_is_a_file_and_says_the_defaults)
{
    struct buf text, wanted, got;
    char *to;

    buf_init(&text, 1024 * 1024);
    config_write_example(&text);
    buf_add(&text, (struct str){"", 1});
    EXPECT_THAT(read_text(text.data), "%s", problem);
    to = text.data;
    for (const char *at = text.data; *at; at++)
        if (*at != '#' || at[1] == ' ' || at[1] == '\n')
            *to++ = *at;
    *to = '\0';
    EXPECT_THAT(read_text(text.data), "%s", problem);
    for (size_t i = 0; i < CONFIG_OPTIONS_MAX; i++)
        if (config.settings[i].from == CONFIG_BY_FILE)
            config.settings[i].from = CONFIG_BY_DEFAULT;
    buf_init(&wanted, 1024 * 1024);
    buf_init(&got, 1024 * 1024);
    config_write_effective(&config, &got);
    EXPECT(read_text(""));
    config_write_effective(&config, &wanted);
    EXPECT(str_equal(buf_str(&wanted), buf_str(&got)));
    buf_deinit(&got);
    buf_deinit(&wanted);
    buf_deinit(&text);
    depart();
}
