/* admission: how much one address may ask for. An address is an IPv4 address or an IPv6 /64,
 * because whoever has one address of a /64 has them all (RFC 4291 section 2.5.1, RFC 6177). */
#ifndef ALOHA_ADMISSION_H
#define ALOHA_ADMISSION_H

#include "aloha/limits.h"
#include "aloha/siphash.h"

typedef uint64_t address_key; /* what counts as one address; see below */

/* Remembered at once; then the one known longest that has nothing open is forgotten. */
enum { ADMISSION_ADDRESSES_MAX = 65536 };

struct admission;

/* limits is borrowed for life. Returns NULL when there is no memory. */
struct admission *admission_new(const struct limits *limits, struct siphash_key key);
void admission_free(struct admission *admission);

address_key address_key_ipv4(const uint8_t address[4]);
address_key address_key_ipv6(const uint8_t address[16]); /* a mapped IPv4 address counts as that */

/* Asks for one more connection. After true, admission_disconnect() gives it back.
 *   returns   false when the address has its share already, came too fast, or there is no memory.
 */
MUST_USE bool admission_connect(struct admission *admission, address_key from, uint64_t now_ms);
void admission_disconnect(struct admission *admission, address_key from, uint64_t now_ms);

/* Asks for one more JoinRoom; `from` has at least one connection.
 *   returns   0, or in how many milliseconds to ask again. */
MUST_USE uint64_t admission_join(struct admission *admission, address_key from, uint64_t now_ms);

/* Resume tokens that nobody could have been given, SECURITY R39. After LIMIT_FORGED_TOKENS_MAX of them in
 * LIMIT_FORGED_WINDOW_MS the address has to wait before each further one, longer each time.
 *   returns   0, or in how many milliseconds to ask again. */
void admission_note_forged(struct admission *admission, address_key from, uint64_t now_ms);
MUST_USE uint64_t admission_forged_wait(struct admission *admission, address_key from,
                                        uint64_t now_ms);

/* Forgets addresses that have nothing open and nothing to answer for. Called now and then. */
void admission_sweep(struct admission *admission, uint64_t now_ms);

size_t admission_count(const struct admission *admission); /* addresses remembered */

#endif
