/*
 * The bounds of serin/wire.h, one function a value: true where every field is within them. Both
 * directions of every codec use them, a host's and a board's: a value out of bounds is neither sent
 * nor accepted. A directive's are those of serin_directive_check.
 */
#ifndef SERIN_WIRE_BOUNDS_H
#define SERIN_WIRE_BOUNDS_H

#include <serin/codec.h>
#include <serin/trust.h>

/* Of a name: serin_id_valid and the like. */
typedef bool serin_bounds_rule(const char *text, size_t size);

/* Whether `text` is terminated within its array of `capacity` bytes and follows the rule. */
bool serin_bounds_name(const char *text, size_t capacity, serin_bounds_rule *valid);

bool serin_bounds_envelope(const struct serin_envelope *envelope);
bool serin_bounds_trust_payload(const struct serin_trust_payload *payload);
bool serin_bounds_report(const struct serin_report *report);
bool serin_bounds_ack(const struct serin_ack *ack);
bool serin_bounds_beat(const struct serin_beat *beat);
bool serin_bounds_get(const struct serin_get *get);
bool serin_bounds_block(const struct serin_block *block);
bool serin_bounds_hold(const struct serin_hold *hold);

#endif
