/*
 * The digests and verdicts that were last asked for, beside all that they follow from: most often a
 * device asks what the one before it has asked, and a comparison is had for less than a hash.
 */
#ifndef SERIN_SIM_MEMO_LATE_H
#define SERIN_SIM_MEMO_LATE_H

#include <serin/crypto.h>

#define SIM_LATE_SIZE 216u /* of bytes whose digest is kept, at most */
#define SIM_LATE_KEPT 8u

struct sim_late_digest {
    uint64_t size; /* 0: unused */
    uint8_t bytes[SIM_LATE_SIZE], digest[SERIN_SHA256_SIZE];
};

struct sim_late_verdict {
    bool used;
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE], digest[SERIN_SHA256_SIZE];
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    uint32_t verdict; /* of SERIN_RUN_FIRST */
};

/* All zero: it knows nothing. */
struct sim_late {
    size_t next_digest, next_verdict;
    struct sim_late_digest digests[SIM_LATE_KEPT];
    struct sim_late_verdict verdicts[SIM_LATE_KEPT];
};

/* What a verdict is asked of, at the caller's. */
struct sim_signature {
    const uint8_t *public_key, *digest, *signature;
};

/* NULL: not known. Valid until the next is kept. */
const uint8_t *sim_late_digest(const struct sim_late *late, const uint8_t *bytes, uint64_t size);
const uint32_t *sim_late_verdict(const struct sim_late *late, const struct sim_signature *asked);

/* Keeps what was not known, instead of the oldest; `size` ≤ SIM_LATE_SIZE. */
void sim_late_keep_digest(struct sim_late *late, const uint8_t *bytes, uint64_t size,
                          const uint8_t digest[SERIN_SHA256_SIZE]);
void sim_late_keep_verdict(struct sim_late *late, const struct sim_signature *asked,
                           uint32_t verdict);

#endif
