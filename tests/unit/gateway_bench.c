/* A gateway's bytes in a test. */
#include "gateway_bench.h"

#include "program.h"
#include "test_keys.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/host/bundle.h>

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct site site;

/* ---- the rest of the gateway ---- */

enum serin_error gateway_fail(struct gateway *gateway, enum serin_error error, const char *format,
                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(gateway->why, sizeof gateway->why, format, arguments);
    va_end(arguments);
    return error;
}

void gateway_meta_changed(struct gateway *gateway)
{
    (void)gateway;
    site.meta_changes++;
}

void gateway_orders_each(const struct gateway *gateway,
                         bool (*visit)(void *arg, const struct gateway_order *order), void *arg)
{
    (void)gateway;
    for (size_t i = 0; i < site.order_count && visit(arg, &site.orders[i]); i++) {
    }
}

const struct serin_trust *gateway_orders_trust(const struct gateway *gateway, const char *product)
{
    (void)gateway;
    return site.has_trust && strcmp(product, site.trust.product) == 0 ? &site.trust : NULL;
}

bool gateway_words_waiting(const struct gateway *gateway)
{
    (void)gateway;
    return site.waiting;
}

bool gateway_words_halted(const struct gateway *gateway, const char *product, const char *channel)
{
    (void)gateway;
    return site.halted && strcmp(product, "lamp") == 0 && strcmp(channel, "stable") == 0;
}

/* ---- the brokers ---- */

static struct site_object *object_of(const uint8_t name[32])
{
    for (int i = 0; i < SITE_RELEASES * SITE_PARTS; i++) {
        struct site_object *object = &site.releases[i / SITE_PARTS].parts[i % SITE_PARTS];
        if (object->size > 0 && memcmp(object->name, name, 32) == 0) {
            return object;
        }
    }
    for (int i = 0; i < SITE_EXTRAS; i++) {
        if (site.extras[i].size > 0 && memcmp(site.extras[i].name, name, 32) == 0) {
            return &site.extras[i];
        }
    }
    return NULL;
}

enum serin_error gateway_publish_up(struct gateway *gateway, enum serin_topic_kind kind,
                                    const void *payload, size_t size, int *token)
{
    if (token != NULL) {
        *token = 0; /* nobody waits for it */
    }
    struct serin_get get;
    assert(kind == SERIN_TOPIC_GW_GET && gateway->up_connected);
    assert(gateway->codec->decode_get(payload, size, &get) == SERIN_OK);
    assert(object_of(get.object) != NULL); /* nothing that nobody offers is ever asked for */
    assert(site.queued < SITE_BLOCKS);
    site.gets++;
    uint64_t took = site.bytes_per_s == 0 ? 0 : get.length * UINT64_C(1000) / site.bytes_per_s;
    site.queue[site.queued].at_ms = gateway->mono_ms + took;
    site.queue[site.queued++].get = get;
    return SERIN_OK;
}

static void hear_have(const struct serin_have *have)
{
    struct site_object *object = object_of(have->object);
    if (object == NULL) {
        return;
    }
    switch (have->kind) {
    case SERIN_HAVE_PART:
        if (have->fresh) {
            memset(object->known, 0, sizeof object->known);
        }
        for (size_t i = 0; i < have->range_count; i++) {
            for (uint32_t at = have->ranges[i].start; at < have->ranges[i].end;
                 at += SERIN_PIECE_SIZE) {
                object->known[at / SERIN_PIECE_SIZE] = true;
            }
        }
        break;
    case SERIN_HAVE_WHOLE:
        assert(have->object_size == object->size);
        object->whole++;
        break;
    case SERIN_HAVE_ABSENT:
        object->absents++;
        object->absent = have->status;
        object->retry_ms = have->retry_ms;
        break;
    case SERIN_HAVE_DATA:
        assert(have->object_size == object->size);
        assert(memcmp(have->data, object->data + have->data_offset, have->data_size) == 0);
        object->handed[have->data_offset / SERIN_PIECE_SIZE] = true;
        break;
    case SERIN_HAVE_INVALID:
        assert(false);
    }
}

enum serin_error gateway_publish_site(struct gateway *gateway, const struct serin_topic *topic,
                                      const void *payload, size_t size)
{
    struct serin_have have;
    assert(topic->kind == SERIN_TOPIC_DEPOT_HAVE);
    assert(gateway->site_codec->decode_have(payload, size, &have) == SERIN_OK);
    site.site_publishes++;
    if (!gateway->site_connected) {
        return SERIN_ERR_AGAIN;
    }
    hear_have(&have);
    return SERIN_OK;
}

static void send_blocks(const struct serin_get *get)
{
    struct site_object *object = object_of(get->object);
    static uint8_t payload[SERIN_BLOCK_MAX];
    struct serin_block block = {.token = get->token, .object_size = object->size};
    uint64_t end = (uint64_t)get->offset + get->length;
    block.window_end = end < object->size ? (uint32_t)end : object->size;
    block.status = get->offset < object->size ? SERIN_BLOCK_DATA : SERIN_BLOCK_RANGE;
    for (uint32_t at = get->offset; at < block.window_end; at += get->block_size) {
        uint32_t left = block.window_end - at;
        size_t size;
        block.offset = at;
        block.data = object->data + at;
        block.data_size = left < get->block_size ? left : get->block_size;
        block.crc32 = serin_crc32(0, block.data, block.data_size);
        assert(serin_protobufc()->encode_block(&block, payload, sizeof payload, &size) == SERIN_OK);
        object->sent += block.data_size;
        site.sent += block.data_size;
        gateway_bytes_block(&site.gateway, payload, size);
    }
}

/* ---- time ---- */

void site_pass(uint64_t ms)
{
    struct gateway *gateway = &site.gateway;
    uint64_t until = gateway->mono_ms + ms;
    for (unsigned turns = 0; turns < 2000000; turns++) {
        while (site.queued > 0 && site.queue[0].at_ms <= gateway->mono_ms) {
            struct serin_get get = site.queue[0].get;
            site.queued--;
            memmove(site.queue, site.queue + 1, site.queued * sizeof site.queue[0]);
            send_blocks(&get);
        }
        gateway_bytes_tick(gateway);
        uint64_t next = gateway_bytes_deadline_ms(gateway);
        next = site.queued > 0 && site.queue[0].at_ms < next ? site.queue[0].at_ms : next;
        if (next > until) {
            gateway->wall_s += (until - gateway->mono_ms) / 1000;
            gateway->mono_ms = until;
            return;
        }
        if (next > gateway->mono_ms) {
            gateway->mono_ms = next;
        }
    }
    assert(false); /* it spins */
}

/* ---- the bench ---- */

static void make_release(struct site_release *release, uint32_t size, uint16_t minor)
{
    struct serin_manifest manifest = {.vendor = "acme",
                                      .product = "lamp",
                                      .component = "main",
                                      .hw_min = 1,
                                      .hw_max = 9,
                                      .version = {1, minor, 0},
                                      .slot_mask = 3,
                                      .confirm_window_s = 60,
                                      .confirm_tries = 3,
                                      .created_s = 1767225600,
                                      .channels = {"stable"}};
    uint8_t *prefix;
    size_t prefix_size;
    uint32_t seed = minor;
    release->image = malloc(size);
    assert(release->image != NULL);
    for (uint32_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        release->image[i] = (uint8_t)(seed >> 24);
    }
    assert(serin_bundle_build(serin_wolfcrypt(), &test_keys[TEST_RELEASE].signer, &manifest,
                              release->image, size, &prefix, &prefix_size, NULL) == SERIN_OK);
    size_t table_size = serin_piece_table_size(size);
    memcpy(release->manifest, prefix + SERIN_BUNDLE_HEADER_SIZE, sizeof release->manifest);
    release->table = malloc(table_size);
    assert(release->table != NULL);
    memcpy(release->table, prefix + SERIN_BUNDLE_HEADER_SIZE + sizeof release->manifest,
           table_size);
    free(prefix);
    struct site_object *parts = release->parts;
    parts[SITE_MANIFEST] =
        (struct site_object){.data = release->manifest, .size = sizeof release->manifest};
    serin_manifest_id(serin_wolfcrypt(), release->manifest, parts[SITE_MANIFEST].name);
    parts[SITE_TABLE] = (struct site_object){.data = release->table, .size = (uint32_t)table_size};
    memcpy(parts[SITE_TABLE].name, manifest.pieces_sha256, 32);
    parts[SITE_IMAGE] = (struct site_object){.data = release->image, .size = size};
    memcpy(parts[SITE_IMAGE].name, manifest.image_sha256, 32);
}

void site_open(uint32_t first, uint32_t second, uint32_t third)
{
    const uint32_t sizes[SITE_RELEASES] = {first, second, third};
    memset(&site, 0, sizeof site);
    folder_make(site.folder);
    snprintf(site.depot, sizeof site.depot, "%s/depot", site.folder);
    test_trust(&site.trust, "lamp");
    site.has_trust = true;
    for (uint16_t i = 0; i < SITE_RELEASES; i++) {
        if (sizes[i] > 0) {
            make_release(&site.releases[i], sizes[i], (uint16_t)(i + 1));
        }
    }
    site.config = (struct serin_gateway_config){.id = "gw-1",
                                                .fleet_count = 1,
                                                .fleets = {{"lamp", "stable"}},
                                                .depot_dir = site.depot,
                                                .depot_budget_bytes = 16777216,
                                                .scrub_s = 86400};
    site.gateway.mono_ms = 5000000;
    site.gateway.wall_s = 1767225600;
}

void site_close(void)
{
    for (int i = 0; i < SITE_RELEASES; i++) {
        free(site.releases[i].table);
        free(site.releases[i].image);
    }
    folder_remove(site.folder);
}

void site_start(void)
{
    struct gateway *gateway = &site.gateway;
    const struct gateway last = *gateway;
    *gateway = (struct gateway){.config = &site.config,
                                .crypto = serin_wolfcrypt(),
                                .codec = serin_protobufc(),
                                .site_codec = serin_protobufc_site(),
                                .mono_ms = last.mono_ms,
                                .wall_s = last.wall_s,
                                .started_ms = last.mono_ms,
                                .up_connected = true,
                                .site_connected = true,
                                .meta = last.meta};
    site.queued = 0;
    assert(gateway_bytes_open(gateway) == SERIN_OK);
    gateway_bytes_up(gateway, true);
    gateway_bytes_site_connected(gateway);
    site_pass(0);
}

void site_stop(void)
{
    gateway_bytes_close(&site.gateway);
}

static void fill_release(struct serin_release *out, int release)
{
    *out = (struct serin_release){.offer_count = 0};
    if (release >= 0) {
        out->offer_count = 1;
        out->attempt = 1;
        out->offers[0].hw_min = out->offers[0].hw_max = 1;
        memcpy(out->offers[0].manifest_id, site_object(release, SITE_MANIFEST)->name, 32);
    }
}

void site_offer(int stable, int candidate, enum serin_candidate_state state)
{
    struct serin_directive *directive = &site.orders[0].directive;
    memset(&site.orders[0], 0, sizeof site.orders[0]);
    snprintf(directive->product, sizeof directive->product, "lamp");
    snprintf(directive->channel, sizeof directive->channel, "stable");
    fill_release(&directive->stable, stable);
    fill_release(&directive->candidate, candidate);
    directive->candidate_state = state;
    site.order_count = site.order_count > 0 ? site.order_count : 1;
    if (site.gateway.bytes != NULL) {
        gateway_bytes_orders_changed(&site.gateway);
    }
}

static void make_extra(enum site_extra extra, const uint8_t *data, uint32_t size)
{
    site.extras[extra] = (struct site_object){.data = data, .size = size};
    serin_sha256_of(serin_wolfcrypt(), data, size, site.extras[extra].name);
}

void site_offer_routes(int target)
{
    struct serin_routes routes = {.target_count = 1, .base_count = 1, .route_count = 2};
    size_t size;
    for (uint32_t i = 0; i < SITE_PATCH_SIZE; i++) {
        site.patch[i] = (uint8_t)(i * i >> 5);
    }
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t left = SITE_PATCH_SIZE - i * SERIN_PIECE_SIZE;
        serin_sha256_of(serin_wolfcrypt(), site.patch + (size_t)i * SERIN_PIECE_SIZE,
                        left < SERIN_PIECE_SIZE ? left : SERIN_PIECE_SIZE,
                        site.patch_table + (size_t)i * 32);
    }
    make_extra(SITE_PATCH, site.patch, SITE_PATCH_SIZE);
    make_extra(SITE_PATCH_TABLE, site.patch_table, sizeof site.patch_table);
    make_extra(SITE_SMALL_PATCH, site.patch + 100, SITE_SMALL_SIZE);
    memcpy(routes.targets[0], site_object(target, SITE_MANIFEST)->name, 32);
    memset(routes.bases[0], 7, 32);
    routes.routes[0] = (struct serin_route){.backend = 1, .size_bytes = SITE_PATCH_SIZE};
    routes.routes[1] = (struct serin_route){.backend = 2, .size_bytes = SITE_SMALL_SIZE};
    memcpy(routes.routes[0].object, site.extras[SITE_PATCH].name, 32);
    memcpy(routes.routes[0].pieces_sha256, site.extras[SITE_PATCH_TABLE].name, 32);
    memcpy(routes.routes[1].object, site.extras[SITE_SMALL_PATCH].name, 32);
    memcpy(routes.routes[1].pieces_sha256, site.extras[SITE_SMALL_PATCH].name, 32);
    assert(serin_routes_encode(&routes, site.routes, &size) == SERIN_OK);
    make_extra(SITE_ROUTES, site.routes, (uint32_t)size);
    site.orders[0].directive.has_route_table = true;
    memcpy(site.orders[0].directive.route_table, site.extras[SITE_ROUTES].name, 32);
    if (site.gateway.bytes != NULL) {
        gateway_bytes_orders_changed(&site.gateway);
    }
}

void site_want(enum serin_want_kind kind, const struct site_object *object, uint32_t offset,
               uint32_t length)
{
    struct serin_want want = {
        .kind = kind, .offset = offset, .length = length, .served_bytes = 12345};
    uint8_t payload[SERIN_WANT_MAX];
    size_t size;
    memcpy(want.object, object->name, 32);
    assert(serin_protobufc_site()->encode_want(&want, payload, sizeof payload, &size) == SERIN_OK);
    gateway_bytes_want(&site.gateway, payload, size);
}

struct site_object *site_object(int release, enum site_part part)
{
    return &site.releases[release].parts[part];
}

bool site_download(int release, uint64_t ms)
{
    uint64_t until = site.gateway.mono_ms + ms;
    for (int part = 0; part < SITE_PARTS;) {
        struct site_object *object = site_object(release, (enum site_part)part);
        if (site_holds(object)) {
            part++;
            continue;
        }
        if (site.gateway.mono_ms >= until) {
            return false;
        }
        site_want(SERIN_WANT_MISSING, object, 0, 4096);
        site_pass(1000);
    }
    return true;
}

bool site_holds(const struct site_object *object)
{
    static uint8_t back[SITE_IMAGE_MAX];
    struct serin_depot *depot;
    uint32_t size = 0;
    if (serin_depot_open(&depot, site.depot) != SERIN_OK) {
        return false;
    }
    bool holds = serin_depot_size(depot, object->name, &size) == SERIN_OK && size == object->size &&
                 serin_depot_read(depot, object->name, 0, back, size) == SERIN_OK &&
                 memcmp(back, object->data, size) == 0;
    serin_depot_close(depot);
    return holds;
}

void site_path(const struct site_object *object, char path[256])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(object->name, 32, hex);
    snprintf(path, 256, "%s/objects/%.2s/%s", site.depot, hex, hex);
    if (access(path, F_OK) != 0) {
        snprintf(path, 256, "%s/manifests/%s", site.depot, hex);
    }
    if (access(path, F_OK) != 0) {
        snprintf(path, 256, "%s/partial/%s", site.depot, hex);
    }
}

void site_harm(const struct site_object *object, uint32_t offset)
{
    char path[256];
    uint8_t byte;
    site_path(object, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
    byte ^= 1;
    assert(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    close(fd);
}

bool site_passes_through(void)
{
    struct serin_gw_status status = {.uptime_s = 0};
    gateway_bytes_status(&site.gateway, &status);
    return status.pass_through;
}
