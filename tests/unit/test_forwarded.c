/* forwarded: SECURITY R12. */
#include "aloha/forwarded.h"
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>

/* The client of a request from `peer` with up to three X-Forwarded-For lines, as text. */
static const char *client_of_lines(const char *trusted, const char *peer, const char *a,
                                   const char *b, const char *c)
{
    static char text[INET6_ADDRSTRLEN];
    const struct str values[] = {str_of(a), str_of(b), str_of(c)};
    struct ip_networks networks;
    struct ip ip;

    if (!ip_networks_read(str_of(trusted), &networks) || !ip_read(str_of(peer), &ip))
        return "(bad test)";
    ip = forwarded_client(ip, &networks, values, a ? b ? c ? 3 : 2 : 1 : 0);
    bool ipv4 = ip_is_ipv4(ip);
    inet_ntop(ipv4 ? AF_INET : AF_INET6, ip.bytes + (ipv4 ? 12 : 0), text, sizeof text);
    return text;
}

static const char *client_of(const char *peer, const char *value)
{
    return client_of_lines("10.0.0.0/8,2001:db8:1::/48", peer, value, NULL, NULL);
}

#define EXPECT_CLIENT(wanted, got) EXPECT_STR(wanted, str_of(got))

TEST(what_a_stranger_says_of_itself_does_not_count)
{
    EXPECT_CLIENT("192.0.2.1", client_of("192.0.2.1", "203.0.113.9"));
    EXPECT_CLIENT("192.0.2.1", client_of("192.0.2.1", "10.0.0.1"));
    EXPECT_CLIENT("192.0.2.1", client_of_lines("", "192.0.2.1", "203.0.113.9", NULL, NULL));
    EXPECT_CLIENT("2001:db8:2::1", client_of("2001:db8:2::1", "203.0.113.9"));
}

TEST(the_right_most_address_that_is_none_of_ours_is_the_client)
{
    EXPECT_CLIENT("203.0.113.9", client_of("10.0.0.1", "203.0.113.9"));
    EXPECT_CLIENT("203.0.113.9", client_of("2001:db8:1::1", "203.0.113.9"));
    EXPECT_CLIENT("203.0.113.9", client_of("10.0.0.1", "198.51.100.7, 203.0.113.9"));
    EXPECT_CLIENT("203.0.113.9",
                  client_of("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2,10.9.9.9"));
    EXPECT_CLIENT("203.0.113.9", client_of("10.0.0.1", "10.0.0.3, 203.0.113.9 ,\t2001:db8:1::7"));
    EXPECT_CLIENT("2001:db8::5", client_of("10.0.0.1", "2001:db8::5"));
}

TEST(who_comes_through_a_socket_file_is_trusted_and_nobody_else_may_say_so)
{
    EXPECT_CLIENT("203.0.113.9", client_of_lines("", "::", "203.0.113.9", NULL, NULL));
    EXPECT_CLIENT("203.0.113.9",
                  client_of_lines("", "::", "198.51.100.7, 203.0.113.9", NULL, NULL));
    EXPECT_CLIENT("203.0.113.9", client_of("::", "203.0.113.9, 10.0.0.1"));
    EXPECT_CLIENT("::", client_of("::", "198.51.100.7, ::"));
    EXPECT_CLIENT("::", client_of("10.0.0.1", "198.51.100.7, ::"));
    EXPECT_CLIENT("::", client_of_lines("", "::", NULL, NULL, NULL));
    EXPECT_CLIENT("::", client_of_lines("", "::", "unknown", NULL, NULL));
}

TEST(several_lines_are_one_list)
{
    static const char ours[] = "10.0.0.0/8";

    EXPECT_CLIENT("203.0.113.9",
                  client_of_lines(ours, "10.0.0.1", "198.51.100.7", "203.0.113.9", NULL));
    EXPECT_CLIENT("203.0.113.9", client_of_lines(ours, "10.0.0.1", "198.51.100.7, 203.0.113.9",
                                                 "10.0.0.2", "10.0.0.3, 10.0.0.4"));
    EXPECT_CLIENT("203.0.113.9",
                  client_of_lines(ours, "10.0.0.1", "203.0.113.9", "10.0.0.2", "10.0.0.3"));
}

TEST(where_all_are_ours_it_is_the_first_of_them)
{
    EXPECT_CLIENT("10.0.0.3", client_of("10.0.0.1", "10.0.0.3, 10.0.0.2"));
    EXPECT_CLIENT("10.0.0.1", client_of("10.0.0.1", NULL));
}

TEST(the_forms_that_proxies_write_are_read)
{
    static const char *const rows[][2] = {
        {"203.0.113.9:567", "203.0.113.9"},     {"203.0.113.9:0", "203.0.113.9"},
        {"203.0.113.9:65535", "203.0.113.9"},   {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:567", "2001:db8::1"},   {"2001:DB8:0::1", "2001:db8::1"},
        {"::ffff:203.0.113.9", "203.0.113.9"},  {"[::ffff:203.0.113.9]:1", "203.0.113.9"},
        {"2001:db8::1:567", "2001:db8::1:567"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_CLIENT(rows[i][1], client_of("10.0.0.1", rows[i][0]));
}

TEST(nothing_is_believed_beyond_what_is_malformed)
{
    static const char *const malformed[] = {
        "",
        " ",
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.9.",
        "0203.0.113.9",
        "0xcb.0.113.9",
        "3405803785",
        "203.0.113.9:",
        "203.0.113.9:65536",
        "203.0.113.9:000080",
        "203.0.113.9:x",
        "203.0.113.9:-1",
        "203.0.113.9 :80",
        "203.0.113.9 80",
        "[203.0.113.9]",
        "[203.0.113.9]:80",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]:",
        "[2001:db8::1]80",
        "[2001:db8::1]:65536",
        "[]",
        "[",
        "[]:80",
        "[[2001:db8::1]]",
        "[2001:db8::1%eth0]",
        "fe80::1%eth0",
        ":80",
        "\"203.0.113.9\"",
        "for=203.0.113.9",
        "203.0.113.9;203.0.113.8",
        "2001:db8::1::",
        "\xef\xbc\x92.0.113.9",
    };

    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        EXPECT_THAT(strcmp(client_of("10.0.0.1", malformed[i]), "10.0.0.1") == 0, "%s",
                    malformed[i]);
        const char *behind = fmt("198.51.100.7, %s, 10.0.0.2", malformed[i]);
        EXPECT_THAT(strcmp(client_of("10.0.0.1", behind), "10.0.0.2") == 0, "%s", behind);
        const char *lines =
            client_of_lines("10.0.0.0/8", "10.0.0.1", "198.51.100.7", malformed[i], NULL);
        EXPECT_THAT(strcmp(lines, "10.0.0.1") == 0, "%s", malformed[i]);
        const char *before = fmt("%s, 203.0.113.9, 10.0.0.2", malformed[i]);
        EXPECT_THAT(strcmp(client_of("10.0.0.1", before), "203.0.113.9") == 0, "%s", before);
    }
    EXPECT_CLIENT("10.0.0.1", client_of("10.0.0.1", "203.0.113.9,"));
    EXPECT_CLIENT("10.0.0.1", client_of("10.0.0.1", ","));
    EXPECT_CLIENT("203.0.113.9", client_of("10.0.0.1", ",203.0.113.9"));
}

TEST(an_empty_field_is_malformed_and_none_is_the_end)
{
    const struct str fields[] = {ROW_STR("203.0.113.9"), {NULL, 0}};
    struct ip_networks ours;
    struct ip peer, client;

    EXPECT(ip_networks_read(STR("10.0.0.0/8"), &ours) && ip_read(STR("10.0.0.1"), &peer));
    EXPECT(ip_equal(peer, forwarded_client(peer, &ours, fields, 2)));
    EXPECT(ip_equal(peer, forwarded_client(peer, &ours, NULL, 0)));
    EXPECT(ip_read(fields[0], &client));
    EXPECT(ip_equal(client, forwarded_client(peer, &ours, fields, 1)));
}

TEST(no_more_than_32_entries_are_looked_at)
{
    char list[64 * 16] = "203.0.113.9";

    for (int ours = 1; ours <= FORWARDED_ENTRIES_MAX; ours++) {
        sprintf(list + strlen(list), ", 10.0.1.%d", ours);
        bool seen = strcmp(client_of("10.0.0.1", list), "203.0.113.9") == 0;
        EXPECT(seen == (ours < FORWARDED_ENTRIES_MAX));
    }
    EXPECT_CLIENT("10.0.1.1", client_of("10.0.0.1", list));
}

static enum forwarded_scheme scheme_of(const char *a, const char *b)
{
    const struct str values[] = {str_of(a), str_of(b)};
    return forwarded_scheme(values, a ? b ? 2 : 1 : 0);
}

TEST(the_scheme_is_what_the_nearest_proxy_says)
{
    EXPECT_UINT(FORWARDED_SCHEME_UNKNOWN, scheme_of(NULL, NULL));
    EXPECT_UINT(FORWARDED_HTTPS, scheme_of("https", NULL));
    EXPECT_UINT(FORWARDED_HTTP, scheme_of("http", NULL));
    EXPECT_UINT(FORWARDED_HTTPS, scheme_of("HTTPS", NULL));
    EXPECT_UINT(FORWARDED_HTTPS, scheme_of("wss", NULL));
    EXPECT_UINT(FORWARDED_HTTP, scheme_of("Ws", NULL));
    EXPECT_UINT(FORWARDED_HTTPS, scheme_of("http , https\t", NULL));
    EXPECT_UINT(FORWARDED_HTTP, scheme_of("https, http", NULL));
    EXPECT_UINT(FORWARDED_HTTP, scheme_of("https", "http"));
    EXPECT_UINT(FORWARDED_HTTPS, scheme_of("https, http", "http,https"));
}

TEST(a_scheme_that_is_none_tells_nothing)
{
    static const char *const garbage[] = {"",         " ",   ",",          "https,",    "http,",
                                          "httpss",   "ftp", "https:",     "\"https\"", "https;",
                                          "https on", "on",  "proto=https"};

    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
        EXPECT_UINT(FORWARDED_SCHEME_UNKNOWN, scheme_of(garbage[i], NULL));
    EXPECT_UINT(FORWARDED_SCHEME_UNKNOWN, scheme_of("https", ""));
    EXPECT_UINT(FORWARDED_SCHEME_UNKNOWN, scheme_of("https, ftp", NULL));
}
