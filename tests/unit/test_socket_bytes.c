/* socket_bytes: what was read is counted by the kernel, and a look is no reading. */
#include "aloha/socket_bytes.h"

#include "harness.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two connected sockets; ends[0] is the one that reads. */
static bool open_pair(int ends[2], bool tcp)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;

    if (!tcp)
        return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
    int door = socket(AF_INET, SOCK_STREAM, 0);
    bool made = bind(door, (struct sockaddr *)&at, size) == 0 && listen(door, 1) == 0 &&
                getsockname(door, (struct sockaddr *)&at, &size) == 0;
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    made = made && connect(ends[1], (struct sockaddr *)&at, size) == 0;
    ends[0] = accept(door, NULL, NULL);
    close(door);
    return made && ends[0] >= 0;
}

static void close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static uint64_t count_of(struct socket_bytes *count, int fd)
{
    uint64_t size = 0;
    return socket_bytes_read(count, fd, &size) ? size : UINT64_MAX;
}

static void expect_counts(bool tcp)
{
    struct socket_bytes count;
    int ends[2];
    char bytes[64];

    EXPECT(open_pair(ends, tcp));
    socket_bytes_start(&count, ends[0]);
    EXPECT_UINT(0, count_of(&count, ends[0]));
    EXPECT(send(ends[1], "hello ", 6, 0) == 6 && send(ends[1], "world", 5, 0) == 5);
    while (socket_bytes_peek(&count, ends[0], bytes, sizeof bytes) < 11) /* TCP takes a moment */
        ;
    EXPECT(memcmp("hello world", bytes, 11) == 0);
    EXPECT_UINT(0, count_of(&count, ends[0]));
    EXPECT(recv(ends[0], bytes, 4, 0) == 4);
    EXPECT_UINT(4, count_of(&count, ends[0]));
    EXPECT_UINT(7, socket_bytes_peek(&count, ends[0], bytes, sizeof bytes));
    EXPECT(memcmp("o world", bytes, 7) == 0);
    EXPECT(recv(ends[0], bytes, sizeof bytes, 0) == 7);
    EXPECT_UINT(11, count_of(&count, ends[0]));
    close_pair(ends);
}

TEST(bytes_read_from_a_tcp_socket_are_counted_and_looks_are_not)
{
    expect_counts(true);
}

TEST(bytes_read_from_a_unix_socket_are_counted_and_looks_are_not)
{
    expect_counts(false);
}

TEST(a_duplicate_of_a_unix_socket_counts_together_with_it)
{
    struct socket_bytes count;
    int ends[2];
    char bytes[8];

    EXPECT(open_pair(ends, false));
    socket_bytes_start(&count, ends[0]);
    int copy = dup(ends[0]);
    EXPECT(send(ends[1], "aloha", 5, 0) == 5 && recv(copy, bytes, 3, 0) == 3);
    EXPECT_UINT(2, socket_bytes_peek(&count, copy, bytes, sizeof bytes));
    EXPECT_UINT(3, count_of(&count, ends[0]));
    EXPECT_UINT(3, count_of(&count, copy));
    close(copy);
    close_pair(ends);
}

TEST(the_end_of_a_unix_stream_is_seen_by_a_look)
{
    struct socket_bytes count;
    int ends[2];
    char bytes[8];

    EXPECT(open_pair(ends, false));
    socket_bytes_start(&count, ends[0]);
    close(ends[1]);
    EXPECT_UINT(0, socket_bytes_peek(&count, ends[0], bytes, sizeof bytes));
    close(ends[0]);
}
