/*
 * "Did you mean …?": for programs and files that people write.
 */
#ifndef SERIN_NEAREST_H
#define SERIN_NEAREST_H

#include <stddef.h>

#define SERIN_NEAREST_WORD_MAX 31u /* longer words are near to nothing */

/* The nearest of `count` words by edits (insert, delete, change, swap of neighbours), or NULL where
 * none is near. */
const char *serin_nearest_word(const char *word, const char *const *words, size_t count);

/* How many such edits lie between two words; UINT_MAX where one is longer than
 * SERIN_NEAREST_WORD_MAX. */
unsigned serin_nearest_edits(const char *a, const char *b);

#endif
