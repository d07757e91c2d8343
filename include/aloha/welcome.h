/* welcome: what the person at the terminal is shown when the server is ready: where to open the page, and what
 * is missing for others. Pure: facts in, text out. Nothing that a stranger chose is in it. */
#ifndef ALOHA_WELCOME_H
#define ALOHA_WELCOME_H

#include "aloha/hosts.h"
#include "aloha/ip.h"

enum {
    WELCOME_SOCKETS_MAX = 16,
    WELCOME_ADDRESSES_MAX = 64,
    WELCOME_SHOWN_MAX = 6,
    WELCOME_URL_SIZE_MAX = 384
};

/* An address of this machine, as the system lists it. */
struct welcome_address {
    char interface[32]; /* "eth0" */
    char text[48];
    struct ip ip;
};

/* What is listened on. */
struct welcome_socket {
    const char *address; /* in digits, or "unix:/path" */
    uint16_t port;       /* 0 for a path */
};

struct welcome {
    /* What the server knows. */
    const char *bind; /* the first one, as in struct welcome_socket */
    uint16_t port;
    struct welcome_socket also[WELCOME_SOCKETS_MAX]; /* those behind it */
    size_t also_count;
    const struct hosts *hosts;
    const char *base_path; /* begins and ends with "/" */
    bool https;            /* we speak TLS ourselves */
    const char
        *fingerprint; /* SHA-256 of a certificate that browsers warn of, "AB:CD:...", else NULL */
    bool proxied;     /* there are trusted proxies, who may have a certificate */

    /* What the machine and the terminal are; console.c fills these in. */
    const struct welcome_address *addresses;
    size_t address_count;
    bool colour;               /* escape sequences may be written */
    const uint8_t *qr_modules; /* of the code for welcome_url(); NULL: it cannot be shown here */
    unsigned qr_width;
};

/* The address that others open: by the first of --host, else by this machine's best address.
 *   returns  false when nobody else can open it: it listens on the loopback, or on a socket file. */
MUST_USE bool welcome_url(const struct welcome *welcome, char out[WELCOME_URL_SIZE_MAX]);

void welcome_write(const struct welcome *welcome, struct buf *out);

#endif
