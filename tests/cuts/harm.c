/* Harm that is no cut (harm.h). */
#include "harm.h"

#include <string.h>

#define WRECK_EVERY 32u /* bytes: no record is smaller */

static bool lies_in(const struct serin_region *region, uint32_t address)
{
    return address >= region->address && address - region->address < region->size;
}

enum serin_slot cuts_slot_at(const struct cuts_life *life, uint32_t address)
{
    for (enum serin_slot slot = SERIN_SLOT_A; slot <= SERIN_SLOT_B; slot++) {
        if (lies_in(&life->layout.slot[slot - 1], address)) {
            return slot;
        }
    }
    return SERIN_SLOT_NONE;
}

void cuts_harm(struct cuts_life *life, const struct serin_flash_fault *fault)
{
    if (serin_flash_fault_is_cut(fault)) {
        return;
    }
    life->harm_armed = true;
    if (fault->kind == SERIN_FLASH_FAULT_ROT) {
        life->harmed_slot = cuts_slot_at(life, fault->at);
    }
}

/* No record of it is whole any more. */
static void wreck(struct cuts_life *life, const struct serin_region *region)
{
    for (uint32_t offset = 0; offset < region->size; offset += WRECK_EVERY) {
        serin_flash_emulator_rot(life->emulator, region->address + offset + 9u, 0x44);
    }
}

static void lose(struct cuts_life *life)
{
    bool trust = life->event == CUTS_EVENT_LOSE_TRUST;
    life->struck = life->harm_armed = life->harmed = true;
    wreck(life, trust ? &life->layout.trust : &life->layout.boot_log);
    if (life->event != CUTS_EVENT_ROT_BOOT_LOG) {
        cuts_life_reset(life, SERIN_RESET_POWER, true);
    }
}

void cuts_strike(struct cuts_life *life)
{
    if (life->event == CUTS_EVENT_NONE || life->struck) {
        return;
    }
    if (life->event != CUTS_EVENT_CRASH) {
        if (life->steps == life->event_step) {
            lose(life);
        }
    } else if (life->cuts >= life->event_cuts && life->mode == CUTS_RUNNING) {
        life->event_step--;
        if (life->event_step == 0) {
            life->struck = true;
            life->crashes++;
            cuts_life_reset(life, SERIN_RESET_CRASH, false);
        }
    }
}

const char *cuts_place(const struct cuts_life *life, uint32_t address)
{
    const struct serin_layout *layout = &life->layout;
    enum serin_slot slot = cuts_slot_at(life, address);
    if (slot == SERIN_SLOT_NONE) {
        return lies_in(&layout->boot_log, address)    ? "boot log"
               : lies_in(&layout->trust, address)     ? "trust record"
               : lies_in(&layout->agent_log, address) ? "agent log"
                                                      : "scratch";
    }
    uint32_t offset = address - layout->slot[slot - 1].address;
    return offset < life->map.pieces_offset    ? "manifest"
           : offset < life->map.journal_offset ? "piece table"
           : offset < life->map.image_offset   ? "journal"
                                               : "image";
}

/* Whether a slot boots without the part of it at `address`. */
static bool needless(const struct cuts_life *life, enum serin_slot slot, uint32_t address)
{
    uint32_t offset = address - life->layout.slot[slot - 1].address;
    return offset >= life->map.pieces_offset && offset < life->map.image_offset;
}

enum serin_slot cuts_slot_needs(const struct cuts_life *life, uint32_t address)
{
    enum serin_slot slot = cuts_slot_at(life, address);
    return slot == SERIN_SLOT_NONE || needless(life, slot, address) ? SERIN_SLOT_NONE : slot;
}

/* One of the regions, or a part of a slot. */
static struct serin_region draw_region(const struct cuts_life *life, uint64_t *dice)
{
    const struct serin_layout *layout = &life->layout;
    const struct serin_region fixed[] = {layout->boot_log, layout->trust, layout->agent_log,
                                         layout->scratch};
    const struct serin_region parts[] = {
        {life->map.manifest_offset, life->map.manifest_size},
        {life->map.journal_offset, life->map.journal_size},
        {life->map.image_offset, 8192},
    };
    uint64_t drawn = cuts_dice(dice) % 10u;
    if (drawn < 4u) {
        return fixed[drawn];
    }
    struct serin_region region = parts[(drawn - 4u) % 3u];
    region.address += layout->slot[(drawn - 4u) / 3u].address;
    return region;
}

/* A byte that is not erased; false where none was found. */
static bool draw_byte(const struct cuts_life *life, uint64_t *dice, uint32_t *address)
{
    struct serin_region region = draw_region(life, dice);
    uint8_t byte = life->geometry->erased;
    for (unsigned tries = 0; tries < 16u && byte == life->geometry->erased; tries++) {
        *address = region.address + (uint32_t)(cuts_dice(dice) % region.size);
        serin_flash_emulator_peek(life->emulator, *address, &byte, 1);
    }
    return byte != life->geometry->erased;
}

/* One bit, and every fourth time several of a byte. */
static uint8_t draw_mask(uint64_t *dice)
{
    uint64_t drawn = cuts_dice(dice);
    uint64_t mask = drawn % 4u == 0 ? 1u + drawn / 4u % 255u : UINT64_C(1) << drawn / 4u % 8u;
    return (uint8_t)mask;
}

bool cuts_rot_draw(const struct cuts_life *life, const struct serin_flash_operation *operation,
                   bool fresh, uint64_t *dice, struct serin_flash_fault *fault)
{
    static const enum serin_flash_torn torn[] = {SERIN_FLASH_TORN_STABLE, SERIN_FLASH_TORN_STABLE,
                                                 SERIN_FLASH_TORN_UNSTABLE,
                                                 SERIN_FLASH_TORN_FAULTING};
    uint32_t address = operation->address + (uint32_t)(cuts_dice(dice) % operation->size);
    if (fresh ? operation->kind != SERIN_FLASH_PROGRAM : !draw_byte(life, dice, &address)) {
        return false;
    }
    enum serin_slot slot = cuts_slot_at(life, address);
    bool anywhere = slot == SERIN_SLOT_NONE || needless(life, slot, address);
    /* In the middle of a step, too, but where the step may give up the slot that stands in. */
    uint64_t now = anywhere ? operation->number : serin_flash_emulator_operations(life->emulator);
    *fault = (struct serin_flash_fault){
        .operation = fresh ? operation->number + 1u : now,
        .kind = SERIN_FLASH_FAULT_ROT,
        .at = address,
        .torn = torn[cuts_dice(dice) % 4u],
        .mask = draw_mask(dice),
    };
    fault->seed = fault->torn == SERIN_FLASH_TORN_UNSTABLE ? 1 : 0;
    return anywhere || cuts_judge_spare(life, slot);
}
