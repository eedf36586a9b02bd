/*
 * What a fleet of equal images need find out only once: a crypto port and a codec that remember
 * what the real ones said.
 *
 *   signatures   (key, digest, signature) → the result of the one real verification
 *   SHA-256      bytes → digest. Short inputs are kept until their end; of longer ones the real
 *                context after each update is remembered, by a fingerprint of the bytes so far
 *   decodings    of the last few envelopes, directives, holds and trust payloads: broadcasts reach
 *                many at a time; of beats (memo_beats.h); of reports and batches (memo_words.h)
 *
 * A fingerprint is 128 bits of a fast hash: no defence against somebody who makes collisions, and
 * none is needed where the simulation made all of the bytes. check_sim_memo compares all of it with
 * the real ports.
 */
#ifndef SERIN_SIM_MEMO_H
#define SERIN_SIM_MEMO_H

#include <serin/codec.h>
#include <serin/crypto.h>
#include <serin/site_codec.h>

struct sim_memo; /* opaque */

/* Random bytes come from `random`, as the crypto port's op. One memo at a time: the codec ports
 * have no context. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
sim_memo_open(struct sim_memo **memo, const struct serin_crypto *crypto,
              const struct serin_codec *codec, const struct serin_site_codec *site_codec,
              enum serin_error (*random)(void *ctx, void *out, size_t size), void *random_ctx);
void sim_memo_close(struct sim_memo *memo); /* NULL is fine */

/* The ports that remember; valid as long as the memo. */
const struct serin_crypto *sim_memo_crypto(const struct sim_memo *memo);
const struct serin_codec *sim_memo_codec(const struct sim_memo *memo);
const struct serin_site_codec *sim_memo_site_codec(const struct sim_memo *memo);

struct sim_memo_figures {
    uint64_t verifications, remembered; /* signatures asked for, and of them answered from memory */
    uint64_t hashed_bytes;              /* that the real SHA-256 saw */
    uint64_t bytes;                     /* memory taken */
};
void sim_memo_look(const struct sim_memo *memo, struct sim_memo_figures *figures);

/* Whether memory was exhausted: what was answered since is not to be relied on. */
bool sim_memo_failed(const struct sim_memo *memo);

#endif
