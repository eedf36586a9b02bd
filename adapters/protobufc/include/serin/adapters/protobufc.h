/* The codec port on protobuf-c (serin/codec.h). Decoding uses a bounded arena on the stack or static per call; no heap of
 * its own is left behind. */
#ifndef SERIN_ADAPTERS_PROTOBUFC_H
#define SERIN_ADAPTERS_PROTOBUFC_H

#include <serin/codec.h>

/* Static storage; thread-safe. */
const struct serin_codec *serin_protobufc(void);

#endif
