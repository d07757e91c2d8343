/* hosts: SECURITY R6, R16. What a Host may look like is tested with http. */
#include "aloha/hosts.h"
#include "harness.h"

#include <stdio.h>

static bool has(const char *list, const char *host)
{
    struct hosts hosts;
    return hosts_read(str_of(list), &hosts) && hosts_have(&hosts, str_of(host));
}

TEST(a_name_without_a_port_is_that_name_on_any_port)
{
    EXPECT(has("call.example.org", "call.example.org"));
    EXPECT(has("call.example.org", "CALL.example.ORG:3000"));
    EXPECT(has("Call.example.org", "call.example.org:443"));
    EXPECT(has("a,call.example.org , b", "call.example.org"));
    EXPECT(has("192.0.2.1", "192.0.2.1:80"));
    EXPECT(has("[2001:db8::1]", "[2001:DB8::1]:80"));
    EXPECT(!has("call.example.org", "example.org"));
    EXPECT(!has("call.example.org", "call.example.org."));
    EXPECT(!has("call.example.org", "call.example.org.evil.example"));
    EXPECT(!has("call.example.org", "a.call.example.org"));
    EXPECT(!has("[2001:db8::1]", "[2001:db8::2]"));
    EXPECT(!has("[2001:db8::1]", "2001"));
    EXPECT(!has("", "call.example.org"));
}

TEST(a_name_with_a_port_is_that_name_on_that_port)
{
    EXPECT(has("call.example.org:8443", "Call.Example.org:8443"));
    EXPECT(has("[::1]:3000", "[::1]:3000"));
    EXPECT(has("a,a:1", "a:2"));
    EXPECT(!has("call.example.org:8443", "call.example.org"));
    EXPECT(!has("call.example.org:8443", "call.example.org:8444"));
    EXPECT(!has("call.example.org:8443", "call.example.org:84430"));
    EXPECT(!has("[::1]:3000", "[::1]"));
}

TEST(a_list_of_names_with_anything_else_in_it_is_refused)
{
    static const char *const bad[] = {",",         "a,",    ",a",      "a,,b",    "a b",
                                      "http://a",  "a/",    "a:",      "a:65536", "*.a",
                                      "a;b",       "::1",   "[::1",    "[]",      "a@b",
                                      "a\r\nx: y", "a,b c", "a:80:80", "'self'",  "\xc3\xa4",
                                      " "};
    struct hosts hosts;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT_THAT(!hosts_read(str_of(bad[i]), &hosts), "%s", bad[i]);
}

TEST(a_list_has_16_names_and_1024_bytes_at_most)
{
    char list[HOSTS_LIST_SIZE_MAX + 2];
    struct hosts hosts;

    EXPECT(hosts_read((struct str){NULL, 0}, &hosts) && hosts.count == 0);
    EXPECT(hosts_read(STR(""), &hosts) && hosts.count == 0);
    EXPECT(hosts_read(STR("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"), &hosts) && hosts.count == HOSTS_MAX);
    EXPECT(!hosts_read(STR("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), &hosts));
    memset(list, ' ', sizeof list);
    list[0] = 'a';
    EXPECT(hosts_read((struct str){list, HOSTS_LIST_SIZE_MAX}, &hosts));
    EXPECT(!hosts_read((struct str){list, HOSTS_LIST_SIZE_MAX + 1}, &hosts));
}

TEST(an_origin_is_a_scheme_and_a_host_as_browsers_write_them)
{
    static const char *const good[] = {"https://call.example.org",  "http://localhost:3000",
                                       "http://[::1]:3000",         "capacitor://localhost",
                                       "chrome-extension://abcdef", "a+b-c.d1://x"};
    static const char *const bad[] = {
        "null",
        "call.example.org",
        "https://",
        "https:/a",
        "https:a",
        "://a",
        "1https://a",
        "https://a/",
        "https://a/x",
        "https://a?x",
        "https://A",
        "HTTPS://a",
        "https://a:",
        "https://a:99999",
        "https://u@a",
        "https://*",
        "https://a https://b",
        "ht tp://a",
        "//a",
        "https://a,",
        "https://a,null",
        "file://",
        "https://\xc3\xa4",
    };
    struct hosts origins;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        EXPECT_THAT(origins_read(str_of(good[i]), &origins) && origins.count == 1 &&
                        origins_have(&origins, str_of(good[i])),
                    "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT_THAT(!origins_read(str_of(bad[i]), &origins), "%s", bad[i]);
    EXPECT(origins_read(STR("https://a , http://b:1"), &origins) && origins.count == 2);
    EXPECT(origins_have(&origins, STR("http://b:1")) &&
           !origins_have(&origins, STR("https://b:1")));
    EXPECT(!origins_have(&origins, STR("https://a , http://b:1")) &&
           !origins_have(&origins, STR("")));
}
