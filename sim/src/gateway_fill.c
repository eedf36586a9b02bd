/* The planner's hands at a simulated site (gateway.h; gateway/shell/bytes*.c have the rules): what
 * the held directive offers, fetched once over the uplink into the site's depot. */
#include "gateway.h"

#include <serin/manifest.h>
#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>

#define REFUSED_RETRY_MS 5000u
#define HALTED_RETRY_MS  60000u
#define LATER_RETRY_MS   5000u
#define WORDS_WAIT_MS    100u

/* ---- the depot ---- */

static bool is_whole(const struct sim_gateway *gateway, const struct sim_object *object)
{
    uint32_t count = serin_piece_count(object->size);
    for (uint32_t i = 0; i < count; i++) {
        if (!sim_depot_holds(gateway->sim, gateway->index, object, i)) {
            return false;
        }
    }
    return true;
}

static enum serin_error write_whole(struct sim_gateway *gateway, const uint8_t *name,
                                    const uint8_t *data, size_t size)
{
    uint32_t count = serin_piece_count((uint32_t)size);
    enum serin_error error = SERIN_OK;
    for (uint32_t i = 0; i < count && error == SERIN_OK; i++) {
        error = sim_depot_write(gateway->sim, gateway->index, name, i,
                                data + (size_t)i * SERIN_PIECE_SIZE,
                                serin_piece_size((uint32_t)size, i));
    }
    return error;
}

/* ---- what is on offer ---- */

static struct gateway_offer *find(struct sim_gateway *gateway, const uint8_t *name)
{
    for (size_t i = 0; i < gateway->offer_count; i++) {
        if (memcmp(gateway->offers[i].name, name, SERIN_SHA256_SIZE) == 0) {
            return &gateway->offers[i];
        }
    }
    return NULL;
}

static void add(struct sim_gateway *gateway, const struct gateway_offer *offer)
{
    struct gateway_offer *known = find(gateway, offer->name);
    if (known != NULL) {
        known->emergency = known->emergency || offer->emergency;
        known->blocked = known->blocked && offer->blocked;
    } else if (gateway->offer_count < GATEWAY_OFFERS) {
        gateway->offers[gateway->offer_count++] = *offer;
    }
}

/* A manifest that is here names its table and its image. */
static void add_contents(struct sim_gateway *gateway, struct gateway_offer manifest)
{
    const struct sim_object *object = sim_object_find(gateway->sim, manifest.name);
    struct serin_manifest value;
    if (object == NULL || !is_whole(gateway, object) ||
        serin_manifest_decode(object->bytes, SERIN_MANIFEST_BODY_SIZE, &value) != SERIN_OK) {
        return;
    }
    find(gateway, manifest.name)->known = true;
    struct gateway_offer table = manifest, image = manifest;
    table.sort = GATEWAY_TABLE;
    table.size = serin_piece_table_size(value.image_size_bytes);
    memcpy(table.name, value.pieces_sha256, SERIN_SHA256_SIZE);
    memcpy(table.under, manifest.name, SERIN_SHA256_SIZE);
    image.sort = GATEWAY_IMAGE;
    image.size = value.image_size_bytes;
    memcpy(image.name, value.image_sha256, SERIN_SHA256_SIZE);
    memcpy(image.under, value.pieces_sha256, SERIN_SHA256_SIZE);
    add(gateway, &table);
    add(gateway, &image);
}

static void add_release(struct sim_gateway *gateway, const struct serin_release *release,
                        bool emergency, bool blocked)
{
    for (size_t i = 0; i < release->offer_count; i++) {
        struct gateway_offer offer = {
            .sort = GATEWAY_MANIFEST, .emergency = emergency, .blocked = blocked};
        memcpy(offer.name, release->offers[i].manifest_id, SERIN_SHA256_SIZE);
        add(gateway, &offer);
    }
}

static void offers_make(struct sim_gateway *gateway)
{
    const struct serin_directive *directive = &gateway->directive.value;
    gateway->offer_count = 0;
    if (!gateway->directive.held) {
        return;
    }
    bool emergency = (directive->flags & SERIN_DIRECTIVE_EMERGENCY) != 0;
    add_release(gateway, &directive->stable, emergency, false);
    if (directive->candidate_state == SERIN_CANDIDATE_ROLLING ||
        directive->candidate_state == SERIN_CANDIDATE_PAUSED) {
        add_release(gateway, &directive->candidate, emergency, gateway_halted(gateway));
    }
    size_t manifests = gateway->offer_count;
    for (size_t i = 0; i < manifests; i++) {
        add_contents(gateway, gateway->offers[i]);
    }
}

/* ---- describe ---- */

static void absent(struct serin_fill_description *out, enum serin_block_status status,
                   uint32_t retry_ms)
{
    out->answer = SERIN_FILL_ABSENT;
    out->status = status;
    out->retry_ms = retry_ms;
}

static void needs(struct sim_gateway *gateway, struct serin_fill_description *out,
                  const uint8_t *name)
{
    out->answer = SERIN_FILL_NEEDS;
    memcpy(out->needs, name, SERIN_SHA256_SIZE);
    gateway->needs = true;
}

/* It may stand behind a manifest that is not here. */
static void describe_unknown(struct sim_gateway *gateway, struct serin_fill_description *out)
{
    for (size_t i = 0; i < gateway->offer_count; i++) {
        const struct gateway_offer *offer = &gateway->offers[i];
        if (offer->sort == GATEWAY_MANIFEST && !offer->known && !offer->blocked) {
            needs(gateway, out, offer->name);
            return;
        }
    }
    absent(out, gateway->directive.held ? SERIN_BLOCK_REFUSED : SERIN_BLOCK_NOT_FOUND,
           gateway->directive.held ? REFUSED_RETRY_MS : LATER_RETRY_MS);
}

static void describe_image(struct sim_gateway *gateway, const struct gateway_offer *offer,
                           struct serin_fill_description *out)
{
    const struct sim_object *table = sim_object_find(gateway->sim, offer->under);
    if (table == NULL || !is_whole(gateway, table)) {
        needs(gateway, out, offer->under);
        return;
    }
    *out = (struct serin_fill_description){.answer = SERIN_FILL_FETCH,
                                           .kind = SERIN_FILL_PIECES,
                                           .size = offer->size,
                                           .table = table->bytes,
                                           .emergency = offer->emergency};
}

static void describe(void *ctx, const uint8_t *name, struct serin_fill_description *out)
{
    struct sim_gateway *gateway = ctx;
    const struct gateway_offer *offer = find(gateway, name);
    const struct sim_object *object = sim_object_find(gateway->sim, name);
    *out = (struct serin_fill_description){.answer = SERIN_FILL_ABSENT};
    if (offer == NULL) {
        describe_unknown(gateway, out);
    } else if (offer->blocked) {
        absent(out, SERIN_BLOCK_BUSY, HALTED_RETRY_MS);
    } else if (object != NULL && is_whole(gateway, object)) {
        out->answer = SERIN_FILL_STORED;
        out->size = object->size;
    } else if (offer->sort == GATEWAY_IMAGE) {
        describe_image(gateway, offer, out);
    } else if (offer->sort == GATEWAY_MANIFEST && !gateway->has_trust) {
        absent(out, SERIN_BLOCK_NOT_FOUND, LATER_RETRY_MS);
    } else {
        out->answer = SERIN_FILL_FETCH;
        out->kind = offer->sort == GATEWAY_MANIFEST ? SERIN_FILL_MANIFEST : SERIN_FILL_WHOLE;
        out->size = offer->size;
        out->emergency = offer->emergency;
    }
}

/* ---- the other hands ---- */

static void release(void *ctx, const uint8_t *name)
{
    (void)ctx; /* tables stay where they are */
    (void)name;
}

static enum serin_error open_part(void *ctx, const uint8_t *name, uint32_t size)
{
    (void)ctx; /* a site has room for two images */
    (void)name;
    (void)size;
    return SERIN_OK;
}

static enum serin_error load(void *ctx, const uint8_t *name, uint32_t offset, void *out,
                             size_t size)
{
    struct sim_gateway *gateway = ctx;
    const struct sim_object *object = sim_object_find(gateway->sim, name);
    return object == NULL ? SERIN_ERR_NOT_FOUND
                          : sim_depot_read(gateway->sim, gateway->index, object, offset, out, size);
}

static enum serin_error store(void *ctx, const uint8_t *name, uint32_t offset, const void *data,
                              size_t size)
{
    struct sim_gateway *gateway = ctx;
    enum serin_error error =
        sim_depot_write(gateway->sim, gateway->index, name, offset / SERIN_PIECE_SIZE, data, size);
    if (error != SERIN_OK) {
        sim_broken(gateway->sim, SERIN_SIM_UNVERIFIED,
                   "g%05u stored a piece that is not the object's", gateway->index);
    }
    return error;
}

static enum serin_error keep(void *ctx, const uint8_t *name, enum serin_fill_kind kind,
                             const uint8_t *data, size_t size)
{
    struct sim_gateway *gateway = ctx;
    struct sim *sim = gateway->sim;
    if (kind == SERIN_FILL_MANIFEST) {
        struct serin_manifest manifest;
        enum serin_error error =
            serin_manifest_open(sim->crypto, &sim->trust, data, size, &manifest, NULL);
        if (error != SERIN_OK) {
            return error;
        }
    }
    enum serin_error error = write_whole(gateway, name, data, size);
    if (error == SERIN_OK) {
        gateway->offers_stale = gateway->offers_stale || kind == SERIN_FILL_MANIFEST;
        gateway->replay = true;
    }
    return error;
}

static enum serin_error finish(void *ctx, const uint8_t *name)
{
    struct sim_gateway *gateway = ctx;
    const struct sim_object *object = sim_object_find(gateway->sim, name);
    bool whole = object != NULL && is_whole(gateway, object);
    return whole ? SERIN_OK : SERIN_ERR_DIGEST;
}

static enum serin_error have(void *ctx, const struct serin_have *have)
{
    struct sim_gateway *gateway = ctx;
    uint8_t payload[SERIN_HAVE_MAX];
    size_t size = 0;
    if (!gateway->linked[SIM_SITE]) {
        return SERIN_ERR_AGAIN;
    }
    enum serin_error error =
        gateway->sim->site_codec->encode_have(have, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        gateway_publish(gateway, SIM_SITE, SERIN_TOPIC_DEPOT_HAVE, SIM_NOBODY, payload, size);
    }
    return error;
}

static enum serin_error get(void *ctx, const struct serin_get *get)
{
    struct sim_gateway *gateway = ctx;
    uint8_t payload[SERIN_GET_MAX];
    size_t size = 0;
    if (!gateway->linked[SIM_UPLINK]) {
        return SERIN_ERR_AGAIN;
    }
    enum serin_error error = gateway->sim->codec->encode_get(get, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        gateway_publish(gateway, SIM_UPLINK, SERIN_TOPIC_GW_GET, gateway->index, payload, size);
    }
    return error;
}

/* Reports leave before bulk. */
static uint32_t allowance(void *ctx, enum serin_fill_kind kind, bool emergency, uint64_t *again_ms)
{
    struct sim_gateway *gateway = ctx;
    (void)emergency; /* there are no hours to hold it back */
    if (!gateway->linked[SIM_UPLINK]) {
        return 0;
    }
    if (serin_relay_waiting(&gateway->relay, gateway_now_ms(gateway))) {
        *again_ms = gateway_now_ms(gateway) + WORDS_WAIT_MS;
        return 0;
    }
    return kind == SERIN_FILL_MANIFEST
               ? UINT32_MAX
               : serin_uplink_room(&gateway->uplink, gateway_now_ms(gateway));
}

static const struct serin_fill_ops ops = {.describe = describe,
                                          .release = release,
                                          .open = open_part,
                                          .load = load,
                                          .store = store,
                                          .keep = keep,
                                          .finish = finish,
                                          .have = have,
                                          .get = get,
                                          .allowance = allowance};

/* ---- events ---- */

/* The planner, made when it is needed first: a site that asks for nothing takes no memory for it.
 */
static struct serin_fill *planner(struct sim_gateway *gateway)
{
    if (gateway->fill != NULL) {
        return gateway->fill;
    }
    gateway->fill = calloc(1, sizeof *gateway->fill);
    gateway->whole = malloc(SERIN_SITE_WHOLE_MAX);
    if (gateway->fill == NULL || gateway->whole == NULL) {
        free(gateway->fill);
        gateway->fill = NULL;
        sim_failed(gateway->sim, SERIN_ERR_MEMORY);
        return NULL;
    }
    const struct serin_fill_config config = {
        .ops = &ops,
        .ctx = gateway,
        .crypto = gateway->sim->crypto,
        .whole = gateway->whole,
        .seed = (uint32_t)sim_dice(gateway->sim, SIM_DICE_GATEWAY, gateway->index),
    };
    static const struct serin_uplink_limits no_limits = {.rate_bytes_per_s = 0};
    serin_uplink_init(&gateway->uplink, &no_limits, gateway_now_ms(gateway));
    serin_fill_init(gateway->fill, &config);
    serin_fill_connected(gateway->fill, gateway->linked[SIM_UPLINK], gateway_now_ms(gateway));
    return gateway->fill;
}

/* The planner is large, and looked at only where it has something to do. */
static void note_deadline(struct sim_gateway *gateway)
{
    gateway->fill_ms = gateway->fill != NULL ? serin_fill_deadline_ms(gateway->fill) : UINT64_MAX;
}

void gateway_fill_forget(struct sim_gateway *gateway)
{
    if (gateway->fill != NULL) {
        serin_fill_end(gateway->fill);
    }
    free(gateway->fill);
    free(gateway->whole);
    gateway->fill = NULL;
    gateway->whole = NULL;
    gateway->postponed_count = 0;
    gateway->needs = gateway->replay = false;
    note_deadline(gateway);
}

void gateway_fill_orders(struct sim_gateway *gateway)
{
    gateway->offers_stale = true;
}

/* Offers follow orders at once: who asks after a directive came is judged by it. */
static void refresh(struct sim_gateway *gateway)
{
    if (gateway->offers_stale) {
        gateway->offers_stale = false;
        offers_make(gateway);
        if (gateway->fill != NULL) {
            serin_fill_review(gateway->fill, gateway_now_ms(gateway));
        }
        note_deadline(gateway);
    }
}

static void want_object(struct sim_gateway *gateway, const struct serin_want *want)
{
    gateway->needs = false;
    serin_fill_want(gateway->fill, want, gateway_now_ms(gateway));
    size_t most = sizeof gateway->postponed / sizeof gateway->postponed[0];
    if (gateway->needs && gateway->postponed_count < most) {
        gateway->postponed[gateway->postponed_count++] = *want;
    }
}

void gateway_fill_want(struct sim_gateway *gateway, const uint8_t *payload, size_t size)
{
    struct serin_want want;
    if (gateway->sim->site_codec->decode_want(payload, size, &want) != SERIN_OK ||
        want.kind == SERIN_WANT_SERVED || planner(gateway) == NULL) {
        return;
    }
    refresh(gateway);
    if (want.kind == SERIN_WANT_ROTTEN && !serin_fill_active(gateway->fill, want.object)) {
        return; /* what the depot was given is sound: its cache is stale, and will not be */
    }
    want_object(gateway, &want);
    serin_fill_poll(gateway->fill, gateway_now_ms(gateway));
    note_deadline(gateway);
}

void gateway_fill_block(struct sim_gateway *gateway, const uint8_t *payload, size_t size)
{
    struct serin_block block;
    if (gateway->fill == NULL ||
        gateway->sim->codec->decode_block(payload, size, &block) != SERIN_OK) {
        return;
    }
    serin_uplink_take(&gateway->uplink, size, gateway_now_ms(gateway));
    serin_fill_block(gateway->fill, &block, gateway_now_ms(gateway));
    serin_fill_poll(gateway->fill, gateway_now_ms(gateway));
    note_deadline(gateway);
}

void gateway_fill_link(struct sim_gateway *gateway, enum sim_side side, bool up)
{
    if (gateway->fill == NULL) {
        return;
    }
    if (side == SIM_UPLINK) {
        serin_fill_connected(gateway->fill, up, gateway_now_ms(gateway));
    } else if (up) {
        serin_fill_tell_all(gateway->fill, gateway_now_ms(gateway));
    }
    note_deadline(gateway);
}

/* What could not be answered before another object was here is asked again. */
static void replay(struct sim_gateway *gateway)
{
    struct serin_want wants[sizeof gateway->postponed / sizeof gateway->postponed[0]];
    size_t number = gateway->postponed_count;
    memcpy(wants, gateway->postponed, number * sizeof wants[0]);
    gateway->replay = false;
    gateway->postponed_count = 0;
    for (size_t i = 0; i < number; i++) {
        want_object(gateway, &wants[i]);
    }
    note_deadline(gateway);
}

void gateway_fill_tick(struct sim_gateway *gateway)
{
    refresh(gateway);
    if (gateway->fill == NULL) {
        return;
    }
    if (gateway->replay) {
        replay(gateway);
    }
    if (gateway->fill_ms <= gateway_now_ms(gateway)) {
        serin_fill_poll(gateway->fill, gateway_now_ms(gateway));
        note_deadline(gateway);
    }
}

uint64_t gateway_fill_deadline_ms(const struct sim_gateway *gateway)
{
    if (gateway->offers_stale || gateway->replay) {
        return gateway_now_ms(gateway);
    }
    return gateway->fill_ms;
}
