/* The release of a simulation: keys, images, manifests, and the device as it leaves the factory. */
#include "flash.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_SMALL   256u /* as long as the images are small: a log of few bytes is read fast */
#define SECTOR_LARGE   4096u
#define IMAGE_SMALL    65536u
#define WINDOW_S       60u
#define TRIES          3u
#define BUNDLE_SECTION 8u /* offsets of sizes in a bundle's head (serin/host/bundle.h) */

/* ---- keys ---- */

static enum serin_error key_of(const struct serin_crypto *crypto, const struct serin_signer *signer,
                               enum serin_key_role role, struct serin_trust_key *key)
{
    enum serin_error error = signer->ops->public_key(signer->ctx, key->public_key);
    if (error == SERIN_OK) {
        key->role = role;
        serin_key_id(crypto, key->public_key, key->key_id);
    }
    return error;
}

static enum serin_error make_trust(struct sim *sim)
{
    const struct serin_sim_config *config = sim->config;
    struct serin_trust *trust = &sim->trust;
    *trust = (struct serin_trust){.version = 1, .created_s = SIM_START_S - 86400u, .key_count = 2};
    memcpy(trust->product, config->policy.product, sizeof trust->product);
    enum serin_error error = config->root->ops->public_key(config->root->ctx, sim->root_key);
    if (error == SERIN_OK) {
        error = key_of(sim->crypto, config->release, SERIN_KEY_ROLE_RELEASE, &trust->keys[0]);
    }
    if (error == SERIN_OK) {
        error = key_of(sim->crypto, config->director, SERIN_KEY_ROLE_DIRECTOR, &trust->keys[1]);
    }
    if (error == SERIN_OK) {
        error = serin_trust_seal(sim->crypto, config->root, trust, sim->trust_record);
    }
    return error;
}

/* ---- images ---- */

/* Bytes that no other version has: xorshift64*, from version and seed. */
static void fill_image(uint8_t *image, size_t size, uint64_t seed, uint16_t version)
{
    uint64_t x = seed * 2u + 1u + ((uint64_t)version << 32);
    for (size_t i = 0; i < size; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        image[i] = (uint8_t)(x * UINT64_C(2685821657736338717) >> 56);
    }
}

static void object_set(struct sim_object *object, enum sim_object_kind kind, const uint8_t *bytes,
                       size_t size, const uint8_t name[SERIN_SHA256_SIZE])
{
    object->kind = kind;
    object->bytes = bytes;
    object->size = (uint32_t)size;
    memcpy(object->name, name, SERIN_SHA256_SIZE);
}

static void fill_manifest(const struct sim *sim, const struct sim_release *release,
                          struct serin_manifest *manifest)
{
    *manifest = (struct serin_manifest){.hw_min = 1,
                                        .hw_max = UINT16_MAX,
                                        .version = release->version,
                                        .security_counter = release->counter,
                                        .slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B,
                                        .confirm_window_s = WINDOW_S,
                                        .confirm_tries = TRIES,
                                        .created_s = SIM_START_S - 86400u};
    (void)snprintf(manifest->vendor, sizeof manifest->vendor, "simulation");
    (void)snprintf(manifest->component, sizeof manifest->component, "application");
    memcpy(manifest->product, sim->config->policy.product, sizeof manifest->product);
    memcpy(manifest->channels[0], sim->config->policy.channel, sizeof manifest->channels[0]);
}

static enum serin_error make_release(struct sim *sim, struct sim_release *release)
{
    uint8_t *image = malloc(sim->image_size);
    if (image == NULL) {
        return SERIN_ERR_MEMORY;
    }
    release->image.bytes = image;
    fill_image(image, sim->image_size, sim->config->seed, release->version.major);

    struct serin_manifest manifest;
    uint8_t *prefix = NULL;
    size_t prefix_size = 0;
    fill_manifest(sim, release, &manifest);
    enum serin_error error = serin_bundle_build(sim->crypto, sim->config->release, &manifest, image,
                                                sim->image_size, &prefix, &prefix_size, NULL);
    if (error != SERIN_OK) {
        return error;
    }
    size_t manifest_size = serin_get_le32(prefix + BUNDLE_SECTION);
    const uint8_t *body = prefix + SERIN_BUNDLE_HEADER_SIZE;
    serin_manifest_id(sim->crypto, body, release->manifest_id);
    object_set(&release->manifest, SIM_OBJECT_MANIFEST, body, manifest_size, release->manifest_id);
    object_set(&release->pieces, SIM_OBJECT_PIECES, body + manifest_size,
               prefix_size - SERIN_BUNDLE_HEADER_SIZE - manifest_size, manifest.pieces_sha256);
    object_set(&release->image, SIM_OBJECT_IMAGE, image, sim->image_size, manifest.image_sha256);
    return SERIN_OK;
}

enum serin_error sim_release_open(struct sim *sim)
{
    enum serin_error error = make_trust(sim);
    struct sim_release *stable = &sim->releases[SIM_STABLE];
    struct sim_release *candidate = &sim->releases[SIM_CANDIDATE];
    stable->version = (struct serin_version){.major = 1};
    stable->counter = 1;
    candidate->version = (struct serin_version){.major = 2};
    candidate->counter = sim->config->raises_counter ? 2u : 1u;
    for (size_t i = 0; error == SERIN_OK && i < SIM_RELEASES; i++) {
        error = make_release(sim, &sim->releases[i]);
    }
    return error;
}

/* What the simulation allocated is its own to free, whatever it is seen through since. */
static void release_bytes(const uint8_t *bytes)
{
    free((void *)(uintptr_t)bytes);
}

void sim_release_close(struct sim *sim)
{
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        struct sim_release *release = &sim->releases[i];
        release_bytes(release->image.bytes);
        if (release->manifest.bytes != NULL) {
            release_bytes(release->manifest.bytes - SERIN_BUNDLE_HEADER_SIZE);
        }
    }
}

const struct sim_object *sim_object_find(const struct sim *sim,
                                         const uint8_t name[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        const struct sim_release *release = &sim->releases[i];
        const struct sim_object *const objects[] = {&release->image, &release->pieces,
                                                    &release->manifest};
        for (size_t j = 0; j < sizeof objects / sizeof objects[0]; j++) {
            if (memcmp(objects[j]->name, name, SERIN_SHA256_SIZE) == 0) {
                return objects[j];
            }
        }
    }
    return NULL;
}

/* ---- the factory ---- */

static uint32_t round_up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1u) / unit * unit;
}

/* The smallest regions that the rules allow: a log of one or four records to a bank is searched
 * fast, and that is done at each beat. */
static uint32_t make_layout(struct sim *sim, uint32_t sector)
{
    struct serin_layout *layout = &sim->layout;
    struct serin_region *const regions[] = {&layout->boot_log, &layout->agent_log,
                                            &layout->trust,    &layout->scratch,
                                            &layout->slot[0],  &layout->slot[1]};
    uint32_t pieces = (sim->image_size + 4095u) / 4096u;
    uint32_t slot =
        round_up(SERIN_MANIFEST_MAX + 256u, sector) + round_up(pieces * SERIN_SHA256_SIZE, sector) +
        round_up((pieces + 2u) * round_up(16u, sector / SIM_FLASH_UNITS), sector) + pieces * 4096u;
    slot = round_up(slot, sector) + sector;
    const uint32_t sizes[] = {2u * round_up(4u * SERIN_BOOT_RECORD_SIZE, sector),
                              2u * round_up(SERIN_AGENT_RECORD_SIZE, sector),
                              2u * round_up(16u + SERIN_TRUST_SIZE_P256, sector),
                              round_up(SERIN_SCRATCH_RECORD_SIZE, sector) + sector,
                              slot,
                              slot};
    uint32_t address = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        *regions[i] = (struct serin_region){.address = address, .size = sizes[i]};
        address += sizes[i];
    }
    return address;
}

struct image_source {
    const uint8_t *bytes;
    uint32_t size;
};

static enum serin_error image_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct image_source *source = ctx;
    if (size > source->size || offset > source->size - size) {
        return SERIN_ERR_TRUNCATED;
    }
    memcpy(out, source->bytes + offset, size);
    return SERIN_OK;
}

static enum serin_error provision(struct sim *sim)
{
    const struct sim_release *release = &sim->releases[SIM_STABLE];
    struct image_source source = {.bytes = release->image.bytes, .size = release->image.size};
    struct serin_factory_image image = {.manifest = release->manifest.bytes,
                                        .manifest_size = release->manifest.size,
                                        .read = image_read,
                                        .ctx = &source};
    struct serin_flash flash;
    sim_flash_port(sim->pool, &flash);
    flash.ctx = sim->factory;
    struct serin_identity identity = {.hardware = 1, .bootloader = 1};
    sim_node_id(0, identity.device_id);
    memcpy(identity.product, sim->config->policy.product, sizeof identity.product);
    memcpy(identity.channel, sim->config->policy.channel, sizeof identity.channel);
    struct serin_boot boot = {.crypto = sim->crypto,
                              .flash = &flash,
                              .layout = &sim->layout,
                              .root_key = sim->root_key,
                              .identity = &identity};
    return serin_boot_provision(&boot, sim->trust_record, sizeof sim->trust_record, &image);
}

enum serin_error sim_factory_open(struct sim *sim)
{
    uint32_t sector = sim->image_size <= IMAGE_SMALL ? SECTOR_SMALL : SECTOR_LARGE;
    uint32_t size = make_layout(sim, sector);
    enum serin_error error =
        sim_pool_open(&sim->pool, size, sector, sim->layout.trust.address, true);
    sim->factory = calloc(1, sizeof *sim->factory);
    if (error == SERIN_OK && sim->factory == NULL) {
        error = SERIN_ERR_MEMORY;
    }
    if (error == SERIN_OK) {
        error = sim_flash_open(sim->factory, sim->pool, sim->config->seed);
    }
    return error == SERIN_OK ? provision(sim) : error;
}

void sim_factory_close(struct sim *sim)
{
    if (sim->factory != NULL) {
        sim_flash_close(sim->factory);
    }
    free(sim->factory);
    sim_pool_close(sim->pool);
}

enum serin_error sim_factory_flash(struct sim *sim, struct sim_flash *flash, uint64_t seed)
{
    return sim_flash_copy(flash, sim->factory, seed);
}

bool sim_factory_verified(const struct sim *sim, const struct sim_flash *flash,
                          enum serin_slot slot, const struct sim_release *release)
{
    struct serin_flash port;
    struct serin_slot_map map;
    struct sim_flash reader = *flash; /* to read without its owner's account of breaches */
    uint8_t bytes[SECTOR_SMALL];
    sim_flash_port(sim->pool, &port);
    serin_slot_map(&port, &sim->layout, &map);
    uint32_t address = sim->layout.slot[slot == SERIN_SLOT_B ? 1 : 0].address + map.image_offset;
    for (uint32_t at = 0; at < release->image.size; at += SECTOR_SMALL) {
        uint32_t left = release->image.size - at;
        uint32_t part = left < SECTOR_SMALL ? left : SECTOR_SMALL;
        if (port.ops->read(&reader, address + at, bytes, part) != SERIN_OK ||
            memcmp(bytes, release->image.bytes + at, part) != 0) {
            return false;
        }
    }
    return true;
}
