/*
 * The crypto port, real or remembering: verifications by (key, digest, signature), SHA-256 in
 * progress by a fingerprint of the bytes so far. Bounded: an entry makes room for the next one. A
 * fingerprint is a fast hash of 128 bits: no defence against somebody who makes collisions, and
 * none is needed where flash and seeds make all of the bytes.
 */
#ifndef SERIN_TESTS_CUTS_MEMO_H
#define SERIN_TESTS_CUTS_MEMO_H

#include <serin/crypto.h>

struct cuts_crypto_figures {
    uint64_t verifications, verified; /* asked for; of them done for real */
    uint64_t hashes, hashed;          /* updates of SHA-256 likewise */
};

/* One for the process. Random bytes come from `*random_state`, which belongs to the device. */
const struct serin_crypto *cuts_crypto_open(uint64_t *random_state);
void cuts_crypto_close(void);
/* Whether everything is computed, nothing remembered. */
void cuts_crypto_real(bool real);
const struct cuts_crypto_figures *cuts_crypto_figures(void);

#endif
