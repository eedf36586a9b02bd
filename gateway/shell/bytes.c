/*
 * Objects: filled from the uplink, kept, served by the plugin from where they are filled
 * (docs/spec/site.md). What is heard goes to the planner; what is due is done in bounded steps.
 */
#define _POSIX_C_SOURCE 200809L /* tzset */
#include "bytes_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE_MAX \
    (UINT64_C(1) << 40) /* bytes a second: more than any link, so as good as no limit */

/* ---- open and close ---- */

static void limits_of(const struct serin_gateway_config *config, struct serin_uplink_limits *limits)
{
    *limits = (struct serin_uplink_limits){.hours_count = config->hours_count};
    limits->rate_bytes_per_s = config->rate_bytes_per_s <= RATE_MAX ? config->rate_bytes_per_s : 0;
    for (size_t i = 0; i < config->hours_count; i++) {
        limits->hours[i].from_minute = config->hours[i].from_minute;
        limits->hours[i].to_minute = config->hours[i].to_minute;
    }
}

static enum serin_error depot_open(struct gateway *gateway)
{
    const char *path = gateway->config->depot_dir;
    enum serin_error error = serin_depot_create(&gateway->bytes->depot, path, gateway->crypto);
    switch ((int)error) {
    case SERIN_OK:
        return SERIN_OK;
    case SERIN_ERR_BUSY:
        return gateway_fail(gateway, error, "depot: another program writes to %s", path);
    case SERIN_ERR_NOT_FOUND:
        return gateway_fail(gateway, SERIN_ERR_CONFIG, "depot: the parent folder of %s is missing",
                            path);
    default:
        return gateway_fail(gateway, error, "depot: %s cannot be opened: %s", path,
                            serin_error_text(error));
    }
}

static enum serin_error open_fill(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct serin_fill_config config = {
        .ops = &bytes_fill_ops, .ctx = gateway, .crypto = gateway->crypto, .whole = bytes->whole};
    enum serin_error error =
        gateway->crypto->ops->random(gateway->crypto->ctx, &config.seed, sizeof config.seed);
    if (error == SERIN_OK) {
        serin_fill_init(&bytes->fill, &config);
    }
    return error;
}

enum serin_error gateway_bytes_open(struct gateway *gateway)
{
    struct gateway_bytes *bytes = calloc(1, sizeof *bytes);
    if (bytes == NULL) {
        return SERIN_ERR_MEMORY;
    }
    gateway->bytes = bytes;
    bytes->whole = malloc(SERIN_SITE_WHOLE_MAX);
    bytes->entries = calloc(BYTES_ENTRIES_MAX, sizeof *bytes->entries);
    bytes->start_s = gateway->wall_s;
    bytes->spare_bytes = BYTES_SPARES_BYTES;
    bytes->offers_stale = true;
    tzset(); /* the hours are local ones */
    struct serin_uplink_limits limits;
    limits_of(gateway->config, &limits);
    serin_uplink_init(&bytes->uplink, &limits, gateway->mono_ms);
    if (bytes->whole == NULL || bytes->entries == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = open_fill(gateway);
    if (error == SERIN_OK) {
        error = depot_open(gateway);
    }
    return error;
}

/* What the planner has counted since it was looked at last. */
static void count(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    const struct serin_fill_counts *now = &bytes->fill.counts;
    struct serin_fill_counts *last = &bytes->counted;
    if (now->fetched_bytes != last->fetched_bytes || now->rotten != last->rotten ||
        now->refetched_bytes != last->refetched_bytes) {
        gateway->meta.fetched_bytes += now->fetched_bytes - last->fetched_bytes;
        gateway->meta.refetched_bytes += now->refetched_bytes - last->refetched_bytes;
        gateway->meta.rotten += now->rotten - last->rotten;
        *last = *now;
        gateway_meta_changed(gateway);
    }
}

void gateway_bytes_close(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    if (bytes == NULL) {
        return;
    }
    if (bytes->depot != NULL) {
        serin_fill_end(&bytes->fill);
        count(gateway);
        serin_depot_close(bytes->depot);
    }
    bytes_tables_free(bytes);
    free(bytes->offers);
    free(bytes->entries);
    free(bytes->whole);
    free(bytes);
    gateway->bytes = NULL;
}

/* ---- what is heard ---- */

void gateway_bytes_orders_changed(struct gateway *gateway)
{
    gateway->bytes->offers_stale = true;
}

void gateway_bytes_up(struct gateway *gateway, bool connected)
{
    serin_fill_connected(&gateway->bytes->fill, connected, gateway->mono_ms);
}

void gateway_bytes_site_connected(struct gateway *gateway)
{
    serin_fill_tell_all(&gateway->bytes->fill, gateway->mono_ms);
}

void gateway_bytes_block(struct gateway *gateway, const uint8_t *payload, size_t size)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct serin_block block;
    serin_uplink_take(&bytes->uplink, size, gateway->mono_ms);
    enum serin_error error = gateway->codec->decode_block(payload, size, &block);
    if (error != SERIN_OK) {
        if (bytes_say(gateway)) {
            serin_log(SERIN_LOG_WARN, "a malformed block from upstream: %s",
                      serin_error_text(error));
        }
        return;
    }
    serin_fill_block(&bytes->fill, &block, gateway->mono_ms);
    serin_fill_poll(&bytes->fill, gateway->mono_ms);
    count(gateway);
}

static void scan(struct gateway *gateway)
{
    gateway->bytes->rescan_ms = gateway->mono_ms + BYTES_RESCAN_MS;
    if (bytes_scan(gateway) != SERIN_OK && bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "the depot cannot be read through");
    }
}

void bytes_told(struct gateway *gateway, const struct serin_have *have)
{
    struct bytes_verdict *verdicts = gateway->bytes->verdicts, *place = &verdicts[0];
    for (size_t i = 0; i < BYTES_VERDICTS_MAX; i++) {
        struct bytes_verdict *verdict = &verdicts[i];
        if (memcmp(verdict->name, have->object, SERIN_SHA256_SIZE) == 0) {
            verdict->until_ms = 0;
        }
        place = verdict->until_ms < place->until_ms ? verdict : place;
    }
    if (have->kind == SERIN_HAVE_ABSENT && have->retry_ms > 0) {
        memcpy(place->name, have->object, SERIN_SHA256_SIZE);
        place->until_ms = gateway->mono_ms + have->retry_ms;
    }
}

/* What the plugin was told is judged anew when it asks next. */
static void lift_verdicts(struct gateway *gateway)
{
    for (size_t i = 0; i < BYTES_VERDICTS_MAX; i++) {
        struct bytes_verdict *verdict = &gateway->bytes->verdicts[i];
        struct serin_have have = {.kind = SERIN_HAVE_ABSENT, .status = SERIN_BLOCK_BUSY};
        if (gateway->mono_ms < verdict->until_ms) {
            memcpy(have.object, verdict->name, SERIN_SHA256_SIZE);
            /* Where it cannot be told, it ends by itself. */
            (void)!bytes_fill_ops.have(gateway, &have);
            verdict->until_ms = 0;
        }
    }
}

/* Offers follow orders at once: who asks after a directive came is judged by it. */
static void refresh(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    if (!bytes->scanned) {
        bytes->scanned = true;
        bytes_offers_make(
            gateway); /* a depot with more files than are kept account of loses some */
        bytes->offers_stale = true;
        scan(gateway);
    }
    if (bytes->offers_stale || bytes->halted != bytes_halted(gateway)) {
        bytes_offers_make(gateway);
        lift_verdicts(gateway);
        serin_fill_review(&bytes->fill, gateway->mono_ms);
        bytes->minute_ms = gateway->mono_ms;
    }
}

static void want_object(struct gateway *gateway, const struct serin_want *want)
{
    struct gateway_bytes *bytes = gateway->bytes;
    bytes->needs = false;
    if (want->kind == SERIN_WANT_ROTTEN && !serin_fill_active(&bytes->fill, want->object)) {
        bytes_want_rotten(gateway, want);
    } else {
        serin_fill_want(&bytes->fill, want, gateway->mono_ms);
    }
    if (bytes->needs && bytes->postponed_count < BYTES_POSTPONED_MAX) {
        bytes->postponed[bytes->postponed_count++] = *want;
    }
}

/* What the plugin has given to nodes since it was heard last. A lower value is of a broker that was
 * started since: all of it is new. */
static void count_served(struct gateway *gateway, uint64_t heard)
{
    struct serin_gateway_meta *meta = &gateway->meta;
    if (heard == meta->served_heard) {
        return;
    }
    uint64_t more = heard > meta->served_heard ? heard - meta->served_heard : heard;
    uint64_t room = UINT64_MAX - meta->served_bytes;
    meta->served_bytes += more < room ? more : room;
    meta->served_heard = heard;
    gateway_meta_changed(gateway);
}

void gateway_bytes_want(struct gateway *gateway, const uint8_t *payload, size_t size)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct serin_want want;
    enum serin_error error = gateway->site_codec->decode_want(payload, size, &want);
    if (error != SERIN_OK) {
        if (bytes_say(gateway)) {
            serin_log(SERIN_LOG_WARN, "a malformed want of the plugin: %s",
                      serin_error_text(error));
        }
        return;
    }
    SERIN_FAULT_POINT("gateway.want.heard");
    count_served(gateway, want.served_bytes);
    if (want.kind != SERIN_WANT_SERVED) {
        refresh(gateway);
        want_object(gateway, &want);
        serin_fill_poll(&bytes->fill, gateway->mono_ms);
    }
}

/* ---- what is due ---- */

/* What could not be answered before another object was here is asked again. */
static void replay(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct serin_want wants[BYTES_POSTPONED_MAX];
    size_t number = bytes->postponed_count;
    memcpy(wants, bytes->postponed, number * sizeof wants[0]);
    bytes->replay = false;
    bytes->postponed_count = 0;
    for (size_t i = 0; i < number; i++) {
        want_object(gateway, &wants[i]);
    }
}

/* Goes on with the part files of what is on offer, and fetches all of it where the site is to be
 * ahead of its nodes; manifests also where nothing can leave the depot before they are known. */
static void take_up(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    for (size_t i = 0; i < bytes->offer_count; i++) {
        const struct bytes_offer *offer = &bytes->offers[i];
        const struct bytes_entry *entry = bytes_entry_find(bytes, offer->name);
        bool part = entry != NULL && entry->kind == SERIN_DEPOT_PART;
        bool ahead = gateway->config->prefetch ||
                     (bytes->missed && offer->sort == BYTES_MANIFEST && !offer->known);
        if (offer->blocked || offer->withheld || serin_fill_active(&bytes->fill, offer->name) ||
            !(part || (entry == NULL && ahead))) {
            continue;
        }
        enum serin_error error = serin_fill_begin(&bytes->fill, offer->name, gateway->mono_ms);
        if (error == SERIN_ERR_BUSY) {
            break;
        }
    }
}

static void minute(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    bytes->minute_ms = gateway->mono_ms + BYTES_MINUTE_MS;
    if (gateway->mono_ms >= bytes->rescan_ms) {
        scan(gateway);
    }
    bytes_spares_store(gateway);
    take_up(gateway);
}

void gateway_bytes_tick(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    refresh(gateway);
    if (bytes->replay) {
        replay(gateway);
    }
    if (gateway->mono_ms >= bytes->minute_ms) {
        minute(gateway);
    }
    bytes_scrub_step(gateway);
    serin_fill_poll(&bytes->fill, gateway->mono_ms);
    count(gateway);
}

uint64_t gateway_bytes_deadline_ms(const struct gateway *gateway)
{
    const struct gateway_bytes *bytes = gateway->bytes;
    uint64_t deadline = serin_fill_deadline_ms(&bytes->fill);
    deadline = bytes->minute_ms < deadline ? bytes->minute_ms : deadline;
    deadline = bytes->scrub.due_ms < deadline ? bytes->scrub.due_ms : deadline;
    return bytes->offers_stale || bytes->replay ? 0 : deadline;
}

void gateway_bytes_status(const struct gateway *gateway, struct serin_gw_status *status)
{
    const struct gateway_bytes *bytes = gateway->bytes;
    bool spare = false;
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        spare = spare || bytes->spares[i].data != NULL;
    }
    status->depot_bytes = bytes_on_disk(bytes);
    status->depot_budget_bytes = gateway->config->depot_budget_bytes;
    status->objects = bytes_whole_files(bytes);
    status->filling = serin_fill_count(&bytes->fill, &status->pass_through);
    status->pass_through = status->pass_through || spare;
}
