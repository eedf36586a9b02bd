/* A slot's parts: manifest, `confirmed` marker, and the check of its image. */
#include "slot.h"

#include "flash_io.h"

#include <serin/crc32.h>
#include <serin/piece.h>

#include <string.h>

#define MARKER_MAGIC      0x434E5253u /* "SRNC" */
#define MARKER_ID_SIZE    8u
#define MARKER_CRC_OFFSET 12u

static void map_of(const struct serin_boot *boot, struct serin_slot_map *map)
{
    serin_slot_map(boot->flash, boot->layout, map);
}

uint32_t serin_slot_address(const struct serin_boot *boot, enum serin_slot slot, uint32_t offset)
{
    SERIN_ASSERT(slot == SERIN_SLOT_A || slot == SERIN_SLOT_B);
    return boot->layout->slot[(unsigned)slot - SERIN_SLOT_A].address + offset;
}

enum serin_error serin_slot_manifest_read(const struct serin_boot *boot, enum serin_slot slot,
                                          uint8_t bytes[SERIN_MANIFEST_SIZE_P256], size_t *size)
{
    uint32_t address = serin_slot_address(boot, slot, 0);
    if (serin_flash_erased(boot->flash, address, SERIN_MANIFEST_HEAD_SIZE)) {
        return SERIN_ERR_NOT_FOUND;
    }
    enum serin_error error =
        serin_flash_read(boot->flash, address, bytes, SERIN_MANIFEST_SIZE_P256);
    *size = SERIN_MANIFEST_HEAD_SIZE + serin_get_le16(bytes + SERIN_MANIFEST_BODY_SIZE + 2u);
    if (error == SERIN_OK && *size > SERIN_MANIFEST_SIZE_P256) {
        error = SERIN_ERR_TOO_LARGE;
    }
    return error;
}

enum serin_error serin_slot_manifest_program(const struct serin_boot *boot, enum serin_slot slot,
                                             const uint8_t *bytes, size_t size)
{
    SERIN_ASSERT(size <= SERIN_MANIFEST_MAX);
    uint32_t address = serin_slot_address(boot, slot, 0);
    enum serin_error error = serin_flash_program(boot->flash, address, bytes, size);
    if (error == SERIN_OK && !serin_flash_holds(boot->flash, address, bytes, size)) {
        error = SERIN_ERR_FLASH;
    }
    return error;
}

enum serin_error serin_slot_suits(const struct serin_boot *boot, enum serin_slot slot,
                                  uint32_t floor, const struct serin_manifest *manifest)
{
    enum serin_error error = serin_manifest_suits(manifest, boot->identity, floor);
    uint32_t bit = slot == SERIN_SLOT_A ? SERIN_SLOT_MASK_A : SERIN_SLOT_MASK_B;
    if (error == SERIN_OK && (manifest->slot_mask & bit) == 0) {
        error = SERIN_ERR_UNSUPPORTED;
    }
    struct serin_slot_map map;
    map_of(boot, &map);
    if (error == SERIN_OK && manifest->image_size_bytes > map.image_capacity) {
        error = SERIN_ERR_TOO_LARGE;
    }
    return error;
}

enum serin_error serin_slot_suits_prove(const struct serin_boot *boot, enum serin_slot slot,
                                        uint32_t floor, const struct serin_manifest *manifest,
                                        struct serin_run *run)
{
    enum serin_error error = serin_slot_suits(boot, slot, floor, manifest);
    serin_run_note(run, SERIN_STEP_SUITS, (uint32_t)error);
    serin_run_note(run, SERIN_STEP_FLOOR, manifest->security_counter < floor ? 1u : 0u);
    return error;
}

enum serin_error serin_slot_manifest_prove(const struct serin_boot *boot,
                                           const struct serin_trust *trust, enum serin_slot slot,
                                           uint32_t floor, struct serin_manifest *manifest,
                                           uint8_t id[SERIN_SHA256_SIZE], struct serin_run *run)
{
    uint8_t bytes[SERIN_MANIFEST_SIZE_P256];
    size_t size;
    enum serin_error error = serin_slot_manifest_read(boot, slot, bytes, &size);
    if (error == SERIN_OK) {
        error = serin_manifest_prove(boot->crypto, trust, bytes, size, manifest, id, run);
    }
    if (error == SERIN_OK) {
        error = serin_slot_suits_prove(boot, slot, floor, manifest, run);
    }
    return error;
}

enum serin_error serin_slot_manifest_open(const struct serin_boot *boot,
                                          const struct serin_trust *trust, enum serin_slot slot,
                                          uint32_t floor, struct serin_manifest *manifest,
                                          uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return serin_slot_manifest_prove(boot, trust, slot, floor, manifest, id, &run);
}

enum serin_error serin_slot_verify(const struct serin_boot *boot, const struct serin_trust *trust,
                                   enum serin_slot slot, uint32_t floor,
                                   struct serin_manifest *manifest, uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_run run;
    enum serin_error error = serin_slot_manifest_open(boot, trust, slot, floor, manifest, id);
    serin_run_start(&run, SERIN_RUN_FIRST);
    return error == SERIN_OK ? serin_slot_image_prove(boot, slot, NULL, manifest, &run) : error;
}

enum serin_error serin_slot_invalidate(const struct serin_boot *boot, enum serin_slot slot)
{
    struct serin_slot_map map;
    map_of(boot, &map);
    return serin_flash_erase(boot->flash, serin_slot_address(boot, slot, map.manifest_offset),
                             map.manifest_size);
}

enum serin_error serin_slot_forget(const struct serin_boot *boot, enum serin_slot slot)
{
    struct serin_slot_map map;
    map_of(boot, &map);
    return serin_flash_erase(boot->flash, serin_slot_address(boot, slot, map.journal_offset),
                             map.journal_size);
}

enum serin_error serin_slot_clear_piece(const struct serin_boot *boot, enum serin_slot slot,
                                        uint32_t index)
{
    struct serin_slot_map map;
    map_of(boot, &map);
    if (index >= map.image_capacity / SERIN_PIECE_SIZE) {
        return SERIN_OK;
    }
    uint32_t address = serin_slot_address(boot, slot, map.image_offset + index * SERIN_PIECE_SIZE);
    struct serin_region sector = serin_flash_sector(boot->flash, address);
    return sector.size > SERIN_PIECE_SIZE
               ? serin_flash_erase(boot->flash, sector.address, sector.size)
               : serin_flash_erase(boot->flash, address, SERIN_PIECE_SIZE);
}

bool serin_slot_unsealed(const struct serin_boot *boot, enum serin_slot slot)
{
    return serin_flash_erased(boot->flash, serin_slot_address(boot, slot, 0),
                              SERIN_MANIFEST_HEAD_SIZE);
}

static void marker_encode(const uint8_t id[SERIN_SHA256_SIZE], uint8_t marker[SERIN_MARKER_SIZE])
{
    serin_put_le32(marker, MARKER_MAGIC);
    memcpy(marker + 4, id, MARKER_ID_SIZE);
    serin_put_le32(marker + MARKER_CRC_OFFSET, serin_crc32(0, marker, MARKER_CRC_OFFSET));
}

/* Where marker `n` of the slot lies. */
static uint32_t marker_address(const struct serin_boot *boot, enum serin_slot slot,
                               const struct serin_slot_map *map, uint32_t n)
{
    uint32_t stride = serin_round_up(SERIN_MARKER_SIZE, serin_flash_unit(boot->flash));
    return serin_slot_address(boot, slot, map->marker_offset + n * stride);
}

bool serin_slot_marked(const struct serin_boot *boot, enum serin_slot slot,
                       const uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_slot_map map;
    map_of(boot, &map);
    uint8_t marker[SERIN_MARKER_SIZE];
    marker_encode(id, marker);
    for (uint32_t n = 0; n < map.marker_count; n++) {
        uint32_t address = marker_address(boot, slot, &map, n);
        if (serin_flash_holds(boot->flash, address, marker, sizeof marker)) {
            return true;
        }
    }
    return false;
}

enum serin_error serin_slot_mark(const struct serin_boot *boot, enum serin_slot slot,
                                 const uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_slot_map map;
    map_of(boot, &map);
    if (serin_slot_marked(boot, slot, id)) {
        return SERIN_OK;
    }
    uint8_t marker[SERIN_MARKER_SIZE];
    uint32_t stride = serin_round_up(SERIN_MARKER_SIZE, serin_flash_unit(boot->flash));
    marker_encode(id, marker);
    for (uint32_t n = 0; n < map.marker_count; n++) {
        uint32_t address = marker_address(boot, slot, &map, n);
        if (serin_flash_erased(boot->flash, address, stride) &&
            serin_flash_program(boot->flash, address, marker, sizeof marker) == SERIN_OK &&
            serin_flash_holds(boot->flash, address, marker, sizeof marker)) {
            return SERIN_OK;
        }
    }
    return SERIN_ERR_NO_SPACE;
}

void serin_image_check_start(struct serin_image_check *check, const struct serin_boot *boot,
                             enum serin_slot slot, uint32_t image_size)
{
    struct serin_slot_map map;
    map_of(boot, &map);
    SERIN_ASSERT(image_size <= map.image_capacity);
    check->crc = 0;
    check->address = serin_slot_address(boot, slot, map.image_offset);
    check->size = image_size;
    check->position = 0;
    check->loader = NULL;
    SERIN_CRYPTO(boot->crypto)->ops->sha256_init(SERIN_CRYPTO(boot->crypto)->ctx, &check->sha);
}

static enum serin_error check_read(const struct serin_image_check *check,
                                   const struct serin_boot *boot, uint8_t *out, uint32_t size)
{
    const struct serin_image_loader *loader = check->loader;
    return loader != NULL
               ? loader->ops->read(loader->ctx, check->position, out, size)
               : serin_flash_read(boot->flash, check->address + check->position, out, size);
}

enum serin_error serin_image_check_step(struct serin_image_check *check,
                                        const struct serin_boot *boot, uint8_t *buffer,
                                        size_t buffer_size, uint32_t budget)
{
    while (check->position < check->size) {
        if (budget == 0) {
            return SERIN_ERR_AGAIN;
        }
        uint32_t part = check->size - check->position;
        part = part < buffer_size ? part : (uint32_t)buffer_size;
        part = part < budget ? part : budget;
        enum serin_error error = check_read(check, boot, buffer, part);
        if (error != SERIN_OK) {
            return error;
        }
        SERIN_CRYPTO(boot->crypto)
            ->ops->sha256_update(SERIN_CRYPTO(boot->crypto)->ctx, &check->sha, buffer, part);
        check->crc = serin_crc32(check->crc, buffer, part);
        check->position += part;
        budget -= part;
    }
    return SERIN_OK;
}

enum serin_error serin_image_check_prove(struct serin_image_check *check,
                                         const struct serin_boot *boot,
                                         const struct serin_manifest *manifest,
                                         struct serin_run *run)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    /* Not what an earlier check left on the stack, in case that nothing is written to it. */
    memset(digest, 0, sizeof digest);
    SERIN_CRYPTO(boot->crypto)
        ->ops->sha256_final(SERIN_CRYPTO(boot->crypto)->ctx, &check->sha, digest);
    uint32_t wrong_crc = check->crc ^ manifest->image_crc32;
    uint32_t wrong_digest = serin_difference(digest, manifest->image_sha256, sizeof digest);
    serin_run_note(run, SERIN_STEP_IMAGE_SIZE, check->position ^ manifest->image_size_bytes);
    serin_run_note(run, SERIN_STEP_IMAGE_CRC, wrong_crc);
    serin_run_note(run, SERIN_STEP_IMAGE_DIGEST, wrong_digest);
    if (wrong_crc != 0) {
        return SERIN_ERR_CRC;
    }
    return wrong_digest == 0 ? SERIN_OK : SERIN_ERR_DIGEST;
}

enum serin_error serin_slot_image_prove(const struct serin_boot *boot, enum serin_slot slot,
                                        const struct serin_boot_choice *choice,
                                        const struct serin_manifest *manifest,
                                        struct serin_run *run)
{
    uint8_t chunk[SERIN_FLASH_CHUNK];
    struct serin_image_check check;
    serin_image_check_start(&check, boot, slot, manifest->image_size_bytes);
    if (choice != NULL) {
        check.address = choice->image_address;
        check.size = choice->image_size;
        check.loader = boot->loader;
    }
    enum serin_error error = serin_image_check_step(&check, boot, chunk, sizeof chunk, UINT32_MAX);
    return error == SERIN_OK ? serin_image_check_prove(&check, boot, manifest, run) : error;
}

enum serin_error serin_image_check_end(struct serin_image_check *check,
                                       const struct serin_boot *boot,
                                       const struct serin_manifest *manifest)
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return serin_image_check_prove(check, boot, manifest, &run);
}
