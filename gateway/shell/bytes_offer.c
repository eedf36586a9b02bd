/*
 * What the held directives offer (docs/spec/site.md, section 2): the manifests that they name, and
 * through those that were read, piece tables and images; and the route tables, with the patches
 * that lead to those manifests. Nothing else is ever fetched, and all of it is pinned. While nobody
 * knows what one of the manifests names, everything is.
 */
#include "bytes_internal.h"

#include <serin/adapters/log.h>
#include <serin/piece.h>
#include <serin/route.h>

#include <stdlib.h>
#include <string.h>

/* The place of a name: where it is, or would be. True: it is there. */
static bool offer_place(const struct bytes_offer *offers, size_t count, const uint8_t *name,
                        size_t *place)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int side = memcmp(offers[middle].name, name, SERIN_SHA256_SIZE);
        if (side == 0) {
            *place = middle;
            return true;
        }
        low = side < 0 ? middle + 1 : low;
        high = side < 0 ? high : middle;
    }
    *place = low;
    return false;
}

const struct bytes_offer *bytes_offer_find(const struct gateway_bytes *bytes, const uint8_t *name)
{
    size_t place;
    return offer_place(bytes->offers, bytes->offer_count, name, &place) ? &bytes->offers[place]
                                                                        : NULL;
}

static bool offers_grow(struct gateway_bytes *bytes)
{
    if (bytes->offer_count < bytes->offer_capacity) {
        return true;
    }
    size_t capacity = bytes->offer_capacity == 0 ? 64 : 2 * bytes->offer_capacity;
    struct bytes_offer *grown =
        capacity <= BYTES_OFFERS_MAX ? realloc(bytes->offers, capacity * sizeof *grown) : NULL;
    if (grown == NULL) {
        return false;
    }
    bytes->offers = grown;
    bytes->offer_capacity = capacity;
    return true;
}

/* Adds an offer. One that stands already is an emergency if either is, and blocked if both are. */
static void offer_add(struct gateway *gateway, const struct bytes_offer *offer)
{
    struct gateway_bytes *bytes = gateway->bytes;
    size_t place;
    if (offer_place(bytes->offers, bytes->offer_count, offer->name, &place)) {
        bytes->offers[place].emergency |= offer->emergency;
        bytes->offers[place].blocked &= offer->blocked;
        bytes->offers[place].withheld &= offer->withheld;
        return;
    }
    if (!offers_grow(bytes)) {
        if (bytes_say(gateway)) {
            serin_log(SERIN_LOG_WARN, "more objects are on offer than can be kept in mind");
        }
        bytes->blind = true;
        return;
    }
    memmove(bytes->offers + place + 1, bytes->offers + place,
            (bytes->offer_count - place) * sizeof *bytes->offers);
    bytes->offers[place] = *offer;
    bytes->offer_count++;
}

/* ---- directives ---- */

static void offer_release(struct gateway *gateway, const struct serin_release *release,
                          const struct bytes_offer *like)
{
    for (size_t i = 0; i < release->offer_count; i++) {
        struct bytes_offer offer = *like;
        memcpy(offer.name, release->offers[i].manifest_id, SERIN_SHA256_SIZE);
        offer_add(gateway, &offer);
    }
}

static bool offer_directive(void *arg, const struct gateway_order *order)
{
    struct gateway *gateway = arg;
    const struct serin_directive *directive = &order->directive;
    struct bytes_offer offer = {.sort = BYTES_MANIFEST,
                                .emergency = (directive->flags & SERIN_DIRECTIVE_EMERGENCY) != 0};
    gateway->bytes->directive_count++;
    memcpy(offer.product, directive->product, sizeof offer.product);
    offer_release(gateway, &directive->stable, &offer);
    if (directive->has_route_table) {
        struct bytes_offer routes = offer;
        routes.sort = BYTES_ROUTES;
        memcpy(routes.name, directive->route_table, SERIN_SHA256_SIZE);
        offer_add(gateway, &routes);
    }
    if (directive->candidate_state == SERIN_CANDIDATE_ROLLING ||
        directive->candidate_state == SERIN_CANDIDATE_PAUSED) {
        /* What an operator aims at one node is not the channel's candidate. */
        offer.blocked = directive->device_id[0] == '\0' &&
                        gateway_words_halted(gateway, directive->product, directive->channel);
        offer_release(gateway, &directive->candidate, &offer);
    }
    return true;
}

/* ---- manifests ---- */

enum serin_error bytes_manifest_verify(const struct gateway *gateway,
                                       const struct bytes_offer *offer, const uint8_t *data,
                                       size_t size, struct serin_manifest *manifest)
{
    uint8_t id[SERIN_SHA256_SIZE];
    const struct serin_trust *trust = gateway_orders_trust(gateway, offer->product);
    if (size < SERIN_MANIFEST_BODY_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    serin_manifest_id(gateway->crypto, data, id);
    if (memcmp(id, offer->name, SERIN_SHA256_SIZE) != 0) {
        return SERIN_ERR_DIGEST;
    }
    return trust == NULL ? SERIN_ERR_KEY
                         : serin_manifest_open(gateway->crypto, trust, data, size, manifest, NULL);
}

bool bytes_manifest_rotten(const struct gateway *gateway, const struct bytes_offer *offer,
                           enum serin_error error)
{
    const struct serin_trust *trust = gateway_orders_trust(gateway, offer->product);
    const struct bytes_entry *entry = bytes_entry_find(gateway->bytes, offer->name);
    if (error != SERIN_ERR_KEY) {
        return error != SERIN_OK;
    }
    return trust != NULL && entry != NULL && entry->trust_version == trust->version;
}

void bytes_verified(const struct gateway *gateway, struct bytes_entry *entry)
{
    const struct bytes_offer *offer = bytes_offer_find(gateway->bytes, entry->name);
    const struct serin_trust *trust =
        offer != NULL ? gateway_orders_trust(gateway, offer->product) : NULL;
    entry->verified = entry->kind == SERIN_DEPOT_MANIFEST;
    entry->trust_version = entry->verified && trust != NULL ? trust->version : 0;
}

/* Reads an offered manifest that is here. A rotten one leaves the depot, and is fetched again.
 * SERIN_ERR_KEY: it is what its name says, but the trust record at hand does not know its key. */
static enum serin_error manifest_read(struct gateway *gateway, const struct bytes_offer *offer,
                                      struct serin_manifest *manifest)
{
    uint8_t data[SERIN_MANIFEST_MAX];
    uint32_t size;
    enum serin_error error = bytes_read(gateway, offer->name, data, sizeof data, &size);
    if (error != SERIN_OK) {
        return error;
    }
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, offer->name);
    if (entry != NULL && entry->verified && size >= SERIN_MANIFEST_HEAD_SIZE) {
        uint8_t id[SERIN_SHA256_SIZE];
        serin_manifest_id(gateway->crypto, data, id);
        if (memcmp(id, offer->name, SERIN_SHA256_SIZE) == 0) {
            return serin_manifest_decode(data, SERIN_MANIFEST_BODY_SIZE, manifest);
        }
    }
    error = bytes_manifest_verify(gateway, offer, data, size, manifest);
    if (error == SERIN_OK && entry != NULL) {
        bytes_verified(gateway, entry);
    } else if (bytes_manifest_rotten(gateway, offer, error)) {
        serin_log(SERIN_LOG_WARN, "a manifest of the depot does not verify: %s",
                  serin_error_text(error));
        (void)bytes_remove(gateway, offer->name);
        bytes_spare_drop(gateway->bytes, offer->name);
        /* Where that cannot be now, a node's next question begins it. */
        (void)!serin_fill_begin(&gateway->bytes->fill, offer->name, gateway->mono_ms);
        error = SERIN_ERR_NOT_FOUND;
    } else if (error == SERIN_ERR_KEY &&
               serin_manifest_decode(data, SERIN_MANIFEST_BODY_SIZE, manifest) != SERIN_OK) {
        error = SERIN_ERR_FORMAT;
    }
    return error;
}

/* What a manifest names: read now, or else as it was read while it was offered before, since a file
 * that is lost must not take the pins of its image with it. */
static void learn(struct gateway *gateway, struct bytes_offer *offer,
                  const struct bytes_offer *before, size_t before_count)
{
    struct serin_manifest manifest = {.image_size_bytes = 0};
    size_t place;
    enum serin_error error = manifest_read(gateway, offer, &manifest);
    if (error == SERIN_OK || error == SERIN_ERR_KEY) {
        offer->known = true;
        offer->unproven = error == SERIN_ERR_KEY;
        offer->image_size = manifest.image_size_bytes;
        memcpy(offer->table, manifest.pieces_sha256, SERIN_SHA256_SIZE);
        memcpy(offer->image, manifest.image_sha256, SERIN_SHA256_SIZE);
    } else if (offer_place(before, before_count, offer->name, &place) && before[place].known) {
        offer->known = true;
        offer->unproven = before[place].unproven;
        offer->image_size = before[place].image_size;
        memcpy(offer->table, before[place].table, SERIN_SHA256_SIZE);
        memcpy(offer->image, before[place].image, SERIN_SHA256_SIZE);
    }
}

static void offer_contents(struct gateway *gateway, const struct bytes_offer *manifest)
{
    if (manifest->image_size > SERIN_SITE_OBJECT_MAX) {
        if (bytes_say(gateway)) {
            serin_log(SERIN_LOG_WARN, "an image of %u bytes is more than a site fills",
                      manifest->image_size);
        }
        return;
    }
    struct bytes_offer under = {.emergency = manifest->emergency,
                                .blocked = manifest->blocked,
                                .withheld = manifest->unproven};
    memcpy(under.product, manifest->product, sizeof under.product);
    struct bytes_offer table = under;
    table.sort = BYTES_TABLE;
    table.size = serin_piece_table_size(manifest->image_size);
    memcpy(table.under, manifest->name, SERIN_SHA256_SIZE);
    memcpy(table.name, manifest->table, SERIN_SHA256_SIZE);
    struct bytes_offer image = under;
    image.sort = BYTES_IMAGE;
    image.size = manifest->image_size;
    memcpy(image.under, manifest->table, SERIN_SHA256_SIZE);
    memcpy(image.name, manifest->image, SERIN_SHA256_SIZE);
    offer_add(gateway, &table);
    offer_add(gateway, &image);
}

/* ---- route tables ---- */

/* A patch is filled as an image is, by its piece table; one of a single piece has none. */
static void offer_patch(struct gateway *gateway, const struct bytes_offer *like,
                        const uint8_t *routes, const struct serin_route *route)
{
    struct bytes_offer patch = *like;
    patch.size = route->size_bytes;
    patch.sort = patch.size > SERIN_PIECE_SIZE ? BYTES_IMAGE : BYTES_PATCH;
    memcpy(patch.name, route->object, SERIN_SHA256_SIZE);
    if (patch.sort == BYTES_IMAGE) {
        struct bytes_offer table = *like;
        table.sort = BYTES_TABLE;
        table.size = serin_piece_table_size(patch.size);
        memcpy(table.under, routes, SERIN_SHA256_SIZE);
        memcpy(table.name, route->pieces_sha256, SERIN_SHA256_SIZE);
        memcpy(patch.under, table.name, SERIN_SHA256_SIZE);
        offer_add(gateway, &table);
    }
    offer_add(gateway, &patch);
}

/* The patches of a route table that is here, as far as a manifest on offer is their target: those
 * of a halted candidate are not to be had. While the table is not here, its patches are not pinned:
 * losing one costs its bytes, and not the rollback that a lost image would cost. */
static void offer_patches(struct gateway *gateway, const struct bytes_offer *table)
{
    uint8_t data[SERIN_ROUTES_SIZE_MAX], digest[SERIN_SHA256_SIZE];
    uint32_t size;
    struct serin_routes routes;
    if (bytes_read(gateway, table->name, data, sizeof data, &size) != SERIN_OK) {
        return;
    }
    serin_sha256_of(gateway->crypto, data, size, digest);
    if (memcmp(digest, table->name, SERIN_SHA256_SIZE) != 0 ||
        serin_routes_decode(data, size, &routes) != SERIN_OK) {
        return;
    }
    for (size_t i = 0; i < routes.route_count; i++) {
        const struct serin_route *route = &routes.routes[i];
        const struct bytes_offer *target =
            bytes_offer_find(gateway->bytes, routes.targets[route->target]);
        if (target == NULL || target->sort != BYTES_MANIFEST ||
            route->size_bytes > SERIN_SITE_OBJECT_MAX) {
            continue;
        }
        struct bytes_offer like = {.emergency = target->emergency,
                                   .blocked = target->blocked,
                                   .withheld = target->unproven};
        memcpy(like.product, target->product, sizeof like.product);
        offer_patch(gateway, &like, table->name, route);
    }
}

/* Adds to the offered manifests and route tables what they name. False: no memory. */
static bool offer_all_contents(struct gateway *gateway, const struct bytes_offer *before,
                               size_t before_count)
{
    struct gateway_bytes *bytes = gateway->bytes;
    /* Adding moves offers: the manifests are copied first. */
    size_t count = bytes->offer_count, place;
    struct bytes_offer *manifests = malloc((count > 0 ? count : 1) * sizeof *manifests);
    if (manifests == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(manifests, bytes->offers, count * sizeof *manifests);
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes_offer *manifest = &manifests[i];
        if (manifest->sort != BYTES_MANIFEST) {
            continue;
        }
        learn(gateway, manifest, before, before_count);
        bytes->blind = bytes->blind || !(manifest->known || manifest->blocked);
        if (manifest->known) {
            if (offer_place(bytes->offers, bytes->offer_count, manifest->name, &place)) {
                bytes->offers[place] = *manifest;
            }
            offer_contents(gateway, manifest);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (manifests[i].sort == BYTES_ROUTES) {
            offer_patches(gateway, &manifests[i]);
        }
    }
    free(manifests);
    return true;
}

void bytes_offers_make(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    struct bytes_offer *before = bytes->offers;
    size_t before_count = bytes->offer_count, before_capacity = bytes->offer_capacity;
    bytes->offers = NULL;
    bytes->offer_count = bytes->offer_capacity = bytes->directive_count = 0;
    bytes->offers_stale = bytes->blind = false;
    bytes->halted = bytes_halted(gateway);
    gateway_orders_each(gateway, offer_directive, gateway);
    if (!offer_all_contents(gateway, before, before_count)) {
        /* What was offered stays so until there is memory. */
        free(bytes->offers);
        bytes->offers = before;
        bytes->offer_count = before_count;
        bytes->offer_capacity = before_capacity;
        bytes->offers_stale = bytes->blind = true;
        return;
    }
    free(before);
    bytes->missed = bytes->missed && bytes->blind;
    /* What stops being offered was of use until now. */
    for (size_t i = 0; i < bytes->offer_count; i++) {
        bytes_touch(gateway, bytes->offers[i].name);
    }
}

const struct bytes_offer *bytes_offer_unread(const struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    const struct bytes_offer *routes = NULL;
    for (size_t i = 0; i < bytes->offer_count; i++) {
        const struct bytes_offer *offer = &bytes->offers[i];
        if ((offer->sort != BYTES_MANIFEST && offer->sort != BYTES_ROUTES) || offer->blocked ||
            bytes_entry_find(bytes, offer->name) != NULL ||
            bytes_spare_find(bytes, offer->name) != NULL) {
            continue;
        }
        if (offer->sort == BYTES_MANIFEST) {
            return offer;
        }
        routes = offer;
    }
    return routes;
}

uint32_t bytes_halted(const struct gateway *gateway)
{
    uint32_t halted = 0;
    for (size_t i = 0; i < gateway->config->fleet_count; i++) {
        const struct serin_gateway_fleet *fleet = &gateway->config->fleets[i];
        if (gateway_words_halted(gateway, fleet->product, fleet->channel)) {
            halted |= 1u << i;
        }
    }
    return halted;
}
