/*
 * The bounds of serin/site.h, one function a value: true where every field is within them. Both
 * directions use them: a value out of bounds is neither sent nor accepted.
 */
#ifndef SERIN_SITE_BOUNDS_H
#define SERIN_SITE_BOUNDS_H

#include <serin/site.h>

bool serin_bounds_batch(const struct serin_batch *batch);
bool serin_bounds_batch_item(const struct serin_batch_item *item);
bool serin_bounds_ack_item(const struct serin_ack_item *item);
bool serin_bounds_batch_ack(const struct serin_batch_ack *ack);
bool serin_bounds_gw_status(const struct serin_gw_status *status);
bool serin_bounds_want(const struct serin_want *want);
bool serin_bounds_have(const struct serin_have *have);

/* Whether a SHA-256 is all zero: none. */
bool serin_bounds_none(const uint8_t digest[SERIN_SHA256_SIZE]);

#endif
