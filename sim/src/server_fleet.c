/* What devices and gateways say to the simulated serind, what it keeps of it, and what it answers
 * (server.h). */
#include "server.h"

#include "invariants.h"

#include <serin/crc32.h>

#include <string.h>

#define AHEAD 6u /* items */

/* ---- the intake ---- */

/* The next place, or NULL: what does not fit is not acknowledged, so that it comes again. */
static struct server_item *place(struct sim_server *server, uint32_t site, uint32_t ticket)
{
    if (server->intake_count == SERVER_INTAKE_MAX) {
        return NULL;
    }
    struct server_item *item = &server->intake[server->intake_count];
    item->site = site;
    item->ticket = ticket;
    return item;
}

static void keep(struct sim_server *server, const struct server_item *item)
{
    if (!item->is_beat) {
        sim_check_heard(server->sim, item->device, &item->report);
    }
    server->urgent = server->urgent || !item->is_beat;
    if (server->intake_count++ == 0) {
        server->oldest_ms = server->sim->now_ms;
    }
}

/* A device speaks for itself only, a gateway for whoever it names: the id in the payload is the
 * one of the topic, or of the batch's item. */
static bool take(struct sim_server *server, struct server_item *item, bool is_beat,
                 const char *node, const uint8_t *payload, size_t size)
{
    const struct serin_codec *codec = server->sim->codec;
    enum serin_error error = is_beat ? codec->decode_beat(payload, size, &item->beat)
                                     : codec->decode_report(payload, size, &item->report);
    const char *id = is_beat ? item->beat.device_id : item->report.device_id;
    item->is_beat = is_beat;
    if (error != SERIN_OK || strcmp(id, node) != 0) {
        return false;
    }
    item->device = sim_node_index(server->sim, id);
    return item->device != SIM_NOBODY;
}

static void heard_device(struct sim_server *server, struct sim_topic topic, const uint8_t *payload,
                         size_t size)
{
    char id[SIM_ID_SIZE];
    struct server_item *item = place(server, 0, 0);
    sim_node_id(topic.index, id);
    if (item != NULL && take(server, item, topic.kind == SERIN_TOPIC_DEV_BEAT, id, payload, size)) {
        keep(server, item);
    }
}

static uint32_t ticket_open(struct sim_server *server, const struct serin_batch *batch,
                            const uint8_t *payload, size_t size)
{
    if (server->ticket_count == SERVER_TICKETS_MAX) {
        return 0;
    }
    struct server_ticket *ticket = &server->tickets[server->ticket_count++];
    *ticket = (struct server_ticket){.ack = {.incarnation = batch->incarnation,
                                             .number = batch->number,
                                             .crc32 = serin_crc32(0, payload, size)}};
    return server->ticket_count;
}

/* Batches are not deflated here: what compresses is a third party's. */
static void heard_batch(struct sim_server *server, uint32_t gateway, const uint8_t *payload,
                        size_t size)
{
    const struct serin_site_codec *codec = server->sim->site_codec;
    struct serin_batch batch;
    struct serin_batch_items *items = &server->items;
    if (codec->decode_batch(payload, size, &batch) != SERIN_OK ||
        batch.encoding != SERIN_BATCH_PLAIN ||
        codec->decode_batch_items(batch.items, batch.items_size, items) != SERIN_OK) {
        return;
    }
    bool reports = false;
    for (size_t i = 0; i < items->count; i++) {
        reports = reports || items->list[i].kind == SERIN_BATCH_REPORT;
    }
    uint32_t ticket = reports ? ticket_open(server, &batch, payload, size) : 0;
    for (size_t i = 0; i < items->count; i++) {
        const struct serin_batch_item *from = &items->list[i];
        bool is_report = from->kind == SERIN_BATCH_REPORT;
        if (is_report && ticket != 0) {
            server->tickets[ticket - 1u].reports++;
        }
        if (!is_report && from->kind != SERIN_BATCH_BEAT) {
            continue;
        }
        struct server_item *item = place(server, gateway + 1u, is_report ? ticket : 0);
        if (item != NULL &&
            take(server, item, !is_report, from->node, from->payload, from->payload_size)) {
            keep(server, item);
        }
    }
}

void server_fleet_heard(struct sim_server *server, struct sim_topic topic, const uint8_t *payload,
                        size_t size)
{
    if (topic.kind == SERIN_TOPIC_DEV_REPORT || topic.kind == SERIN_TOPIC_DEV_BEAT) {
        heard_device(server, topic, payload, size);
    } else if (topic.kind == SERIN_TOPIC_GW_REPORTS) {
        heard_batch(server, topic.index, payload, size);
    }
}

/* ---- answers ---- */

void server_answer(struct sim_server *server, const struct server_item *item, uint64_t number,
                   enum serin_ack_status status)
{
    if (server->letter_count == SERVER_LETTERS_MAX) {
        return; /* it resends, and is answered then */
    }
    uint64_t incarnation = item->is_beat ? item->beat.incarnation : item->report.incarnation;
    struct server_letter *letter = &server->letters[server->letter_count++];
    *letter = (struct server_letter){
        .site = item->site,
        .device = item->device,
        .ack = {.incarnation = incarnation, .number = number, .status = status},
    };
    if (item->ticket != 0 && status == SERIN_ACK_STORED && number == item->report.number) {
        letter->ticket = item->ticket;
        server->tickets[item->ticket - 1u].stored++;
    }
}

/* One word in the place of all answers to the reports of a batch that are all stored: the first of
 * them says it, the others stay behind to be judged. */
static void fold(struct sim_server *server)
{
    for (size_t i = 0; i < server->letter_count; i++) {
        struct server_letter *letter = &server->letters[i];
        struct server_ticket *ticket =
            letter->ticket != 0 ? &server->tickets[letter->ticket - 1u] : NULL;
        if (ticket == NULL || ticket->stored != ticket->reports) {
            continue;
        }
        letter->whole = !ticket->answered;
        letter->gone = ticket->answered;
        letter->batch = ticket->ack;
        ticket->answered = true;
    }
}

static void send_direct(struct sim_server *server, const struct server_letter *letter)
{
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    if (server->sim->codec->encode_ack(&letter->ack, payload, sizeof payload, &size) == SERIN_OK) {
        sim_publish(server->sim, SIM_CLOUD, (struct sim_from){SIM_SERVER, 0},
                    (struct sim_topic){SERIN_TOPIC_DEV_ACK, letter->device}, payload, size, false);
    }
}

/* Those for one gateway go together; in a message batches stand before items. */
static void send_site(struct sim_server *server, size_t first)
{
    uint32_t site = server->letters[first].site;
    struct serin_ack_batch batch;
    uint8_t payload[SERIN_ACK_BATCH_MAX];
    size_t size = 0;
    batch.count = batch.batch_count = 0;
    for (size_t i = first; i < server->letter_count && batch.count < SERIN_ACK_BATCH_ITEMS_MAX &&
                           batch.batch_count < SERIN_ACK_BATCH_BATCHES_MAX;
         i++) {
        struct server_letter *letter = &server->letters[i];
        if (letter->site != site || letter->gone) {
            continue;
        }
        if (letter->whole && batch.count > 0) {
            break;
        }
        if (letter->whole) {
            batch.batches[batch.batch_count++] = letter->batch;
        } else {
            sim_node_id(letter->device, batch.list[batch.count].node);
            batch.list[batch.count++].ack = letter->ack;
        }
        letter->gone = true;
    }
    if (server->sim->site_codec->encode_ack_batch(&batch, payload, sizeof payload, &size) ==
        SERIN_OK) {
        sim_publish(server->sim, SIM_CLOUD, (struct sim_from){SIM_SERVER, 0},
                    (struct sim_topic){SERIN_TOPIC_GW_ACKS, site - 1u}, payload, size, false);
    }
}

void server_fleet_send(struct sim_server *server)
{
    for (size_t i = 0; i < server->letter_count && server->connected; i++) {
        struct server_letter *letter = &server->letters[i];
        if (!letter->passed) {
            sim_check_ack(server->sim, letter->device, &letter->ack,
                          &server->store.committed[letter->device]);
        }
        if (letter->site == 0) {
            send_direct(server, letter);
        } else if (!letter->gone) {
            send_site(server, i);
        }
    }
    server->letter_count = 0;
}

/* ---- attempts ---- */

/* The ledger's record of what is kept, and back. */
static void unpack(const struct server_attempt *kept, struct serin_attempt_record *record)
{
    memset(record, 0, sizeof *record);
    memcpy(record->manifest_id, kept->manifest_id, sizeof record->manifest_id);
    record->attempt = kept->attempt;
    record->state = (enum serin_state)kept->state;
    record->reason = (enum serin_reason)kept->reason;
    record->final = kept->final;
    record->updated_s = SIM_START_S + kept->updated_s;
    record->bytes_fetched = kept->bytes_fetched;
    record->pieces_refetched = kept->pieces_refetched;
    record->transition_count = kept->transition_count;
}

static void pack(const struct serin_attempt_record *record, struct server_attempt *kept)
{
    memcpy(kept->manifest_id, record->manifest_id, sizeof kept->manifest_id);
    kept->attempt = record->attempt;
    kept->state = (uint8_t)record->state;
    kept->reason = (uint8_t)record->reason;
    kept->final = record->final;
    kept->updated_s =
        record->updated_s > SIM_START_S ? (uint32_t)(record->updated_s - SIM_START_S) : 0;
    kept->bytes_fetched = record->bytes_fetched;
    kept->pieces_refetched = record->pieces_refetched;
    kept->transition_count = (uint8_t)record->transition_count;
}

static bool is_candidate(const struct sim_server *server, const uint8_t *manifest_id)
{
    const struct server_head *head = &server->store.head;
    return head->has_rollout &&
           memcmp(manifest_id, head->rollout.policy.offers[0].manifest_id, SERIN_SHA256_SIZE) == 0;
}

/* Whether it is one of the rollout's attempts: those before a retry are, too. */
static bool is_attempt(const struct sim_server *server, const struct server_attempt *attempt)
{
    const struct serin_rollout *rollout = &server->store.head.rollout;
    return attempt->attempt != 0 && is_candidate(server, attempt->manifest_id) &&
           attempt->attempt >= rollout->attempt_first && attempt->attempt <= rollout->attempt;
}

static void step_member(struct sim_server *server, uint32_t device, enum serin_state state,
                        enum serin_reason reason, bool before_retry)
{
    if (server->places[device] == SIM_NOBODY) {
        return; /* there is no offer to its hardware */
    }
    const struct serin_rollout_event event = {
        .kind = SERIN_ROLLOUT_MEMBER,
        .member = server->places[device],
        .state = state,
        .reason = reason != SERIN_REASON_INVALID ? reason : SERIN_REASON_NONE,
        .before_retry = before_retry,
    };
    enum serin_error error = server_step(server, &event);
    if (error != SERIN_OK && error != SERIN_ERR_STATE) {
        sim_failed(server->sim, error);
    }
}

/* Tells the engine what an attempt has come to. One from before a retry is told only where it is
 * news: an old end that is reported again must not end what a retry has opened. */
static void tell(struct sim_server *server, uint32_t device, bool news)
{
    const struct server_attempt *attempt = &server->store.records[device].attempts[0];
    enum serin_state state = (enum serin_state)attempt->state;
    if (is_attempt(server, attempt) &&
        (news || attempt->attempt == server->store.head.rollout.attempt) &&
        state > SERIN_STATE_IDLE && state != SERIN_STATE_TIMED_OUT &&
        state != SERIN_STATE_UNREACHED) {
        step_member(server, device, state, (enum serin_reason)attempt->reason,
                    attempt->attempt != server->store.head.rollout.attempt);
    }
}

static bool is_silent(const struct sim_server *server, uint32_t device)
{
    uint32_t place = server->places[device];
    if (place == SIM_NOBODY) {
        return false;
    }
    uint8_t state = server->members.list[place].state;
    return state == SERIN_STATE_IDLE || state == SERIN_STATE_UNREACHED;
}

/* A member of which nothing was heard runs what the rollout offers: it came to it by another way.
 */
static void runs_it(struct sim_server *server, uint32_t device)
{
    const struct server_record *record = &server->store.records[device];
    const struct server_attempt *attempt = &record->attempts[0];
    if (is_candidate(server, record->running.manifest_id) &&
        !server_ended(server->store.head.rollout.state) && is_silent(server, device) &&
        (attempt->attempt == 0 || attempt->final)) {
        step_member(server, device, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE, false);
    }
}

/* The attempt that a report tells of, as the latest one; a new one takes the place of the older. */
static struct server_attempt *latest(struct server_record *record,
                                     const struct serin_attempt_report *report)
{
    for (size_t i = 0; i < SERVER_ATTEMPTS; i++) {
        struct server_attempt found = record->attempts[i];
        if (found.attempt == report->attempt &&
            memcmp(found.manifest_id, report->manifest_id, SERIN_SHA256_SIZE) == 0) {
            record->attempts[i] = record->attempts[0];
            record->attempts[0] = found;
            return &record->attempts[0];
        }
    }
    record->attempts[1] = record->attempts[0];
    record->attempts[0] = (struct server_attempt){.attempt = 0};
    return &record->attempts[0];
}

/* A later attempt at an image that the latest one confirmed says that this was left since. */
static void leave(struct sim_server *server, uint32_t device,
                  const struct serin_attempt_report *report)
{
    struct server_attempt *kept = &server->store.records[device].attempts[0];
    struct serin_attempt_record record;
    bool changed = false;
    if (kept->attempt == 0) {
        return;
    }
    unpack(kept, &record);
    serin_ledger_taken_anew(&record, report, server_now_s(server), &changed);
    if (changed) {
        pack(&record, kept);
        tell(server, device, true);
    }
}

static void merge(struct sim_server *server, uint32_t device,
                  const struct serin_attempt_report *report)
{
    server_attempted(server, report->manifest_id, report->attempt);
    leave(server, device, report);
    struct server_attempt *kept = latest(&server->store.records[device], report);
    struct serin_attempt_record record = {.attempt = 0};
    bool changed = false;
    if (kept->attempt != 0) {
        unpack(kept, &record);
    }
    if (serin_ledger_merge(&record, report, server_now_s(server), &changed) == SERIN_OK) {
        sim_check_ledger(server->sim, device,
                         kept->attempt != 0 ? (enum serin_state)kept->state : SERIN_STATE_IDLE,
                         record.state);
        pack(&record, kept);
        tell(server, device, changed);
    }
}

/* The latest attempt against what the device says it runs. */
static void runs(struct sim_server *server, uint32_t device)
{
    struct server_attempt *kept = &server->store.records[device].attempts[0];
    struct serin_attempt_record record;
    bool changed = false;
    if (kept->attempt != 0) {
        unpack(kept, &record);
        serin_ledger_running(&record, &server->store.records[device].running, server_now_s(server),
                             &changed);
    }
    if (changed) {
        pack(&record, kept);
        tell(server, device, true);
    }
    runs_it(server, device);
}

void server_fleet_expire(struct sim_server *server, uint32_t device)
{
    struct server_attempt *kept = &server->store.records[device].attempts[0];
    struct serin_attempt_record record;
    bool changed = false;
    if (!is_attempt(server, kept) || !server_store_save(&server->store, device)) {
        return; /* it has moved on to another attempt */
    }
    unpack(kept, &record);
    serin_ledger_expire(&record, server_now_s(server), &changed);
    if (changed) {
        pack(&record, kept);
    }
}

/* ---- what is taken in ---- */

/* The store has one cursor a device: what was answered in this pass of the stream that it leaves is
 * committed with it, and can no more be told from it. */
static void leave_stream(struct sim_server *server, uint32_t device)
{
    for (size_t i = 0; i < server->letter_count; i++) {
        server->letters[i].passed =
            server->letters[i].passed || server->letters[i].device == device;
    }
}

/* What its errors of late say is of the image that it ran until now. */
static void note_update(struct sim_server *server, uint32_t device,
                        const struct serin_running *running)
{
    if (memcmp(server->store.records[device].running.manifest_id, running->manifest_id,
               SERIN_SHA256_SIZE) != 0) {
        serin_health_updated(&server->store.health[device]);
    }
}

static void take_report(struct sim_server *server, const struct server_item *item)
{
    struct server_record *record = &server->store.records[item->device];
    const struct serin_report *report = &item->report;
    note_update(server, item->device, &report->running);
    serin_health_heard(&server->store.health[item->device], server_now_s(server));
    if (serin_ledger_judge(&record->cursor, report) == SERIN_LEDGER_DUPLICATE) {
        server_answer(server, item, record->cursor.number, SERIN_ACK_STORED);
        return;
    }
    if (!server_store_save(&server->store, item->device)) {
        return;
    }
    record->running = report->running;
    for (size_t i = 0; i < report->attempt_count; i++) {
        merge(server, item->device, &report->attempts[i]);
    }
    runs(server, item->device);
    if (record->cursor.incarnation != report->incarnation) {
        leave_stream(server, item->device);
    }
    record->cursor.incarnation = report->incarnation;
    record->cursor.number = report->number;
    server_answer(server, item, report->number, SERIN_ACK_STORED);
}

/* Those that the errors gate judges: crashes, watchdogs, errors and the application's own. */
static uint64_t errors_of(const struct serin_beat *beat)
{
    uint64_t errors = 0;
    for (size_t i = 0; i < beat->counter_count; i++) {
        uint32_t id = beat->counters[i].id;
        bool judged = id == SERIN_COUNTER_CRASHES || id == SERIN_COUNTER_WATCHDOGS ||
                      id == SERIN_COUNTER_ERRORS || id >= SERIN_COUNTER_APPLICATION;
        errors += judged ? beat->counters[i].value : 0;
    }
    return errors;
}

static bool same_running(const struct serin_running *a, const struct serin_running *b)
{
    return memcmp(a->manifest_id, b->manifest_id, SERIN_SHA256_SIZE) == 0 && a->slot == b->slot &&
           a->floor == b->floor && a->security_counter == b->security_counter;
}

static void take_beat(struct sim_server *server, const struct server_item *item)
{
    struct server_record *record = &server->store.records[item->device];
    const struct serin_beat *beat = &item->beat;
    const struct serin_health_beat health = {
        .interval_s = beat->interval_s, .uptime_s = beat->uptime_s, .errors = errors_of(beat)};
    bool updated = is_candidate(server, beat->running.manifest_id);
    const struct server_head *head = &server->store.head;
    note_update(server, item->device, &beat->running);
    serin_health_beat(&server->store.health[item->device], server_now_s(server), &health,
                      head->has_rollout && !server_ended(head->rollout.state));
    if (record->cursor.incarnation == 0 || !same_running(&record->running, &beat->running) ||
        (updated && is_silent(server, item->device))) {
        if (!server_store_save(&server->store, item->device)) {
            return;
        }
        record->cursor.incarnation =
            record->cursor.incarnation == 0 ? beat->incarnation : record->cursor.incarnation;
        record->running = beat->running;
        /* A beat that is older than the last committed report, or runs ahead of one, speaks of
         * another attempt. */
        if (beat->incarnation == record->cursor.incarnation &&
            beat->last_number == record->cursor.number) {
            runs(server, item->device);
        }
    }
    bool own_higher = serin_order_compare(beat->own_order, beat->channel_order) > 0;
    server_claim(server, item->device, own_higher ? beat->own_order : beat->channel_order);
    bool same_stream = beat->incarnation == record->cursor.incarnation;
    uint64_t number = same_stream ? record->cursor.number : 0;
    if (beat->last_number > number) {
        server_answer(server, item, number, SERIN_ACK_RESEND);
    }
}

/* Devices are as far apart as can be: what the store has of one comes while others are served. */
static void look_ahead(const struct sim_server *server, size_t i)
{
    if (i < server->intake_count) {
        uint32_t device = server->intake[i].device;
        __builtin_prefetch(&server->store.health[device], 1, 2);
        __builtin_prefetch(&server->store.records[device], 1, 2);
        __builtin_prefetch(&server->store.records[device].attempts[0], 1, 2);
    }
}

void server_fleet_take(struct sim_server *server)
{
    for (size_t i = 0; i < server->intake_count; i++) {
        const struct server_item *item = &server->intake[i];
        look_ahead(server, i + AHEAD);
        if (item->is_beat) {
            take_beat(server, item);
        } else {
            take_report(server, item);
        }
    }
    fold(server);
    server->intake_count = 0;
    server->ticket_count = 0;
    server->urgent = false;
}
