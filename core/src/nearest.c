/* The nearest word: optimal string alignment distance, bounded (serin/nearest.h). */
#include <serin/nearest.h>

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX SERIN_NEAREST_WORD_MAX

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* How many edits lie between two words of at most WORD_MAX characters. */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= a_size; i++) {
        rows[i][0] = (unsigned)i;
    }
    for (size_t j = 0; j <= b_size; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t j = 1; j <= b_size; j++) {
            unsigned change = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            rows[i][j] = smallest(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && rows[i - 2][j - 2] + 1 < rows[i][j]) {
                rows[i][j] = rows[i - 2][j - 2] + 1;
            }
        }
    }
    return rows[a_size][b_size];
}

unsigned serin_nearest_edits(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);

    return a_size > WORD_MAX || b_size > WORD_MAX ? UINT_MAX : distance(a, a_size, b, b_size);
}

const char *serin_nearest_word(const char *word, const char *const *words, size_t count)
{
    size_t size = strlen(word);
    const char *nearest = NULL;
    /* One edit in three characters is a slip; more is another word. */
    unsigned least = (unsigned)(size / 3) + 2;

    if (size > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(words[i]);
        if (other > WORD_MAX) {
            continue;
        }
        unsigned edits = distance(word, size, words[i], other);
        if (edits < least && edits < other) {
            least = edits;
            nearest = words[i];
        }
    }
    return nearest;
}
