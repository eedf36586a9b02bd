/* The planner's hands (serin/gateway/fill.h): what an object is, and what becomes of its bytes. */
#define _POSIX_C_SOURCE 200809L /* localtime_r */
#include "bytes_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REFUSED_RETRY_MS 5000u  /* short: a directive may come at any time */
#define HALTED_RETRY_MS  60000u /* the site's own halt ends with a directive of the cloud */
#define LATER_RETRY_MS   5000u
#define WORDS_WAIT_MS    100u   /* until reports have left */
#define CLOSED_WAIT_MS   60000u /* outside the hours: the wall clock may be set meanwhile */
#define ROOM_LEAST       8192u  /* bytes of allowance that are worth a request */

bool bytes_say(struct gateway *gateway)
{
    bool may = gateway->mono_ms >= gateway->bytes->said_ms;
    gateway->bytes->said_ms = may ? gateway->mono_ms + BYTES_MINUTE_MS : gateway->bytes->said_ms;
    return may;
}

/* ---- piece tables in memory ---- */

static struct bytes_table *table_find(struct gateway_bytes *bytes, const uint8_t *image)
{
    for (size_t i = 0; i < BYTES_TABLES_MAX; i++) {
        struct bytes_table *table = &bytes->tables[i];
        if (table->data != NULL && memcmp(table->image, image, SERIN_SHA256_SIZE) == 0) {
            return table;
        }
    }
    return NULL;
}

static void table_free(struct bytes_table *table)
{
    free(table->data);
    *table = (struct bytes_table){.data = NULL};
}

void bytes_tables_free(struct gateway_bytes *bytes)
{
    for (size_t i = 0; i < BYTES_TABLES_MAX; i++) {
        table_free(&bytes->tables[i]);
    }
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        free(bytes->spares[i].data);
    }
}

enum serin_error bytes_table_read(struct gateway *gateway, const struct bytes_offer *image,
                                  uint8_t *data, uint32_t size)
{
    uint32_t got;
    uint8_t digest[SERIN_SHA256_SIZE];
    enum serin_error error = bytes_read(gateway, image->under, data, size, &got);
    if (error != SERIN_OK && error != SERIN_ERR_TRUNCATED && error != SERIN_ERR_TOO_LARGE) {
        return error;
    }
    serin_sha256_of(gateway->crypto, data, size, digest);
    if (error == SERIN_OK && got == size && memcmp(digest, image->under, SERIN_SHA256_SIZE) == 0) {
        return SERIN_OK;
    }
    bytes_rotten(gateway, image->under);
    return SERIN_ERR_DIGEST;
}

/* The verified table of an image, kept until the planner releases it. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_DIGEST: it has to be fetched. SERIN_ERR_BUSY: too many are in memory. SERIN_ERR_MEMORY,
 * SERIN_ERR_IO. */
static enum serin_error table_take(struct gateway *gateway, const struct bytes_offer *image,
                                   const struct bytes_table **found)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct bytes_table *free_place = NULL;
    uint32_t total = 0, size = serin_piece_table_size(image->size);
    *found = table_find(bytes, image->name);
    if (*found != NULL) {
        return SERIN_OK;
    }
    for (size_t i = 0; i < BYTES_TABLES_MAX; i++) {
        total += bytes->tables[i].size;
        free_place = bytes->tables[i].data == NULL ? &bytes->tables[i] : free_place;
    }
    if (free_place == NULL || total + size > BYTES_TABLES_BYTES) {
        return SERIN_ERR_BUSY;
    }
    uint8_t *data = calloc(1, size);
    if (data == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = bytes_table_read(gateway, image, data, size);
    if (error != SERIN_OK) {
        free(data);
        return error;
    }
    *free_place = (struct bytes_table){.data = data, .size = size};
    memcpy(free_place->image, image->name, SERIN_SHA256_SIZE);
    *found = free_place;
    return SERIN_OK;
}

static void release(void *ctx, const uint8_t *object)
{
    struct gateway *gateway = ctx;
    struct bytes_table *table = table_find(gateway->bytes, object);
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, object);
    if (table != NULL) {
        table_free(table);
    }
    if (entry != NULL) {
        entry->promised = entry->disk;
    }
}

/* ---- describe ---- */

static void answer_absent(struct serin_fill_description *out, enum serin_block_status status,
                          uint32_t retry_ms)
{
    out->answer = SERIN_FILL_ABSENT;
    out->status = status;
    out->retry_ms = retry_ms;
}

static void answer_needs(struct gateway *gateway, struct serin_fill_description *out,
                         const uint8_t *name)
{
    out->answer = SERIN_FILL_NEEDS;
    memcpy(out->needs, name, SERIN_SHA256_SIZE);
    gateway->bytes->needs = true;
}

/* No directive that is held is known to offer it. It may stand behind a manifest that is not here.
 */
static void describe_unknown(struct gateway *gateway, struct serin_fill_description *out)
{
    const struct bytes_offer *unread = bytes_offer_unread(gateway);
    if (unread != NULL) {
        answer_needs(gateway, out, unread->name);
    } else if (gateway->bytes->directive_count == 0) {
        answer_absent(out, SERIN_BLOCK_NOT_FOUND, LATER_RETRY_MS);
    } else {
        answer_absent(out, SERIN_BLOCK_REFUSED, REFUSED_RETRY_MS);
    }
}

static void describe_image(struct gateway *gateway, const struct bytes_offer *offer,
                           struct serin_fill_description *out)
{
    const struct bytes_table *table = NULL;
    enum serin_error error = table_take(gateway, offer, &table);
    if (error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_DIGEST) {
        answer_needs(gateway, out, offer->under);
    } else if (error == SERIN_ERR_BUSY) {
        *out = (struct serin_fill_description){
            .answer = SERIN_FILL_CROWDED, .kind = SERIN_FILL_PIECES, .emergency = offer->emergency};
    } else if (error != SERIN_OK) {
        answer_absent(out, SERIN_BLOCK_BUSY, LATER_RETRY_MS);
    } else {
        *out = (struct serin_fill_description){.answer = SERIN_FILL_FETCH,
                                               .kind = SERIN_FILL_PIECES,
                                               .size = offer->size,
                                               .table = table->data,
                                               .emergency = offer->emergency};
    }
}

/* Whether the object stands whole in the depot, as long as it should be. SERIN_ERR_NOT_FOUND: it
 * does not. SERIN_ERR_IO: that cannot be told now. */
static enum serin_error find_stored(struct gateway *gateway, const struct bytes_offer *offer,
                                    uint32_t *size)
{
    enum serin_error error = serin_depot_size(gateway->bytes->depot, offer->name, size);
    if (error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_IO) {
        return error;
    }
    if (error == SERIN_OK && *size > 0 && (offer->size == 0 || *size == offer->size)) {
        return SERIN_OK;
    }
    bytes_rotten(gateway, offer->name);
    return SERIN_ERR_NOT_FOUND;
}

static uint64_t rounded(uint64_t size)
{
    return (size + BYTES_BLOCK_SIZE - 1) / BYTES_BLOCK_SIZE * BYTES_BLOCK_SIZE;
}

/* Whether a table would find room, on the disk or in memory. Fetched without, it would come again
 * and again. */
static bool has_place(struct gateway *gateway, const struct bytes_offer *offer)
{
    uint32_t size = offer->size > 0 ? offer->size : SERIN_SITE_WHOLE_MAX;
    return bytes_spare_room(gateway->bytes, false, size) ||
           (gateway->mono_ms >= gateway->bytes->full_ms &&
            bytes_room(gateway, rounded(size)) == SERIN_OK);
}

static void describe(void *ctx, const uint8_t *object, struct serin_fill_description *out)
{
    struct gateway *gateway = ctx;
    const struct bytes_offer *offer = bytes_offer_find(gateway->bytes, object);
    const struct bytes_spare *spare = bytes_spare_find(gateway->bytes, object);
    *out = (struct serin_fill_description){.answer = SERIN_FILL_ABSENT};
    if (offer == NULL || offer->withheld) {
        describe_unknown(gateway, out);
        return;
    }
    bytes_touch(gateway, object);
    enum serin_error stored =
        offer->blocked ? SERIN_ERR_NOT_FOUND : find_stored(gateway, offer, &out->size);
    if (offer->blocked) {
        answer_absent(out, SERIN_BLOCK_BUSY, HALTED_RETRY_MS);
    } else if (stored == SERIN_OK) {
        out->answer = SERIN_FILL_STORED;
    } else if (stored != SERIN_ERR_NOT_FOUND) {
        answer_absent(out, SERIN_BLOCK_BUSY, LATER_RETRY_MS);
    } else if (spare != NULL) {
        out->answer = SERIN_FILL_HELD;
        out->data = spare->data;
        out->size = spare->size;
    } else if (offer->sort == BYTES_IMAGE) {
        describe_image(gateway, offer, out);
    } else if (offer->sort == BYTES_MANIFEST &&
               gateway_orders_trust(gateway, offer->product) == NULL) {
        answer_absent(out, SERIN_BLOCK_NOT_FOUND, LATER_RETRY_MS);
    } else if (offer->sort != BYTES_MANIFEST && !has_place(gateway, offer)) {
        answer_absent(out, SERIN_BLOCK_BUSY, LATER_RETRY_MS);
    } else {
        out->answer = SERIN_FILL_FETCH;
        out->kind = offer->sort == BYTES_MANIFEST ? SERIN_FILL_MANIFEST : SERIN_FILL_WHOLE;
        out->size = offer->size;
        out->emergency = offer->emergency;
    }
}

/* ---- part files ---- */

static enum serin_error open_part(void *ctx, const uint8_t *object, uint32_t size)
{
    struct gateway *gateway = ctx;
    struct gateway_bytes *bytes = gateway->bytes;
    const struct bytes_entry *known = bytes_entry_find(bytes, object);
    uint64_t promised = known != NULL ? known->promised : 0;
    uint64_t whole = rounded(size);
    enum serin_error error = bytes_room(gateway, whole > promised ? whole - promised : 0);
    if (error == SERIN_OK) {
        error = serin_depot_part_open(bytes->depot, object, size);
    }
    if (error == SERIN_OK) {
        struct bytes_entry *entry = bytes_entry_add(gateway, object, SERIN_DEPOT_PART);
        if (entry == NULL) {
            return SERIN_ERR_NO_SPACE;
        }
        entry->promised = whole;
    }
    if (error != SERIN_OK && bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "an object of %u bytes cannot be stored: %s", size,
                  serin_error_text(error));
    }
    return error;
}

static enum serin_error load(void *ctx, const uint8_t *object, uint32_t offset, void *out,
                             size_t size)
{
    struct gateway *gateway = ctx;
    return serin_depot_part_read(gateway->bytes->depot, object, offset, out, size);
}

static enum serin_error store(void *ctx, const uint8_t *object, uint32_t offset, const void *data,
                              size_t size)
{
    struct gateway *gateway = ctx;
    enum serin_error error =
        serin_depot_part_write(gateway->bytes->depot, object, offset, data, size);
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, object);
    if (error == SERIN_OK && entry != NULL) {
        uint64_t disk = entry->disk + rounded(size);
        entry->disk = disk < entry->promised ? disk : entry->promised;
    }
    if (error != SERIN_OK && bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "a piece cannot be stored: %s", serin_error_text(error));
    }
    SERIN_FAULT_POINT("gateway.piece.stored");
    return error;
}

static enum serin_error finish(void *ctx, const uint8_t *object)
{
    struct gateway *gateway = ctx;
    enum serin_error error = serin_depot_part_finish(gateway->bytes->depot, object);
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, object);
    if (error == SERIN_OK && entry != NULL) {
        entry->kind = SERIN_DEPOT_OBJECT;
        entry->disk = entry->promised;
    }
    if (error == SERIN_OK) {
        char text[SERIN_SHA256_HEX_SIZE];
        serin_hex_encode(object, SERIN_SHA256_SIZE, text);
        serin_log(SERIN_LOG_INFO, "object complete name=%.16s", text);
    } else if (bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "an object cannot be completed: %s", serin_error_text(error));
    }
    SERIN_FAULT_POINT("gateway.object.finished");
    return error;
}

/* ---- manifests and tables ---- */

/* Stores a manifest or table, or keeps it in memory: SERIN_ERR_NO_SPACE. SERIN_ERR_IO: neither. */
static enum serin_error put(struct gateway *gateway, const uint8_t *object, bool manifest,
                            const uint8_t *data, size_t size)
{
    struct gateway_bytes *bytes = gateway->bytes;
    enum serin_error error = bytes_room(gateway, rounded(size));
    if (error == SERIN_OK) {
        error = manifest ? serin_depot_put_manifest(bytes->depot, object, data, size)
                         : serin_depot_put(bytes->depot, object, data, size);
    }
    if (error == SERIN_OK) {
        struct bytes_entry *entry =
            bytes_entry_add(gateway, object, manifest ? SERIN_DEPOT_MANIFEST : SERIN_DEPOT_OBJECT);
        if (entry != NULL) {
            entry->disk = entry->promised = rounded(size);
            bytes_verified(gateway, entry);
        }
        bytes_spare_drop(bytes, object);
    } else if (error == SERIN_ERR_NO_SPACE || error == SERIN_ERR_MEMORY) {
        if (!bytes_spare_keep(bytes, object, manifest, data, (uint32_t)size)) {
            bytes->full_ms = gateway->mono_ms + BYTES_MINUTE_MS;
        }
        error = SERIN_ERR_NO_SPACE;
    } else {
        error = SERIN_ERR_IO; /* whatever it is, another copy of the bytes does not help */
    }
    return error;
}

void bytes_spares_store(struct gateway *gateway)
{
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        const struct bytes_spare *spare = &gateway->bytes->spares[i];
        const struct bytes_offer *offer =
            spare->data != NULL ? bytes_offer_find(gateway->bytes, spare->name) : NULL;
        if (offer == NULL) {
            continue;
        }
        /* Stored, it leaves memory; otherwise it stays as it is. */
        uint8_t name[SERIN_SHA256_SIZE];
        memcpy(name, spare->name, sizeof name);
        (void)!put(gateway, name, offer->sort == BYTES_MANIFEST, spare->data, spare->size);
    }
}

static enum serin_error keep(void *ctx, const uint8_t *object, enum serin_fill_kind kind,
                             const uint8_t *data, size_t size)
{
    struct gateway *gateway = ctx;
    struct gateway_bytes *bytes = gateway->bytes;
    if (kind == SERIN_FILL_MANIFEST) {
        struct serin_manifest manifest;
        const struct bytes_offer *offer = bytes_offer_find(bytes, object);
        enum serin_error error = offer != NULL
                                     ? bytes_manifest_verify(gateway, offer, data, size, &manifest)
                                     : SERIN_ERR_NOT_FOUND;
        if (error != SERIN_OK) {
            serin_log(SERIN_LOG_WARN, "a manifest from upstream is not taken: %s",
                      serin_error_text(error));
            return error;
        }
    }
    enum serin_error error = put(gateway, object, kind == SERIN_FILL_MANIFEST, data, size);
    if (error != SERIN_OK && bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "a manifest or table cannot be stored: %s",
                  serin_error_text(error));
    }
    if (error != SERIN_ERR_IO) {
        const struct bytes_offer *offer = bytes_offer_find(bytes, object);
        bytes->offers_stale = bytes->offers_stale || kind == SERIN_FILL_MANIFEST ||
                              (offer != NULL && offer->sort == BYTES_ROUTES);
        bytes->replay = true;
    }
    return error;
}

void bytes_rotten(struct gateway *gateway, const uint8_t *name)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct bytes_entry *entry = bytes_entry_find(bytes, name);
    const struct bytes_offer *offer = bytes_offer_find(bytes, name);
    char text[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, SERIN_SHA256_SIZE, text);
    serin_log(SERIN_LOG_WARN, "an object of the depot has rotted name=%.16s", text);
    gateway->meta.rotten++;
    gateway_meta_changed(gateway);
    if (offer == NULL || offer->sort != BYTES_IMAGE) {
        (void)bytes_remove(gateway, name);
        bytes->offers_stale = bytes->offers_stale || offer != NULL;
    } else if (serin_depot_part_again(bytes->depot, name) == SERIN_OK && entry != NULL) {
        entry->kind = SERIN_DEPOT_PART;
    }
}

/* ---- the wire ---- */

static enum serin_error have(void *ctx, const struct serin_have *have)
{
    struct gateway *gateway = ctx;
    static const struct serin_topic topic = {.kind = SERIN_TOPIC_DEPOT_HAVE};
    uint8_t payload[SERIN_HAVE_MAX];
    size_t size;
    enum serin_error error = gateway->site_codec->encode_have(have, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = gateway_publish_site(gateway, &topic, payload, size);
    }
    if (error == SERIN_OK) {
        bytes_told(gateway, have);
    }
    if (error != SERIN_OK && error != SERIN_ERR_AGAIN && bytes_say(gateway)) {
        serin_log(SERIN_LOG_WARN, "the plugin cannot be told what is here: %s",
                  serin_error_text(error));
    }
    return error == SERIN_OK ? SERIN_OK : SERIN_ERR_AGAIN;
}

static enum serin_error get(void *ctx, const struct serin_get *get)
{
    struct gateway *gateway = ctx;
    uint8_t payload[SERIN_GET_MAX];
    size_t size;
    enum serin_error error = gateway->codec->encode_get(get, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = gateway_publish_up(gateway, SERIN_TOPIC_GW_GET, payload, size, NULL);
    }
    return error == SERIN_OK ? SERIN_OK : SERIN_ERR_AGAIN;
}

static unsigned minute_of_day(const struct gateway *gateway)
{
    time_t now = (time_t)gateway->wall_s;
    struct tm local;
    return localtime_r(&now, &local) != NULL ? (unsigned)(local.tm_hour * 60 + local.tm_min) : 0;
}

static uint32_t allowance(void *ctx, enum serin_fill_kind kind, bool emergency, uint64_t *again_ms)
{
    struct gateway *gateway = ctx;
    struct serin_uplink *uplink = &gateway->bytes->uplink;
    if (!gateway->up_connected) {
        return 0;
    }
    if (gateway_words_waiting(gateway)) {
        *again_ms = gateway->mono_ms + WORDS_WAIT_MS;
        return 0;
    }
    if (kind == SERIN_FILL_MANIFEST) {
        return UINT32_MAX; /* half a kilobyte, on which every decision hangs */
    }
    if (!emergency && !serin_uplink_open(uplink, minute_of_day(gateway))) {
        *again_ms = gateway->mono_ms + CLOSED_WAIT_MS;
        return 0;
    }
    uint32_t room = serin_uplink_room(uplink, gateway->mono_ms);
    if (room < ROOM_LEAST) {
        *again_ms = serin_uplink_next_ms(uplink, gateway->mono_ms, ROOM_LEAST);
        return 0;
    }
    return room;
}

const struct serin_fill_ops bytes_fill_ops = {.describe = describe,
                                              .release = release,
                                              .open = open_part,
                                              .load = load,
                                              .store = store,
                                              .keep = keep,
                                              .finish = finish,
                                              .have = have,
                                              .get = get,
                                              .allowance = allowance};
