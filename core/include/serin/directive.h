/*
 * What a directive means (docs/spec/directive.md): order, addressee, cohort, and which manifest a
 * device should take.
 */
#ifndef SERIN_DIRECTIVE_H
#define SERIN_DIRECTIVE_H

#include <serin/codec.h>
#include <serin/trust.h>

/* Orders: < 0, 0, > 0. */
int serin_order_compare(struct serin_order a, struct serin_order b);

/* Whether every field is in its bounds and they agree with each other: a candidate exactly when
 * candidate_state is not NONE; offers of one release do not overlap in hardware and name a
 * manifest; salt and threshold are zero without a candidate; a targeted directive with a candidate
 * has its threshold at everyone, and no targeted one has a site limit. SERIN_ERR_INVALID,
 * SERIN_ERR_FEATURE; `*field` (may be NULL) names the field. */
SERIN_MUST_USE enum serin_error serin_directive_check(const struct serin_directive *directive,
                                                      const char **field);

/* Opens a directive payload: envelope, director key from `trust`, signature, then body. The order
 * of the checks is part of the contract: nothing of the body is parsed before the signature holds.
 * SERIN_ERR_KEY (unknown, or not a director: a release key signs no directive),
 * SERIN_ERR_SIGNATURE, SERIN_ERR_PRODUCT (not the trust record's), and the errors of decoding. */
SERIN_MUST_USE enum serin_error serin_directive_open(const struct serin_crypto *crypto,
                                                     const struct serin_codec *codec,
                                                     const struct serin_trust *trust,
                                                     const uint8_t *payload, size_t size,
                                                     struct serin_directive *directive);

/* The same in two runs, for devices: `proof` is SERIN_PROOF_DIRECTIVE, which who obeys the
 * directive compares, both halves, besides the error. */
SERIN_MUST_USE enum serin_error
serin_directive_open_twice(const struct serin_crypto *crypto, const struct serin_codec *codec,
                           const struct serin_trust *trust, const uint8_t *payload, size_t size,
                           struct serin_directive *directive, struct serin_proof *proof);

/* Whether an opened directive is addressed to the device: SERIN_ERR_PRODUCT, SERIN_ERR_CHANNEL,
 * SERIN_ERR_DEVICE. `targeted`: it came on the device's own topic; a channel's directive there, or
 * the reverse, is SERIN_ERR_DEVICE. */
SERIN_MUST_USE enum serin_error serin_directive_addressed(const struct serin_directive *directive,
                                                          bool targeted,
                                                          const struct serin_identity *identity);

/* The offer of `release` for a hardware revision, or NULL. */
const struct serin_offer *serin_release_offer(const struct serin_release *release,
                                              uint16_t hardware);

/* What the directive asks of one device. */
enum serin_wish_kind {
    SERIN_WISH_NOTHING,   /* no offer for this hardware */
    SERIN_WISH_STABLE,    /* take the stable release */
    SERIN_WISH_CANDIDATE, /* take the candidate */
    SERIN_WISH_WAIT,      /* candidate of this cohort, paused: go on downloading, start no trial */
    SERIN_WISH_STOP       /* candidate of this cohort, halted: stop it */
};

struct serin_wish {
    enum serin_wish_kind kind;
    const struct serin_offer *offer; /* points into the directive; NULL for NOTHING */
    uint32_t attempt;
    uint32_t flags; /* of the release */
};

/* For a device of `rank`: the candidate where it is a member (HALTED gives STOP, PAUSED gives
 * WAIT), else the stable release. Whether the device then takes it (newer? tried?) is the agent's
 * to decide. */
struct serin_wish serin_directive_wish(const struct serin_directive *directive, uint64_t rank,
                                       uint16_t hardware);

#endif
