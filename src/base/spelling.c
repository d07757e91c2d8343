#include "aloha/spelling.h"

enum { FAR = SPELLING_DISTANCE_MAX + 1 };

/* Three rows of the table of distances between beginnings; row i is rows[i % 3]. */
struct table {
    unsigned rows[3][SPELLING_WORD_SIZE_MAX + 1];
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance_of_beginnings(const struct table *table, struct str a, struct str b,
                                       size_t i, size_t j)
{
    const unsigned *now = table->rows[i % 3], *before = table->rows[(i + 2) % 3];
    unsigned best = before[j - 1] + (a.text[i - 1] != b.text[j - 1]);

    best = least(best, least(before[j], now[j - 1]) + 1);
    if (i > 1 && j > 1 && a.text[i - 1] == b.text[j - 2] && a.text[i - 2] == b.text[j - 1])
        best = least(best, table->rows[(i + 1) % 3][j - 2] + 1);
    return best;
}

unsigned spelling_distance(struct str a, struct str b)
{
    struct table table;

    if (a.size > SPELLING_WORD_SIZE_MAX || b.size > SPELLING_WORD_SIZE_MAX)
        return FAR;
    for (size_t j = 0; j <= b.size; j++)
        table.rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        table.rows[i % 3][0] = (unsigned)i;
        for (size_t j = 1; j <= b.size; j++)
            table.rows[i % 3][j] = distance_of_beginnings(&table, a, b, i, j);
    }
    return least(table.rows[a.size % 3][b.size], FAR);
}

bool spelling_is_near(struct str typed, struct str meant)
{
    unsigned distance = spelling_distance(typed, meant);
    return distance <= SPELLING_DISTANCE_MAX && 2 * distance <= typed.size;
}
