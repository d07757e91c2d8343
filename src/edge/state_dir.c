#include "aloha/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Makes each directory above the last one that is not there; false with errno. */
static bool make_above(const char *path, mode_t mode)
{
    char part[STATE_PATH_SIZE_MAX];
    size_t size = strlen(path);

    if (size >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, size + 1);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/' || at[strspn(at, "/")] == '\0')
            continue;
        *at = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return true;
}

/* Looks first: from inside the sandbox nothing can be made, and by then nothing needs to be. */
bool state_dir_make(const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return true;
    return make_above(path, 0700) && (mkdir(path, 0700) == 0 || errno == EEXIST);
}

bool state_dir_make_for(const char *path, uid_t user, gid_t group)
{
    if (!make_above(path, 0711))
        return false;
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST;
    int fd = open(path, O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool given = fchown(fd, user, group) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return given;
}

static bool write_all(int fd, struct str text)
{
    while (text.size) {
        ssize_t written = write(fd, text.text, text.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text = (struct str){text.text + written, text.size - (size_t)written};
    }
    return fsync(fd) == 0;
}

bool state_file_write(const char *path, struct str text, bool replace)
{
    char draft[STATE_PATH_SIZE_MAX];

    if ((size_t)snprintf(draft, sizeof draft, "%s.XXXXXX", path) >= sizeof draft) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return false;
    bool done = write_all(fd, text) &&
                (replace ? rename(draft, path) == 0 : link(draft, path) == 0 || errno == EEXIST);
    int error = errno;
    close(fd);
    if (!done || !replace)
        unlink(draft);
    errno = error;
    return done;
}
