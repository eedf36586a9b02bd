/* The values behind the golden vectors. Changing one changes the vectors, which format 1 forbids.
 */
#include "samples.h"

#include <serin/crc32.h>
#include <serin/directive.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_TIME_S UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */

void sample_image(uint8_t image[SAMPLE_IMAGE_SIZE])
{
    for (uint32_t i = 0; i < SAMPLE_IMAGE_SIZE; i++) {
        image[i] = (uint8_t)(7 * i + i / 256);
    }
}

void sample_pieces(const struct serin_crypto *crypto, uint8_t pieces[SAMPLE_PIECES_SIZE])
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    sample_image(image);
    for (uint32_t i = 0; i < serin_piece_count(SAMPLE_IMAGE_SIZE); i++) {
        serin_sha256_of(crypto, image + i * SERIN_PIECE_SIZE,
                        serin_piece_size(SAMPLE_IMAGE_SIZE, i), pieces + i * SERIN_SHA256_SIZE);
    }
}

void sample_manifest(const struct serin_crypto *crypto, struct serin_manifest *manifest)
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    uint8_t pieces[SAMPLE_PIECES_SIZE];
    sample_image(image);
    sample_pieces(crypto, pieces);
    *manifest = (struct serin_manifest){
        .vendor = "acme",
        .product = "lamp",
        .component = "main",
        .hw_min = 1,
        .hw_max = 3,
        .version = {.major = 2, .minor = 1, .patch = 40},
        .security_counter = 7,
        .image_size_bytes = SAMPLE_IMAGE_SIZE,
        .image_crc32 = serin_crc32(0, image, sizeof image),
        .load_address = 0x08020000u,
        .entry_address = 0x08020191u,
        .slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B,
        .bootloader_min = 2,
        .confirm_window_s = 60,
        .confirm_tries = 3,
        .created_s = SAMPLE_TIME_S,
        .channels = {"stable", "beta"},
    };
    serin_sha256_of(crypto, image, sizeof image, manifest->image_sha256);
    serin_sha256_of(crypto, pieces, sizeof pieces, manifest->pieces_sha256);
}

void sample_trust(const struct vector_key *release, const struct vector_key *director,
                  struct serin_trust *trust)
{
    *trust = (struct serin_trust){
        .version = 3, .product = "lamp", .created_s = SAMPLE_TIME_S, .key_count = 2};
    trust->keys[0].role = SERIN_KEY_ROLE_RELEASE;
    memcpy(trust->keys[0].key_id, release->key_id, SERIN_KEY_ID_SIZE);
    memcpy(trust->keys[0].public_key, release->public_key, SERIN_P256_PUBLIC_SIZE);
    trust->keys[1].role = SERIN_KEY_ROLE_DIRECTOR;
    memcpy(trust->keys[1].key_id, director->key_id, SERIN_KEY_ID_SIZE);
    memcpy(trust->keys[1].public_key, director->public_key, SERIN_P256_PUBLIC_SIZE);
}

void sample_directive(const struct serin_crypto *crypto, struct serin_directive *directive)
{
    struct serin_manifest manifest;
    uint8_t body[SERIN_MANIFEST_BODY_SIZE] = {0};
    sample_manifest(crypto, &manifest);
    if (serin_manifest_encode(&manifest, body) != SERIN_OK) {
        memset(body, 0, sizeof body); /* then no test of the vectors holds */
    }
    *directive = (struct serin_directive){
        .product = "lamp",
        .channel = "stable",
        .order = {.epoch = 1, .sequence = 9},
        .issued_s = SAMPLE_TIME_S,
        .lease_s = 21600,
        .candidate = {.offer_count = 1, .offers = {{.hw_min = 1, .hw_max = 3}}, .attempt = 1},
        .candidate_state = SERIN_CANDIDATE_ROLLING,
        .salt = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
                 0xae, 0xaf},
        .threshold = UINT64_C(0x028f5c28f5c28f5c),
    };
    serin_manifest_id(crypto, body, directive->candidate.offers[0].manifest_id);
}

static void largest_release(struct serin_release *release)
{
    release->offer_count = SERIN_DIRECTIVE_OFFERS_MAX;
    release->attempt = UINT32_MAX;
    release->flags = SERIN_RELEASE_FLAGS_KNOWN;
    for (size_t i = 0; i < SERIN_DIRECTIVE_OFFERS_MAX; i++) {
        release->offers[i].hw_min = release->offers[i].hw_max = (uint16_t)(UINT16_MAX - i);
        memset(release->offers[i].manifest_id, 0xff, SERIN_SHA256_SIZE);
    }
}

void sample_largest_directive(bool targeted, struct serin_directive *directive)
{
    *directive = (struct serin_directive){
        .order = {.epoch = UINT32_MAX, .sequence = UINT32_MAX},
        .issued_s = SERIN_TIME_MAX_S,
        .lease_s = SERIN_LEASE_MAX_S,
        .flags = SERIN_DIRECTIVE_FLAGS_KNOWN,
        .candidate_state = SERIN_CANDIDATE_HALTED,
        .threshold = SERIN_COHORT_EVERYONE,
        .spread_s = SERIN_SPREAD_MAX_S,
        .site_failures_max = targeted ? 0 : UINT32_MAX,
        .has_route_table = true,
    };
    memset(directive->product, 'p', SERIN_PRODUCT_MAX);
    memset(directive->channel, 'c', SERIN_CHANNEL_MAX);
    if (targeted) {
        memset(directive->device_id, 'd', SERIN_ID_MAX);
    }
    memset(directive->salt, 0xff, sizeof directive->salt);
    memset(directive->route_table, 0xff, sizeof directive->route_table);
    largest_release(&directive->stable);
    largest_release(&directive->candidate);
}

/* ---- JSON ---- */

/* A text that grows to its bound; samples are far below it. */
struct text {
    char *start;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count =
        vsnprintf(text->start + text->used, SAMPLE_TEXT_MAX - text->used, format, arguments);
    va_end(arguments);
    if (count > 0 && (size_t)count < SAMPLE_TEXT_MAX - text->used) {
        text->used += (size_t)count;
    }
}

static void add_hex(struct text *text, const char *name, const uint8_t *bytes, size_t size,
                    const char *end)
{
    char hex[2 * SERIN_P256_PUBLIC_SIZE + 1];
    serin_hex_encode(bytes, size, hex);
    add(text, "\"%s\": \"%s\"%s", name, hex, end);
}

void sample_manifest_json(const struct serin_crypto *crypto, const struct serin_manifest *m,
                          const struct serin_signature_area *area, char out[SAMPLE_TEXT_MAX])
{
    struct text text = {.start = out};
    uint8_t body[SERIN_MANIFEST_BODY_SIZE] = {0};
    uint8_t id[SERIN_SHA256_SIZE] = {0};
    if (serin_manifest_encode(m, body) == SERIN_OK) {
        serin_manifest_id(crypto, body, id);
    }
    add(&text, "{\n  ");
    add_hex(&text, "manifest_id", id, sizeof id, ",\n");
    add(&text, "  \"required_features\": %u,\n", (unsigned)m->required_features);
    add(&text, "  \"vendor\": \"%s\",\n  \"product\": \"%s\",\n  \"component\": \"%s\",\n",
        m->vendor, m->product, m->component);
    add(&text, "  \"hw_min\": %u,\n  \"hw_max\": %u,\n", m->hw_min, m->hw_max);
    add(&text, "  \"version\": \"%u.%u.%u\",\n", m->version.major, m->version.minor,
        m->version.patch);
    add(&text, "  \"security_counter\": %u,\n  \"image_size\": %u,\n",
        (unsigned)m->security_counter, (unsigned)m->image_size_bytes);
    add(&text, "  \"image_crc32\": \"%08x\",\n  ", (unsigned)m->image_crc32);
    add_hex(&text, "image_sha256", m->image_sha256, SERIN_SHA256_SIZE, ",\n  ");
    add_hex(&text, "pieces_sha256", m->pieces_sha256, SERIN_SHA256_SIZE, ",\n");
    add(&text, "  \"load_address\": %u,\n  \"entry_address\": %u,\n", (unsigned)m->load_address,
        (unsigned)m->entry_address);
    add(&text, "  \"slot_mask\": %u,\n  \"bootloader_min\": %u,\n", (unsigned)m->slot_mask,
        (unsigned)m->bootloader_min);
    add(&text, "  \"confirm_window_s\": %u,\n  \"confirm_tries\": %u,\n", m->confirm_window_s,
        m->confirm_tries);
    add(&text, "  \"created\": %llu,\n  \"channels\": [", (unsigned long long)m->created_s);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS && m->channels[i][0] != '\0'; i++) {
        add(&text, "%s\"%s\"", i > 0 ? ", " : "", m->channels[i]);
    }
    add(&text, "],\n  \"signature_type\": %d,\n  ", area->type);
    add_hex(&text, "key_id", area->key_id, SERIN_KEY_ID_SIZE, "\n}\n");
}

void sample_trust_json(const struct serin_trust *trust, const struct serin_signature_area *area,
                       char out[SAMPLE_TEXT_MAX])
{
    struct text text = {.start = out};
    add(&text, "{\n  \"required_features\": %u,\n  \"version\": %u,\n",
        (unsigned)trust->required_features, (unsigned)trust->version);
    add(&text, "  \"product\": \"%s\",\n  \"created\": %llu,\n  \"keys\": [\n", trust->product,
        (unsigned long long)trust->created_s);
    for (size_t i = 0; i < trust->key_count; i++) {
        const struct serin_trust_key *key = &trust->keys[i];
        add(&text, "    {\"role\": \"%s\", ",
            key->role == SERIN_KEY_ROLE_RELEASE ? "release" : "director");
        add_hex(&text, "key_id", key->key_id, SERIN_KEY_ID_SIZE, ",\n     ");
        add_hex(&text, "public_key", key->public_key, SERIN_P256_PUBLIC_SIZE, "}");
        add(&text, "%s\n", i + 1 < trust->key_count ? "," : "");
    }
    add(&text, "  ],\n  \"signature_type\": %d,\n  ", area->type);
    add_hex(&text, "key_id", area->key_id, SERIN_KEY_ID_SIZE, "\n}\n");
}
