/* The documents that come out of tables say what the tables say. */
#include "docs.h"
#include "harness.h"

TEST(what_is_generated_stands_word_for_word_in_its_page_or_is_all_of_it)
{
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
        struct buf wanted;
        buf_init(&wanted, 1024 * 1024);
        documents[i].write(&wanted);
        struct str page = source_file_read(documents[i].file);
        EXPECT(wanted.size && page.size);
        EXPECT_THAT(memmem(page.text, page.size, wanted.data, wanted.size) &&
                        (!documents[i].is_whole || page.size == wanted.size),
                    "%s is not up to date: write_docs %s", documents[i].file, documents[i].name);
        free((char *)(uintptr_t)page.text);
        buf_deinit(&wanted);
    }
}

/* Between its marks the page has that document and nothing else. */
static void check_between_marks(const char *name, void (*write)(struct buf *out), const char *file)
{
    struct buf wanted;

    buf_init(&wanted, 65536);
    buf_add_format(&wanted, "<!-- %s -->\n", name);
    write(&wanted);
    buf_add_format(&wanted, "<!-- /%s -->\n", name);
    struct str page = source_file_read(file);
    EXPECT_THAT(memmem(page.text, page.size, wanted.data, wanted.size),
                "%s is not up to date: write_docs %s", file, name);
    free((char *)(uintptr_t)page.text);
    buf_deinit(&wanted);
}

TEST(between_their_marks_are_the_limits_and_the_metrics_and_nothing_else)
{
    check_between_marks("limits", limits_write_markdown, "docs/protocol.md");
    check_between_marks("metrics", write_metrics, "docs/operations.md");
}

TEST(the_protocol_page_knows_every_message_and_every_member)
{
    struct str page = source_file_read("docs/protocol.md");
    static const char *const said_by_the_hub[] = {
        "RoomJoined", "UserJoined", "Signal",  "UserLeft",  "IceServers", "RoomLocked",
        "Knock",      "KnockEnded", "Waiting", "Reconnect", "Error",
    };

    EXPECT(page.size);
    for (int i = 0; i < MESSAGE_TYPE_COUNT; i++)
        EXPECT_THAT(strstr(page.text, fmt("| `%s` |", message_type_name((enum message_type)i))),
                    "%s", message_type_name((enum message_type)i));
    for (size_t i = 0; i < ARRAY_SIZE(said_by_the_hub); i++)
        EXPECT_THAT(strstr(page.text, fmt("| `%s` |", said_by_the_hub[i])), "%s",
                    said_by_the_hub[i]);
    static const char *const members[] = {
#define MEMBER_WIRE(name, wire, kind) wire,
        MEMBER_TABLE(MEMBER_WIRE)
#undef MEMBER_WIRE
    };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        EXPECT_THAT(strstr(page.text, fmt("`%s`", members[i])), "%s", members[i]);
    free((char *)(uintptr_t)page.text);
}
