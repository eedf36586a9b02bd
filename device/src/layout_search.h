/*
 * A layout for parts of few, large and unequal sectors: the last resort of serin_layout_default.
 */
#ifndef SERIN_DEVICE_SRC_LAYOUT_SEARCH_H
#define SERIN_DEVICE_SRC_LAYOUT_SEARCH_H

#include <serin/device/flash.h>

/* The layout with the largest image, for a checked geometry of at most 64 sectors; of equal ones
 * the first. Work in proportion to the cube of their number, so not for a boot. SERIN_ERR_LAYOUT:
 * there are more sectors, or nothing fits; `layout` is unspecified then. */
SERIN_MUST_USE enum serin_error serin_layout_search(const struct serin_flash *flash,
                                                    struct serin_layout *layout);

#endif
