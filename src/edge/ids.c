#include "aloha/ids.h"

#include <stdlib.h>
#include <sys/random.h>
#include <uuid/uuid.h>

void ids_make_uuid(char out[PEER_ID_SIZE + 1])
{
    uuid_t uuid;

    uuid_generate_random(uuid);
    uuid_unparse_lower(uuid, out);
}

void ids_random(void *out, size_t size)
{
    if (getrandom(out, size, 0) != (ssize_t)size)
        abort();
}
