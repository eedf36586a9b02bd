/* Harm that is no cut (harm.h). */
#include "harm.h"

#include <string.h>

static bool lies_in(const struct serin_region *region, uint32_t address)
{
    return address >= region->address && address - region->address < region->size;
}

/* The slot that an address lies in. */
static enum serin_slot slot_at(const struct cuts_life *life, uint32_t address)
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
        life->harmed_slot = slot_at(life, fault->at);
    }
}

const char *cuts_place(const struct cuts_life *life, uint32_t address)
{
    const struct serin_layout *layout = &life->layout;
    enum serin_slot slot = slot_at(life, address);
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
    *fault = (struct serin_flash_fault){
        .operation =
            fresh ? operation->number + 1u : serin_flash_emulator_operations(life->emulator),
        .kind = SERIN_FLASH_FAULT_ROT,
        .at = address,
        .torn = torn[cuts_dice(dice) % 4u],
        .mask = draw_mask(dice),
    };
    fault->seed = fault->torn == SERIN_FLASH_TORN_UNSTABLE ? 1 : 0;
    enum serin_slot slot = slot_at(life, address);
    return slot == SERIN_SLOT_NONE || needless(life, slot, address) || cuts_judge_spare(life, slot);
}
