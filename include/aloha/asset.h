/* asset: the files of the page, as the binary carries them. */
#ifndef ALOHA_ASSET_H
#define ALOHA_ASSET_H

#include "aloha/str.h"

enum encoding { ENCODING_IDENTITY, ENCODING_BR, ENCODING_GZIP, ENCODING_COUNT };

struct asset {
    struct str path;                    /* below public/, such as "js/main.js" */
    struct str tag;                     /* hexadecimal digest of the content, for the ETag */
    struct str content[ENCODING_COUNT]; /* an encoding that saves nothing is empty */
};

/* All that the public plane shows. */
struct site {
    const struct asset *assets; /* sorted by path (strcmp) */
    size_t asset_count;
    struct str tree_tag;   /* digest over all assets: the version in their addresses */
    bool immutable;        /* the address changes with the content; false while developing */
    struct str room_view;  /* views/room.html */
    struct str error_view; /* views/error.html */
};

/* The site that the build has put into the binary. */
extern const struct site embedded_site;

/* The asset of that path; NULL when there is none. */
const struct asset *site_find(const struct site *site, struct str path);

/* The media type by the path's ending; "application/octet-stream" when it is unknown. */
const char *asset_content_type(struct str path);

/* The smallest encoding of the asset that an Accept-Encoding header allows (RFC 9110 section
 * 12.5.3); an empty header asks for identity. */
enum encoding asset_negotiate(const struct asset *asset, struct str accept_encoding);

const char *encoding_name(enum encoding encoding); /* "br", "gzip"; NULL for identity */

#endif
