#include "aloha/name.h"

#include "aloha/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>

static bool is_mark(uint32_t scalar)
{
    return uc_is_general_category_withtable(scalar, UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Me);
}

/* A name made of these passes for another, or for none. */
static bool is_refused(uint32_t scalar)
{
    return uc_is_general_category_withtable(scalar, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Zl |
                                                        UC_CATEGORY_MASK_Zp) ||
           (uc_is_property_default_ignorable_code_point(scalar) &&
            !uc_is_property_variation_selector(scalar));
}

/* Of a text in NFD: so a letter's own accent counts, however it was typed. */
static bool has_few_marks(struct str text)
{
    unsigned marks = 0;

    while (text.size && marks <= NAME_MARKS_MAX)
        marks = is_mark(utf8_take(&text)) ? marks + 1 : 0;
    return marks <= NAME_MARKS_MAX;
}

/* Of a text in NFC. */
static bool is_good(struct str text)
{
    for (unsigned scalars = 0; text.size; scalars++)
        if (scalars == NAME_SCALARS_MAX || is_refused(utf8_take(&text)))
            return false;
    return true;
}

/* Brings text into a form and asks whether it is good; if so and out is not NULL, copies it there. */
static enum err judge(struct str text, uninorm_t form, bool (*accepts)(struct str text),
                      char out[NAME_SIZE_MAX], struct str *name)
{
    uint8_t space[NAME_RAW_SIZE_MAX];
    size_t size = sizeof space;

    /* In space, or allocated when that is too small. */
    uint8_t *normal = u8_normalize(form, (const uint8_t *)text.text, text.size, space, &size);
    if (!normal)
        return ERR_NO_MEMORY;
    bool good = accepts((struct str){(const char *)normal, size});
    if (good && out) {
        memcpy(out, normal, size);
        *name = (struct str){out, size};
    }
    if (normal != space)
        free(normal);
    return good ? OK : ERR_BAD_NAME;
}

enum err name_normalize(struct str text, char out[NAME_SIZE_MAX], struct str *name)
{
    *name = (struct str){NULL, 0};
    text = str_trim(text);
    if (text.size == 0)
        return OK;
    if (text.size > NAME_RAW_SIZE_MAX)
        return ERR_BAD_NAME;
    enum err err = judge(text, UNINORM_NFD, has_few_marks, NULL, NULL);
    return err ? err : judge(text, UNINORM_NFC, is_good, out, name);
}
