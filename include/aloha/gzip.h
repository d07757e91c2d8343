/* gzip: packs a rendered page (RFC 1952). docs/adr/0006-zlib.md */
#ifndef ALOHA_GZIP_H
#define ALOHA_GZIP_H

#include "aloha/buf.h"

/* Adds `text`, packed, to out. Returns false when it does not fit or there is no memory. */
MUST_USE bool gzip_pack(struct buf *out, struct str text);

#endif
