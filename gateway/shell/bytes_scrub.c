/*
 * Reading everything again (docs/spec/site.md, section 5): file by file, a bounded step at a time,
 * so that every file has been read within the scrub interval and nothing else waits for it.
 */
#include "bytes_internal.h"

#include <serin/adapters/log.h>
#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>

#define WANT_PIECES   64u /* that are read for one word of the plugin */
#define STEP_LEAST_MS 20u
#define STEP_MOST_MS  60000u

/* Whether a read that failed tells of harm: the file is short, or it opens and its bytes do not
 * come. Where it does not even open (too many open files), nothing is known of it. */
static bool is_harm(struct gateway *gateway, const uint8_t *name, enum serin_error error)
{
    uint32_t size;
    return error == SERIN_ERR_TRUNCATED || error == SERIN_ERR_DIGEST ||
           (error == SERIN_ERR_IO &&
            serin_depot_size(gateway->bytes->depot, name, &size) == SERIN_OK);
}

/* ---- the background ---- */

/* How many steps one round over the whole depot takes. */
static uint64_t steps_of_round(const struct gateway_bytes *bytes)
{
    uint64_t steps = 1;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        steps += 1 + bytes->entries[i].disk / BYTES_SCRUB_STEP;
    }
    return steps;
}

/* Rounds take half the interval: then no file waits longer than the interval, also one that a round
 * just missed. */
static void schedule(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    uint64_t wait_ms = (uint64_t)gateway->config->scrub_s * 500u / steps_of_round(bytes);
    wait_ms = wait_ms > STEP_LEAST_MS ? wait_ms : STEP_LEAST_MS;
    wait_ms = wait_ms < STEP_MOST_MS ? wait_ms : STEP_MOST_MS;
    bytes->scrub.due_ms = gateway->mono_ms + wait_ms;
}

/* The first whole file after the one that was read last; the first of all after the last. */
static const struct bytes_entry *next_entry(const struct gateway_bytes *bytes)
{
    const struct bytes_entry *first = NULL;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        const struct bytes_entry *entry = &bytes->entries[i];
        if (entry->kind == SERIN_DEPOT_PART) {
            continue; /* verified when it is opened, and as a whole when it is finished */
        }
        first = first == NULL ? entry : first;
        if (memcmp(entry->name, bytes->scrub.name, SERIN_SHA256_SIZE) > 0) {
            return entry;
        }
    }
    return first;
}

static void begin(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct bytes_scrub *scrub = &bytes->scrub;
    const struct bytes_entry *entry = next_entry(bytes);
    if (entry == NULL) {
        return;
    }
    memcpy(scrub->name, entry->name, SERIN_SHA256_SIZE);
    scrub->kind = entry->kind;
    scrub->offset = 0;
    enum serin_error error = serin_depot_size(bytes->depot, scrub->name, &scrub->size);
    if (error == SERIN_ERR_NOT_FOUND) {
        (void)bytes_remove(gateway, scrub->name); /* somebody took it away */
        bytes->offers_stale = true;
    }
    if (error != SERIN_OK) {
        return; /* what does not open now (too many open files) is looked at in the next round */
    }
    if (scrub->kind == SERIN_DEPOT_MANIFEST && scrub->size > SERIN_MANIFEST_BODY_SIZE) {
        scrub->size = SERIN_MANIFEST_BODY_SIZE; /* its id is its body's */
    }
    gateway->crypto->ops->sha256_init(gateway->crypto->ctx, &scrub->sha);
    scrub->running = true;
}

/* A manifest's signature is not covered by its id: it is verified when it is next read. */
static void distrust(struct gateway *gateway)
{
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, gateway->bytes->scrub.name);
    if (entry != NULL && entry->kind == SERIN_DEPOT_MANIFEST) {
        entry->verified = false;
        gateway->bytes->offers_stale = true;
    }
}

static void end(struct gateway *gateway, bool readable)
{
    struct bytes_scrub *scrub = &gateway->bytes->scrub;
    uint8_t digest[SERIN_SHA256_SIZE];
    gateway->crypto->ops->sha256_final(gateway->crypto->ctx, &scrub->sha, digest);
    scrub->running = false;
    if (readable && memcmp(digest, scrub->name, SERIN_SHA256_SIZE) == 0) {
        distrust(gateway);
        return;
    }
    bytes_rotten(gateway, scrub->name);
    if (serin_fill_begin(&gateway->bytes->fill, scrub->name, gateway->mono_ms) != SERIN_OK) {
        serin_log(SERIN_LOG_DEBUG, "a rotten object is not fetched now");
    }
}

/* Reads a step of the file. Nothing is wrong with one that left the depot meanwhile, or that cannot
 * be opened now. */
static void go_on(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct bytes_scrub *scrub = &bytes->scrub;
    uint32_t stop = scrub->size - scrub->offset < BYTES_SCRUB_STEP
                        ? scrub->size
                        : scrub->offset + BYTES_SCRUB_STEP;
    enum serin_error error = SERIN_OK;
    while (scrub->offset < stop && error == SERIN_OK) {
        uint8_t part[4 * SERIN_PIECE_SIZE];
        uint32_t size =
            stop - scrub->offset < sizeof part ? stop - scrub->offset : (uint32_t)sizeof part;
        error = serin_depot_read(bytes->depot, scrub->name, scrub->offset, part, size);
        if (error == SERIN_OK) {
            gateway->crypto->ops->sha256_update(gateway->crypto->ctx, &scrub->sha, part, size);
            scrub->offset += size;
        }
    }
    if (bytes_entry_find(bytes, scrub->name) == NULL ||
        (error != SERIN_OK && !is_harm(gateway, scrub->name, error))) {
        uint8_t digest[SERIN_SHA256_SIZE];
        gateway->crypto->ops->sha256_final(gateway->crypto->ctx, &scrub->sha, digest);
        scrub->running = false;
    } else if (error != SERIN_OK || scrub->offset == scrub->size) {
        end(gateway, error == SERIN_OK);
    }
}

void bytes_scrub_step(struct gateway *gateway)
{
    struct bytes_scrub *scrub = &gateway->bytes->scrub;
    if (gateway->mono_ms < scrub->due_ms) {
        return;
    }
    if (!scrub->running) {
        begin(gateway);
    }
    if (scrub->running) {
        go_on(gateway);
    }
    schedule(gateway);
}

/* ---- what the plugin says ---- */

/* Whether the pieces of a whole image in a range verify against its table. */
static bool pieces_hold(struct gateway *gateway, const struct bytes_offer *offer,
                        const struct serin_want *want, const uint8_t *table)
{
    uint64_t end = (uint64_t)want->offset + want->length;
    end = end < offer->size ? end : offer->size;
    uint32_t first = want->offset / SERIN_PIECE_SIZE;
    uint32_t count = serin_piece_count((uint32_t)end) - first;
    count = count < WANT_PIECES ? count : WANT_PIECES;
    for (uint32_t piece = first; piece < first + count; piece++) {
        uint8_t data[SERIN_PIECE_SIZE], digest[SERIN_SHA256_SIZE];
        uint32_t size = serin_piece_size(offer->size, piece);
        enum serin_error error = serin_depot_read(gateway->bytes->depot, offer->name,
                                                  piece * SERIN_PIECE_SIZE, data, size);
        if (error != SERIN_OK) {
            return error != SERIN_ERR_NOT_FOUND && !is_harm(gateway, offer->name, error);
        }
        serin_sha256_of(gateway->crypto, data, size, digest);
        if (memcmp(digest, table + (size_t)piece * SERIN_SHA256_SIZE, sizeof digest) != 0) {
            return false;
        }
    }
    return true;
}

/* As above. Where that cannot be told now, the image is taken for sound: the scrub looks again. A
 * table that is not what its name says is no witness, and comes again itself. */
static bool range_holds(struct gateway *gateway, const struct bytes_offer *offer,
                        const struct serin_want *want)
{
    struct bytes_offer image = *offer; /* offers may be made anew */
    uint32_t size = serin_piece_table_size(image.size);
    uint8_t *table = malloc(size);
    if (table == NULL) {
        return true;
    }
    enum serin_error error = bytes_table_read(gateway, &image, table, size);
    bool holds = error != SERIN_OK || pieces_hold(gateway, &image, want, table);
    free(table);
    if ((error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_DIGEST) &&
        serin_fill_begin(&gateway->bytes->fill, image.under, gateway->mono_ms) != SERIN_OK) {
        serin_log(SERIN_LOG_DEBUG, "a rotten table is not fetched now");
    }
    return holds;
}

/* Whether what is verified as a whole still is, or it cannot be told now. */
static bool whole_holds(struct gateway *gateway, const struct bytes_offer *offer)
{
    uint8_t data[SERIN_MANIFEST_MAX];
    uint32_t size;
    struct serin_manifest manifest;
    bool is_manifest = offer->sort == BYTES_MANIFEST;
    enum serin_error error = is_manifest
                                 ? bytes_read(gateway, offer->name, data, sizeof data, &size)
                                 : serin_depot_check(gateway->bytes->depot, offer->name);
    if (error == SERIN_ERR_IO) {
        return !is_harm(gateway, offer->name, error);
    }
    if (error == SERIN_OK && is_manifest) {
        error = bytes_manifest_verify(gateway, offer, data, size, &manifest);
        return !bytes_manifest_rotten(gateway, offer, error);
    }
    return error == SERIN_OK;
}

void bytes_want_rotten(struct gateway *gateway, const struct serin_want *want)
{
    struct gateway_bytes *bytes = gateway->bytes;
    const struct bytes_offer *offer = bytes_offer_find(bytes, want->object);
    const struct bytes_entry *entry = bytes_entry_find(bytes, want->object);
    struct serin_want missing = *want;
    missing.kind = SERIN_WANT_MISSING;
    if (offer != NULL && entry != NULL && entry->kind != SERIN_DEPOT_PART &&
        (offer->sort != BYTES_IMAGE || want->offset < offer->size)) {
        bool holds = offer->sort == BYTES_IMAGE ? range_holds(gateway, offer, want)
                                                : whole_holds(gateway, offer);
        if (!holds) {
            bytes_rotten(gateway, want->object);
        }
    }
    /* Sound: the plugin hears again that it is whole. Else it is fetched. */
    serin_fill_want(&bytes->fill, &missing, gateway->mono_ms);
}
