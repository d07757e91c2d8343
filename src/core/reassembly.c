#include "aloha/reassembly.h"

#include "aloha/utf8.h"

void reassembly_init(struct reassembly *reassembly, size_t size_max)
{
    *reassembly = (struct reassembly){0};
    buf_init(&reassembly->bytes, size_max);
}

void reassembly_deinit(struct reassembly *reassembly)
{
    reassembly_done(reassembly);
}

void reassembly_done(struct reassembly *reassembly)
{
    buf_deinit(&reassembly->bytes);
    reassembly->checked_size = 0;
    reassembly->parts = 0;
    reassembly->has_begun = false;
}

bool reassembly_is_late(const struct reassembly *reassembly, uint64_t now_s)
{
    return reassembly->has_begun && now_s - reassembly->since_s > REASSEMBLY_SECONDS_MAX;
}

static struct reassembled close_for(struct reassembly *reassembly, enum close_why why)
{
    reassembly_done(reassembly);
    return (struct reassembled){.verdict = REASSEMBLY_CLOSE, .why = why};
}

/* Judged by the length that the frame's head declares, before the bytes are there. */
static bool is_too_big(const struct reassembly *reassembly, const struct reassembly_part *part)
{
    size_t left = reassembly->bytes.max - reassembly->bytes.size;

    return part->bytes.size > left || part->to_come > left - part->bytes.size;
}

/* Looks at what was not looked at yet. A sequence may be cut by the end of a frame: its beginning is
 * looked at again with the next one. */
static bool can_become_utf8(struct reassembly *reassembly)
{
    size_t checked = reassembly->checked_size;
    struct str bytes = buf_str(&reassembly->bytes);
    if (bytes.size == checked)
        return true;

    struct str unseen = {bytes.text + checked, bytes.size - checked};
    unseen.size -= utf8_cut_size(unseen);
    reassembly->checked_size = checked + unseen.size;
    return utf8_is_valid(unseen);
}

/* Keeps a part of a message that did not come in one. */
static enum close_why keep(struct reassembly *reassembly, const struct reassembly_part *part,
                           uint64_t now_s)
{
    if (!reassembly->has_begun) {
        reassembly_done(reassembly);
        reassembly->has_begun = true;
        reassembly->since_s = now_s;
    }
    if (reassembly_is_late(reassembly, now_s))
        return CLOSE_POLICY;
    size_t size = reassembly->bytes.size + part->bytes.size;
    if (++reassembly->parts > REASSEMBLY_EMPTY_PARTS_MAX + size)
        return CLOSE_POLICY;
    return buf_add(&reassembly->bytes, part->bytes) ? CLOSE_NONE : CLOSE_OUR_FAULT;
}

struct reassembled reassembly_add(struct reassembly *reassembly, const struct reassembly_part *part,
                                  uint64_t now_s)
{
    bool ends_frame = part->to_come == 0;
    bool ends_message = ends_frame && part->is_final;

    if (part->is_binary)
        return close_for(reassembly, CLOSE_UNSUPPORTED);
    if (is_too_big(reassembly, part))
        return close_for(reassembly, CLOSE_TOO_BIG);
    if (ends_message && !reassembly->has_begun)
        return (struct reassembled){.verdict = REASSEMBLY_WHOLE, .message = part->bytes};

    enum close_why why = keep(reassembly, part, now_s);
    if (why)
        return close_for(reassembly, why);
    if (ends_message) {
        reassembly->has_begun = false;
        return (struct reassembled){REASSEMBLY_WHOLE, .message = buf_str(&reassembly->bytes)};
    }
    if (ends_frame && !can_become_utf8(reassembly))
        return close_for(reassembly, CLOSE_BAD_UTF8);
    return (struct reassembled){.verdict = REASSEMBLY_MORE};
}
