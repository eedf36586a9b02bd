/*
 * Records of the store as bytes: what is written is read, and whatever is wrong with the bytes is
 * found.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "record.h"
#include "store_samples.h"

#include <serin/adapters/stored_rollout.h>
#include <serin/crc32.h>

#include <stddef.h>
#include <string.h>

/* Bytes of struct serin_rollout before `late` that no sample sets: padding, terminators, the upper
 * bytes of enums and counts, and what is not stored. */
#define ROLLOUT_ZERO 303u
/* What version 7 brought. */
#define BEFORE_SIZE sizeof(uint32_t)

static const struct record_key key = {.size = 6, .bytes = "lamp-7"};

/* A record of a kind, with whatever lists it has full. */
static void sample(enum record_kind kind, uint64_t seed, union record_value *value)
{
    memset(value, 0, sizeof *value);
    switch (kind) {
    case RECORD_META:
        value->meta = sample_meta(seed);
        break;
    case RECORD_DEVICE:
        value->device = sample_device(seed, "lamp-7", seed % 2 == 0);
        break;
    case RECORD_ATTEMPT:
        value->attempt = sample_attempt(seed, seed % 2 == 0);
        break;
    case RECORD_RELEASE:
        value->release = sample_release(seed);
        break;
    case RECORD_STABLE:
        value->stable = sample_stable(seed, "lamp", "beta");
        break;
    case RECORD_ROLLOUT:
        value->rollout = sample_rollout(seed, seed);
        break;
    case RECORD_MEMBER:
        value->member = sample_member(seed, seed, "lamp-7");
        break;
    case RECORD_DIRECTIVE:
        value->directive = sample_directive(seed, "serin/1/directive/lamp/beta");
        break;
    case RECORD_TRUST:
        value->trust.size = 1 + seed % SERIN_TRUST_MAX;
        memset(value->trust.bytes, (int)seed, value->trust.size);
        break;
    case RECORD_GATEWAY:
        value->gateway = sample_gateway(seed, "gw-1", seed % 2 == 0);
        break;
    case RECORD_INVALID:
    case RECORD_KIND_COUNT:
        ck_abort();
    }
}

/* A record as bytes, in memory of exactly its size so that a sanitizer sees any step beyond it. */
static uint8_t *encoded(enum record_kind kind, uint64_t seed, size_t *size)
{
    static union record_value value;
    uint8_t bytes[RECORD_MAX];
    sample(kind, seed, &value);
    ck_assert_int_eq(record_encode(kind, &key, &value, bytes, size), SERIN_OK);
    uint8_t *copy = malloc(*size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, *size);
    return copy;
}

static enum serin_error decode(enum record_kind kind, const uint8_t *bytes, size_t size,
                               union record_value *value)
{
    return record_decode(kind, key.bytes, key.size, bytes, size, value);
}

/* Seals bytes that were tampered with, so that only the fields can give them away. */
static void reseal(uint8_t *bytes, size_t size)
{
    uint32_t crc = serin_crc32(serin_crc32(0, key.bytes, key.size), bytes, size - 4);
    serin_put_le32(bytes + size - 4, crc);
}

/* Written again from what was read, the bytes are the same: no field is lost. Caught: a field left
 * out of a layout is caught by the store's test, which compares values. */
START_TEST(what_is_written_is_read)
{
    static union record_value value;
    for (int kind = 1; kind < RECORD_KIND_COUNT; kind++) {
        for (uint64_t seed = 1; seed <= 200; seed++) {
            size_t size = 0, again = 0;
            uint8_t bytes[RECORD_MAX];
            uint8_t *first = encoded((enum record_kind)kind, seed, &size);
            ck_assert_int_eq(decode((enum record_kind)kind, first, size, &value), SERIN_OK);
            ck_assert_int_eq(record_encode((enum record_kind)kind, &key, &value, bytes, &again),
                             SERIN_OK);
            ck_assert_uint_eq(size, again);
            ck_assert_mem_eq(first, bytes, size);
            free(first);
        }
    }
}
END_TEST

/* Members have no padding, and share bytes. Caught: a bit that is not written, or not read. */
START_TEST(a_member_keeps_all_its_fields)
{
    static union record_value value;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        size_t size = 0;
        uint8_t *bytes = encoded(RECORD_MEMBER, seed, &size);
        ck_assert_int_eq(decode(RECORD_MEMBER, bytes, size, &value), SERIN_OK);
        struct serin_member_record was = sample_member(seed, seed, "lamp-7");
        ck_assert_mem_eq(&value.member.member, &was.member, sizeof was.member);
        free(bytes);
    }
}
END_TEST

/* Caught: what a restart loses kept; a rollout that cannot be stored changed. */
START_TEST(a_rollout_that_comes_back_has_lost_what_is_not_stored)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct serin_rollout was = sample_rollout(seed, seed);
        struct serin_rollout back = was;
        back.reports_up = true;
        back.heard_from_ms = 1;
        back.stood_watch_ms = 2;
        back.comparison.silent_lasting.from_ms = 3;
        back.evidence.against = 4;
        ck_assert_int_eq(serin_stored_rollout(&back), SERIN_OK);
        ck_assert_mem_eq(&back, &was, sizeof was);
        back.policy.stage_count = 300;
        back.reports_up = true;
        ck_assert_int_eq(serin_stored_rollout(&back), SERIN_ERR_INVALID);
        ck_assert(back.reports_up && back.policy.stage_count == 300);
    }
}
END_TEST

/* Caught: the CRC not compared; the key left out of it. */
START_TEST(every_flipped_bit_is_found)
{
    static union record_value value;
    for (int kind = 1; kind < RECORD_KIND_COUNT; kind++) {
        size_t size = 0;
        uint8_t *bytes = encoded((enum record_kind)kind, 2, &size);
        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (decode((enum record_kind)kind, bytes, size, &value) != SERIN_ERR_CRC) {
                ck_abort_msg("kind %d, bit %zu", kind, bit);
            }
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_int_eq(record_decode((enum record_kind)kind, "lamp-8", 6, bytes, size, &value),
                         SERIN_ERR_CRC);
        free(bytes);
    }
}
END_TEST

/* Cut short and sealed again at every length: never accepted, never read beyond. Caught: the length
 * of a text not compared with what is left; trailing bytes accepted. */
START_TEST(no_other_length_is_accepted)
{
    static union record_value value;
    for (int kind = 1; kind < RECORD_KIND_COUNT; kind++) {
        size_t size = 0;
        uint8_t *bytes = encoded((enum record_kind)kind, 2, &size);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *part = malloc(cut + 1);
            ck_assert_ptr_nonnull(part);
            memcpy(part, bytes, cut);
            if (cut >= 4) {
                reseal(part, cut);
            }
            enum serin_error error = decode((enum record_kind)kind, part, cut, &value);
            if (error != SERIN_ERR_TRUNCATED && error != SERIN_ERR_FORMAT) {
                ck_abort_msg("kind %d cut to %zu of %zu: %d", kind, cut, size, error);
            }
            free(part);
        }
        uint8_t longer[RECORD_MAX + 1];
        memcpy(longer, bytes, size);
        longer[size] = 0;
        reseal(longer, size + 1);
        ck_assert_int_eq(decode((enum record_kind)kind, longer, size + 1, &value),
                         SERIN_ERR_FORMAT);
        free(bytes);
    }
}
END_TEST

/* Random bytes under a good seal: refused or read within bounds, never worse. */
START_TEST(tampered_fields_stay_within_bounds)
{
    static union record_value value;
    uint64_t dice = 99;
    for (int kind = 1; kind < RECORD_KIND_COUNT; kind++) {
        for (int i = 0; i < 3000; i++) {
            size_t size = 0;
            uint8_t *bytes = encoded((enum record_kind)kind, (uint64_t)(i % 7 + 1), &size);
            for (int j = 0; j < 3; j++) {
                dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
                bytes[2 + (dice >> 33) % (size - 6)] = (uint8_t)(dice >> 56);
            }
            reseal(bytes, size);
            enum serin_error error = decode((enum record_kind)kind, bytes, size, &value);
            if (error != SERIN_OK && error != SERIN_ERR_FORMAT) {
                ck_abort_msg("kind %d: %d", kind, error);
            }
            if (error == SERIN_OK && kind == RECORD_DEVICE &&
                (value.device.counter_count > SERIN_BEAT_COUNTERS_MAX ||
                 strlen(value.device.id) > SERIN_ID_MAX ||
                 value.device.last_attempt.transition_count > SERIN_REPORT_TRANSITIONS_MAX)) {
                ck_abort_msg("out of bounds");
            }
            free(bytes);
        }
    }
}
END_TEST

START_TEST(another_kind_and_a_newer_version_are_told_apart)
{
    static union record_value value;
    size_t size = 0;
    uint8_t *bytes = encoded(RECORD_META, 1, &size);
    ck_assert_int_eq(decode(RECORD_MEMBER, bytes, size, &value), SERIN_ERR_FORMAT);
    bytes[0] = RECORD_MEMBER; /* the fields of one kind under the name of another */
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_ERR_FORMAT);
    bytes[0] = RECORD_META;
    bytes[1] = (uint8_t)(record_layouts[RECORD_META].version + 1);
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_ERR_VERSION);
    bytes[1] = 0;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_ERR_FORMAT);
    free(bytes);
}
END_TEST

/* Caught: the upper bound left out; a number that does not fit its byte written as another. */
START_TEST(values_out_of_bounds_are_not_written)
{
    static union record_value value;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    for (int plant = 0; plant < 12; plant++) {
        static const enum record_kind kinds[] = {RECORD_DEVICE,  RECORD_DEVICE,    RECORD_ATTEMPT,
                                                 RECORD_ATTEMPT, RECORD_DIRECTIVE, RECORD_TRUST,
                                                 RECORD_ROLLOUT, RECORD_TRUST,     RECORD_DEVICE,
                                                 RECORD_ROLLOUT, RECORD_ROLLOUT,   RECORD_ROLLOUT};
        sample(kinds[plant], 2, &value);
        switch (plant) {
        case 0:
            memset(value.device.id, 'x', sizeof value.device.id);
            break;
        case 1:
            value.device.counter_count = SERIN_BEAT_COUNTERS_MAX + 1;
            break;
        case 2:
            value.attempt.state = SERIN_STATE_COUNT;
            break;
        case 3:
            value.attempt.transition_count = SERIN_REPORT_TRANSITIONS_MAX + 1;
            break;
        case 4:
            value.directive.payload_size = SERIN_DIRECTIVE_MAX + 1;
            break;
        case 5:
            value.trust.size = SERIN_TRUST_MAX + 1;
            break;
        case 6:
            value.rollout.policy.stage_count = 300;
            break;
        case 7:
            value.trust.size = 0;
            break;
        case 9:
            value.rollout.policy.on_halt = SERIN_ON_HALT_INVALID;
            break;
        case 10:
            value.rollout.policy.reason_count = SERIN_GATE_REASONS_MAX + 1;
            break;
        case 11:
            value.rollout.policy.window_count = SERIN_WINDOWS_MAX + 1;
            break;
        default:
            value.device.counter_count = 300; /* more than its byte can hold */
            break;
        }
        ck_assert_msg(record_encode(kinds[plant], &key, &value, bytes, &size) == SERIN_ERR_INVALID,
                      "plant %d", plant);
    }
}
END_TEST

/* The records of a store of before there were gateways: every device was direct; of before its own
 * account was kept; of before what its beats came to was; and of before it told what it decodes.
 * Caught: a field read whatever the
 * version; a field left out. */
START_TEST(a_device_of_an_older_version_has_what_it_had)
{
    static union record_value value;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_DEVICE, 2, &value);
    size_t length = strlen(value.device.gateway);
    ck_assert_int_eq(record_encode(RECORD_DEVICE, &key, &value, bytes, &size), SERIN_OK);
    ck_assert_uint_ne(value.device.takes, 0);
    bytes[1] = 4;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_ERR_FORMAT);
    size -= sizeof value.device.takes;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_OK);
    ck_assert_uint_ne(value.device.health.beats, 0);
    ck_assert_uint_eq(value.device.takes, 0);
    bytes[1] = 3;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_ERR_FORMAT);
    ck_assert_uint_ne(value.device.own.number, 0);
    size -= offsetof(struct serin_health, resumed_s); /* what stands before it is stored */
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_OK);
    ck_assert_uint_ne(value.device.own.number, 0);
    ck_assert_uint_eq(value.device.health.beats, 0);
    bytes[1] = 2;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_ERR_FORMAT);
    size -= sizeof value.device.own.incarnation + sizeof value.device.own.number;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_OK);
    ck_assert_uint_eq(strlen(value.device.gateway), length);
    ck_assert_uint_eq(value.device.own.incarnation, 0);
    ck_assert_uint_eq(value.device.own.number, 0);
    bytes[1] = 1;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_ERR_FORMAT);
    size -= 1 + length;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_OK);
    ck_assert_str_eq(value.device.gateway, "");
    bytes[1] = 2;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_DEVICE, bytes, size, &value), SERIN_ERR_FORMAT);
}
END_TEST

/* Cuts what later versions appended and seals the rest as one of `version`: the only length that
 * its reader takes, whatever was appended. The value as read is in `old`. */
static size_t cut_to_version(enum record_kind kind, uint8_t version, uint8_t *bytes, size_t size,
                             union record_value *old)
{
    static uint8_t whole[RECORD_MAX];
    memcpy(whole, bytes, size);
    whole[1] = version;
    do {
        size--;
        memcpy(bytes, whole, size);
        reseal(bytes, size);
    } while (size > 6 && decode(kind, bytes, size, old) != SERIN_OK);
    ck_assert_uint_gt(size, 6);
    return size;
}

/* Before the audit log had a chain, it had no head; before signed time was kept, there was none.
 * Caught: the same. */
START_TEST(meta_of_older_versions_knows_of_no_audit_log_and_no_signed_time)
{
    const size_t mark_size = 3 * sizeof(uint64_t) + 1;
    static union record_value value;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_META, 2, &value);
    uint32_t trust_version = value.meta.trust_version;
    ck_assert_int_eq(record_encode(RECORD_META, &key, &value, bytes, &size), SERIN_OK);
    uint64_t audit_seq = value.meta.audit_seq;
    bytes[1] = 2;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_ERR_FORMAT);
    size -= mark_size;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_OK);
    ck_assert_uint_eq(value.meta.audit_seq, audit_seq);
    ck_assert_uint_eq(value.meta.signed_mark.signed_ms, 0);
    ck_assert(!value.meta.signed_mark.doubted);
    bytes[1] = 1;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_ERR_FORMAT);
    size -= sizeof value.meta.audit_seq + sizeof value.meta.audit_hash;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_META, bytes, size, &value), SERIN_OK);
    ck_assert_uint_eq(value.meta.trust_version, trust_version);
    ck_assert_uint_eq(value.meta.audit_seq, 0);
}
END_TEST

/* Before failures were judged by site, none had been; before version 3 there was one gate, nothing
 * tested a stage, and it opened whole. Caught: a field read whatever the version; the test's rates
 * left at zero; `reached` left at zero, as though the stage had not begun. */
START_TEST(a_rollout_of_an_older_version_goes_on_as_it_was)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_ROLLOUT, 2, &value);
    value.rollout.policy.patience_s = 90;
    ck_assert_uint_ne(value.rollout.judged, 0);
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    size = cut_to_version(RECORD_ROLLOUT, 2, bytes, size, &old);
    const struct serin_policy *policy = &old.rollout.policy;
    ck_assert_uint_eq(old.rollout.judged, value.rollout.judged);
    ck_assert_uint_eq(old.rollout.reached, value.rollout.target);
    ck_assert(!old.rollout.accepted && !old.rollout.held && !old.rollout.closed);
    ck_assert_uint_eq(old.rollout.attempt_first, value.rollout.attempt);
    ck_assert_mem_eq(&policy->gates[SERIN_GATE_FAILURES],
                     &value.rollout.policy.gates[SERIN_GATE_FAILURES],
                     sizeof(struct serin_gate_policy));
    for (size_t i = SERIN_GATE_FAILURES + 1; i < SERIN_GATE_COUNT; i++) {
        ck_assert_uint_eq(policy->gates[i].max_permyriad, 10000);
        ck_assert_uint_eq(policy->gates[i].minimum, 1);
    }
    ck_assert_uint_eq(policy->reason_count, 0);
    ck_assert_uint_eq(policy->test.accepted_permyriad, 8999);
    ck_assert_uint_eq(policy->test.rejected_permyriad, 9000);
    ck_assert(!policy->test.small_stages_hold);
    ck_assert_uint_eq(policy->ramp.first, 0);
    ck_assert_uint_eq(policy->ramp.settle_s, 90);
    ck_assert_uint_eq(policy->window_count, 0);
    ck_assert_int_eq(policy->on_halt, SERIN_ON_HALT_HOLD);
    bytes[1] = 1;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_ROLLOUT, bytes, size, &old), SERIN_ERR_FORMAT);
    size -= sizeof value.rollout.judged;
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_ROLLOUT, bytes, size, &old), SERIN_OK);
    ck_assert_uint_eq(old.rollout.judged, 0);
    ck_assert_uint_eq(old.rollout.reached, value.rollout.target);
}
END_TEST

/* Before version 4 an approval waived whatever held the stage: it is asked for again. Caught: a
 * field read whatever the version. */
START_TEST(a_rollout_of_version_3_waives_nothing)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_ROLLOUT, 3, &value);
    ck_assert_uint_ne(value.rollout.waived, 0);
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    size_t whole = size - (1 + value.rollout.mark_count * sizeof(struct serin_mark));
    size = cut_to_version(RECORD_ROLLOUT, 3, bytes, size, &old);
    size_t spells =
        1 + value.rollout.spell_count * sizeof(struct serin_spell) + 2 * sizeof(uint32_t);
    size_t outages =
        1 + value.rollout.outage_count * sizeof(struct serin_outage) + 4 * sizeof(uint32_t);
    ck_assert_uint_eq(whole - size, 1 + 3 * sizeof(uint32_t) + spells + 2 * sizeof(uint64_t) + 4 +
                                        outages + BEFORE_SIZE);
    ck_assert_uint_eq(old.rollout.reached, value.rollout.reached);
    ck_assert_str_eq(old.rollout.revert_why, value.rollout.revert_why);
    ck_assert(!old.rollout.unproven);
    ck_assert_uint_eq(old.rollout.waived, 0);
    ck_assert_uint_eq(old.rollout.waived_failures, 0);
    ck_assert_uint_eq(old.rollout.forgiven, 0);
}
END_TEST

/* Before version 5 one spell of silence was stored, widened: it is the first of the list; and a
 * judgement was of all that had ended. Caught: a field read whatever the version; the spell lost,
 * or as wide as it was; judged failures that are judged again. */
START_TEST(a_rollout_of_version_4_has_one_spell)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_ROLLOUT, 3, &value);
    value.rollout.policy.deadline_s = 86400;
    value.rollout.long_silent_of = 7;
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    size = cut_to_version(RECORD_ROLLOUT, 4, bytes, size, &old);
    ck_assert_uint_eq(old.rollout.mark_count, 0);
    ck_assert_uint_eq(old.rollout.spell_count, 0);
    ck_assert_uint_eq(old.rollout.long_silent_of, 0);
    ck_assert_uint_eq(old.rollout.judging_threshold, UINT64_MAX);
    ck_assert_uint_eq(old.rollout.judged_threshold, UINT64_MAX);
    /* Before the first attempt, the revert, its words, what version 4 brought and the sum. */
    size_t at = size - (8 + 4 + 8 + 1 + strlen(value.rollout.revert_why) + 13 + 4);
    serin_put_le32(bytes + at, 10000);
    serin_put_le32(bytes + at + 4, 150000);
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_ROLLOUT, bytes, size, &old), SERIN_OK);
    ck_assert_uint_eq(old.rollout.spell_count, 1);
    ck_assert_uint_eq(old.rollout.spells[0].from_s, 10000 + 86400 + 43200);
    ck_assert_uint_eq(old.rollout.spells[0].until_s, 150000);
    ck_assert_uint_eq(old.rollout.spells[0].settled_s, 150000);
    ck_assert_uint_eq(old.rollout.attempt_first, value.rollout.attempt_first);
    serin_put_le32(bytes + at + 4, 20000); /* it ended before it can have begun */
    reseal(bytes, size);
    ck_assert_int_eq(decode(RECORD_ROLLOUT, bytes, size, &old), SERIN_OK);
    ck_assert_uint_eq(old.rollout.spells[0].from_s, 20000);
}
END_TEST

/* Before version 6 outages of reports were forgotten at each start, and of others the control group
 * alone was known. Caught: a field read whatever the version; others that let expect nothing. */
START_TEST(a_rollout_of_version_5_knows_of_no_outage)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_ROLLOUT, 3, &value);
    value.rollout.outage_count = 2;
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    size_t whole =
        size - (1 + 2 * sizeof(struct serin_outage) + 4 * sizeof(uint32_t) + BEFORE_SIZE);
    ck_assert_uint_eq(cut_to_version(RECORD_ROLLOUT, 5, bytes, size, &old), whole);
    ck_assert_uint_eq(old.rollout.retried_s, value.rollout.retried_s);
    ck_assert_uint_eq(old.rollout.outage_count, 0);
    ck_assert_uint_eq(old.rollout.comparison.rest, value.rollout.comparison.control);
    ck_assert_uint_eq(old.rollout.comparison.rest_silent, value.rollout.comparison.control_silent);
}
END_TEST

/* Before version 7 nobody counted who was silent before the rollout. Caught: a field read whatever
 * the version. */
START_TEST(a_rollout_of_version_6_counts_nobody_of_before)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    sample(RECORD_ROLLOUT, 3, &value);
    value.rollout.comparison.rest_before = 5;
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    ck_assert_uint_eq(cut_to_version(RECORD_ROLLOUT, 6, bytes, size, &old), size - BEFORE_SIZE);
    ck_assert_uint_eq(old.rollout.comparison.rest, value.rollout.comparison.rest);
    ck_assert_uint_eq(old.rollout.comparison.rest_before, 0);
}
END_TEST

/* What an older rollout is given must be a policy that the engine takes. Caught: equal rates; a
 * settle time of 600 s beside a patience of 90. */
START_TEST(an_older_policy_is_still_a_sound_one)
{
    static union record_value value, old;
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    memset(&value, 0, sizeof value);
    struct serin_policy *policy = &value.rollout.policy;
    value.rollout = sample_rollout(2, 2);
    serin_policy_default(policy);
    strcpy(policy->product, "lamp");
    strcpy(policy->channel, "stable");
    policy->offer_count = 1;
    policy->offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 1, .manifest_id = {1}};
    policy->patience_s = 90;
    value.rollout.stage = 1;
    ck_assert_int_eq(record_encode(RECORD_ROLLOUT, &key, &value, bytes, &size), SERIN_OK);
    (void)cut_to_version(RECORD_ROLLOUT, 2, bytes, size, &old);
    const char *wrong = "";
    ck_assert_msg(serin_policy_check(&old.rollout.policy, &wrong) == SERIN_OK, "%s", wrong);
}
END_TEST

/* A byte that is zero in every sample is padding, the upper part of a small number, or a field that
 * samples and layout have both forgotten. Caught: a new field in none of them. */
START_TEST(no_field_of_a_rollout_is_forgotten)
{
    enum { STORED = offsetof(struct serin_rollout, late) };
    static uint8_t seen[STORED];
    memset(seen, 0, sizeof seen);
    for (uint64_t seed = 1; seed <= 500; seed++) {
        static union record_value value;
        sample(RECORD_ROLLOUT, seed, &value);
        for (size_t i = 0; i < STORED; i++) {
            seen[i] |= ((const uint8_t *)&value.rollout)[i];
        }
    }
    size_t zero = 0;
    for (size_t i = 0; i < STORED; i++) {
        zero += seen[i] == 0;
    }
    ck_assert_uint_eq(zero, ROLLOUT_ZERO);
}
END_TEST

/* A device with its whole last attempt, every list full and every name as long as it may be. */
START_TEST(a_full_device_stays_small)
{
    union record_value value;
    memset(&value, 0, sizeof value);
    char id[SERIN_ID_MAX + 1];
    memset(id, 'd', SERIN_ID_MAX);
    id[SERIN_ID_MAX] = '\0';
    value.device = sample_device(2, id, true);
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    ck_assert_int_eq(record_encode(RECORD_DEVICE, &key, &value, bytes, &size), SERIN_OK);
    ck_assert_uint_le(size, 1024);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_written_is_read,
        a_member_keeps_all_its_fields,
        a_rollout_that_comes_back_has_lost_what_is_not_stored,
        every_flipped_bit_is_found,
        no_other_length_is_accepted,
        tampered_fields_stay_within_bounds,
        another_kind_and_a_newer_version_are_told_apart,
        values_out_of_bounds_are_not_written,
        a_device_of_an_older_version_has_what_it_had,
        meta_of_older_versions_knows_of_no_audit_log_and_no_signed_time,
        a_rollout_of_an_older_version_goes_on_as_it_was,
        a_rollout_of_version_3_waives_nothing,
        a_rollout_of_version_4_has_one_spell,
        a_rollout_of_version_5_knows_of_no_outage,
        a_rollout_of_version_6_counts_nobody_of_before,
        an_older_policy_is_still_a_sound_one,
        no_field_of_a_rollout_is_forgotten,
        a_full_device_stays_small,
        NULL,
    };
    return check_run("store_record", tests);
}
