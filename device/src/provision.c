/* The factory: the first image, in both slots, the fixed regions, and at the end the trust record,
 * without which nothing boots (docs/spec/boot.md, section 6). */
#include "boot_state.h"
#include "flash_io.h"
#include "slot.h"

#include <string.h>

#define COPY_CHUNK SERIN_FLASH_UNIT_MAX /* a multiple of every write unit */

static enum serin_error erase_region(const struct serin_boot *boot,
                                     const struct serin_region *region)
{
    return serin_flash_erase(boot->flash, region->address, region->size);
}

/* `both`: the slots; else B is invalidated alone. */
static enum serin_error erase_slots(const struct serin_boot *boot, bool both)
{
    const struct serin_layout *layout = boot->layout;
    enum serin_error error = erase_region(boot, &layout->scratch);
    if (error == SERIN_OK) {
        error = erase_region(boot, &layout->slot[0]);
    }
    if (error != SERIN_OK) {
        return error;
    }
    return both ? erase_region(boot, &layout->slot[1]) : serin_slot_invalidate(boot, SERIN_SLOT_B);
}

static enum serin_error copy_image(const struct serin_boot *boot,
                                   const struct serin_factory_image *image, enum serin_slot slot,
                                   uint32_t size)
{
    struct serin_slot_map map;
    serin_slot_map(boot->flash, boot->layout, &map);
    uint32_t address = serin_slot_address(boot, slot, map.image_offset);
    uint8_t chunk[COPY_CHUNK];
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < COPY_CHUNK ? size - done : COPY_CHUNK;
        enum serin_error error = image->read(image->ctx, done, chunk, part);
        if (error == SERIN_OK) {
            error = serin_flash_program(boot->flash, address + done, chunk, part);
        }
        if (error != SERIN_OK) {
            return error;
        }
        done += part;
    }
    return SERIN_OK;
}

static enum serin_error check_image(const struct serin_boot *boot, enum serin_slot slot,
                                    const struct serin_manifest *manifest)
{
    uint8_t chunk[SERIN_FLASH_CHUNK];
    struct serin_image_check check;
    serin_image_check_start(&check, boot, slot, manifest->image_size_bytes);
    enum serin_error error =
        serin_image_check_step(&check, boot, chunk, sizeof chunk, manifest->image_size_bytes);
    return error == SERIN_OK ? serin_image_check_end(&check, boot, manifest) : error;
}

/* Makes `slot` one that boots the image. */
static enum serin_error install(const struct serin_boot *boot,
                                const struct serin_factory_image *image, enum serin_slot slot,
                                const struct serin_manifest *manifest,
                                const uint8_t id[SERIN_SHA256_SIZE])
{
    enum serin_error error = copy_image(boot, image, slot, manifest->image_size_bytes);
    if (error == SERIN_OK) {
        error = check_image(boot, slot, manifest);
    }
    if (error == SERIN_OK) {
        error = serin_slot_manifest_program(boot, slot, image->manifest, image->manifest_size);
    }
    return error == SERIN_OK ? serin_slot_mark(boot, slot, id) : error;
}

/* A factory image is committed from the start: there is nothing older to go back to. */
static enum serin_error first_record(const struct serin_boot *boot, uint32_t counter,
                                     bool after_reset)
{
    struct serin_boot_state state;
    memset(&state, 0, sizeof state);
    state.phase = SERIN_BOOT_STEADY;
    state.active = SERIN_SLOT_A;
    state.active_confirmed = true;
    state.floor = counter > boot->floor_constant ? counter : boot->floor_constant;
    unsigned how = after_reset ? SERIN_BOOT_LOG_AFTER_RESET : 0;
    struct serin_boot_state before;
    if (serin_boot_log_read_at_once(boot, &before) == SERIN_ERR_FLASH) {
        how |= SERIN_BOOT_LOG_ANEW; /* the floor of what is lost is in the account, and here */
    }
    return serin_boot_log_append(boot, &state, how);
}

/* What is to be put in. */
struct input {
    const uint8_t *trust_record;
    size_t trust_size;
    const struct serin_factory_image *image;
    uint32_t trust_version; /* that the trust record has at least */
    bool anew;              /* it was a device before, and goes on as that one */
};

/* What is there of a device goes: the trust record first, until it is written again, at the end,
 * nothing boots. The floor of one that goes on as itself is at each moment in its boot log, which
 * is not erased then, and what its agent knows stays until the images are in place: whoever takes
 * the power away meanwhile finds what there was to find. */
static enum serin_error begin(const struct serin_boot *boot, const struct input *input, bool both)
{
    enum serin_error error = erase_region(boot, &boot->layout->trust);
    if (error == SERIN_OK) {
        error =
            input->anew ? first_record(boot, 0, true) : erase_region(boot, &boot->layout->boot_log);
    }
    if (error == SERIN_OK && !input->anew) {
        error = erase_region(boot, &boot->layout->agent_log);
    }
    return error == SERIN_OK ? erase_slots(boot, both) : error;
}

/* Everything that can be checked without writing. */
static enum serin_error check_input(const struct serin_boot *boot, const struct input *input,
                                    struct serin_manifest *manifest, uint8_t id[SERIN_SHA256_SIZE])
{
    const struct serin_factory_image *image = input->image;
    struct serin_trust trust;
    enum serin_error error = serin_layout_check(boot->flash, boot->layout, NULL);
    if (error == SERIN_OK && image->manifest_size > SERIN_MANIFEST_SIZE_P256) {
        error = SERIN_ERR_TOO_LARGE;
    }
    if (error == SERIN_OK) {
        error = serin_trust_open(boot->crypto, boot->root_key, input->trust_record,
                                 input->trust_size, &trust);
    }
    if (error == SERIN_OK && trust.version < input->trust_version) {
        error = SERIN_ERR_STALE;
    }
    if (error == SERIN_OK && strcmp(trust.product, boot->identity->product) != 0) {
        error = SERIN_ERR_PRODUCT;
    }
    if (error == SERIN_OK) {
        error = serin_manifest_open(boot->crypto, &trust, image->manifest, image->manifest_size,
                                    manifest, id);
    }
    if (error == SERIN_OK) {
        error = serin_slot_suits(boot, SERIN_SLOT_A, boot->floor_constant, manifest);
    }
    return error;
}

static enum serin_error provision(const struct serin_boot *boot, const struct input *input)
{
    const struct serin_factory_image *image = input->image;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    enum serin_error error = check_input(boot, input, &manifest, id);
    if (error != SERIN_OK) {
        return error;
    }
    bool both = !image->one_slot &&
                serin_slot_suits(boot, SERIN_SLOT_B, boot->floor_constant, &manifest) == SERIN_OK;
    error = begin(boot, input, both);
    if (error == SERIN_OK) {
        error = install(boot, image, SERIN_SLOT_A, &manifest, id);
    }
    if (error == SERIN_OK && both) {
        error = install(boot, image, SERIN_SLOT_B, &manifest, id);
    }
    if (error == SERIN_OK) {
        error = first_record(boot, manifest.security_counter, false);
    }
    if (error == SERIN_OK && input->anew) {
        error = erase_region(boot, &boot->layout->agent_log);
    }
    if (error == SERIN_OK) {
        error = serin_trust_region_update(boot, input->trust_record, input->trust_size);
    }
    /* Both banks were erased in this very run. */
    return error == SERIN_OK ? serin_trust_region_mend(boot, 0) : error;
}

enum serin_error serin_boot_provision(const struct serin_boot *boot, const uint8_t *trust_record,
                                      size_t trust_size, const struct serin_factory_image *image)
{
    const struct input input = {
        .trust_record = trust_record, .trust_size = trust_size, .image = image};
    return provision(boot, &input);
}

enum serin_error serin_boot_provision_anew(const struct serin_boot *boot,
                                           const struct serin_recovery_account *account,
                                           const uint8_t *trust_record, size_t trust_size,
                                           const struct serin_factory_image *image)
{
    const struct input input = {.trust_record = trust_record,
                                .trust_size = trust_size,
                                .image = image,
                                .trust_version = account->trust_version,
                                .anew = true};
    /* The first record takes the floor over from what is erased here. */
    struct serin_boot kept = *boot;
    if (account->floor > kept.floor_constant) {
        kept.floor_constant = account->floor;
    }
    return provision(&kept, &input);
}
