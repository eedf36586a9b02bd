/*
 * The codec ports on protobuf-c: the wire's (serin/codec.h) and, for hosts, the site's
 * (serin/site_codec.h).
 *
 * A decode works in an arena of 16 KiB on its own stack (two for a report) and asks the heap for
 * nothing: a payload whose repeated items do not fit is SERIN_ERR_TOO_LARGE. Batches are decoded
 * item by item, each in the same arena. Encoding a batch takes up to 30 KiB of stack. Unknown
 * fields are skipped, and so are batch items of unknown kinds. A directive with an unknown required
 * feature is SERIN_ERR_FEATURE, before its other bounds. Where a field holds opaque bytes
 * (envelope, trust payload, report, block, batch and its items, acks in a batch, data of a have),
 * it may stand only once: SERIN_ERR_FORMAT.
 */
#ifndef SERIN_ADAPTERS_PROTOBUFC_H
#define SERIN_ADAPTERS_PROTOBUFC_H

#include <serin/codec.h>
#include <serin/site_codec.h>

/* Static storage; thread-safe. */
const struct serin_codec *serin_protobufc(void);
const struct serin_site_codec *serin_protobufc_site(void);

#endif
