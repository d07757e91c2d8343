/* ip: addresses and networks as text. */
#include "aloha/ip.h"
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Whether it is an address, read from a copy that ends where the text ends; and that *out is the one that
 * the system reads. */
static bool reads(struct str text)
{
    char *copy = malloc(text.size + 1);
    struct ip ip;
    uint8_t theirs[16];

    if (!copy)
        abort();
    memcpy(copy, text.text, text.size);
    copy[text.size] = '\0';
    bool good = ip_read((struct str){copy, text.size}, &ip);
    if (good && inet_pton(AF_INET, copy, theirs) == 1)
        good = ip_equal(ip, ip_of_ipv4(theirs));
    else if (good)
        good = inet_pton(AF_INET6, copy, theirs) == 1 && memcmp(ip.bytes, theirs, 16) == 0;
    free(copy);
    return good;
}

TEST(addresses_are_read_as_the_system_reads_them)
{
    static const char *const good[] = {
        "0.0.0.0",
        "1.2.3.4",
        "255.255.255.255",
        "127.0.0.1",
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "2001:db8::1",
        "2001:DB8::aBcD",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1::3:4:5:6:7:8",
        "::ffff:192.0.2.1",
        "64:ff9b::192.0.2.1",
        "1:2:3:4:5:6:1.2.3.4",
        "::1.2.3.4",
        "fe80::0001",
        "1::1.2.3.4",
        "0:0:0:0:0:0:0:0",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        EXPECT_THAT(reads(str_of(good[i])), "%s", good[i]);
}

TEST(what_is_no_address_in_one_reading_only_is_refused)
{
    static const struct str bad[] = {
        ROW_STR(""),
        ROW_STR("1"),
        ROW_STR("1.2.3"),
        ROW_STR("1.2.3.4.5"),
        ROW_STR("1.2.3.4."),
        ROW_STR(".1.2.3.4"),
        ROW_STR("1..3.4"),
        ROW_STR("256.0.0.1"),
        ROW_STR("01.2.3.4"),
        ROW_STR("1.2.3.00"),
        ROW_STR("0x1.2.3.4"),
        ROW_STR("2130706433"),
        ROW_STR("127.1"),
        ROW_STR("1.2.3.4 "),
        ROW_STR(" 1.2.3.4"),
        ROW_STR("+1.2.3.4"),
        ROW_STR("1.2.3.-4"),
        ROW_STR("1.2.3.4/32"),
        ROW_STR("1.2.3.4\0"),
        ROW_STR("1.2.3.\0"),
        ROW_STR("\xd9\xa1.2.3.4"),
        ROW_STR(":"),
        ROW_STR(":::"),
        ROW_STR("1:"),
        ROW_STR(":1"),
        ROW_STR("::1:"),
        ROW_STR(":1::"),
        ROW_STR("1::2::3"),
        ROW_STR("1:2:3:4:5:6:7"),
        ROW_STR("1:2:3:4:5:6:7:8:9"),
        ROW_STR("1:2:3:4::5:6:7:8"),
        ROW_STR("::1:2:3:4:5:6:7:8"),
        ROW_STR("1:2:3:4:5:6:7:8::"),
        ROW_STR("00001::"),
        ROW_STR("12345::"),
        ROW_STR("g::"),
        ROW_STR("::g"),
        ROW_STR("1.2.3.4::"),
        ROW_STR("::1.2.3.4:5"),
        ROW_STR("1.2.3.4:5::6"),
        ROW_STR("::1.2.3"),
        ROW_STR("::01.2.3.4"),
        ROW_STR("::256.1.1.1"),
        ROW_STR("1:2:3:4:5:6:7:1.2.3.4"),
        ROW_STR("1:2:3:4:5:1.2.3.4"),
        ROW_STR("::1:2:3:4:5:6:1.2.3.4"),
        ROW_STR("fe80::1%eth0"),
        ROW_STR("[::1]"),
        ROW_STR("::1\0"),
        ROW_STR("localhost"),
    };
    struct ip ip;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT_THAT(!ip_read(bad[i], &ip), "%s", bad[i].text);
    EXPECT(!ip_read((struct str){NULL, 0}, &ip));
}

TEST(an_ipv4_address_is_the_mapped_one)
{
    struct ip a, b;

    EXPECT(ip_read(STR("192.0.2.1"), &a) && ip_read(STR("::FFFF:c000:201"), &b));
    EXPECT(ip_equal(a, b) && ip_is_ipv4(a));
    EXPECT(ip_read(STR("::192.0.2.1"), &b));
    EXPECT(!ip_equal(a, b) && !ip_is_ipv4(b));
}

static bool is_in(const char *address, const char *list)
{
    struct ip_networks networks;
    struct ip ip;

    if (!ip_networks_read(str_of(list), &networks) || !ip_read(str_of(address), &ip)) {
        test_fail(__FILE__, __LINE__, "%s or %s cannot be read", list, address);
        return false;
    }
    return ip_networks_have(&networks, ip);
}

TEST(a_network_holds_what_begins_as_it_does)
{
    EXPECT(is_in("10.255.0.1", "10.0.0.0/8") && !is_in("11.0.0.0", "10.0.0.0/8"));
    EXPECT(is_in("192.0.2.129", "192.0.2.128/25") && !is_in("192.0.2.127", "192.0.2.128/25"));
    EXPECT(is_in("192.0.2.1", "192.0.2.1") && !is_in("192.0.2.0", "192.0.2.1"));
    EXPECT(is_in("192.0.2.1", "192.0.2.1/32") && !is_in("192.0.2.3", "192.0.2.1/32"));
    EXPECT(is_in("203.0.113.9", "0.0.0.0/0"));
    EXPECT(is_in("2001:db8:ffff::1", "2001:db8::/32") && !is_in("2001:db9::", "2001:db8::/32"));
    EXPECT(is_in("fdff::1", "fc00::/7") && !is_in("fe00::1", "fc00::/7"));
    EXPECT(is_in("::1", "::1/128") && !is_in("::2", "::1/128"));
    EXPECT(is_in("::1", "192.0.2.1 , 10.0.0.0/8\t,::1"));
    EXPECT(!is_in("::1", ""));
}

TEST(a_network_of_one_family_holds_none_of_the_other)
{
    EXPECT(is_in("2001:db8::1", "::/0") && !is_in("192.0.2.1", "::/0"));
    EXPECT(!is_in("192.0.2.1", "::/64") && !is_in("::1", "0.0.0.0/0"));
    EXPECT(is_in("192.0.2.1", "::ffff:0.0.0.0/96") && is_in("192.0.2.1", "::ffff:192.0.2.0/120"));
    EXPECT(!is_in("::192.0.2.1", "192.0.2.1"));
}

TEST(a_list_with_anything_else_in_it_is_refused)
{
    static const char *const bad[] = {
        ",",
        "1.2.3.4,",
        ",1.2.3.4",
        "1.2.3.4,,::1",
        "1.2.3.4 ::1",
        " ",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/-1",
        "10.0.0.0/255.0.0.0",
        "10.0.0.1/8",
        "192.0.2.129/25",
        "::/129",
        "::1/127",
        "2001:db8::1/32",
        "::ffff:10.0.0.0/95",
        "/8",
        "10/8",
        "localhost",
        "*",
        "10.0.0.0/8;::1",
        "10.0.0.0/ 8",
    };
    struct ip_networks networks;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT_THAT(!ip_networks_read(str_of(bad[i]), &networks), "%s", bad[i]);
}

TEST(a_list_is_empty_or_has_64_networks_at_most)
{
    struct ip_networks networks;
    char list[IP_NETWORKS_MAX * 16 + 16];
    size_t size = 0;

    EXPECT(ip_networks_read((struct str){NULL, 0}, &networks) && networks.count == 0);
    EXPECT(ip_networks_read(STR(""), &networks) && networks.count == 0);
    for (int i = 0; i <= IP_NETWORKS_MAX; i++)
        size += (size_t)sprintf(list + size, "%s10.0.%d.0/24", i ? "," : "", i);
    EXPECT(!ip_networks_read(str_of(list), &networks));
    *strrchr(list, ',') = '\0';
    EXPECT(ip_networks_read(str_of(list), &networks));
    EXPECT_UINT(IP_NETWORKS_MAX, networks.count);
}
