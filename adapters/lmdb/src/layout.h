/*
 * What the files of the layout share: parts that stand in records of several kinds, and the kinds
 * that have a file of their own. Each serves both directions, like every function of a layout.
 */
#ifndef SERIN_LMDB_LAYOUT_H
#define SERIN_LMDB_LAYOUT_H

#include "record.h"

enum serin_state layout_state(struct record_io *io, enum serin_state state);
enum serin_reason layout_reason(struct record_io *io, enum serin_reason reason);
void layout_offers(struct record_io *io, size_t *count,
                   struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX]);

void layout_rollout(struct record_io *io, union record_value *value);
void layout_member(struct record_io *io, union record_value *value);

#endif
