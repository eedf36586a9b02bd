/* The bounds of a directive, and how its fields agree with each other (docs/spec/directive.md,
 * section 2). */
#include <serin/directive.h>

#include <string.h>

static bool text_ok(const char *text, size_t room, bool (*valid)(const char *text, size_t size))
{
    const char *end = memchr(text, '\0', room);
    return end != NULL && valid(text, (size_t)(end - text));
}

static bool offer_ok(const struct serin_offer *offer)
{
    return offer->hw_min >= 1 && offer->hw_min <= offer->hw_max &&
           !serin_bytes_all(offer->manifest_id, sizeof offer->manifest_id, 0);
}

static bool release_ok(const struct serin_release *release)
{
    const struct serin_offer *offers = release->offers;
    if (release->offer_count == 0) {
        return release->attempt == 0 && release->flags == 0;
    }
    if (release->offer_count > SERIN_DIRECTIVE_OFFERS_MAX || release->attempt == 0 ||
        (release->flags & ~SERIN_RELEASE_FLAGS_KNOWN) != 0) {
        return false;
    }
    for (size_t i = 0; i < release->offer_count; i++) {
        if (!offer_ok(&offers[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (offers[i].hw_min <= offers[j].hw_max && offers[j].hw_min <= offers[i].hw_max) {
                return false;
            }
        }
    }
    return true;
}

/* The name of the first name or number out of its range, or NULL. */
static const char *wrong_head(const struct serin_directive *d)
{
    if (!text_ok(d->product, sizeof d->product, serin_product_valid)) {
        return "product";
    }
    if (!text_ok(d->channel, sizeof d->channel, serin_channel_valid)) {
        return "channel";
    }
    if (d->device_id[0] != '\0' && !text_ok(d->device_id, sizeof d->device_id, serin_id_valid)) {
        return "device_id";
    }
    if (d->order.sequence == 0) {
        return "order";
    }
    if (d->issued_s > SERIN_TIME_MAX_S) {
        return "issued_s";
    }
    if (d->lease_s < SERIN_LEASE_MIN_S || d->lease_s > SERIN_LEASE_MAX_S) {
        return "lease_s";
    }
    if ((d->flags & ~SERIN_DIRECTIVE_FLAGS_KNOWN) != 0) {
        return "flags";
    }
    return d->spread_s > SERIN_SPREAD_MAX_S ? "spread_s" : NULL;
}

/* The name of the first field that is wrong by itself or beside the others, or NULL. */
static const char *wrong_rollout(const struct serin_directive *d)
{
    bool candidate = d->candidate.offer_count > 0;
    bool targeted = d->device_id[0] != '\0';
    if (!release_ok(&d->stable)) {
        return "stable";
    }
    if (!release_ok(&d->candidate)) {
        return "candidate";
    }
    if (d->candidate_state < SERIN_CANDIDATE_NONE || d->candidate_state > SERIN_CANDIDATE_HALTED ||
        candidate != (d->candidate_state != SERIN_CANDIDATE_NONE)) {
        return "candidate_state";
    }
    if (!candidate && !serin_bytes_all(d->salt, sizeof d->salt, 0)) {
        return "salt";
    }
    if ((!candidate && d->threshold != 0) ||
        (candidate && targeted && d->threshold != SERIN_COHORT_EVERYONE)) {
        return "threshold";
    }
    return targeted && d->site_failures_max != 0 ? "site_failures_max" : NULL;
}

enum serin_error serin_directive_check(const struct serin_directive *directive, const char **field)
{
    enum serin_error error = SERIN_ERR_INVALID;
    const char *wrong = NULL;
    if ((directive->required_features & ~SERIN_DIRECTIVE_FEATURES_KNOWN) != 0) {
        error = SERIN_ERR_FEATURE;
        wrong = "required_features";
    }
    if (wrong == NULL) {
        wrong = wrong_head(directive);
    }
    if (wrong == NULL) {
        wrong = wrong_rollout(directive);
    }
    if (wrong == NULL) {
        return SERIN_OK;
    }
    if (field != NULL) {
        *field = wrong;
    }
    return error;
}
