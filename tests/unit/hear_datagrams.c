/* Stands where a service manager would: hear_datagrams ADDRESS writes what arrives at a Unix datagram
 * socket, a line each, to stdout. Node has no such sockets. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char text[1024];
    ssize_t size;

    if (argc != 2 || strlen(argv[1]) >= sizeof at.sun_path)
        return 2;
    memcpy(at.sun_path, argv[1], strlen(argv[1]));
    if (argv[1][0] == '@')
        at.sun_path[0] = '\0';
    socklen_t at_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, at_size) != 0)
        return 1;
    puts("listening");
    fflush(stdout);
    while ((size = recv(fd, text, sizeof text - 1, 0)) >= 0) {
        text[size] = '\0';
        for (char *feed; (feed = strchr(text, '\n'));)
            *feed = ' ';
        puts(text);
        fflush(stdout);
    }
    return 1;
}
