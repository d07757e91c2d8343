/* config_read() with any command line and environment. The input is arguments with a NUL between
 * them; one that begins with "$" is a line of the environment instead. What is taken is within the
 * documented ranges; what is refused gets one printable line; and a variable does what the flag of
 * the same name in front of all others does. */
#include "check.h"
#include "lines.h"

#include "aloha/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64, PROBLEM_SIZE = CONFIG_PROBLEM_SIZE };

struct words {
    char *texts[WORDS_MAX + 1]; /* owned; NULL behind the last */
    int count;
};

static void add_word(struct words *words, char *text)
{
    CHECK(text && words->count < WORDS_MAX);
    words->texts[words->count++] = text;
}

static void free_words(struct words *words)
{
    while (words->count)
        free(words->texts[--words->count]);
}

/* One line that a terminal shows as it is, with its NUL. */
static void check_problem(const char *problem)
{
    size_t size = strnlen(problem, PROBLEM_SIZE);

    CHECK(size > 0 && size < PROBLEM_SIZE);
    for (size_t i = 0; i < size; i++)
        CHECK((unsigned char)problem[i] >= 0x20 && problem[i] != 0x7f);
}

static bool is_within(uint64_t value, uint64_t min, uint64_t max)
{
    return value >= min && value <= max;
}

static bool is_rate(struct bucket_rate rate, uint64_t per_minute, uint64_t burst)
{
    return rate.per_minute == per_minute && rate.burst == burst;
}

/* Each limit is in its range, but for those that limits_derive() raises so that all fit together. */
static void check_ranges(const struct limits *limits)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        uint64_t scale = unit_scale(row->unit), value = limits_field(limits, row);
        bool is_raised =
            strcmp(row->option, "burst-bytes") == 0 || strcmp(row->option, "backlog-max") == 0 ||
            strcmp(row->option, "queue-max") == 0 || strcmp(row->option, "queue-messages") == 0;
        CHECK(value >= row->min * scale);
        CHECK(value <= row->max * scale || is_raised);
        CHECK(value % scale == 0);
    }
}

/* What is made of the numbers, in wider arithmetic. */
static void check_config(const struct config *config)
{
    const struct limits *limits = &config->limits;
    uint64_t message = limits->message_size_max;

    CHECK(is_within(config->port, 0, 65535) && is_within(config->ops_port, 0, 65535));
    CHECK(config->bind && config->assets && config->state_dir && config->secret.file);
    CHECK(strcmp(config->secret.name, "secret") == 0);
    CHECK(!config->secret.value || !config->secret.file[0]);
    CHECK(config->log_level <= LOG_LEVEL_DEBUG && config->allow_no_origin <= 1);
    CHECK(config->hosts.count <= HOSTS_MAX && config->origins.count <= HOSTS_MAX);
    for (size_t i = 0; i < config->hosts.count; i++)
        CHECK(host_is_well_formed(config->hosts.items[i]));
    CHECK(config->trusted_proxies.count <= IP_NETWORKS_MAX);
    for (size_t i = 0; i < config->trusted_proxies.count; i++)
        CHECK(ip_networks_have(&config->trusted_proxies, config->trusted_proxies.items[i].first));
    check_ranges(limits);
    CHECK(limits->gone_after_ms > limits->ping_after_ms);
    CHECK(is_rate(limits->connections, limits->connections_per_s * UINT64_C(60),
                  limits->connections_burst));
    CHECK(is_rate(limits->joins, limits->joins_per_minute, limits->joins_burst));
    CHECK(is_rate(limits->messages, limits->messages_per_s * UINT64_C(60), limits->messages_burst));
    CHECK(is_rate(limits->bytes, limits->bytes_per_s * UINT64_C(60), limits->bytes_burst));
    CHECK(limits->bytes_burst >= message && limits->backlog_size_max >= 2 * message);
    CHECK(limits->queue_size_max >= limits->backlog_size_max + message);
    CHECK(!limits->queue_messages_max ||
          limits->queue_messages_max >= 23 * (limits->room_peers_max - 1));
}

static bool is_same_list(const struct hosts *a, const struct hosts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!str_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool is_same_networks(const struct ip_networks *a, const struct ip_networks *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!ip_equal(a->items[i].first, b->items[i].first) ||
            a->items[i].prefix != b->items[i].prefix)
            return false;
    return true;
}

static bool is_same_secret(const struct secret_source *a, const struct secret_source *b)
{
    return strcmp(a->file, b->file) == 0 && !a->value == !b->value;
}

static bool is_same(const struct config *a, const struct config *b)
{
    return a->port == b->port && a->ops_port == b->ops_port && strcmp(a->bind, b->bind) == 0 &&
           strcmp(a->assets, b->assets) == 0 && strcmp(a->state_dir, b->state_dir) == 0 &&
           is_same_secret(&a->secret, &b->secret) && a->log_level == b->log_level &&
           a->allow_no_origin == b->allow_no_origin && a->show_help == b->show_help &&
           a->show_version == b->show_version && a->print_config == b->print_config &&
           strcmp(a->file_asked, b->file_asked) == 0 && is_same_list(&a->hosts, &b->hosts) &&
           is_same_list(&a->origins, &b->origins) &&
           is_same_networks(&a->trusted_proxies, &b->trusted_proxies) &&
           memcmp(&a->limits, &b->limits, sizeof a->limits) == 0;
}

/* "ALOHA_ROOM_PEERS_MAX=3" as "--room-peers-max=3".
 *   returns   false when it is none of ours; *odd when its name is not spelled as ours are, or is one that means
 *             something else as a flag. */
static bool flag_of(const char *variable, char **flag, bool *odd)
{
    static const char *const not_alike[] = {"SECRET", "HELP", "VERSION", "PRINT_CONFIG"};
    size_t name_size = strcspn(variable, "=");

    if (strncmp(variable, "ALOHA_", 6) != 0 || !variable[name_size])
        return false;
    *odd |= strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != name_size;
    for (size_t i = 0; i < sizeof not_alike / sizeof not_alike[0]; i++)
        *odd |= strlen(not_alike[i]) == name_size - 6 &&
                strncmp(variable + 6, not_alike[i], name_size - 6) == 0;
    CHECK(asprintf(flag, "--%s", variable + 6) > 0);
    for (char *at = *flag + 2; *at && *at != '='; at++)
        *at = (char)(*at == '_' ? '-' : *at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    return true;
}

/* A variable that is there twice is refused, a flag is not. */
static bool has_twice(const struct words *environment)
{
    for (int i = 0; i < environment->count; i++)
        for (int j = 0; j < i; j++)
            if (strcspn(environment->texts[i], "=") == strcspn(environment->texts[j], "=") &&
                strncmp(environment->texts[i], environment->texts[j],
                        strcspn(environment->texts[i], "=")) == 0)
                return true;
    return false;
}

/* The same settings as flags only, the environment's first. */
static void check_precedence(const struct words *arguments, const struct words *environment,
                             const struct config *config, bool accepted)
{
    struct words flags = {.count = 0};
    struct config again;
    char problem[PROBLEM_SIZE] = "", *flag;
    bool odd = false;

    if (arguments->count + environment->count > WORDS_MAX || arguments->count == 0 ||
        has_twice(environment) || (accepted && (config->show_help || config->show_version)))
        return;
    add_word(&flags, strdup(arguments->texts[0]));
    for (int i = 0; i < environment->count; i++)
        if (flag_of(environment->texts[i], &flag, &odd))
            add_word(&flags, flag);
    for (int i = 1; i < arguments->count; i++)
        add_word(&flags, strdup(arguments->texts[i]));
    if (!odd) {
        struct config_input input = {.argc = flags.count, .argv = flags.texts};
        bool accepted_again = config_read(&again, &input, problem, sizeof problem);
        CHECK(accepted_again == accepted);
        CHECK(!accepted || is_same(config, &again));
    }
    free_words(&flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = check_input(data, size), part;
    struct words arguments = {.count = 0}, environment = {.count = 0};
    struct config config;
    char problem[PROBLEM_SIZE] = "", tiny[1] = "";

    while (arguments.count < WORDS_MAX && environment.count < WORDS_MAX &&
           lines_take(&rest, '\0', &part)) {
        if (part.size && part.text[0] == '$')
            add_word(&environment, strndup(part.text + 1, part.size - 1));
        else
            add_word(&arguments, strndup(part.text ? part.text : "", part.size));
    }

    struct config_input input = {.argc = arguments.count,
                                 .argv = arguments.texts,
                                 .environment = environment.texts};
    bool accepted = config_read(&config, &input, problem, sizeof problem);
    if (accepted) {
        CHECK(problem[0] == '\0');
        if (!config.show_help && !config.show_version) /* nothing else was judged, then */
            check_config(&config);
    } else {
        check_problem(problem);
    }
    check_precedence(&arguments, &environment, &config, accepted);
    CHECK(config_read(&config, &input, tiny, sizeof tiny) == accepted);

    free_words(&environment);
    free_words(&arguments);
    return 0;
}
