#include "aloha/welcome.h"

#include "aloha/qr.h"

#include <stdio.h>
#include <string.h>

enum {
    COLUMNS = 80,
    CODE_MARGIN = 2,
    LABEL_COLUMNS = 20,
    FINGERPRINT_LINE = 16 * 3,
    SIDE_LINES_MAX = 8
};

/* ---- which addresses ---- */

/* Interfaces of containers and virtual machines: nobody in the house reaches those. */
static bool is_bridge(const char *interface)
{
    static const char *const beginnings[] = {"docker", "br-",     "veth",    "virbr",
                                             "vmnet",  "vboxnet", "lxc",     "lxdbr",
                                             "podman", "cni",     "cali",    "flannel",
                                             "kube",   "vnet",    "incusbr", "waydroid"};

    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
        if (strncmp(interface, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* Addresses that work without more words: not the loopback, and none that is good on its link only, for
 * those need the name of an interface (RFC 3927, RFC 4291 section 2.5.6). */
static bool is_useful(struct ip ip)
{
    static const struct ip loopback = {{[15] = 1}}, any = {{0}};

    if (ip_is_ipv4(ip))
        return ip.bytes[12] != 127 && ip.bytes[12] != 0 &&
               !(ip.bytes[12] == 169 && ip.bytes[13] == 254);
    return !ip_equal(ip, loopback) && !ip_equal(ip, any) &&
           !(ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80);
}

/* Lower is better: people type IPv4 addresses, and bridges come last. */
static unsigned rank_of(const struct welcome_address *address)
{
    return (is_bridge(address->interface) ? 2u : 0u) + (ip_is_ipv4(address->ip) ? 0u : 1u);
}

/* One address of a family is enough for an interface: IPv6 has several, most of them for a day. */
static bool is_another(const struct welcome *welcome, size_t at)
{
    const struct welcome_address *address = &welcome->addresses[at];

    for (size_t i = 0; i < at; i++)
        if (is_useful(welcome->addresses[i].ip) &&
            ip_is_ipv4(welcome->addresses[i].ip) == ip_is_ipv4(address->ip) &&
            strcmp(welcome->addresses[i].interface, address->interface) == 0)
            return !ip_is_ipv4(address->ip);
    return false;
}

static size_t choose(const struct welcome *welcome,
                     const struct welcome_address *out[WELCOME_ADDRESSES_MAX])
{
    bool ipv6 = strchr(welcome->bind, ':') != NULL;
    size_t count = 0;

    for (unsigned rank = 0; rank < 4; rank++)
        for (size_t i = 0; i < welcome->address_count && count < WELCOME_ADDRESSES_MAX; i++) {
            const struct welcome_address *address = &welcome->addresses[i];
            if (rank_of(address) == rank && is_useful(address->ip) && !is_another(welcome, i) &&
                (ipv6 || ip_is_ipv4(address->ip)))
                out[count++] = address;
        }
    return count;
}

/* ---- what they look like ---- */

static bool is_file(const struct welcome *welcome)
{
    return strncmp(welcome->bind, "unix:", 5) == 0;
}

static bool is_any(const struct welcome *welcome)
{
    return strcmp(welcome->bind, "::") == 0 || strcmp(welcome->bind, "0.0.0.0") == 0;
}

static bool is_local(const struct welcome *welcome)
{
    return strcmp(welcome->bind, "127.0.0.1") == 0 || strcmp(welcome->bind, "::1") == 0;
}

/* An address to open. Of two names of a port, that which browsers leave out is left out. */
static void write_url(const struct welcome *welcome, const char *host, bool has_port,
                      char out[WELCOME_URL_SIZE_MAX])
{
    char port[8] = "";
    bool bare = strchr(host, ':') && host[0] != '[' && !has_port;

    if (!has_port && welcome->port != (welcome->https ? 443 : 80))
        snprintf(port, sizeof port, ":%u", welcome->port);
    snprintf(out, WELCOME_URL_SIZE_MAX, "http%s://%s%s%s%s%s", welcome->https ? "s" : "",
             bare ? "[" : "", host, bare ? "]" : "", port, welcome->base_path);
}

/* By a name of --host. Without TLS of our own there is a proxy in front, whose scheme and port are its own matter. */
static void write_named_url(const struct welcome *welcome, struct str name,
                            char out[WELCOME_URL_SIZE_MAX])
{
    char host[HOSTS_LIST_SIZE_MAX / 4];
    const char *bracket;

    snprintf(host, sizeof host, "%.*s", (int)name.size, name.text);
    bracket = strrchr(host, ']');
    if (!welcome->https)
        snprintf(out, WELCOME_URL_SIZE_MAX, "%s%s", host,
                 strcmp(welcome->base_path, "/") == 0 ? "" : welcome->base_path);
    else
        write_url(welcome, host, strchr(bracket ? bracket : host, ':') != NULL, out);
}

bool welcome_url(const struct welcome *welcome, char out[WELCOME_URL_SIZE_MAX])
{
    const struct welcome_address *chosen[WELCOME_ADDRESSES_MAX];

    if (is_file(welcome) || is_local(welcome))
        return false;
    if (welcome->hosts->count)
        write_named_url(welcome, welcome->hosts->items[0], out);
    else if (!is_any(welcome))
        write_url(welcome, welcome->bind, false, out);
    else if (choose(welcome, chosen))
        write_url(welcome, chosen[0]->text, false, out);
    else
        return false;
    return true;
}

/* ---- the text ---- */

static void add_line(const struct welcome *welcome, struct buf *out, const char *label,
                     const char *style, const char *text)
{
    buf_add_format(out, "  %-*s%s%s%s\n", LABEL_COLUMNS, label, welcome->colour ? style : "", text,
                   welcome->colour && style[0] ? "\x1b[0m" : "");
}

static const char url_style[] = "\x1b[1m", missing_style[] = "\x1b[33m", plain_style[] = "";

static void add_networks(const struct welcome *welcome, struct buf *out)
{
    const struct welcome_address *chosen[WELCOME_ADDRESSES_MAX];
    size_t count = choose(welcome, chosen);
    char text[WELCOME_URL_SIZE_MAX];

    for (size_t i = 0; i < count && i < WELCOME_SHOWN_MAX; i++) {
        write_url(welcome, chosen[i]->text, false, text);
        add_line(welcome, out, i ? "" : "From your network", url_style, text);
    }
    if (count > WELCOME_SHOWN_MAX) {
        snprintf(text, sizeof text, "and %zu more", count - WELCOME_SHOWN_MAX);
        add_line(welcome, out, "", plain_style, text);
    }
}

static void add_addresses(const struct welcome *welcome, struct buf *out)
{
    char text[WELCOME_URL_SIZE_MAX];

    for (size_t i = 0; i < welcome->hosts->count; i++) {
        write_named_url(welcome, welcome->hosts->items[i], text);
        add_line(welcome, out, i ? "" : "By its name", url_style, text);
    }
    if (is_file(welcome)) {
        snprintf(text, sizeof text, "%s", welcome->bind);
        str_make_printable(text);
        add_line(welcome, out, "Listening on", plain_style, text);
    } else if (welcome->hosts->count) {
        snprintf(text, sizeof text, "port %u of %s", welcome->port, welcome->bind);
        add_line(welcome, out, "Listening on", plain_style, text);
    } else if (!is_any(welcome) && !is_local(welcome)) {
        write_url(welcome, welcome->bind, false, text);
        add_line(welcome, out, "Open", url_style, text);
    } else {
        write_url(welcome, "localhost", false, text);
        add_line(welcome, out, "On this machine", url_style, text);
        if (is_any(welcome))
            add_networks(welcome, out);
    }
}

/* The other sockets, of whom only those that ask for them want to know. */
static void add_others(const struct welcome *welcome, struct buf *out)
{
    char text[WELCOME_URL_SIZE_MAX];

    for (size_t i = 0; i < welcome->also_count; i++) {
        const struct welcome_socket *other = &welcome->also[i];
        if (other->port)
            snprintf(text, sizeof text, "port %u of %s", other->port, other->address);
        else
            snprintf(text, sizeof text, "%s", other->address);
        str_make_printable(text);
        add_line(welcome, out, i ? "" : "And on", plain_style, text);
    }
}

/* One line each, with the remedy; none for who stays at home. */
static void add_missing(const struct welcome *welcome, struct buf *out)
{
    const struct {
        bool missing;
        const char *text;
    } rows[] = {
        {!welcome->https && !welcome->proxied && !is_file(welcome),
         "https, for cameras: --tls self-signed, or --tls-cert"},
        {welcome->hosts->count == 0, "its name, or any is served: --host call.example.org"},
        {true, "STUN and TURN, not there yet: calls need a direct way"},
    };
    const char *label = "Missing for others";

    if (is_local(welcome) && !welcome->proxied)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!rows[i].missing)
            continue;
        add_line(welcome, out, label, missing_style, rows[i].text);
        label = "";
    }
}

/* Writes the fingerprint in lines of so many bytes. Returns the count of lines. */
static size_t cut_fingerprint(const struct welcome *welcome, size_t bytes,
                              char lines[][FINGERPRINT_LINE + 1])
{
    struct str rest = str_of(welcome->fingerprint);
    size_t count = 0;

    for (size_t size = 3 * bytes - 1; rest.size; count++) {
        size_t taken = rest.size < size ? rest.size : size;
        snprintf(lines[count], FINGERPRINT_LINE + 1, "%.*s", (int)taken, rest.text);
        taken += taken < rest.size; /* the colon */
        rest = (struct str){rest.text + taken, rest.size - taken};
    }
    return count;
}

/* Whether a code is shown, with room beside it. */
static bool has_side(const struct welcome *welcome, char url[WELCOME_URL_SIZE_MAX])
{
    return welcome->qr_modules && welcome_url(welcome, url) &&
           strlen(url) + qr_columns(welcome->qr_width) + 2 * CODE_MARGIN <= COLUMNS;
}

static void add_certificate(const struct welcome *welcome, struct buf *out)
{
    char lines[SIDE_LINES_MAX][FINGERPRINT_LINE + 1], url[WELCOME_URL_SIZE_MAX];

    if (!welcome->https || !welcome->fingerprint)
        return;
    bool beside = has_side(welcome, url);
    add_line(welcome, out, "Certificate", plain_style,
             beside ? "browsers warn of it once; see below whether it is ours"
                    : "browsers warn of it once; it is ours when its SHA-256 is");
    size_t count = beside ? 0 : cut_fingerprint(welcome, 16, lines);
    for (size_t i = 0; i < count; i++)
        add_line(welcome, out, "", plain_style, lines[i]);
}

/* What stands beside the code: on a low terminal the lines above are gone. Returns the count of lines. */
static size_t list_side(const struct welcome *welcome, char lines[][FINGERPRINT_LINE + 1])
{
    if (!welcome->https || !welcome->fingerprint)
        return 0;
    lines[0][0] = '\0';
    snprintf(lines[1], FINGERPRINT_LINE + 1, "SHA-256 of its certificate:");
    return 2 + cut_fingerprint(welcome, 8, lines + 2);
}

static void add_qr(const struct welcome *welcome, struct buf *out)
{
    char lines[SIDE_LINES_MAX][FINGERPRINT_LINE + 1], url[WELCOME_URL_SIZE_MAX];
    unsigned rows = qr_rows(welcome->qr_width);
    size_t count = list_side(welcome, lines);

    if (!welcome->qr_modules || !welcome_url(welcome, url))
        return;
    bool fits = has_side(welcome, url);
    size_t first = rows / 2 - count / 2;
    buf_add(out, STR("\n"));
    for (size_t row = 0; row < rows; row++) {
        buf_add_format(out, "%*s", CODE_MARGIN, "");
        qr_write_row(welcome->qr_modules, welcome->qr_width, (unsigned)row, out);
        if (row == first && fits)
            buf_add_format(out, "%*s%s%s\x1b[0m", CODE_MARGIN, "", url_style, url);
        else if (row > first && row - first <= count && fits && lines[row - first - 1][0])
            buf_add_format(out, "%*s%s", CODE_MARGIN, "", lines[row - first - 1]);
        buf_add(out, STR("\n"));
    }
}

void welcome_write(const struct welcome *welcome, struct buf *out)
{
    buf_add(out, STR("aloha " ALOHA_VERSION "\n\n"));
    add_addresses(welcome, out);
    add_others(welcome, out);
    add_certificate(welcome, out);
    add_missing(welcome, out);
    add_qr(welcome, out);
    buf_add(out, STR("\n  Open it, allow the camera, and share the link of the room. Ctrl-C ends "
                     "it.\n\n"));
}
