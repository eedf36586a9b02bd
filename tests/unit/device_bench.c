/*
 * A device on the flash emulator, and a server small enough to read.
 */
#include "device_bench.h"

#include "slot.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/piece.h>

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct bench_geometry bench_small = {
    .size = 64 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF, .seed = 1};

/* ---- the board's ports ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size);

static void platform_reset(void *ctx)
{
    ((struct bench *)ctx)->reset_asked = true;
}

static uint64_t platform_time(void *ctx)
{
    struct bench *bench = ctx;
    return bench->clock_s == 0 ? 0 : bench->clock_s + bench->now_ms / 1000;
}

static void platform_transition(void *ctx, const struct serin_attempt_report *attempt)
{
    ((struct bench *)ctx)->transitions++;
    ck_assert(attempt->transition_count > 0);
}

static void platform_log(void *ctx, const char *line)
{
    struct bench *bench = ctx;
    if (getenv("BENCH_TRACE") != NULL) {
        fprintf(stderr, "[%u %8llu] %s\n", bench->boots, (unsigned long long)bench->now_ms, line);
    }
    snprintf(bench->log[bench->log_count++ % BENCH_LOG], sizeof(bench->log[0]), "%s", line);
}

static void platform_fault_point(void *ctx, const char *name)
{
    struct bench *bench = ctx;
    if (bench->kill_point != NULL && strcmp(bench->kill_point, name) == 0 && bench->kill_nth > 0 &&
        --bench->kill_nth == 0) {
        bench->killed = true;
        serin_flash_emulator_power_off(bench->emulator);
    }
}

static const struct serin_link_ops link_ops = {.publish = link_publish};
static const struct serin_platform_ops platform_ops = {.reset = platform_reset,
                                                       .unix_time_s = platform_time,
                                                       .transition = platform_transition,
                                                       .log = platform_log,
                                                       .fault_point = platform_fault_point};

void bench_open(struct bench *bench, const struct bench_geometry *geometry)
{
    memset(bench, 0, sizeof(*bench));
    bench_seed();
    struct serin_flash_emulator_config config = {.size_bytes = geometry->size,
                                                 .sector_size = geometry->sector,
                                                 .write_unit = geometry->unit,
                                                 .erased_value = geometry->erased,
                                                 .ecc = geometry->ecc,
                                                 .seed = geometry->seed};
    ck_assert_int_eq(serin_flash_emulator_open(&bench->emulator, &config), SERIN_OK);
    const struct serin_flash *flash = serin_flash_emulator_flash(bench->emulator);
    ck_assert_int_eq(serin_layout_default(flash, &bench->layout), SERIN_OK);
    bench->identity = (struct serin_identity){.device_id = "pump-01",
                                              .product = "pump",
                                              .channel = "stable",
                                              .hardware = 2,
                                              .bootloader = 1};
    bench->boot = (struct serin_boot){.crypto = bench_crypto(),
                                      .flash = flash,
                                      .layout = &bench->layout,
                                      .root_key = test_keys[TEST_ROOT].public_key,
                                      .identity = &bench->identity};
    bench->config = (struct serin_agent_config){.boot = &bench->boot,
                                                .codec = serin_protobufc(),
                                                .link = &link_ops,
                                                .link_ctx = bench,
                                                .platform = &platform_ops,
                                                .platform_ctx = bench,
                                                .block_size = 1024,
                                                .window_blocks = 4,
                                                .beat_interval_s = 3600,
                                                .report_retry_min_ms = 5000,
                                                .report_retry_max_ms = 3600000,
                                                .block_timeout_ms = 2000,
                                                .confirm_needs_directive = true,
                                                .scratch = bench->scratch,
                                                .scratch_size = sizeof(bench->scratch)};
    bench->limits = (struct serin_credit_limits){.window_bytes_max = SERIN_BLOCK_DATA_MAX,
                                                 .window_blocks_max = 4,
                                                 .forget_ms = 10000,
                                                 .retry_ms = 200};
    bench->order = (struct serin_order){.epoch = 1, .sequence = 0};
    bench->ack = true;
    bench->online = true;
    bench->clock_s = 1767225600;
}

static void drop_queue(struct bench *bench)
{
    for (; bench->queue_count > 0; bench->queue_count--) {
        free(bench->queue[bench->queue_first].payload);
        bench->queue_first = (bench->queue_first + 1) % BENCH_QUEUE;
    }
}

void bench_close(struct bench *bench)
{
    drop_queue(bench);
    serin_flash_emulator_close(bench->emulator);
}

void bench_begin(struct bench *bench, struct bench_release **v1, struct bench_release **v2)
{
    bench_open(bench, &bench_small);
    *v1 = bench_release(1, 9000, BENCH_GOOD);
    *v2 = bench_release(2, 9500, BENCH_GOOD);
    bench_serve(bench, *v1);
    bench_serve(bench, *v2);
    bench_provision(bench, *v1);
}

void bench_end(struct bench *bench, struct bench_release *v1, struct bench_release *v2,
               struct bench_release *v3)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench->emulator), 0);
    bench_close(bench);
    bench_release_free(v1);
    bench_release_free(v2);
    bench_release_free(v3);
}

/* ---- the server ---- */

void bench_serve(struct bench *bench, struct bench_release *release)
{
    ck_assert_uint_lt(bench->release_count, BENCH_RELEASES);
    bench->releases[bench->release_count++] = release;
}

void bench_send(struct bench *bench, enum serin_topic_kind topic, const uint8_t *payload,
                size_t size)
{
    ck_assert_uint_lt(bench->queue_count, BENCH_QUEUE);
    size_t at = (bench->queue_first + bench->queue_count++) % BENCH_QUEUE;
    bench->queue[at] = (struct bench_message){.topic = topic, .size = size};
    bench->queue[at].payload = malloc(size + 1);
    ck_assert_ptr_nonnull(bench->queue[at].payload);
    if (size > 0) {
        memcpy(bench->queue[at].payload, payload, size); /* of an empty message there is none */
    }
}

enum object_kind { OBJECT_NONE, OBJECT_MANIFEST, OBJECT_TABLE, OBJECT_IMAGE };

struct object {
    enum object_kind kind;
    const uint8_t *data;
    uint32_t size;
};

static struct object find_object(const struct bench *bench, const uint8_t *name)
{
    for (size_t i = 0; i < bench->release_count; i++) {
        const struct bench_release *release = bench->releases[i];
        if (memcmp(name, release->id, 32) == 0) {
            return (struct object){OBJECT_MANIFEST, release->manifest_bytes,
                                   sizeof(release->manifest_bytes)};
        }
        if (memcmp(name, release->manifest.pieces_sha256, 32) == 0) {
            return (struct object){OBJECT_TABLE, release->table, (uint32_t)release->table_size};
        }
        if (memcmp(name, release->manifest.image_sha256, 32) == 0) {
            return (struct object){OBJECT_IMAGE, release->image,
                                   release->manifest.image_size_bytes};
        }
    }
    return (struct object){OBJECT_NONE, NULL, 0};
}

static void send_block(struct bench *bench, const struct serin_block *block)
{
    uint8_t payload[SERIN_BLOCK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_block(block, payload, sizeof(payload), &size),
                     SERIN_OK);
    bench_send(bench, SERIN_TOPIC_DEV_BLOCK, payload, size);
}

static void send_status(struct bench *bench, const struct serin_get *get,
                        enum serin_block_status status, uint32_t retry_ms)
{
    struct serin_block block = {
        .token = get->token, .status = status, .offset = get->offset, .retry_ms = retry_ms};
    send_block(bench, &block);
}

/* Sends one block of an object, with what is to go wrong on its way. */
static void send_data(struct bench *bench, const struct serin_get *get, const struct object *object,
                      uint32_t offset, uint32_t size, uint32_t end)
{
    static uint8_t data[SERIN_BLOCK_DATA_MAX];
    struct bench_faults *faults = &bench->faults;
    bool image = object->kind == OBJECT_IMAGE;
    uint32_t n = image ? ++bench->image_blocks : 0;
    memcpy(data, object->data + offset, size);
    if (image) {
        bench->image_bytes += size;
        uint32_t index = offset / SERIN_PIECE_SIZE;
        bool again = bench_journaled(bench, index) ||
                     (offset % SERIN_PIECE_SIZE == 0 &&
                      bench_in_place(bench, object->data, object->size, index));
        bench->fetched_again += again ? 1 : 0;
    }
    if ((image && n == faults->corrupt_block) ||
        (object->kind == OBJECT_TABLE && faults->bad_table) ||
        (object->kind == OBJECT_MANIFEST && faults->bad_manifest) ||
        (image && faults->corrupt_always == offset / SERIN_PIECE_SIZE + 1)) {
        data[size / 2] ^= 0x10;
    }
    struct serin_block block = {.token = get->token,
                                .status = SERIN_BLOCK_DATA,
                                .offset = offset,
                                .object_size = object->size,
                                .window_end = end,
                                .crc32 = serin_crc32(0, data, size),
                                .data = data,
                                .data_size = size};
    if (object->kind == OBJECT_MANIFEST && faults->huge_manifests > 0) {
        faults->huge_manifests--;
        block.object_size = SERIN_MANIFEST_MAX + 1;
    }
    if (image && n == faults->flip_block) {
        block.crc32 ^= 1;
    }
    if (!image || n != faults->drop_block) {
        send_block(bench, &block);
    }
}

static void answer_get(struct bench *bench, const struct serin_get *get)
{
    struct object object = find_object(bench, get->object);
    bench->gets++;
    if (bench->faults.busy_requests > 0) {
        bench->faults.busy_requests--;
        send_status(bench, get, SERIN_BLOCK_BUSY, 300);
        return;
    }
    if (bench->faults.refuse) {
        send_status(bench, get, SERIN_BLOCK_REFUSED, 0);
        return;
    }
    if (object.kind == OBJECT_NONE ||
        (object.kind == OBJECT_IMAGE && bench->faults.missing_image)) {
        send_status(bench, get, SERIN_BLOCK_NOT_FOUND, 500);
        return;
    }
    struct serin_grant grant =
        serin_credit_request(&bench->credit, &bench->limits, get, object.size, bench->now_ms);
    if (grant.status != SERIN_BLOCK_DATA) {
        send_status(bench, get, grant.status, grant.retry_ms);
        return;
    }
    for (uint32_t at = grant.offset; at < grant.end;) {
        uint32_t size = grant.end - at < get->block_size ? grant.end - at : get->block_size;
        send_data(bench, get, &object, at, size, grant.end);
        at += size;
    }
}

static void answer_report(struct bench *bench)
{
    bench->reports++;
    if (bench->ack) {
        struct serin_ack ack = {.incarnation = bench->report.incarnation,
                                .number = bench->report.number,
                                .status = SERIN_ACK_STORED};
        uint8_t payload[SERIN_ACK_MAX];
        size_t size;
        ck_assert_int_eq(serin_protobufc()->encode_ack(&ack, payload, sizeof(payload), &size),
                         SERIN_OK);
        bench_send(bench, SERIN_TOPIC_DEV_ACK, payload, size);
    }
}

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    struct bench *bench = ctx;
    const struct serin_codec *codec = serin_protobufc();
    struct serin_get get;
    ck_assert_msg(bench->online, "published while offline");
    if (serin_flash_emulator_is_off(bench->emulator)) {
        return SERIN_OK; /* the processor is off, too: nobody hears this */
    }
    if (kind == SERIN_TOPIC_DEV_GET) {
        ck_assert_int_eq(codec->decode_get(payload, size, &get), SERIN_OK);
        answer_get(bench, &get);
    } else if (kind == SERIN_TOPIC_DEV_REPORT) {
        ck_assert_int_eq(codec->decode_report(payload, size, &bench->report), SERIN_OK);
        answer_report(bench);
    } else {
        ck_assert_int_eq(kind, SERIN_TOPIC_DEV_BEAT);
        ck_assert_int_eq(codec->decode_beat(payload, size, &bench->beat), SERIN_OK);
        bench->beats++;
    }
    return SERIN_OK;
}

/* ---- time and power ---- */

static void step(struct bench *bench, const struct serin_agent_event *event,
                 enum serin_error *error)
{
    enum serin_error result = serin_agent_step(&bench->agent, bench->now_ms, event);
    if (error != NULL) {
        *error = result;
    }
}

enum serin_error bench_event(struct bench *bench, enum serin_agent_event_kind kind,
                             enum serin_reason reason)
{
    enum serin_error error;
    struct serin_agent_event event = {.kind = kind, .reason = reason};
    step(bench, &event, &error);
    return error;
}

static const enum serin_topic_kind retained_topics[3] = {
    SERIN_TOPIC_TRUST, SERIN_TOPIC_DEV_DIRECTIVE, SERIN_TOPIC_DIRECTIVE};

void bench_online(struct bench *bench, bool online)
{
    bench->online = online;
    drop_queue(bench);
    memset(&bench->credit, 0, sizeof(bench->credit));
    bench_event(bench, online ? SERIN_AGENT_CONNECTED : SERIN_AGENT_DISCONNECTED,
                SERIN_REASON_INVALID);
    for (size_t i = 0; online && i < 3; i++) {
        if (bench->retained_size[i] > 0) {
            bench_send(bench, retained_topics[i], bench->retained[i], bench->retained_size[i]);
        }
    }
}

/* How many pieces from the first on stand in the journal. */
static uint32_t journaled(const struct bench *bench)
{
    uint32_t count = 0;
    while (bench_journaled(bench, count)) {
        count++;
    }
    return count;
}

/* One boot; false where the power went during it. */
static bool try_boot(struct bench *bench, enum serin_reset_cause cause)
{
    drop_queue(bench);
    bench->boots++;
    bench->now_ms = 0;
    bench->reset_asked = false;
    bench->confirmed_sent = false;
    enum serin_error error = serin_boot_select(&bench->boot, cause, &bench->choice);
    if (serin_flash_emulator_is_off(bench->emulator)) {
        return false;
    }
    ck_assert_msg(error == SERIN_OK, "nothing boots: %s", serin_error_text(error));
    if (bench->between != NULL) {
        bench->between(bench);
    }
    struct serin_agent_boot_info info = {
        .slot = bench->choice.slot, .trial = bench->choice.trial, .cause = cause};
    error = serin_agent_init(&bench->agent, &bench->config, &info, 0);
    if (serin_flash_emulator_is_off(bench->emulator)) {
        return false;
    }
    ck_assert_msg(error == SERIN_OK, "init: %s", serin_error_text(error));
    bench->journaled_at_boot = journaled(bench);
    bench->journal_lies += bench_journal_lies(bench);
    return true;
}

/* The power is back. */
static void power_on(struct bench *bench)
{
    serin_flash_emulator_power_on(bench->emulator);
    if (bench->second_cut_nth > 0) {
        serin_flash_emulator_cut(bench->emulator, bench->second_cut_nth, bench->second_cut);
        bench->second_cut_nth = 0;
    }
}

void bench_boot(struct bench *bench, enum serin_reset_cause cause)
{
    while (!try_boot(bench, cause)) {
        bench->cuts++;
        power_on(bench);
        cause = SERIN_RESET_POWER;
    }
    bench->running = true;
    if (bench->online) {
        bench_online(bench, true);
    }
}

void bench_power_cycle(struct bench *bench)
{
    serin_flash_emulator_cut(bench->emulator, 1, SERIN_CUT_NONE);
    power_on(bench);
    bench_boot(bench, SERIN_RESET_POWER);
}

static enum bench_app app_of(const struct bench *bench)
{
    for (size_t i = 0; i < bench->release_count; i++) {
        if (memcmp(bench->releases[i]->id, bench->choice.manifest_id, 32) == 0) {
            return bench->releases[i]->app;
        }
    }
    return BENCH_GOOD;
}

/* What the running application does half a second after its start. True: the board was reset. */
static bool run_app(struct bench *bench)
{
    enum bench_app app = app_of(bench);
    if (app == BENCH_CRASH && bench->now_ms >= 500) {
        bench_boot(bench, SERIN_RESET_CRASH);
        return true;
    }
    if (app == BENCH_HANG && bench->now_ms >= 2000) {
        bench_boot(bench, SERIN_RESET_WATCHDOG);
        return true;
    }
    if (app == BENCH_GOOD && bench->now_ms >= 500 && !bench->confirmed_sent) {
        enum serin_error error = bench_event(bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID);
        bench->confirmed_sent = error == SERIN_OK;
        bench->confirm_refused += error == SERIN_ERR_STATE ? 1 : 0;
    }
    return false;
}

static bool after_step(struct bench *bench)
{
    if (bench->killed || serin_flash_emulator_is_off(bench->emulator)) {
        bench->killed = false;
        bench->cuts++;
        bench_power_cycle(bench);
        return true;
    }
    if (bench->reset_asked) {
        bench_boot(bench, SERIN_RESET_REQUESTED);
        return true;
    }
    return false;
}

bool bench_step(struct bench *bench, uint64_t until_ms)
{
    if (bench->queue_count > 0) {
        struct bench_message message = bench->queue[bench->queue_first];
        bench->queue_first = (bench->queue_first + 1) % BENCH_QUEUE;
        bench->queue_count--;
        struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                          .topic = message.topic,
                                          .payload = message.payload,
                                          .payload_size = message.size};
        bench->now_ms += 1;
        step(bench, &event, NULL);
        free(message.payload);
        return after_step(bench) || true;
    }
    uint64_t due = serin_agent_deadline_ms(&bench->agent);
    uint64_t app_due = bench->confirmed_sent ? UINT64_MAX : bench->now_ms + 250;
    due = due < app_due ? due : app_due;
    if (due > until_ms) {
        bench->now_ms = until_ms > bench->now_ms ? until_ms : bench->now_ms;
        return false;
    }
    bench->now_ms = due > bench->now_ms ? due : bench->now_ms + 1;
    struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    step(bench, &tick, NULL);
    if (!after_step(bench) && !run_app(bench)) {
        after_step(bench);
    }
    return true;
}

bool bench_run_to(struct bench *bench, enum serin_state state, unsigned limit)
{
    for (unsigned i = 0; i < limit; i++) {
        if (bench_state(bench) == state) {
            return true;
        }
        bench_step(bench, UINT64_MAX);
    }
    return false;
}

void bench_run_for(struct bench *bench, uint64_t ms)
{
    uint64_t until = bench->now_ms + ms;
    for (unsigned guard = 0; guard < 100000 && bench->now_ms < until; guard++) {
        unsigned boots = bench->boots;
        bench_step(bench, until);
        if (bench->boots != boots) {
            until = bench->now_ms + ms;
        }
    }
}

/* ---- views ---- */

enum serin_state bench_state(const struct bench *bench)
{
    struct serin_agent_view view;
    serin_agent_inspect(&bench->agent, &view);
    return view.state;
}

enum serin_reason bench_reason(const struct bench *bench)
{
    struct serin_agent_view view;
    serin_agent_inspect(&bench->agent, &view);
    return view.reason;
}

unsigned bench_running(const struct bench *bench)
{
    return bench->agent.running.version.minor;
}

bool bench_logged(const struct bench *bench, const char *text)
{
    for (size_t i = 0; i < BENCH_LOG; i++) {
        if (strstr(bench->log[i], text) != NULL) {
            return true;
        }
    }
    return false;
}
