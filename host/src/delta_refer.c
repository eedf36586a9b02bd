/*
 * What references refer to, for those who compare images: the reverse of what the walk predicts.
 */
#include "delta_host.h"

#include <serin/delta_form.h>

#include <string.h>

#define UPPER_MASK 0xfffff000u

bool serin_delta_refers(const struct serin_delta_walk *walk, const struct serin_delta_item *item,
                        const uint8_t *bytes, uint32_t to, uint32_t *value)
{
    uint8_t again[SERIN_DELTA_ITEM_MAX];
    uint32_t word = serin_delta_word_get(bytes, item->size);
    if (item->kind == SERIN_DELTA_WORD) {
        *value = word;
    } else if (item->kind == SERIN_DELTA_UPPER) {
        *value = (word & UPPER_MASK) + (serin_delta_walk_adds_pc(item) ? to : 0);
    } else {
        *value = serin_delta_form_get(item->form, word,
                                      serin_delta_walk_origin(walk->upper_new, item, to));
    }
    return serin_delta_walk_put(walk, item, *value, to, again) &&
           memcmp(again, bytes, item->size) == 0;
}

void serin_delta_blank(const struct serin_delta_item *item, uint8_t *bytes)
{
    uint32_t word = serin_delta_word_get(bytes, item->size);
    if (item->kind == SERIN_DELTA_UPPER) {
        word &= ~UPPER_MASK;
    } else if (item->kind == SERIN_DELTA_FAR || item->kind == SERIN_DELTA_LOWER) {
        (void)serin_delta_form_put(item->form, &word, 0, 0);
    }
    serin_delta_word_put(bytes, item->size, word);
}
