/*
 * The codec port (serin/codec.h) on nanopb, for boards: no heap, no copies beside the value itself,
 * 1.2 KiB of stack at most.
 *
 * It takes and makes the same bytes as the hosts' codec (serin/adapters/protobufc.h) and refuses
 * with the same errors; where they differ, on what no encoder writes and on payloads that fill the
 * hosts' bounded memory, docs/porting.md says. A payload within its limit is never
 * SERIN_ERR_TOO_LARGE here: there is no memory to run out of.
 */
#ifndef SERIN_PORTS_NANOPB_H
#define SERIN_PORTS_NANOPB_H

#include <serin/codec.h>

/* All of the codec. Static storage; thread-safe. */
const struct serin_codec *serin_nanopb(void);

/* What an agent uses of it: decode envelope, directive, trust payload, ack, block, hold; encode
 * report, beat, get. The others are NULL, so that a board's linker leaves them out. */
const struct serin_codec *serin_nanopb_agent(void);

#endif
