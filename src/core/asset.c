#include "aloha/asset.h"

#include <string.h>

static const struct {
    const char *ending, *type;
} content_types[] = {
    {".css", "text/css; charset=utf-8"},
    {".html", "text/html; charset=utf-8"},
    {".ico", "image/x-icon"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
    {".woff2", "font/woff2"},
};

const struct asset *site_find(const struct site *site, struct str path)
{
    size_t low = 0, high = site->asset_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct str candidate = site->assets[middle].path;
        size_t shorter = candidate.size < path.size ? candidate.size : path.size;
        int order = shorter ? memcmp(candidate.text, path.text, shorter) : 0;
        if (order == 0 && candidate.size == path.size)
            return &site->assets[middle];
        if (order < 0 || (order == 0 && candidate.size < path.size))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *asset_content_type(struct str path)
{
    for (size_t i = 0; i < ARRAY_SIZE(content_types); i++) {
        struct str ending = str_of(content_types[i].ending);
        if (path.size > ending.size &&
            memcmp(path.text + path.size - ending.size, ending.text, ending.size) == 0)
            return content_types[i].type;
    }
    return "application/octet-stream";
}

const char *encoding_name(enum encoding encoding)
{
    static const char *const names[ENCODING_COUNT] = {
        [ENCODING_BR] = "br",
        [ENCODING_GZIP] = "gzip",
    };
    return names[encoding];
}

/* True when the parameters behind a coding say q=0, in any spelling: "not this one". */
static bool is_refused(struct str parameters)
{
    while (parameters.size) {
        struct str parameter = str_trim(str_cut(&parameters, ';'));
        if (parameter.size < 3 || (parameter.text[0] != 'q' && parameter.text[0] != 'Q') ||
            parameter.text[1] != '=')
            continue;
        for (size_t i = 2; i < parameter.size; i++)
            if (parameter.text[i] != '0' && parameter.text[i] != '.')
                return false;
        return true;
    }
    return false;
}

static bool accepts(struct str accept_encoding, struct str coding)
{
    bool any = false;

    while (accept_encoding.size) {
        struct str parameters = str_cut(&accept_encoding, ',');
        struct str name = str_trim(str_cut(&parameters, ';'));
        if (str_equal_nocase(name, coding))
            return !is_refused(parameters);
        if (str_equal(name, STR("*")))
            any = !is_refused(parameters);
    }
    return any;
}

enum encoding asset_negotiate(const struct asset *asset, struct str accept_encoding)
{
    static const enum encoding smallest_first[] = {ENCODING_BR, ENCODING_GZIP};

    for (size_t i = 0; i < ARRAY_SIZE(smallest_first); i++) {
        enum encoding encoding = smallest_first[i];
        if (asset->content[encoding].size &&
            accepts(accept_encoding, str_of(encoding_name(encoding))))
            return encoding;
    }
    return ENCODING_IDENTITY;
}
