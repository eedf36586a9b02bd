/* Opening a directive, and what it asks of one device (docs/spec/directive.md). */
#include <serin/directive.h>

#include <string.h>

static enum serin_error decode_body(const struct serin_codec *codec,
                                    const struct serin_trust *trust,
                                    const struct serin_envelope *envelope,
                                    struct serin_directive *directive)
{
    enum serin_error error =
        codec->decode_directive(envelope->body, envelope->body_size, directive);
    if (error == SERIN_OK) {
        error = serin_directive_check(directive, NULL);
    }
    if (error == SERIN_OK && strcmp(directive->product, trust->product) != 0) {
        error = SERIN_ERR_PRODUCT;
    }
    return error;
}

static enum serin_error prove(const struct serin_crypto *crypto, const struct serin_codec *codec,
                              const struct serin_trust *trust, const uint8_t *payload, size_t size,
                              struct serin_directive *directive, struct serin_run *run)
{
    struct serin_envelope envelope;
    enum serin_error error = codec->decode_envelope(payload, size, &envelope);
    if (error != SERIN_OK) {
        return error;
    }
    const struct serin_trust_key *key =
        serin_trust_find(trust, SERIN_KEY_ROLE_DIRECTOR, envelope.key_id);
    if (key == NULL) {
        return SERIN_ERR_KEY;
    }
    serin_run_note(run, SERIN_STEP_DIRECTIVE_KEY,
                   ((uint32_t)key->role ^ SERIN_KEY_ROLE_DIRECTOR) |
                       serin_difference(key->key_id, envelope.key_id, sizeof envelope.key_id));
    error = serin_signed_prove(crypto, SERIN_SIGNED_DIRECTIVE, key->public_key, envelope.body,
                               envelope.body_size, envelope.signature,
                               SERIN_STEP_DIRECTIVE_SIGNATURE, run);
    if (error == SERIN_OK) {
        error = decode_body(codec, trust, &envelope, directive);
        serin_run_note(run, SERIN_STEP_DIRECTIVE_CONTENT, (uint32_t)error);
    }
    return error;
}

enum serin_error serin_directive_open(const struct serin_crypto *crypto,
                                      const struct serin_codec *codec,
                                      const struct serin_trust *trust, const uint8_t *payload,
                                      size_t size, struct serin_directive *directive)
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return prove(crypto, codec, trust, payload, size, directive, &run);
}

enum serin_error serin_directive_open_twice(const struct serin_crypto *crypto,
                                            const struct serin_codec *codec,
                                            const struct serin_trust *trust, const uint8_t *payload,
                                            size_t size, struct serin_directive *directive,
                                            struct serin_proof *proof)
{
    struct serin_run first, second;
    serin_run_start(&first, SERIN_RUN_FIRST);
    serin_run_start(&second, SERIN_RUN_SECOND);
    *proof = (struct serin_proof){.first = 0};
    enum serin_error error = prove(crypto, codec, trust, payload, size, directive, &first);
    proof->first = first.evidence;
    if (error == SERIN_OK) {
        error = prove(crypto, codec, trust, payload, size, directive, &second);
        proof->second = second.evidence;
    }
    return error;
}

enum serin_error serin_directive_addressed(const struct serin_directive *directive, bool targeted,
                                           const struct serin_identity *identity)
{
    if (strcmp(directive->product, identity->product) != 0) {
        return SERIN_ERR_PRODUCT;
    }
    if (strcmp(directive->channel, identity->channel) != 0) {
        return SERIN_ERR_CHANNEL;
    }
    const char *expected = targeted ? identity->device_id : "";
    return strcmp(directive->device_id, expected) == 0 ? SERIN_OK : SERIN_ERR_DEVICE;
}

const struct serin_offer *serin_release_offer(const struct serin_release *release,
                                              uint16_t hardware)
{
    for (size_t i = 0; i < release->offer_count; i++) {
        const struct serin_offer *offer = &release->offers[i];
        if (hardware >= offer->hw_min && hardware <= offer->hw_max) {
            return offer;
        }
    }
    return NULL;
}

/* What a member of the cohort does, by the state of the candidate. */
static const enum serin_wish_kind candidate_wishes[] = {
    [SERIN_CANDIDATE_INVALID] = SERIN_WISH_NOTHING,   [SERIN_CANDIDATE_NONE] = SERIN_WISH_NOTHING,
    [SERIN_CANDIDATE_ROLLING] = SERIN_WISH_CANDIDATE, [SERIN_CANDIDATE_PAUSED] = SERIN_WISH_WAIT,
    [SERIN_CANDIDATE_HALTED] = SERIN_WISH_STOP,
};

static struct serin_wish wish_of(enum serin_wish_kind kind, const struct serin_release *release,
                                 const struct serin_offer *offer)
{
    return (struct serin_wish){
        .kind = kind, .offer = offer, .attempt = release->attempt, .flags = release->flags};
}

struct serin_wish serin_directive_wish(const struct serin_directive *directive, uint64_t rank,
                                       uint16_t hardware)
{
    const struct serin_offer *offer = NULL;
    if (serin_cohort_member(rank, directive->threshold)) {
        offer = serin_release_offer(&directive->candidate, hardware);
    }
    if (offer != NULL) {
        return wish_of(candidate_wishes[directive->candidate_state], &directive->candidate, offer);
    }
    offer = serin_release_offer(&directive->stable, hardware);
    if (offer != NULL) {
        return wish_of(SERIN_WISH_STABLE, &directive->stable, offer);
    }
    return (struct serin_wish){.kind = SERIN_WISH_NOTHING};
}
