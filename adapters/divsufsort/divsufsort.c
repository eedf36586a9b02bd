/*
 * Sorted suffixes on libdivsufsort (Y. Mori).
 */
#include <serin/adapters/divsufsort.h>

#include <divsufsort.h>

static enum serin_error sort(const uint8_t *text, int32_t *order, uint32_t size)
{
    /* Sizes are in their range, so that what can go wrong is memory. */
    return divsufsort(text, order, (saidx_t)size) == 0 ? SERIN_OK : SERIN_ERR_MEMORY;
}

const struct serin_suffixes serin_divsufsort = {.sort = sort};
