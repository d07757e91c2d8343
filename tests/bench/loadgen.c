/* The load generator: one mode against one server on 127.0.0.1, one line of JSON as the result.
 * See README.md beside this file for what each mode measures. */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_BAD_DELIVERY = 1, EXIT_USAGE = 2, TIME_LIMIT_MARGIN_S = 180 };

static const struct mode *const modes[] = {&mode_relay, &mode_paced, &mode_churn, &mode_fanout,
                                           &mode_idle};
enum { MODE_COUNT = sizeof modes / sizeof *modes };

struct option_row {
    const char *name;
    size_t offset; /* of a uint32_t in struct load_options */
    uint32_t def;
    uint32_t min;
    uint32_t max;
    const char *help;
};
#define FIELD(name) offsetof(struct load_options, name)
static const struct option_row rows[] = {
    {"port", FIELD(port), 0, 1, 65535, "of the server on 127.0.0.1; required"},
    {"server-pid", FIELD(server_pid), 0, 1, 4194304, "report this process's CPU time and memory"},
    {"rooms", FIELD(rooms), 200, 1, 16000, "number of rooms"},
    {"room-size", FIELD(room_size), 50, 2, 200, "members of each (fanout)"},
    {"payload", FIELD(payload), 200, PAYLOAD_SIZE_MIN, PAYLOAD_SIZE_MAX,
     "bytes of a Signal's message"},
    {"outstanding", FIELD(outstanding), 1, 1, LOAD_SENT_RING,
     "messages of each side on their way (relay)"},
    {"rate", FIELD(rate), 10000, 2, 2000000, "relays per second (paced)"},
    {"seconds", FIELD(seconds), 3, 1, 600, "that are measured"},
    {"warmup-ms", FIELD(warmup_ms), 500, 0, 60000, "before them"},
    {"settle-ms", FIELD(settle_ms), 1500, 0, 60000, "before a look at memory (idle)"},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows, OPTION_DIALECT = ROW_COUNT, OPTION_HELP };

static void print_help(void)
{
    puts("Usage: loadgen MODE --dialect NAME --port N [options]\n\nModes:");
    for (size_t i = 0; i < MODE_COUNT; i++)
        printf("  %-14s %s\n", modes[i]->name, modes[i]->help);
    fputs("\nOptions:\n  --dialect NAME   what the server speaks:", stdout);
    for (unsigned i = 0; dialect_name(i); i++)
        printf(" %s", dialect_name(i));
    putchar('\n');
    for (size_t i = 0; i < ROW_COUNT; i++)
        printf("  --%-14s %s (%u to %u; %u)\n", rows[i].name, rows[i].help, rows[i].min,
               rows[i].max, rows[i].def);
    puts("\nPrints one line of JSON. Exit status: 0, or 1 when a message was lost, doubled, "
         "reordered or\n"
         "changed or a connection was cut, or 2 for a bad command line.");
}

static void usage_error(const char *what, const char *value)
{
    fprintf(stderr, "loadgen: %s: %s (see --help)\n", what, value);
    exit(EXIT_USAGE);
}

static uint32_t *field(struct load_options *options, const struct option_row *row)
{
    return (uint32_t *)(void *)((char *)options + row->offset);
}

static void set_number(struct load_options *options, const struct option_row *row, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || value < row->min || value > row->max)
        usage_error(row->name, text);
    *field(options, row) = (uint32_t)value;
}

static void read_options(struct load_options *options, int argc, char **argv)
{
    struct option table[ROW_COUNT + 3] = {[OPTION_DIALECT] = {"dialect", required_argument, NULL,
                                                              OPTION_DIALECT},
                                          [OPTION_HELP] = {"help", no_argument, NULL, OPTION_HELP}};
    for (int i = 0; i < ROW_COUNT; i++) {
        table[i] = (struct option){rows[i].name, required_argument, NULL, i};
        *field(options, &rows[i]) = rows[i].def;
    }
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == OPTION_HELP) {
            print_help();
            exit(EXIT_SUCCESS);
        } else if (option == OPTION_DIALECT) {
            options->dialect = dialect_find(optarg);
            if (!options->dialect)
                usage_error("unknown dialect", optarg);
        } else if (option >= 0 && option < ROW_COUNT) {
            set_number(options, &rows[option], optarg);
        } else {
            exit(EXIT_USAGE);
        }
    }
    for (size_t i = 0; optind < argc && i < MODE_COUNT; i++) {
        if (strcmp(argv[optind], modes[i]->name) == 0)
            options->mode = modes[i];
    }
    if (optind + 1 != argc || !options->mode)
        usage_error("one mode is wanted", optind < argc ? argv[argc - 1] : "none given");
    if (!options->dialect || !options->port)
        usage_error("required", options->dialect ? "--port" : "--dialect");
    if (options->mode->needs_rooms && !options->dialect->has_rooms)
        usage_error("this dialect has no rooms", options->dialect->name);
}

/* Each connection is a descriptor here and one at the server. */
static void need_descriptors(uint32_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < count + 16) {
        fprintf(stderr, "loadgen: %u connections need a higher limit of open files than %lu\n",
                count, (unsigned long)limit.rlim_cur);
        exit(EXIT_USAGE);
    }
}

int main(int argc, char **argv)
{
    static struct load_options options;
    static struct load load;
    read_options(&options, argc, argv);
    need_descriptors(options.mode->link_count(&options));
    alarm(options.seconds + options.warmup_ms / 1000 + TIME_LIMIT_MARGIN_S); /* whatever happens */

    printf("{\"mode\":\"%s\"", options.mode->name);
    report_text("dialect", options.dialect->name);
    load_run(&load, &options);
    const struct {
        const char *name;
        uint64_t count;
    } faults[] = {{"refused", load.refused},       {"errors", load.errors},
                  {"corrupted", load.corrupted},   {"lost", load.lost},
                  {"duplicated", load.duplicated}, {"reordered", load.reordered}};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        report_number(faults[i].name, (double)faults[i].count);
        sum += faults[i].count;
    }
    puts("}");
    return sum ? EXIT_BAD_DELIVERY : EXIT_SUCCESS;
}
