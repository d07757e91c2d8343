#include "aloha/ops.h"
#include "aloha/secret.h"

#include <stdio.h>

bool ops_token_load(struct operator_token *out, const struct secret_source *source, char *problem,
                    size_t problem_size)
{
    struct secret secret;

    *out = (struct operator_token){0};
    enum secret_verdict verdict = secret_read(&secret, source, problem, problem_size);
    if (verdict == SECRET_NOT_GIVEN)
        return true;
    if (verdict == SECRET_UNUSABLE)
        return false;
    bool done = operator_token_make(out, (struct str){secret.text, secret.size});
    secret_forget(&secret);
    if (!done)
        snprintf(problem, problem_size,
                 "ops-token: is not a token of 32 to 1024 letters, digits or -._~+/=");
    return done;
}
