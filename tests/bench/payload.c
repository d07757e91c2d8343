#include "payload.h"

#include <string.h>

static const char head[] = "{\"sequence\":\"";
static const char middle[] = "\",\"description\":\"";
static const char tail[] = "\"}";
enum {
    HEAD_SIZE = sizeof head - 1,
    DIGITS = 16,
    MIDDLE_SIZE = sizeof middle - 1,
    TAIL_SIZE = sizeof tail - 1,
    ENVELOPE_MAX = 256 /* a body begins within so many bytes of any message */
};

/* Lines as browsers write them; the escapes stand in the JSON text as backslashes. Nothing here may
 * be rewritten by a parser and serialiser that meets it on the way (so: no "<", "&" or non-ASCII).
 */
static const char description[] =
    "v=0\\r\\no=- 4611731400430051336 2 IN IP4 127.0.0.1\\r\\ns=-\\r\\nt=0 0\\r\\na=group:BUNDLE 0 "
    "1\\r\\n"
    "a=extmap-allow-mixed\\r\\na=msid-semantic: WMS 2f7b4b1e-0b8e-4f51-9a1c-6f8d2f0f4a11\\r\\n"
    "m=audio 9 UDP-TLS-RTP-SAVPF 111 63 9 0 8 13 110 126\\r\\nc=IN IP4 0.0.0.0\\r\\n"
    "a=rtcp:9 IN IP4 0.0.0.0\\r\\na=ice-ufrag:Kx9a\\r\\na=ice-pwd:nJ5Y0Zt6m2Qb1c8VtWq3Rr7L\\r\\n"
    "a=ice-options:trickle\\r\\na=fingerprint:sha-256 "
    "2B:4E:91:0C:7D:55:A8:F3:61:BC:09:EE:14:8F:D2:37\\r\\n"
    "a=setup:actpass\\r\\na=mid:0\\r\\na=sendrecv\\r\\na=rtcp-mux\\r\\na=rtpmap:111 opus 48000 "
    "2\\r\\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\\r\\na=rtcp-fb:111 transport-cc\\r\\n";

void payload_init(struct payload *payload, size_t size)
{
    payload->size = size;
    memcpy(payload->text, head, HEAD_SIZE);
    memset(payload->text + HEAD_SIZE, '0', DIGITS);
    memcpy(payload->text + HEAD_SIZE + DIGITS, middle, MIDDLE_SIZE);
    size_t start = HEAD_SIZE + DIGITS + MIDDLE_SIZE;
    size_t end = size - TAIL_SIZE;
    for (size_t i = start; i < end; i++)
        payload->text[i] = description[(i - start) % (sizeof description - 1)];
    /* The cut must not leave half an escape, nor an escaped closing quote. */
    for (size_t i = end - 2; i < end; i++) {
        if (payload->text[i] == '\\')
            payload->text[i] = ' ';
    }
    memcpy(payload->text + end, tail, TAIL_SIZE);
}

void payload_write(const struct payload *payload, char *at, uint64_t sequence)
{
    memcpy(at, payload->text, payload->size);
    for (unsigned i = 0; i < DIGITS; i++)
        at[HEAD_SIZE + i] = "0123456789abcdef"[sequence >> 4 * (DIGITS - 1 - i) & 0xf];
}

size_t payload_find(const struct payload *payload, struct slice text, size_t hint)
{
    if (text.size < payload->size)
        return SIZE_MAX;
    if (hint <= text.size - payload->size && memcmp(text.data + hint, head, HEAD_SIZE) == 0)
        return hint;
    size_t window = text.size < ENVELOPE_MAX ? text.size : ENVELOPE_MAX;
    const char *found = memmem(text.data, window, head, HEAD_SIZE);
    if (!found || (size_t)(found - text.data) > text.size - payload->size)
        return SIZE_MAX;
    return (size_t)(found - text.data);
}

bool payload_read(const struct payload *payload, const char *body, uint64_t *sequence)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < DIGITS; i++) {
        unsigned char c = (unsigned char)body[HEAD_SIZE + i];
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *sequence = value;
    size_t fixed = HEAD_SIZE + DIGITS;
    return memcmp(body + fixed, payload->text + fixed, payload->size - fixed) == 0;
}
