/*
 * The bounds of serin/wire.h, enforced.
 */
#include <serin/wire_bounds.h>

#include <string.h>

#define ACK_RETRY_MAX_S 86400u
#define INTERVAL_MAX_S  604800u
#define BLOCK_RETRY_MAX 3600000u
#define SLOT_A          1u
#define SLOT_B          2u

bool serin_bounds_name(const char *text, size_t capacity, serin_bounds_rule *valid)
{
    const char *end = memchr(text, '\0', capacity);
    return end != NULL && valid(text, (size_t)(end - text));
}

static bool who_ok(const char *device_id, const char *product, const char *channel)
{
    return serin_bounds_name(device_id, SERIN_ID_MAX + 1, serin_id_valid) &&
           serin_bounds_name(product, SERIN_PRODUCT_MAX + 1, serin_product_valid) &&
           serin_bounds_name(channel, SERIN_CHANNEL_MAX + 1, serin_channel_valid);
}

/* Numbers beyond an enum arrive from the wire; compare as numbers. */
static bool enum_ok(unsigned value, unsigned last)
{
    return value >= 1 && value <= last;
}

static bool reason_ok(enum serin_reason reason)
{
    return enum_ok((unsigned)reason, (unsigned)SERIN_REASON_COUNT - 1);
}

/* ---- signed ---- */

bool serin_bounds_envelope(const struct serin_envelope *envelope)
{
    return envelope->body != NULL && envelope->body_size >= 1 &&
           envelope->body_size <= SERIN_DIRECTIVE_MAX;
}

bool serin_bounds_trust_payload(const struct serin_trust_payload *payload)
{
    return payload->record != NULL && payload->record_size >= 1 &&
           payload->record_size <= SERIN_TRUST_MAX;
}

/* ---- accounts ---- */

static bool running_ok(const struct serin_running *running)
{
    return running->slot == SLOT_A || running->slot == SLOT_B;
}

static bool attempt_ok(const struct serin_attempt_report *attempt)
{
    if (attempt->attempt < 1 || attempt->transition_count < 1 ||
        attempt->transition_count > SERIN_REPORT_TRANSITIONS_MAX) {
        return false;
    }
    for (size_t i = 0; i < attempt->transition_count; i++) {
        const struct serin_transition *transition = &attempt->transitions[i];
        if (!enum_ok((unsigned)transition->state, (unsigned)SERIN_STATE_COUNT - 1) ||
            !reason_ok(transition->reason)) {
            return false;
        }
    }
    return true;
}

bool serin_bounds_report(const struct serin_report *report)
{
    if (!who_ok(report->device_id, report->product, report->channel) || report->hardware < 1 ||
        report->incarnation == 0 || report->number < 1 || !running_ok(&report->running) ||
        report->attempt_count < 1 || report->attempt_count > SERIN_REPORT_ATTEMPTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < report->attempt_count; i++) {
        if (!attempt_ok(&report->attempts[i])) {
            return false;
        }
    }
    return report->mac_size <= SERIN_REPORT_MAC_MAX &&
           (report->mac_type == 0) == (report->mac_size == 0);
}

bool serin_bounds_ack(const struct serin_ack *ack)
{
    return ack->incarnation != 0 && enum_ok((unsigned)ack->status, SERIN_ACK_PENDING) &&
           ack->retry_s <= ACK_RETRY_MAX_S;
}

static bool counters_ok(const struct serin_beat *beat)
{
    if (beat->counter_count > SERIN_BEAT_COUNTERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < beat->counter_count; i++) {
        if (beat->counters[i].id < 1) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (beat->counters[j].id == beat->counters[i].id) {
                return false;
            }
        }
    }
    return true;
}

bool serin_bounds_beat(const struct serin_beat *beat)
{
    return who_ok(beat->device_id, beat->product, beat->channel) && beat->hardware >= 1 &&
           beat->incarnation != 0 && running_ok(&beat->running) &&
           enum_ok((unsigned)beat->redundancy, SERIN_REDUNDANCY_MIRRORED) &&
           beat->interval_s >= 1 && beat->interval_s <= INTERVAL_MAX_S &&
           reason_ok(beat->refused) && counters_ok(beat);
}

/* ---- transport ---- */

bool serin_bounds_get(const struct serin_get *get)
{
    return get->length >= 1 && get->block_size >= SERIN_BLOCK_DATA_MIN &&
           get->block_size <= SERIN_BLOCK_DATA_MAX && get->token != 0 &&
           get->token != get->done_token;
}

/* A block of data lies within its window, and the window within the object. */
static bool block_data_ok(const struct serin_block *block)
{
    return block->data != NULL && block->data_size >= 1 &&
           block->data_size <= SERIN_BLOCK_DATA_MAX && block->offset <= block->window_end &&
           block->data_size <= block->window_end - block->offset &&
           (block->object_size == 0 || block->window_end <= block->object_size);
}

bool serin_bounds_block(const struct serin_block *block)
{
    if (block->token == 0 || !enum_ok((unsigned)block->status, SERIN_BLOCK_REFUSED) ||
        block->retry_ms > BLOCK_RETRY_MAX) {
        return false;
    }
    return block->status == SERIN_BLOCK_DATA ? block_data_ok(block) : block->data_size == 0;
}

bool serin_bounds_hold(const struct serin_hold *hold)
{
    return hold->time_s <= SERIN_TIME_MAX_S && reason_ok(hold->reason);
}
