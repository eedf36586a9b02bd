/*
 * The codec port on protobuf-c (serin/codec.h).
 *
 * A decode works in an arena of 16 KiB on its own stack (two for a report) and asks the heap for
 * nothing: a payload whose repeated items do not fit is SERIN_ERR_TOO_LARGE. Unknown fields are
 * skipped. A directive with an unknown required feature is SERIN_ERR_FEATURE, before its other
 * bounds. Where a field holds opaque bytes (envelope, trust payload, report, block), it may stand
 * only once: SERIN_ERR_FORMAT.
 */
#ifndef SERIN_ADAPTERS_PROTOBUFC_H
#define SERIN_ADAPTERS_PROTOBUFC_H

#include <serin/codec.h>

/* Static storage; thread-safe. */
const struct serin_codec *serin_protobufc(void);

#endif
