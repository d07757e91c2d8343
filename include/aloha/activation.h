/* activation: sockets that a service manager has opened for us, as sd_listen_fds(3) says. Some lines of our own: no
 * library is needed for three variables. */
#ifndef ALOHA_ACTIVATION_H
#define ALOHA_ACTIVATION_H

#include "aloha/listener.h"

/* FileDescriptorName= of the socket unit says whose it is: "ops", "redirect", and any other for the pages. */
enum activation_plane {
    ACTIVATION_PUBLIC,
    ACTIVATION_REDIRECT, /* plain http that is sent on to https */
    ACTIVATION_OPS,
    ACTIVATION_PLANES,
};

struct activation {
    struct listener_given planes[ACTIVATION_PLANES];
};

/* Takes what was given, and removes $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES from the environment. Call it
 * before anything else is opened. Variables that are meant for another process are nobody's.
 *   returns  false with one line in problem when they make no sense, or one of the descriptors is no
 *            stream socket that listens on TCP or on a path. */
MUST_USE bool activation_take(struct activation *out, char *problem, size_t problem_size);

#endif
