/* The bench for the shell of serind, and the MQTT client that only remembers. */
#define _GNU_SOURCE
#include "serind_bench.h"

#include "test_keys.h"

#include <serin/adapters/lmdb_store.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct serind_bench *present;

/* ---- the client ---- */

static void remember(const char *topic, const void *payload, size_t size)
{
    if (present->sent_count < SERIND_BENCH_SENT_MAX) {
        struct serind_bench_sent *sent = &present->sent[present->sent_count];
        ck_assert_uint_le(size, sizeof sent->payload);
        strcpy(sent->topic, topic);
        memcpy(sent->payload, payload, size);
        sent->size = size;
    }
    present->sent_count++;
}

enum serin_error serin_mqtt_publish(struct serin_mqtt *mqtt, const char *topic, const void *payload,
                                    size_t size, int qos, bool retained, int *token)
{
    (void)mqtt, (void)qos;
    if (present->publish_says == SERIN_OK && retained) {
        present->publishes++;
        *token = (int)present->publishes;
    } else if (present->publish_says == SERIN_OK) {
        remember(topic, payload, size);
    }
    return present->publish_says;
}

/* The rest of the client is never reached: nothing of the bench waits for it. */
bool serin_mqtt_next(struct serin_mqtt *mqtt, struct serin_mqtt_event *event)
{
    (void)event;
    present->asked = present->asked == NULL ? mqtt : present->asked;
    return false;
}
void serin_mqtt_event_free(struct serin_mqtt_event *event)
{
    (void)event;
}
uint64_t serin_mqtt_dropped(const struct serin_mqtt *mqtt)
{
    (void)mqtt;
    return 0;
}
int serin_mqtt_fd(const struct serin_mqtt *mqtt)
{
    (void)mqtt;
    return -1;
}

/* ---- the bench ---- */

static void open_files(struct serind_bench *bench)
{
    strcpy(bench->folder, "/tmp/serind-bench-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bench->folder));
    snprintf(bench->data, sizeof bench->data, "%s/data", bench->folder);
    snprintf(bench->audit, sizeof bench->audit, "%s/audit", bench->folder);
    bench->config = (struct serin_serind_config){
        .data_dir = bench->data,
        .audit_file = bench->audit,
        .broker_count = 1,
        .enrolment = SERIN_ENROL_AUTO,
        .adoption = SERIN_ENROL_AUTO,
        .gateway_nodes_max = 1000,
        .report_rate_per_minute = 60000,
        .devices_max = 100,
        .store_size_bytes = SERIN_LMDB_MAP_MIN,
    };
    struct serind *serind = &bench->serind;
    serind->audit.file = -1;
    ck_assert_int_eq(
        serin_lmdb_store_open(&serind->lmdb, bench->data, bench->config.store_size_bytes),
        SERIN_OK);
    serind->store = serin_lmdb_store_port(serind->lmdb);
    ck_assert_int_eq(serind_audit_open(serind), SERIN_OK);
}

void serind_bench_open(struct serind_bench *bench)
{
    memset(bench, 0, sizeof *bench);
    present = bench;
    struct serind *serind = &bench->serind;
    serind->config = &bench->config;
    serind->crypto = serin_wolfcrypt();
    serind->codec = serin_protobufc();
    serind->site_codec = serin_protobufc_site();
    serind->director = test_keys[TEST_DIRECTOR].signer;
    open_files(bench);
    serind_index_init(&serind->index, bench->config.devices_max);
    serind_sites_init(serind);
    ck_assert_int_eq(serind_intake_init(serind), SERIN_OK);
    ck_assert_int_eq(serind_outbox_init(serind), SERIN_OK);
    test_trust(&bench->kept.trust, "lamp");
    serind->trusts.list[0] = &bench->kept;
    serind->trusts.count = 1;
    serind->broker_count = 1;
    serind->brokers[0] = (struct serind_broker){
        .uri = "tcp://bench", .connected = true, .settled = true, .heard = true};
    serind->meta = (struct serin_meta_record){.order = {1, 0}, .next_rollout_id = 1};
    serind->now_ms = SERIND_BENCH_START_MS;
    serind->mono_ms = 1000000;
    serind_audit_begin(serind);
}

void serind_bench_close(struct serind_bench *bench)
{
    struct serind *serind = &bench->serind;
    char path[128];
    serind_rollouts_free(serind);
    serind_publisher_free(serind);
    serind_index_free(&serind->index);
    serind_sites_free(serind);
    serind_strata_free(&serind->strata);
    serind_intake_free(serind);
    serind_outbox_free(serind);
    serind_audit_close(serind);
    serin_lmdb_store_close(serind->lmdb);
    static const char *const files[] = {"data/data.mdb", "data/lock.mdb", "data/lock", "audit"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", bench->folder, files[i]);
        unlink(path);
    }
    rmdir(bench->data);
    rmdir(bench->folder);
}

void serind_bench_release(struct serind_bench *bench, uint8_t name)
{
    struct serind *serind = &bench->serind;
    struct serin_release_record record = {.manifest_id = {name}};
    record.manifest = (struct serin_manifest){
        .product = "lamp",
        .hw_min = 1,
        .hw_max = 3,
        .version = {.major = name},
        .channels = {"stable"},
    };
    ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
    ck_assert_int_eq(serind->store.ops->put_release(serind->store.ctx, &record), SERIN_OK);
    ck_assert_int_eq(serind_pass_end(serind), SERIN_OK);
}

struct serind_slot *serind_bench_rollout(struct serind_bench *bench, uint8_t name)
{
    char text[400];
    struct serind_slot *slot = NULL;
    struct serind_refusal refusal;
    snprintf(text, sizeof text,
             "name: bench\nproduct: lamp\nchannel: stable\nsupersede: true\n"
             "releases: [{version: %u.0.0}]\n"
             "stages: [{percent: 50, soak: 1h}, {percent: 100, soak: 1h}]\n",
             name);
    enum serin_error error =
        serind_rollout_create(&bench->serind, text, strlen(text), &slot, &refusal);
    ck_assert_msg(error == SERIN_OK, "%s", refusal.message);
    return slot;
}

/* ---- messages ---- */

static size_t walk(struct serin_transition *list, enum serin_state state)
{
    static const enum serin_state way[] = {
        SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING, SERIN_STATE_VERIFYING,
        SERIN_STATE_STAGED,  SERIN_STATE_TRIAL,       SERIN_STATE_CONFIRMED,
    };
    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++) {
        list[i] = (struct serin_transition){.state = way[i], .reason = SERIN_REASON_NONE};
        if (way[i] == state) {
            return i + 1;
        }
    }
    ck_abort_msg("no state of the way");
    return 0;
}

struct serin_report serind_bench_report(const char *id, uint64_t number, uint8_t name,
                                        uint32_t attempt, enum serin_state state, uint8_t runs)
{
    struct serin_report report = {
        .product = "lamp",
        .channel = "stable",
        .hardware = 1,
        .incarnation = 77,
        .number = number,
        .running = {.manifest_id = {runs}, .slot = 1},
        .attempt_count = 1,
        .attempts = {{.manifest_id = {name}, .attempt = attempt, .order = {1, 1}}},
    };
    strcpy(report.device_id, id);
    report.attempts[0].transition_count = walk(report.attempts[0].transitions, state);
    return report;
}

struct serin_beat serind_bench_beat(const char *id, uint64_t last_number, uint8_t runs)
{
    struct serin_beat beat = {
        .product = "lamp",
        .channel = "stable",
        .hardware = 1,
        .incarnation = 77,
        .last_number = last_number,
        .running = {.manifest_id = {runs}, .slot = 1},
        .redundancy = SERIN_REDUNDANCY_OLDER,
        .interval_s = 60,
        .refused = SERIN_REASON_NONE,
    };
    strcpy(beat.device_id, id);
    return beat;
}

static struct serind_item *next_item(struct serind_bench *bench, enum serind_item_kind kind)
{
    struct serind_intake *intake = &bench->serind.intake;
    struct serind_item *item = &intake->batch[intake->count++];
    memset(item, 0, sizeof *item);
    item->kind = kind;
    return item;
}

void serind_bench_take_report(struct serind_bench *bench, const struct serin_report *report)
{
    struct serind_item *item = next_item(bench, SERIND_ITEM_REPORT);
    item->report = *report;
    memcpy(item->id, report->device_id, sizeof item->id);
    serind_bench_turn(bench);
}

void serind_bench_take_beat(struct serind_bench *bench, const struct serin_beat *beat)
{
    struct serind_item *item = next_item(bench, SERIND_ITEM_BEAT);
    item->beat = *beat;
    memcpy(item->id, beat->device_id, sizeof item->id);
    serind_bench_turn(bench);
}

void serind_bench_turn(struct serind_bench *bench)
{
    struct serind *serind = &bench->serind;
    ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
    serind_fleet_take(serind);
    serind_rollouts_tick(serind);
    serind_publisher_renew(serind);
    ck_assert_int_eq(serind_pass_end(serind), SERIN_OK);
}

/* ---- questions ---- */

enum serin_state serind_bench_member(struct serind_bench *bench, struct serind_slot *slot,
                                     const char *id)
{
    uint32_t device = serind_index_find(&bench->serind.index, id);
    ck_assert_uint_ne(device, SERIND_NO_DEVICE);
    uint32_t position = serind_slot_position(&bench->serind, slot, device);
    ck_assert_uint_ne(position, UINT32_MAX);
    return (enum serin_state)slot->members.list[position].state;
}

unsigned serind_bench_audited(struct serind_bench *bench, const char *words)
{
    char line[SERIND_AUDIT_LINE_MAX];
    unsigned found = 0;
    serind_audit_flush(&bench->serind);
    FILE *file = fopen(bench->audit, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        found += strstr(line, words) != NULL ? 1 : 0;
    }
    fclose(file);
    return found;
}
