#include "aloha/err.h"

static const struct {
    const char *wire_name, *text;
    enum close_why close;
} errors[ERR_COUNT] = {[OK] = {"ok", "", CLOSE_NONE},
#define ERR_ROW(name, wire, closes, words) [name] = {wire, words, closes},
                       ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

static const struct {
    uint16_t code;
    const char *name;
    bool keeps_seat;
    const char *text;
} closes[CLOSE_COUNT] = {[CLOSE_NONE] = {1000, "none", false, ""},
#define CLOSE_ROW(name, ...) [name] = {__VA_ARGS__},
                         CLOSE_TABLE(CLOSE_ROW)
#undef CLOSE_ROW
};

const char *err_wire_name(enum err err)
{
    return errors[err].wire_name;
}

const char *err_text(enum err err)
{
    return errors[err].text;
}

enum close_why err_close(enum err err)
{
    return errors[err].close;
}

uint16_t close_code(enum close_why why)
{
    return closes[why].code;
}

bool close_keeps_seat(enum close_why why)
{
    return closes[why].keeps_seat;
}

const char *close_name(enum close_why why)
{
    return closes[why].name;
}

const char *close_text(enum close_why why)
{
    return closes[why].text;
}
