#include "aloha/encode.h"

#include "aloha/json.h"

/* Ids and error words need no escapes: they are made of letters, digits and . _ ~ - only. */
static void add_text_member(struct buf *out, const char *name, struct str text)
{
    buf_add_format(out, ",\"%s\":\"", name);
    buf_add(out, text);
    buf_add(out, STR("\""));
}

static void add_raw_member(struct buf *out, const char *name, struct str json)
{
    if (json.size == 0)
        return;
    buf_add_format(out, ",\"%s\":", name);
    buf_add(out, json);
}

bool encode_is_told(const struct seat *restored, const struct seat *other)
{
    return other != restored && other->process != restored->process;
}

static void add_flag(struct buf *out, const char *name, bool value)
{
    buf_add_format(out, ",\"%s\":%s", name, value ? "true" : "false");
}

/* This version knows of no STUN or TURN server; browsers then use their own addresses. */
static void add_ice_servers(struct buf *out)
{
    buf_add(out, STR(",\"iceServers\":[]"));
}

static void add_participants(struct buf *out, const struct seat *self, bool restored)
{
    bool first = true;

    buf_add(out, STR(",\"participants\":["));
    for (const struct seat *seat = room_first_seat(self); seat; seat = seat->next) {
        if (seat == self)
            continue;
        buf_add_format(out, "%s{\"peerId\":\"%s\"", first ? "" : ",", seat->peer_id);
        add_raw_member(out, "name", seat->name_json);
        if (restored && encode_is_told(self, seat))
            add_flag(out, "offers", true);
        buf_add(out, STR("}"));
        first = false;
    }
    buf_add(out, STR("]"));
}

void encode_room_joined(struct buf *out, const struct seat *seat, const struct joined *joined)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"RoomJoined\""));
    add_text_member(out, "roomId", room_id(seat));
    add_text_member(out, "peerId", str_of(seat->peer_id));
    add_text_member(out, "resumeToken", joined->token);
    add_flag(out, "resumed", joined->resumed);
    add_participants(out, seat, joined->restored);
    add_ice_servers(out);
    add_flag(out, "locked", room_is_locked(seat));
    add_raw_member(out, "limits", joined->limits_json);
    buf_add(out, STR("}"));
}

void encode_user_joined(struct buf *out, const struct seat *seat, struct str hello)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"UserJoined\""));
    add_text_member(out, "peerId", str_of(seat->peer_id));
    add_raw_member(out, "name", seat->name_json);
    add_raw_member(out, "hello", hello);
    buf_add(out, STR("}"));
}

void encode_user_left(struct buf *out, const char *peer_id, const char *reason)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"UserLeft\""));
    add_text_member(out, "peerId", str_of(peer_id));
    add_text_member(out, "reason", str_of(reason));
    buf_add(out, STR("}"));
}

void encode_room_locked(struct buf *out, const struct seat *seat)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"RoomLocked\""));
    add_flag(out, "locked", room_is_locked(seat));
    add_text_member(out, "peerId", str_of(seat->peer_id));
    buf_add(out, STR("}"));
}

void encode_waiting(struct buf *out)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"Waiting\"}"));
}

void encode_knock(struct buf *out, const struct seat *knock)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"Knock\""));
    add_text_member(out, "peerId", str_of(knock->peer_id));
    add_raw_member(out, "name", knock->name_json);
    buf_add(out, STR("}"));
}

void encode_knock_ended(struct buf *out, const char *peer_id)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"KnockEnded\""));
    add_text_member(out, "peerId", str_of(peer_id));
    buf_add(out, STR("}"));
}

void encode_ice_servers(struct buf *out)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"IceServers\""));
    add_ice_servers(out);
    buf_add(out, STR("}"));
}

void encode_reconnect(struct buf *out, uint64_t after_ms)
{
    buf_clear(out);
    buf_add_format(out, "{\"type\":\"Reconnect\",\"afterMs\":%llu}", (unsigned long long)after_ms);
}

/* Hexadecimal digits and dashes, as long as a peerId: nothing that input could smuggle in. */
static bool looks_like_peer_id(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.text[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && c != '-')
            return false;
    }
    return text.size == PEER_ID_SIZE;
}

void encode_error(struct buf *out, enum err err, struct str peer_id, uint64_t retry_after_ms)
{
    buf_clear(out);
    buf_add(out, STR("{\"type\":\"Error\""));
    add_text_member(out, "code", str_of(err_wire_name(err)));
    add_text_member(out, "message", str_of(err_text(err)));
    if (looks_like_peer_id(peer_id))
        add_text_member(out, "peerId", peer_id);
    if (retry_after_ms)
        buf_add_format(out, ",\"retryAfterMs\":%llu", (unsigned long long)retry_after_ms);
    buf_add(out, STR("}"));
}
