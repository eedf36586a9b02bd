/* Directives, trust records and holds: what the agent believes, and in which order it checks
 * (docs/spec/directive.md). */
#include "agent_internal.h"
#include "trust_region.h"

#include <serin/order_guard.h>

#include <string.h>

#define TRUST_WAIT_MS   1000u /* after the first failure to write to the trust region */
#define TRUST_SHIFT_MAX 16u   /* the longest wait: 18 hours */

enum serin_reason serin_intake_reason(enum serin_error error)
{
    static const enum serin_reason reasons[SERIN_ERROR_COUNT] = {
        [SERIN_ERR_SIGNATURE] = SERIN_REASON_SIGNATURE,
        [SERIN_ERR_CRYPTO] = SERIN_REASON_SIGNATURE,
        [SERIN_ERR_KEY] = SERIN_REASON_KEY,
        [SERIN_ERR_FEATURE] = SERIN_REASON_FEATURE,
        [SERIN_ERR_PRODUCT] = SERIN_REASON_PRODUCT,
        [SERIN_ERR_CHANNEL] = SERIN_REASON_CHANNEL,
        [SERIN_ERR_HARDWARE] = SERIN_REASON_HARDWARE,
        [SERIN_ERR_UNSUPPORTED] = SERIN_REASON_HARDWARE, /* made for the other slot */
        [SERIN_ERR_COUNTER] = SERIN_REASON_COUNTER,
        [SERIN_ERR_BOOTLOADER] = SERIN_REASON_BOOTLOADER,
        [SERIN_ERR_TOO_LARGE] = SERIN_REASON_TOO_LARGE,
        [SERIN_ERR_CRC] = SERIN_REASON_CRC,
        [SERIN_ERR_DIGEST] = SERIN_REASON_DIGEST,
        [SERIN_ERR_FLASH] = SERIN_REASON_FLASH,
        [SERIN_ERR_DEVICE] = SERIN_REASON_WITHDRAWN,
        [SERIN_ERR_STALE] = SERIN_REASON_NEWER_DIRECTIVE,
    };
    enum serin_reason reason =
        (unsigned)error < SERIN_ERROR_COUNT ? reasons[error] : SERIN_REASON_INVALID;
    return reason != SERIN_REASON_INVALID ? reason : SERIN_REASON_FORMAT;
}

static enum serin_error refuse(struct serin_agent *agent, const char *what, enum serin_error error)
{
    if (error == SERIN_ERR_FLASH) {
        return error; /* not the directive's fault: it is heard again */
    }
    agent->refusals++;
    agent->refused = serin_intake_reason(error);
    serin_agent_log(agent, what, serin_error_text(error));
    serin_beat_soon(agent);
    return error;
}

/* How long until this device may start: spread over spread_s by its place in the cohort, so that a
 * stage does not come as a herd. */
static uint32_t spread_ms(const struct serin_directive *directive, uint64_t rank, bool candidate,
                          uint64_t time_s)
{
    if ((directive->flags & SERIN_DIRECTIVE_EMERGENCY) != 0 || directive->spread_s == 0) {
        return 0;
    }
    uint64_t threshold = candidate ? directive->threshold : SERIN_COHORT_EVERYONE;
    uint64_t delay_ms = (uint64_t)directive->spread_s * 1000u;
    delay_ms = delay_ms * (rank >> 32) / ((threshold >> 32) + 1u);
    uint64_t gone_s = time_s - directive->issued_s;
    return gone_s < delay_ms / 1000u ? (uint32_t)(delay_ms - gone_s * 1000u) : 0;
}

/* How long until this device may start. A renewal is issued anew, and a reset takes the uptime;
 * neither begins the wait of an attempt again that waits already, or a spread beyond the half-life
 * of the lease would never end. */
static uint32_t wait_ms(const struct serin_agent *agent, enum serin_agent_source source,
                        const struct serin_agent_standing *standing,
                        const struct serin_directive *directive, uint64_t rank)
{
    uint64_t heard_s = serin_agent_time_s(agent);
    uint64_t time_s = heard_s > directive->issued_s ? heard_s : directive->issued_s;
    uint32_t left_ms = spread_ms(directive, rank, standing->kind != SERIN_WISH_STABLE, time_s);
    if (serin_attempt_state(agent) == SERIN_STATE_PENDING &&
        serin_attempt_is(agent, standing->manifest_id, standing->attempt)) {
        uint64_t start_s = agent->record.start_s;
        uint64_t known_s = start_s > time_s ? start_s - time_s : 0;
        left_ms = known_s < left_ms / 1000u ? (uint32_t)known_s * 1000u : left_ms;
        const struct serin_agent_standing *before = &agent->standing[source];
        bool asked =
            before->heard && before->attempt == standing->attempt &&
            serin_bytes_equal(before->manifest_id, standing->manifest_id, SERIN_SHA256_SIZE);
        if (asked && before->wait_ms < left_ms) {
            return before->wait_ms; /* should the clock have been set back since */
        }
    }
    return left_ms;
}

/* Whether a release of the directive lets the device commit what it runs. */
static bool commits(const struct serin_agent *agent, const struct serin_release *release)
{
    const struct serin_offer *offer =
        serin_release_offer(release, agent->config->boot->identity->hardware);
    return offer != NULL && (release->flags & SERIN_RELEASE_COMMIT) != 0 &&
           serin_bytes_equal(offer->manifest_id, agent->running.manifest_id, SERIN_SHA256_SIZE);
}

static void weigh(const struct serin_agent *agent, enum serin_agent_source source,
                  const struct serin_directive *directive, bool newer,
                  struct serin_agent_standing *standing)
{
    const struct serin_identity *identity = agent->config->boot->identity;
    uint64_t rank =
        serin_cohort_rank(agent->config->boot->crypto, directive->salt, identity->device_id);
    struct serin_wish wish = serin_directive_wish(directive, rank, identity->hardware);
    memset(standing, 0, sizeof *standing);
    standing->heard = true;
    standing->fresh = newer;
    standing->may_commit =
        commits(agent, &directive->stable) || commits(agent, &directive->candidate);
    standing->kind = wish.kind;
    if (wish.offer != NULL) {
        memcpy(standing->manifest_id, wish.offer->manifest_id, SERIN_SHA256_SIZE);
    }
    standing->attempt = wish.attempt;
    standing->flags = wish.flags;
    standing->order = directive->order;
    standing->lease_end_s = directive->issued_s + directive->lease_s;
    standing->wait_ms = wait_ms(agent, source, standing, directive, rank);
}

/* What an opened directive says, whoever signed it again, as the digest of its body; and who
 * signed it. */
struct saying {
    uint8_t said[SERIN_SHA256_SIZE];
    uint8_t director[SERIN_KEY_ID_SIZE];
};

/* Persist, then act: the order is durable before anything follows from the directive. */
static enum serin_error store_order(struct serin_agent *agent, enum serin_agent_source source,
                                    const struct serin_directive *directive,
                                    const struct saying *saying)
{
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    next.order[source] = directive->order;
    memcpy(next.said[source], saying->said, SERIN_AGENT_SAID_SIZE);
    memcpy(next.director[source], saying->director, SERIN_KEY_ID_SIZE);
    next.halted[source] = directive->candidate_state == SERIN_CANDIDATE_HALTED;
    if (source == SERIN_AGENT_OWN) {
        /* A targeted directive without an offer releases the device to its channel. */
        next.targeted = directive->stable.offer_count > 0 || directive->candidate.offer_count > 0;
    }
    if (directive->issued_s > next.signed_time_s) {
        next.signed_time_s = directive->issued_s;
        memcpy(next.time_director, saying->director, SERIN_KEY_ID_SIZE);
    }
    enum serin_error error = serin_record_store(agent, &next);
    if (error == SERIN_OK) {
        serin_agent_fault_point(agent, "agent.directive.stored");
    }
    return error;
}

/* An order that an older agent wrote down without its director: who repeats it is it. Flash learns
 * it with the next record. */
static void learn_director(struct serin_agent *agent, enum serin_agent_source source,
                           const struct serin_directive *directive, const struct saying *saying)
{
    struct serin_agent_record *record = &agent->record;
    if (serin_bytes_all(record->director[source], SERIN_KEY_ID_SIZE, 0)) {
        memcpy(record->director[source], saying->director, SERIN_KEY_ID_SIZE);
    }
    if (serin_bytes_all(record->time_director, SERIN_KEY_ID_SIZE, 0) &&
        record->signed_time_s == directive->issued_s) {
        memcpy(record->time_director, saying->director, SERIN_KEY_ID_SIZE);
    }
}

static void read_saying(const struct serin_agent *agent, const uint8_t *payload, size_t size,
                        struct saying *saying)
{
    struct serin_envelope envelope;
    enum serin_error error = agent->config->codec->decode_envelope(payload, size, &envelope);
    SERIN_ASSERT(error == SERIN_OK);
    serin_sha256_of(agent->config->boot->crypto, envelope.body, envelope.body_size, saying->said);
    memcpy(saying->director, envelope.key_id, SERIN_KEY_ID_SIZE);
}

static enum serin_error open_directive(const struct serin_agent *agent, const uint8_t *payload,
                                       size_t size, struct serin_directive *directive,
                                       struct serin_proof *proof)
{
    const struct serin_boot *boot = agent->config->boot;
    if (!agent->have_trust) {
        return SERIN_ERR_KEY;
    }
    return serin_directive_open_twice(boot->crypto, agent->config->codec, &agent->trust, payload,
                                      size, directive, proof);
}

/* An order that is known is the same directive, or it is nothing. */
static enum serin_order_verdict judge(const struct serin_agent *agent,
                                      enum serin_agent_source source, struct serin_order order,
                                      const uint8_t *said)
{
    enum serin_order_verdict verdict = serin_order_judge(agent->record.order[source], order);
    bool other = verdict == SERIN_ORDER_SAME &&
                 !serin_bytes_equal(agent->record.said[source], said, SERIN_AGENT_SAID_SIZE);
    return other ? SERIN_ORDER_OLDER : verdict;
}

/* What stands between a directive that was opened and this device: within `run`, which has proved
 * it. */
static enum serin_error prove_due(const struct serin_agent *agent, enum serin_agent_source source,
                                  const struct serin_directive *directive, const uint8_t *said,
                                  uint32_t mask, uint32_t *evidence)
{
    struct serin_run run = {.mask = mask, .evidence = *evidence};
    enum serin_error error = serin_directive_addressed(directive, source == SERIN_AGENT_OWN,
                                                       agent->config->boot->identity);
    serin_run_note(&run, SERIN_STEP_DIRECTIVE_ADDRESS, (uint32_t)error);
    bool older = judge(agent, source, directive->order, said) == SERIN_ORDER_OLDER;
    serin_run_note(&run, SERIN_STEP_DIRECTIVE_ORDER, older ? 1u : 0u);
    *evidence = run.evidence;
    if (error != SERIN_OK) {
        return error;
    }
    return older ? SERIN_ERR_STALE : SERIN_OK;
}

/* Signed time only grows. */
static void learn_time(struct serin_agent *agent, uint64_t issued_s)
{
    if (issued_s > serin_agent_time_s(agent)) {
        agent->time_base_s = issued_s;
        agent->time_base_ms = agent->now_ms;
    }
}

/* What cannot be stored is not acted on, but for what only stops: no trial starts under a directive
 * that is known to be overruled. */
static enum serin_error obey_at_least(struct serin_agent *agent, enum serin_agent_source source,
                                      const struct serin_agent_standing *standing,
                                      enum serin_error error)
{
    if (standing->kind == SERIN_WISH_STOP || standing->kind == SERIN_WISH_WAIT) {
        agent->standing[source] = *standing;
    }
    return error;
}

/* A directive that was judged good. A function of its own: what a glitch makes of the comparison
 * before it, and of the return behind that, still meets this one. */
__attribute__((noinline)) static enum serin_error obey(struct serin_agent *agent,
                                                       enum serin_agent_source source,
                                                       const struct serin_directive *directive,
                                                       const struct saying *saying,
                                                       const struct serin_proof *proof)
{
    if (!serin_proof_second(proof, SERIN_PROOF_OBEY)) {
        return refuse(agent, "directive refused", SERIN_ERR_SIGNATURE);
    }
    struct serin_agent_standing standing;
    bool newer = judge(agent, source, directive->order, saying->said) == SERIN_ORDER_NEWER;
    weigh(agent, source, directive, newer, &standing);
    if (newer) {
        enum serin_error error = SERIN_OK;
        if (agent->armed && standing.kind == SERIN_WISH_STOP) {
            /* Before the order is stored: power that goes in between must not end in the trial that
             * is being halted. */
            error = serin_trial_disarm(agent);
        }
        if (error == SERIN_OK) {
            error = store_order(agent, source, directive, saying);
        }
        if (error != SERIN_OK) {
            return obey_at_least(agent, source, &standing, error);
        }
        agent->refused = SERIN_REASON_NONE;
    } else {
        learn_director(agent, source, directive, saying);
        standing.fresh = agent->standing[source].heard && agent->standing[source].fresh;
        standing.wait_ms =
            agent->standing[source].heard ? agent->standing[source].wait_ms : standing.wait_ms;
    }
    learn_time(agent, directive->issued_s);
    agent->standing[source] = standing;
    agent->directive_seen = true;
    return SERIN_OK;
}

enum serin_error serin_intake_directive(struct serin_agent *agent, enum serin_agent_source source,
                                        const uint8_t *payload, size_t size)
{
    struct serin_directive directive;
    struct serin_proof proof = {.first = 0};
    struct saying saying;
    if (size == 0) {
        return SERIN_OK; /* somebody cleared the topic: what holds still holds */
    }
    enum serin_error error = open_directive(agent, payload, size, &directive, &proof);
    if (error == SERIN_OK) {
        read_saying(agent, payload, size, &saying);
        error = prove_due(agent, source, &directive, saying.said, SERIN_RUN_FIRST, &proof.first);
    }
    if (error == SERIN_OK) {
        error = prove_due(agent, source, &directive, saying.said, SERIN_RUN_SECOND, &proof.second);
    }
    if (error == SERIN_OK && !serin_proof_first(&proof, SERIN_PROOF_OBEY)) {
        error = SERIN_ERR_SIGNATURE;
    }
    return error == SERIN_OK ? obey(agent, source, &directive, &saying, &proof)
                             : refuse(agent, "directive refused", error);
}

const struct serin_agent_standing *serin_intake_standing(const struct serin_agent *agent)
{
    enum serin_agent_source source = agent->record.targeted ? SERIN_AGENT_OWN : SERIN_AGENT_CHANNEL;
    return agent->standing[source].heard ? &agent->standing[source] : NULL;
}

/* Whether a director said this, and is none any more. */
static bool retired(const struct serin_agent *agent, const uint8_t *key_id)
{
    return !serin_bytes_all(key_id, SERIN_KEY_ID_SIZE, 0) &&
           serin_trust_find(&agent->trust, SERIN_KEY_ROLE_DIRECTOR, key_id) == NULL;
}

static void forget_order(struct serin_agent *agent, enum serin_agent_source source)
{
    struct serin_agent_record *record = &agent->record;
    record->order[source] = (struct serin_order){0};
    memset(record->said[source], 0, sizeof record->said[source]);
    memset(record->director[source], 0, sizeof record->director[source]);
    record->halted[source] = false;
    if (source == SERIN_AGENT_OWN) {
        record->targeted = false; /* nobody is left who could release it */
    }
    memset(&agent->standing[source], 0, sizeof agent->standing[source]);
}

/* Without it no lease is known to run: what was heard before is fresh no more. */
static void forget_time(struct serin_agent *agent)
{
    agent->record.signed_time_s = 0;
    memset(agent->record.time_director, 0, sizeof agent->record.time_director);
    agent->time_base_s = 0;
    agent->time_base_ms = agent->now_ms;
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES; n++) {
        agent->standing[n].fresh = false;
    }
}

void serin_intake_forget_directors(struct serin_agent *agent)
{
    bool forgot = false;
    if (agent->trust.version < agent->record.trust_proved) {
        return; /* a bank that was left behind, while the newer record does not read */
    }
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES; n++) {
        if (retired(agent, agent->record.director[n])) {
            forget_order(agent, (enum serin_agent_source)n);
            forgot = true;
        }
    }
    if (retired(agent, agent->record.time_director)) {
        forget_time(agent);
        forgot = true;
    }
    if (forgot) {
        serin_agent_log(agent, "a director was retired", "what it said is forgotten");
    }
    if (forgot && serin_record_again(agent) != SERIN_OK) {
        serin_agent_log(agent, "that could not be written down", "the next record tells it");
    }
}

/* A clock that stands before what a director signed is provably wrong, and as good as none. */
static bool clock_believed(const struct serin_agent *agent)
{
    uint64_t clock_s = serin_agent_clock_s(agent);
    return clock_s != 0 && clock_s >= agent->record.signed_time_s;
}

/* The time that a lease is measured with: never before the agent's own. What a hold tells is
 * unsigned, so it counts here alone, and only while that hold stands. */
static uint64_t lease_time_s(const struct serin_agent *agent)
{
    uint64_t own_s = serin_agent_time_s(agent);
    if (!agent->hold_heard) {
        return own_s;
    }
    uint64_t since_s = (agent->now_ms - agent->hold_time_ms) / 1000u;
    uint64_t told_s =
        agent->hold_time_s < UINT64_MAX - since_s ? agent->hold_time_s + since_s : UINT64_MAX;
    return told_s > own_s ? told_s : own_s;
}

bool serin_intake_lease(const struct serin_agent *agent,
                        const struct serin_agent_standing *standing)
{
    if (agent->held || (agent->hold_heard && serin_agent_over(agent, SERIN_WAIT_HOLD))) {
        return false;
    }
    /* Without a clock a reset loses the time: only a directive that was new since then proves that
     * the lease runs. */
    if (!clock_believed(agent) && !standing->fresh) {
        return false;
    }
    return lease_time_s(agent) < standing->lease_end_s;
}

/* Counts how writing record `version` to the trust region went. Who repeats a record, which anybody
 * may, does not wear out what does not take it: the waits between two tries double. A newer one,
 * which root alone can sign, waits for none of them. */
static void note_trust(struct serin_agent *agent, uint32_t version, bool failed)
{
    if (!failed || version > agent->trust_tried) {
        agent->trust_failures = 0;
    }
    if (!failed) {
        return;
    }
    agent->trust_tried = version > agent->trust_tried ? version : agent->trust_tried;
    agent->wait_ms[SERIN_WAIT_TRUST] = TRUST_WAIT_MS << agent->trust_failures;
    if (agent->trust_failures < TRUST_SHIFT_MAX) {
        agent->trust_failures++;
    }
}

/* The version that a record claims, before it is verified: one that claims too much is refused
 * before anything is written. */
static uint32_t claimed_version(const struct serin_trust_payload *trust)
{
    return trust->record_size >= SERIN_TRUST_VERSION_OFFSET + 4u
               ? serin_get_le32(trust->record + SERIN_TRUST_VERSION_OFFSET)
               : 0;
}

/* The retained record, or an older one, once more: the second copy of the one that counts is tried
 * again where there is none. */
static enum serin_error repair_trust(struct serin_agent *agent)
{
    if (agent->trust_single) {
        serin_agent_keep_trust(agent, false);
        note_trust(agent, agent->trust.version, agent->trust_single);
    }
    return SERIN_OK;
}

enum serin_error serin_intake_trust(struct serin_agent *agent, const uint8_t *payload, size_t size)
{
    struct serin_trust_payload trust;
    if (size == 0) {
        return SERIN_OK;
    }
    enum serin_error error = agent->config->codec->decode_trust_payload(payload, size, &trust);
    if (error == SERIN_OK && serin_agent_waits_for_trust(agent)) {
        return serin_agent_failed(agent, SERIN_ERR_FLASH); /* the one before may read yet */
    }
    uint32_t version = error == SERIN_OK ? claimed_version(&trust) : 0;
    if (error == SERIN_OK && version <= agent->trust_tried &&
        !serin_agent_over(agent, SERIN_WAIT_TRUST)) {
        return SERIN_ERR_FLASH;
    }
    if (error == SERIN_OK) {
        error =
            serin_trust_region_renew(agent->config->boot, agent->have_trust ? &agent->trust : NULL,
                                     trust.record, trust.record_size);
    }
    if (error == SERIN_ERR_STALE) {
        return repair_trust(agent);
    }
    if (error == SERIN_ERR_FLASH) {
        note_trust(agent, version, true);
        return serin_agent_failed(agent, error);
    }
    if (error != SERIN_OK) {
        return refuse(agent, "trust record refused", error);
    }
    serin_agent_fault_point(agent, "agent.trust.stored");
    serin_agent_keep_trust(agent, true);
    note_trust(agent, version, agent->trust_single);
    return SERIN_OK;
}

enum serin_error serin_intake_hold(struct serin_agent *agent, const uint8_t *payload, size_t size)
{
    struct serin_hold hold;
    if (size == 0) {
        agent->held = false;
        agent->hold_heard = false;
        return SERIN_OK;
    }
    enum serin_error error = agent->config->codec->decode_hold(payload, size, &hold);
    if (error != SERIN_OK) {
        return error;
    }
    agent->held = hold.held;
    agent->hold_heard = true;
    agent->hold_time_s = hold.time_s;
    agent->hold_time_ms = agent->now_ms;
    agent->wait_ms[SERIN_WAIT_HOLD] = serin_agent_seconds(hold.lease_left_s);
    return SERIN_OK;
}
