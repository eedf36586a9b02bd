/*
 * What the bench's server has to give: signed releases, trust records and directives, and a crypto
 * port that remembers.
 */
#include "device_bench.h"

#include "agent_internal.h"
#include "flash_io.h"
#include "journal.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/piece.h>

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- crypto that remembers ---- */

#define MEMORY 64

struct remembered {
    uint8_t key[SERIN_P256_PUBLIC_SIZE], digest[32], signature[SERIN_P256_SIGNATURE_SIZE];
    uint32_t verdict;
};

static struct remembered memory[MEMORY];
static size_t memory_count;
static uint64_t random_state;

void bench_seed(void)
{
    random_state = 88172645463325252u;
}

static void remember_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    const struct serin_crypto *real = serin_wolfcrypt();
    real->ops->sha256_init(real->ctx, sha);
}

static void remember_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    const struct serin_crypto *real = serin_wolfcrypt();
    real->ops->sha256_update(real->ctx, sha, data, size);
}

static void remember_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    const struct serin_crypto *real = serin_wolfcrypt();
    real->ops->sha256_final(real->ctx, sha, digest);
}

static uint32_t remember_verify(void *ctx, uint32_t run, const uint8_t key[SERIN_P256_PUBLIC_SIZE],
                                const uint8_t digest[SERIN_SHA256_SIZE],
                                const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    const struct serin_crypto *real = serin_wolfcrypt();
    for (size_t i = 0; i < memory_count && i < MEMORY; i++) {
        if (memcmp(memory[i].key, key, sizeof(memory[i].key)) == 0 &&
            memcmp(memory[i].digest, digest, 32) == 0 &&
            memcmp(memory[i].signature, signature, sizeof(memory[i].signature)) == 0) {
            return memory[i].verdict ^ run;
        }
    }
    struct remembered *place = &memory[memory_count++ % MEMORY];
    memcpy(place->key, key, sizeof(place->key));
    memcpy(place->digest, digest, 32);
    memcpy(place->signature, signature, sizeof(place->signature));
    place->verdict = real->ops->p256_verify(real->ctx, SERIN_RUN_FIRST, key, digest, signature);
    return place->verdict ^ run;
}

/* xorshift64: a run is the same each time. */
static enum serin_error remember_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        ((uint8_t *)out)[i] = (uint8_t)(random_state >> 24);
    }
    return SERIN_OK;
}

const struct serin_crypto *bench_crypto(void)
{
    static const struct serin_crypto_ops ops = {.sha256_init = remember_init,
                                                .sha256_update = remember_update,
                                                .sha256_final = remember_final,
                                                .p256_verify = remember_verify,
                                                .random = remember_random};
    static const struct serin_crypto crypto = {.ops = &ops};
    return &crypto;
}

void bench_open_keys(void)
{
    test_keys_open();
}

/* ---- releases ---- */

static void seal_with(struct bench_release *release, enum test_key_name key)
{
    ck_assert_int_eq(serin_manifest_seal(serin_wolfcrypt(), &test_keys[key].signer,
                                         &release->manifest, release->manifest_bytes, NULL),
                     SERIN_OK);
    serin_manifest_id(serin_wolfcrypt(), release->manifest_bytes, release->id);
}

void bench_release_seal(struct bench_release *release)
{
    seal_with(release, TEST_RELEASE);
}

void bench_release_seal_second(struct bench_release *release)
{
    seal_with(release, TEST_STRANGER);
}

static void fill_manifest(struct serin_manifest *manifest, uint16_t minor)
{
    snprintf(manifest->vendor, sizeof(manifest->vendor), "serin");
    snprintf(manifest->product, sizeof(manifest->product), "pump");
    snprintf(manifest->component, sizeof(manifest->component), "main");
    snprintf(manifest->channels[0], sizeof(manifest->channels[0]), "stable");
    manifest->hw_min = 1;
    manifest->hw_max = 3;
    manifest->version = (struct serin_version){.major = 1, .minor = minor};
    manifest->security_counter = minor;
    manifest->slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B;
    manifest->confirm_window_s = 60;
    manifest->confirm_tries = 3;
    manifest->created_s = 1767225600;
}

/* Fills in what the image decides, digests and piece table, and seals. */
static void digest_image(struct bench_release *release, size_t image_size)
{
    uint8_t *prefix;
    size_t prefix_size;
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), &test_keys[TEST_RELEASE].signer,
                                        &release->manifest, release->image, image_size, &prefix,
                                        &prefix_size, NULL),
                     SERIN_OK);
    memcpy(release->table, prefix + prefix_size - release->table_size, release->table_size);
    free(prefix);
    bench_release_seal(release);
}

struct bench_release *bench_release(uint16_t minor, size_t image_size, enum bench_app app)
{
    struct bench_release *release = calloc(1, sizeof(*release));
    ck_assert_ptr_nonnull(release);
    release->app = app;
    release->image = malloc(image_size);
    ck_assert_ptr_nonnull(release->image);
    uint32_t x = 12345u + minor;
    for (size_t i = 0; i < image_size; i++) {
        x = x * 1664525u + 1013904223u;
        release->image[i] = (uint8_t)(x >> 24);
    }
    fill_manifest(&release->manifest, minor);
    release->table_size = serin_piece_table_size((uint32_t)image_size);
    release->table = malloc(release->table_size);
    ck_assert_ptr_nonnull(release->table);
    digest_image(release, image_size);
    return release;
}

void bench_release_share(struct bench_release *release, const struct bench_release *other,
                         uint32_t index)
{
    uint32_t size = serin_piece_size(release->manifest.image_size_bytes, index);
    ck_assert_uint_eq(size, serin_piece_size(other->manifest.image_size_bytes, index));
    memcpy(release->image + index * SERIN_PIECE_SIZE, other->image + index * SERIN_PIECE_SIZE,
           size);
    digest_image(release, release->manifest.image_size_bytes);
}

void bench_release_free(struct bench_release *release)
{
    if (release == NULL) {
        return;
    }
    free(release->image);
    free(release->table);
    free(release);
}

struct image_source {
    const struct bench_release *release;
};

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct image_source *source = ctx;
    memcpy(out, source->release->image + offset, size);
    return SERIN_OK;
}

enum serin_error bench_try_provision(struct bench *bench, const struct bench_release *release)
{
    struct serin_trust trust;
    struct image_source source = {.release = release};
    test_trust(&trust, "pump");
    uint8_t record[SERIN_TRUST_SIZE_P256];
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    struct serin_factory_image image = {.manifest = release->manifest_bytes,
                                        .manifest_size = sizeof(release->manifest_bytes),
                                        .read = read_image,
                                        .ctx = &source,
                                        .one_slot = bench->one_slot};
    return serin_boot_provision(&bench->boot, record, sizeof(record), &image);
}

void bench_provision(struct bench *bench, const struct bench_release *release)
{
    ck_assert_int_eq(bench_try_provision(bench, release), SERIN_OK);
}

void bench_publish_trust(struct bench *bench, uint32_t version, bool second_key)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    test_trust(&trust, "pump");
    trust.version = version;
    if (second_key) {
        test_trust_add(&trust, SERIN_KEY_ROLE_RELEASE, TEST_STRANGER);
    }
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    struct serin_trust_payload value = {.record = record, .record_size = sizeof(record)};
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(&value, bench->retained[0],
                                                             sizeof(bench->retained[0]),
                                                             &bench->retained_size[0]),
                     SERIN_OK);
    if (bench->running && bench->online) {
        bench_send(bench, SERIN_TOPIC_TRUST, bench->retained[0], bench->retained_size[0]);
    }
}

/* ---- directives ---- */

static void offer(struct serin_release *out, const struct bench_release *release)
{
    if (release == NULL) {
        return;
    }
    out->offer_count = 1;
    out->offers[0].hw_min = 1;
    out->offers[0].hw_max = 3;
    memcpy(out->offers[0].manifest_id, release->id, SERIN_SHA256_SIZE);
    out->attempt = 1;
}

struct serin_directive bench_directive(struct bench *bench, const struct bench_release *stable,
                                       const struct bench_release *candidate)
{
    struct serin_directive directive;
    memset(&directive, 0, sizeof(directive));
    snprintf(directive.product, sizeof(directive.product), "pump");
    snprintf(directive.channel, sizeof(directive.channel), "stable");
    bench->order.sequence++;
    directive.order = bench->order;
    directive.issued_s = 1767225600;
    directive.lease_s = 6 * 3600;
    directive.candidate_state = candidate != NULL ? SERIN_CANDIDATE_ROLLING : SERIN_CANDIDATE_NONE;
    directive.threshold = candidate != NULL ? SERIN_COHORT_EVERYONE : 0;
    memset(directive.salt, candidate != NULL ? 7 : 0, sizeof(directive.salt));
    offer(&directive.stable, stable);
    offer(&directive.candidate, candidate);
    return directive;
}

size_t bench_seal(const struct serin_directive *directive, enum test_key_name key, uint8_t *payload)
{
    const char *field = "none";
    size_t size;
    enum serin_error error =
        serin_directive_seal(serin_wolfcrypt(), serin_protobufc(), &test_keys[key].signer,
                             directive, payload, &size, &field);
    ck_assert_msg(error == SERIN_OK, "seal: %s (%s)", serin_error_text(error), field);
    return size;
}

void bench_publish_raw(struct bench *bench, bool targeted, const uint8_t *payload, size_t size)
{
    size_t at = targeted ? 1 : 2;
    ck_assert_uint_le(size, sizeof(bench->retained[at]));
    memcpy(bench->retained[at], payload, size);
    bench->retained_size[at] = size;
    if (bench->running && bench->online) {
        bench_send(bench, targeted ? SERIN_TOPIC_DEV_DIRECTIVE : SERIN_TOPIC_DIRECTIVE, payload,
                   size);
    }
}

void bench_publish(struct bench *bench, const struct serin_directive *directive)
{
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(directive, TEST_DIRECTOR, payload);
    bench_publish_raw(bench, directive->device_id[0] != '\0', payload, size);
}

/* The journal of the download under way; false without one. */
static bool find_journal(const struct bench *bench, struct serin_slot_map *map,
                         struct serin_journal *journal)
{
    const struct serin_attempt_report *attempt = serin_attempt_current(&bench->agent);
    enum serin_state state = bench_state(bench);
    if (state != SERIN_STATE_DOWNLOADING && state != SERIN_STATE_VERIFYING) {
        return false;
    }
    serin_slot_map(bench->boot.flash, &bench->layout, map);
    *journal = (struct serin_journal){
        .flash = bench->boot.flash,
        .address = serin_slot_address(&bench->boot, serin_slot_other(bench->choice.slot),
                                      map->journal_offset),
        .stride = map->journal_stride,
        .size = map->journal_size,
        .manifest_id = attempt->manifest_id,
        .attempt = attempt->attempt,
        .generation = bench->agent.record.journal_generation,
        .base = bench->agent.record.journal_base};
    return true;
}

bool bench_journaled(const struct bench *bench, uint32_t index)
{
    struct serin_slot_map map;
    struct serin_journal journal;
    return find_journal(bench, &map, &journal) && index < map.image_capacity / SERIN_PIECE_SIZE &&
           serin_journal_has(&journal, SERIN_JOURNAL_FIRST_PIECE + index, NULL);
}

bool bench_in_place(const struct bench *bench, const uint8_t *image, uint32_t size, uint32_t index)
{
    struct serin_slot_map map;
    uint8_t piece[SERIN_PIECE_SIZE];
    serin_slot_map(bench->boot.flash, &bench->layout, &map);
    uint32_t at = index * SERIN_PIECE_SIZE;
    uint32_t part = serin_piece_size(size, index);
    uint32_t address = serin_slot_address(&bench->boot, serin_slot_other(bench->choice.slot),
                                          map.image_offset + at);
    return serin_flash_read(bench->boot.flash, address, piece, part) == SERIN_OK &&
           memcmp(piece, image + at, part) == 0;
}

/* Whether it stands in the spare sector, from which a rewriting of its own that was cut brings it
 * back. */
static bool is_spared(const struct bench *bench, const uint8_t *image, uint32_t size,
                      uint32_t index)
{
    struct serin_slot_map map;
    uint8_t piece[SERIN_PIECE_SIZE];
    const struct serin_flash *flash = bench->boot.flash;
    serin_slot_map(flash, &bench->layout, &map);
    uint32_t at = index * SERIN_PIECE_SIZE;
    uint32_t part = serin_piece_size(size, index);
    uint32_t address = serin_slot_address(&bench->boot, serin_slot_other(bench->choice.slot),
                                          map.image_offset + at);
    struct serin_region sector = serin_flash_sector(flash, address);
    uint32_t spare =
        serin_flash_border_from(flash, bench->layout.scratch.address + SERIN_SCRATCH_RECORD_SIZE) +
        (address - sector.address);
    return sector.size > SERIN_PIECE_SIZE &&
           serin_flash_read(flash, spare, piece, part) == SERIN_OK &&
           memcmp(piece, image + at, part) == 0;
}

unsigned bench_journal_lies(const struct bench *bench)
{
    const struct serin_attempt_report *attempt = serin_attempt_current(&bench->agent);
    unsigned lies = 0;
    for (size_t i = 0; attempt != NULL && i < bench->release_count; i++) {
        const struct bench_release *release = bench->releases[i];
        if (memcmp(release->id, attempt->manifest_id, sizeof release->id) != 0) {
            continue;
        }
        uint32_t size = release->manifest.image_size_bytes;
        uint32_t count = serin_piece_count(size);
        for (uint32_t index = 0; index < count; index++) {
            bool said = bench_journaled(bench, index);
            lies += said && !bench_in_place(bench, release->image, size, index) &&
                            !is_spared(bench, release->image, size, index)
                        ? 1
                        : 0;
        }
    }
    return lies;
}
