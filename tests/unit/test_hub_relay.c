/* hub: what may reach a peer by a Signal, whatever its sender writes. */
#include "aloha/json.h"
#include "world.h"

#include <stdio.h>

enum { FRAME_SIZE_MAX = 8192, ROUNDS_OF_A_WORLD = 64 };

/* A text that grows; the rest of what does not fit is left out, between two pieces. */
struct text {
    char bytes[FRAME_SIZE_MAX];
    size_t size;
};

static void add(struct text *text, const char *piece)
{
    size_t size = strlen(piece);
    if (size > sizeof text->bytes - text->size)
        return;
    memcpy(text->bytes + text->size, piece, size);
    text->size += size;
}

static const char *one_of(struct dice *dice, const char *const *pieces, size_t count)
{
    return pieces[dice_below(dice, (unsigned)count)];
}

static void add_space(struct dice *dice, struct text *text)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t\r"};
    add(text, one_of(dice, spaces, ARRAY_SIZE(spaces)));
}

static void add_string(struct dice *dice, struct text *text)
{
    static const char *const pieces[] = {
        "a=mid:0\\r\\n",
        "v=0",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0000",
        "\\ud800",
        "\\u00e4",
        "\xc3\xa4",
        "\xf0\x9f\x8c\xba",
        "\x7f",
        "}",
        "]",
        ",",
        "'",
        "a string that is longer than the blocks it is looked at in, by far",
        "\\\",\\\"peerId\\\":\\\"x",
    };

    add(text, "\"");
    for (unsigned count = dice_below(dice, 12); count; count--)
        add(text, one_of(dice, pieces, ARRAY_SIZE(pieces)));
    add(text, "\"");
}

/* One value of any kind, in any spelling. `levels` is how many more may be nested in it. */
static void add_value(struct dice *dice, struct text *text, unsigned levels)
{
    static const char *const words[] = {"true", "false", "null",   "0",   "-0.0e+00",
                                        "17",   "-1.5",  "1e9999", "2E-7"};
    unsigned kind = dice_below(dice, levels ? 4 : 2);

    if (kind == 0) {
        add(text, one_of(dice, words, ARRAY_SIZE(words)));
    } else if (kind == 1) {
        add_string(dice, text);
    } else {
        add(text, kind == 2 ? "[" : "{");
        for (unsigned count = dice_below(dice, 4), i = 0; i < count; i++) {
            add(text, i ? "," : "");
            add_space(dice, text);
            if (kind == 3) {
                add_string(dice, text);
                add_space(dice, text);
                add(text, ":");
            }
            add_space(dice, text);
            add_value(dice, text, levels - 1);
            add_space(dice, text);
        }
        add(text, kind == 2 ? "]" : "}");
    }
}

TEST(values_of_every_kind_arrive_as_the_bytes_they_were)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
    struct dice dice = {1};
    unsigned firsts[256] = {0};

    for (int round = 0; round < 20000; round++) {
        struct text value = {.size = 0};
        add_value(&dice, &value, 3);
        if (value.size >= sizeof value.bytes - 256)
            continue; /* perhaps without its end */
        world_say(world, a, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%.*s}", peer_id(2),
                  (int)value.size, value.bytes);
        EXPECT_STR(relayed(1, fmt("%.*s", (int)value.size, value.bytes)), world_take(world, b));
        EXPECT(world_is_quiet(world));
        world_forget(world);
        firsts[(unsigned char)value.bytes[0]]++;
    }
    for (const char *first = "\"{[tfn-0"; *first; first++)
        EXPECT_THAT(firsts[(unsigned char)*first] > 100, "few began with %c", *first);
    world_free(world);
}

/* Something like a Signal to peer 2: its members in any order and spelling, some of them missing,
 * doubled or foreign, and some of the bytes wrong. */
static void write_frame(struct dice *dice, struct text *text)
{
    static const char *const members[] = {
        "\"type\":\"Signal\"",
        "\"peerId\":\"00000000-0000-4000-8000-000000000002\"",
        "\"message\":",
        "\"from\":",
        "\"resumed\":",
        "\"sender\":",
        "\"peerid\":",
        "\"\":",
        "\"peer\\u0049d\":\"00000000-0000-4000-8000-000000000002\"",
        "\"mess\\u0061ge\":",
        "\"t\\u0079pe\":\"\\u0053ignal\"",
    };
    unsigned needed = dice_below(dice, 3); /* which of the three comes first */

    add(text, "{");
    for (unsigned i = 0; i < 3; i++) {
        const char *member = members[(needed + i) % 3];
        if (dice_below(dice, 4) == 0)
            member = one_of(dice, members, ARRAY_SIZE(members));
        add(text, i ? "," : "");
        add_space(dice, text);
        add(text, member);
        if (member[strlen(member) - 1] == ':')
            add_value(dice, text, 2);
        if (dice_below(dice, 4) == 0) {
            add(text, ",\"other\":");
            add_value(dice, text, 1);
        }
    }
    add(text, "}");
    for (unsigned faults = dice_below(dice, 4) ? 0 : dice_below(dice, 3); faults; faults--) {
        static const char likely[] = "\"\\{}[]:,nru \x01\xc3";
        text->bytes[dice_below(dice, (unsigned)text->size)] =
            likely[dice_below(dice, sizeof likely - 1)];
    }
}

struct members {
    struct json_member rows[8];
    size_t count;
};

static bool note_member(void *ctx, const struct json_member *member)
{
    struct members *members = ctx;
    if (members->count == ARRAY_SIZE(members->rows))
        return false;
    members->rows[members->count++] = *member;
    return true;
}

/* True for the three members of a Signal from peer 1, each once, in our spelling, and no others. */
static bool is_our_envelope(struct str text)
{
    struct members members = {.count = 0};

    return json_scan_object(text, note_member, &members) && members.count == 3 &&
           str_equal(members.rows[0].name, STR("type")) &&
           str_equal(members.rows[0].value, STR("\"Signal\"")) &&
           str_equal(members.rows[1].name, STR("peerId")) &&
           str_equal(members.rows[1].value, str_of(fmt("\"%s\"", peer_id(1)))) &&
           str_equal(members.rows[2].name, STR("message"));
}

TEST(whatever_is_said_nobody_hears_another_envelope_than_ours)
{
    struct dice dice = {2};
    unsigned heard_count = 0, refused_count = 0;

    for (int i = 0; i < 300; i++) { /* few rounds each: bad messages close the connection */
        struct world *world = world_new_limited(world_calm_limits());
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        for (int round = 0; round < ROUNDS_OF_A_WORLD; round++) {
            struct text frame = {.size = 0};
            write_frame(&dice, &frame);
            hub_receive(world->hub, a, (struct str){frame.bytes, frame.size}, world->now_ms);
            struct str heard = world_take(world, b);
            bool gone = str_starts_with(heard, STR("{\"type\":\"UserLeft\""));
            EXPECT_THAT(heard.size == 0 || gone || is_our_envelope(heard), "%.*s: %.*s",
                        (int)frame.size, frame.bytes, (int)heard.size, heard.text);
            EXPECT_STR("", world_take(world, b));
            heard_count += heard.size && !gone;
            refused_count += heard.size == 0;
            world_forget(world);
            if (gone)
                break;
        }
        world_free(world);
    }
    EXPECT(heard_count > 1000 && refused_count > 1000);
}
