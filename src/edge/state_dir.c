#include "aloha/state_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool state_dir_find(char out[STATE_PATH_SIZE_MAX], const char *wanted)
{
    const char *systemd = getenv("STATE_DIRECTORY");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int size = 0;

    if (wanted[0])
        size = snprintf(out, STATE_PATH_SIZE_MAX, "%s", wanted);
    else if (systemd && systemd[0])
        size = snprintf(out, STATE_PATH_SIZE_MAX, "%.*s", (int)strcspn(systemd, ":"), systemd);
    else if (xdg && xdg[0] == '/')
        size = snprintf(out, STATE_PATH_SIZE_MAX, "%s/aloha", xdg);
    else if (home && home[0] == '/')
        size = snprintf(out, STATE_PATH_SIZE_MAX, "%s/.local/state/aloha", home);
    return size > 0 && size < STATE_PATH_SIZE_MAX;
}

bool state_dir_make(const char *path)
{
    char part[STATE_PATH_SIZE_MAX];
    size_t size = strlen(path);

    if (size >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, size + 1);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST;
}
