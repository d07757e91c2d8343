/* What the operator may do: look at the rooms, close one, remove somebody, take no new ones. */
#include "hub_private.h"

/* ---- looking ---- */

/* Ages are by the outer clock: a sleep of this process makes rooms older too. */
static uint64_t age_ms(uint64_t since_ms, uint64_t now_ms)
{
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

static size_t count_held(const struct seat *any)
{
    size_t held = 0;
    for (const struct seat *seat = room_first_seat(any); seat; seat = seat->next)
        held += seat->conn == 0;
    return held;
}

void hub_list_rooms(const struct hub *hub, uint64_t after, hub_show_room *show, void *ctx,
                    uint64_t now_ms)
{
    for (const struct seat *any = rooms_after(hub->rooms, after); any; any = rooms_next(any)) {
        struct hub_room room = {
            .number = room_number(any),
            .id = room_id(any),
            .peers = room_seat_count(any),
            .held = count_held(any),
            .knocks = room_knock_count(any),
            .locked = room_is_locked(any),
            .age_ms = age_ms(room_since_ms(any), now_ms),
        };
        if (!show(ctx, &room))
            return;
    }
}

static enum hub_peer_state state_of(const struct seat *seat)
{
    if (seat->knocking)
        return HUB_PEER_KNOCKING;
    return seat->conn ? HUB_PEER_HERE : HUB_PEER_AWAY;
}

/* False when it was enough. */
static bool show_seats(const struct seat *seat, hub_show_peer *show, void *ctx, uint64_t now_ms)
{
    for (; seat; seat = seat->next) {
        struct hub_peer peer = {
            .id = seat->peer_id,
            .name_json = seat->name_json,
            .state = state_of(seat),
            .age_ms = age_ms(seat->since_ms, now_ms),
        };
        if (!show(ctx, &peer))
            return false;
    }
    return true;
}

bool hub_list_peers(const struct hub *hub, struct str room_id, hub_show_peer *show, void *ctx,
                    uint64_t now_ms)
{
    const struct seat *any = rooms_any_seat(hub->rooms, room_id);

    if (!any)
        return false;
    if (show_seats(room_first_seat(any), show, ctx, now_ms))
        (void)show_seats(room_first_knock(any), show, ctx, now_ms);
    return true;
}

/* ---- doing ---- */

/* Frees a seat of a room that ends as a whole: there is nobody left to tell. */
static void end_seat(struct hub *hub, struct seat *seat)
{
    struct conn *conn = hub_find_conn(hub, seat->conn);

    hub_unhold(hub, seat);
    hub_forget_kept(hub, seat);
    hub->metrics->values[seat->knocking ? METRIC_KNOCKS : METRIC_PEERS]--;
    hub->metrics->values[METRIC_REMOVED_PEERS]++;
    rooms_leave(hub->rooms, seat);
    if (!conn)
        return;
    conn->seat = NULL;
    hub_close_conn(hub, conn, CLOSE_REMOVED);
}

bool hub_close_room(struct hub *hub, struct str room_id, uint64_t now_ms)
{
    struct seat *seat = rooms_any_seat(hub->rooms, room_id);

    hub_advance_clock(hub, now_ms);
    if (!seat)
        return false;
    hub_remember(hub, &hub->closed, room_id);
    for (; seat; seat = rooms_any_seat(hub->rooms, room_id))
        end_seat(hub, seat);
    hub_count_rooms(hub);
    hub->metrics->values[METRIC_CLOSED_ROOMS]++;
    return true;
}

bool hub_remove_peer(struct hub *hub, struct str peer_id, uint64_t now_ms)
{
    struct seat *seat = rooms_find_peer(hub->rooms, peer_id);

    hub_advance_clock(hub, now_ms);
    if (!seat)
        return false;
    hub_remember(hub, &hub->removed, peer_id);
    hub->metrics->values[METRIC_REMOVED_PEERS]++;
    struct conn *conn = hub_find_conn(hub, seat->conn);
    if (conn)
        hub_close_conn(hub, conn, CLOSE_REMOVED);
    else
        hub_free_seat(hub, seat, "removed");
    return true;
}

void hub_set_cordon(struct hub *hub, bool on)
{
    hub->cordoned = on;
    hub->metrics->values[METRIC_CORDONED] = on;
}

bool hub_is_cordoned(const struct hub *hub)
{
    return hub->cordoned;
}
