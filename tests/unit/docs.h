/* The documents that come out of tables. */
#ifndef ALOHA_TESTS_DOCS_H
#define ALOHA_TESTS_DOCS_H

#include "aloha/config.h"
#include "aloha/err.h"
#include "aloha/metrics.h"
#include "aloha/process.h"

/* The table of error codes in docs/protocol.md. */
static void write_errors(struct buf *out)
{
    buf_add(out, STR("| code | what it says | socket |\n| --- | --- | --- |\n"));
    for (int err = OK + 1; err < ERR_COUNT; err++) {
        if (err == ERR_NO_MEMORY)
            continue; /* hub-full on the wire, and then closed */
        enum close_why why = err_close((enum err)err);
        buf_add_format(out, "| `%s` | %s | ", err_wire_name((enum err)err),
                       err_text((enum err)err));
        if (why == CLOSE_NONE)
            buf_add(out, STR("open |\n"));
        else
            buf_add_format(out, "closed %u |\n", close_code(why));
    }
}

/* The table of close codes in docs/protocol.md. */
static void write_closes(struct buf *out)
{
    buf_add(out, STR("| code | reason |\n| --- | --- |\n"));
    for (int why = CLOSE_NONE + 1; why < CLOSE_COUNT; why++)
        buf_add_format(out, "| %u | %s |\n", close_code((enum close_why)why),
                       close_text((enum close_why)why));
}

static void write_metric(struct buf *out, const char *name, const char *type, const char *labels,
                         const char *help)
{
    buf_add_format(out, "| `%s` | %s | %s | %s |\n", name, type, labels, help);
}

/* The table of metrics in docs/operations.md. */
static void write_metrics(struct buf *out)
{
#define METRIC_LINE(id, name, type, help)         write_metric(out, name, type, "", help);
#define FAMILY_LINE(id, name, type, labels, help) write_metric(out, name, type, labels, help);
#define PROCESS_LINE(id, name, type, help)                                                         \
    write_metric(out, name, type, strcmp(name, "aloha_build_info") == 0 ? BUILD_LABELS : "", help);
    buf_add(out, STR("| name | type | labels | what it counts |\n| --- | --- | --- | --- |\n"));
    METRIC_TABLE(METRIC_LINE)
    METRIC_FAMILY_TABLE(FAMILY_LINE)
    PROCESS_TABLE(PROCESS_LINE)
#undef METRIC_LINE
#undef FAMILY_LINE
#undef PROCESS_LINE
}

/* A document of its own, or a part that stands in one, word for word. */
static const struct {
    const char *name;
    void (*write)(struct buf *out);
    const char *file;
    bool is_whole;
} documents[] = {
    {"configuration", config_write_markdown, "docs/configuration.md", true},
    {"example", config_write_example, "packaging/aloha.conf", true},
    {"manual", config_write_manual, "packaging/man/aloha.1", true},
    {"file-manual", config_write_file_manual, "packaging/man/aloha.conf.5", true},
    {"bash", config_write_bash, "packaging/completions/aloha.bash", true},
    {"zsh", config_write_zsh, "packaging/completions/_aloha", true},
    {"fish", config_write_fish, "packaging/completions/aloha.fish", true},
    {"errors", write_errors, "docs/protocol.md", false},
    {"closes", write_closes, "docs/protocol.md", false},
    {"limits", limits_write_markdown, "docs/protocol.md", false},
    {"metrics", write_metrics, "docs/operations.md", false},
};

#endif
