/* What is about to boot, proved in two runs: the first one decides, the second one looks at what
 * was decided. They share no value but the choice and what is in flash. */
#include "boot_prove.h"

#include "boot_state.h"
#include "flash_io.h"
#include "slot.h"
#include "trust_region.h"

#include <serin/crc32.h>

#include <string.h>

/* Copies the image of `slot` to where it runs. */
SERIN_APART static enum serin_error load(const struct serin_boot *boot,
                                         const struct serin_boot_choice *choice)
{
    const struct serin_image_loader *loader = boot->loader;
    uint8_t chunk[SERIN_FLASH_CHUNK];
    enum serin_error error = loader->ops->begin(loader->ctx, &choice->manifest);
    for (uint32_t done = 0; error == SERIN_OK && done < choice->image_size;) {
        uint32_t part = choice->image_size - done;
        part = part < sizeof chunk ? part : (uint32_t)sizeof chunk;
        error = serin_flash_read(boot->flash, choice->image_address + done, chunk, part);
        if (error == SERIN_OK) {
            error = loader->ops->write(loader->ctx, done, chunk, part);
        }
        done += part;
    }
    return error == SERIN_OK ? loader->ops->end(loader->ctx) : error;
}

/* 0 where the choice is that of the slot and manifest that were verified. */
static uint32_t choice_difference(const struct serin_boot *boot,
                                  const struct serin_boot_choice *choice, enum serin_slot slot,
                                  const struct serin_manifest *manifest,
                                  const uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_slot_map map;
    serin_slot_map(boot->flash, boot->layout, &map);
    uint32_t address = serin_slot_address(boot, slot, map.image_offset);
    return ((uint32_t)choice->slot ^ (uint32_t)slot) | (choice->image_address ^ address) |
           (choice->image_size ^ manifest->image_size_bytes) |
           (choice->manifest.load_address ^ manifest->load_address) |
           (choice->manifest.entry_address ^ manifest->entry_address) |
           serin_difference(choice->manifest_id, id, SERIN_SHA256_SIZE);
}

/* What binds a proof to the choice that it is of, so that neither changes without the other. */
static uint32_t seal_of(const struct serin_boot_choice *choice)
{
    uint32_t seal = serin_crc32(0, choice->manifest_id, SERIN_SHA256_SIZE);
    seal = SERIN_PROOF_AFTER(seal, (uint32_t)choice->slot);
    seal = SERIN_PROOF_AFTER(seal, choice->image_address);
    seal = SERIN_PROOF_AFTER(seal, choice->image_size);
    seal = SERIN_PROOF_AFTER(seal, choice->manifest.load_address);
    return SERIN_PROOF_AFTER(seal, choice->manifest.entry_address);
}

/* Whether an image that runs in place was made for its place. */
static enum serin_error check_place(const struct serin_boot *boot,
                                    const struct serin_boot_choice *choice)
{
    uint32_t load_address = choice->manifest.load_address;
    return boot->in_place_address == 0 || load_address == 0 ||
                   load_address == boot->in_place_address + choice->image_address
               ? SERIN_OK
               : SERIN_ERR_UNSUPPORTED;
}

/* The floor, from all of its witnesses once more: one that came out too low must not serve both
 * runs. */
static uint32_t floor_again(const struct serin_boot *boot)
{
    struct serin_boot_state state;
    if (serin_boot_log_read_at_once(boot, &state) != SERIN_OK) {
        serin_boot_derive(boot, &state);
    }
    return serin_boot_floor(boot, &state);
}

/* Makes the choice: `slot`, whose manifest the first run has proved and read into it, copied to
 * where it runs. */
static enum serin_error choose(const struct serin_boot *boot, enum serin_slot slot,
                               struct serin_boot_choice *choice)
{
    struct serin_slot_map map;
    serin_slot_map(boot->flash, boot->layout, &map);
    choice->slot = slot;
    choice->image_address = serin_slot_address(boot, slot, map.image_offset);
    choice->image_size = choice->manifest.image_size_bytes;
    return boot->loader != NULL ? load(boot, choice) : check_place(boot, choice);
}

/* One run over all that there is to prove of `slot`, up to the choice. The first one, whose
 * manifest is the choice's, makes it; the second one, with a manifest and an id of its own, looks
 * at the choice as it stands. */
static enum serin_error prove(const struct serin_boot *boot, enum serin_slot slot, uint32_t floor,
                              struct serin_boot_choice *choice, struct serin_manifest *manifest,
                              uint8_t id[SERIN_SHA256_SIZE], struct serin_run *run)
{
    struct serin_trust trust;
    serin_run_start(run, run->mask);
    enum serin_error error = serin_trust_region_prove(boot, &trust, run);
    if (error == SERIN_OK) {
        error = serin_slot_manifest_prove(boot, &trust, slot, floor, manifest, id, run);
    }
    if (error != SERIN_OK) {
        return error;
    }
    if (manifest == &choice->manifest) {
        error = choose(boot, slot, choice);
    }
    if (error == SERIN_OK) {
        error = serin_slot_image_prove(boot, slot, choice, manifest, run);
    }
    serin_run_note(run, SERIN_STEP_CHOICE, choice_difference(boot, choice, slot, manifest, id));
    run->evidence ^= seal_of(choice);
    return error;
}

/* Looks at the choice as it stands. */
SERIN_APART static enum serin_error look_again(const struct serin_boot *boot, uint32_t floor,
                                               struct serin_boot_choice *choice)
{
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    struct serin_run run = {.mask = SERIN_RUN_SECOND};
    enum serin_error error = prove(boot, choice->slot, floor, choice, &manifest, id, &run);
    choice->proof.second = run.evidence;
    return error;
}

enum serin_error serin_boot_prove(const struct serin_boot *boot, enum serin_slot slot,
                                  uint32_t floor, struct serin_boot_choice *choice)
{
    struct serin_run run = {.mask = SERIN_RUN_FIRST};
    choice->proof = (struct serin_proof){.first = 0};
    enum serin_error error =
        prove(boot, slot, floor, choice, &choice->manifest, choice->manifest_id, &run);
    if (error != SERIN_OK) {
        return error;
    }
    choice->proof.first = run.evidence;
    if (look_again(boot, floor_again(boot), choice) != SERIN_OK) {
        return SERIN_ERR_AGAIN;
    }
    if (!serin_boot_proved_first(choice)) {
        return SERIN_ERR_AGAIN;
    }
    return serin_boot_proved_second(choice) ? SERIN_OK : SERIN_ERR_AGAIN;
}

bool serin_boot_proved_first(const struct serin_boot_choice *choice)
{
    return serin_proof_first(&choice->proof, SERIN_PROOF_BOOT ^ seal_of(choice));
}

bool serin_boot_proved_second(const struct serin_boot_choice *choice)
{
    return serin_proof_second(&choice->proof, SERIN_PROOF_BOOT ^ seal_of(choice));
}

/* A function of its own, never part of its caller: what a glitch makes of one comparison, and of
 * the return behind it, still meets the other one. */
__attribute__((noinline)) static void
jump_if_second(const struct serin_boot_choice *choice,
               void (*jump)(void *ctx, const struct serin_boot_choice *choice), void *ctx)
{
    if (serin_boot_proved_second(choice)) {
        jump(ctx, choice);
    }
}

void serin_boot_jump(const struct serin_boot_choice *choice,
                     void (*jump)(void *ctx, const struct serin_boot_choice *choice), void *ctx)
{
    if (serin_boot_proved_first(choice)) {
        jump_if_second(choice, jump, ctx);
    }
}
