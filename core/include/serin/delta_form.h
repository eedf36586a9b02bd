/*
 * The forms of the instructions that tell an address as a distance (docs/spec/delta.md, section 3).
 */
#ifndef SERIN_DELTA_FORM_H
#define SERIN_DELTA_FORM_H

#include <serin/delta_walk.h>

/* Rows that are not found by their bits alone. */
#define SERIN_DELTA_FORM_LOWER       0u /* RISC-V, 12 bits in the place of I */
#define SERIN_DELTA_FORM_LOWER_STORE 1u /* … of S */

/* The row that the instruction `word` of `size` bytes has. False: none. */
bool serin_delta_form_find(enum serin_delta_arch arch, uint32_t size, uint32_t word,
                           struct serin_delta_item *item);

/* Where the instruction `word`, which stands at `at`, goes. */
uint32_t serin_delta_form_get(uint32_t form, uint32_t word, uint32_t at);

/* Makes `*word` go to `value`. False: it cannot. */
bool serin_delta_form_put(uint32_t form, uint32_t *word, uint32_t value, uint32_t at);

/* Up to four bytes as a little-endian number, and back. */
uint32_t serin_delta_word_get(const uint8_t *bytes, uint32_t size);
void serin_delta_word_put(uint8_t *bytes, uint32_t size, uint32_t word);

#endif
