#include "dialect.h"

#include <string.h>

static bool starts_with(struct slice text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

/* The end of the JSON string that begins at (its opening quote), as the offset of the closing
 * quote. */
static size_t skip_string(struct slice text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at;
}

/* The string value of a member of the outermost object, wherever it stands; empty when there is
 * none. Looks no closer than it must: the servers' JSON is theirs to get right. */
static struct slice string_member(struct slice text, const char *name)
{
    size_t name_size = strlen(name);
    unsigned depth = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c != '"')
            continue;
        size_t start = i + 1;
        i = skip_string(text, i);
        if (depth != 1 || i - start != name_size || memcmp(text.data + start, name, name_size) != 0)
            continue;
        size_t colon = i + 1;
        while (colon < text.size && text.data[colon] == ' ')
            colon++;
        size_t quote = colon + 1;
        while (quote < text.size && text.data[quote] == ' ')
            quote++;
        if (quote >= text.size || text.data[colon] != ':' || text.data[quote] != '"')
            continue;
        size_t end = skip_string(text, quote);
        return (struct slice){text.data + quote + 1, end - quote - 1};
    }
    return (struct slice){0};
}

static bool is(struct slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static enum news read_aloha(struct slice text, struct slice *id)
{
    static const struct {
        const char *type;
        enum news news;
    } types[] = {{"RoomJoined", NEWS_JOINED},
                 {"UserJoined", NEWS_USER_JOINED},
                 {"UserLeft", NEWS_USER_LEFT},
                 {"Error", NEWS_ERROR}};
    struct slice type = string_member(text, "type");
    *id = string_member(text, "peerId");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is(type, types[i].type))
            return types[i].news;
    }
    return NEWS_NONE;
}

/* Engine.IO 4 packets "0" open, "2" ping; inside its message "4": Socket.IO "0" connect, "2" event.
 */
static enum news read_socketio(struct slice text, struct slice *id)
{
    static const char user_joined[] = "42[\"UserJoined\",\"";
    static const char user_left[] = "42[\"UserLeft\",\"";
    if (is(text, "2"))
        return NEWS_KEEPALIVE;
    if (starts_with(text, "40{")) {
        *id = string_member(text, "sid");
        return NEWS_HELLO;
    }
    bool joined = starts_with(text, user_joined);
    if (!joined && !starts_with(text, user_left))
        return starts_with(text, "44") ? NEWS_ERROR : NEWS_NONE;
    size_t start = joined ? sizeof user_joined - 1 : sizeof user_left - 1;
    *id = (struct slice){text.data + start, skip_string(text, start - 1) - start};
    return joined ? NEWS_USER_JOINED : NEWS_USER_LEFT;
}

static enum news read_peerjs(struct slice text, struct slice *id)
{
    struct slice type = string_member(text, "type");
    *id = (struct slice){0};
    return is(type, "OPEN")                            ? NEWS_JOINED
           : is(type, "ERROR") || is(type, "ID-TAKEN") ? NEWS_ERROR
                                                       : NEWS_NONE;
}

/* The bare relay sends one empty message when both of a pair are there. */
static enum news read_tcp(struct slice text, struct slice *id)
{
    *id = (struct slice){0};
    return text.size == 0 ? NEWS_JOINED : NEWS_ERROR;
}

static const struct dialect dialects[] = {
    {.name = "aloha",
     .framing = NET_WEBSOCKET,
     .has_rooms = true,
     .acknowledges = true,
     .path = {"/ws", ""},
     .join = {"{\"type\":\"JoinRoom\",\"roomId\":\"", "\"}"},
     .signal = {"{\"type\":\"Signal\",\"peerId\":\"", "\",\"message\":", "}"},
     .read = read_aloha},
    {.name = "socketio",
     .framing = NET_WEBSOCKET,
     .says_hello = true,
     .has_rooms = true,
     .path = {"/socket.io/?EIO=4&transport=websocket", ""},
     .greeting = "40",
     .keepalive = "3",
     .join = {"42[\"JoinRoom\",\"", "\"]"},
     .signal = {"42[\"Signal\",\"", "\",", "]"},
     .read = read_socketio},
    {.name = "peerjs",
     .framing = NET_WEBSOCKET,
     .chooses_id = true,
     .acknowledges = true,
     .path = {"/peerjs?key=peerjs&version=1.5.4&token=bench&id=", ""},
     .signal = {"{\"type\":\"OFFER\",\"dst\":\"", "\",\"payload\":", "}"},
     .read = read_peerjs},
    {.name = "tcp",
     .framing = NET_LENGTH,
     .acknowledges = true,
     .path = {"", ""},
     .signal = {"", "", ""},
     .read = read_tcp},
};

const struct dialect *dialect_find(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    }
    return NULL;
}

const char *dialect_name(unsigned index)
{
    return index < sizeof dialects / sizeof *dialects ? dialects[index].name : NULL;
}
