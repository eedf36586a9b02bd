/*
 * A layout for parts with few, large and unequal sectors: fixed regions laid out one behind the
 * other, as serin_layout_default does first, waste there what the slots need. All ways to place two
 * equal slots are tried, with the fixed regions in what is left of the flash, and the one with the
 * largest image wins. In sectors, not in addresses.
 */
#include "layout_search.h"

#include <serin/piece.h>
#include <serin/trust.h>

#include "flash_io.h"
#include "trust_region.h"

#include <string.h>

#define SECTORS_MAX  64u /* bits of a map of them */
#define REGIONS      4u  /* all but the slots */
#define ORDERS       24u /* of placing those */
#define BOOT_RECORDS 16u /* a bank, so that it is erased once in a while only */
#define LOG_RECORDS  4u

struct plan {
    const struct serin_flash *flash;
    uint32_t count;                   /* of sectors */
    uint32_t start[SECTORS_MAX + 1u]; /* where each begins, and the last one ends */
    uint64_t used;                    /* a bit for each */
    uint32_t spare;                   /* the largest sector of a slot */
};

/* What is asked of a region; `second` 0: two banks of `first` bytes, else two parts. */
struct demand {
    uint32_t first, second;
};

static bool read_sectors(const struct serin_flash *flash, struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->flash = flash;
    uint32_t address = 0;
    while (address < flash->size_bytes && plan->count < SECTORS_MAX) {
        plan->start[plan->count++] = address;
        address += serin_flash_sector(flash, address).size;
    }
    plan->start[plan->count] = address;
    return address == flash->size_bytes;
}

static uint32_t bytes(const struct plan *plan, uint32_t from, uint32_t to)
{
    return plan->start[to] - plan->start[from];
}

static uint64_t mask(uint32_t from, uint32_t to)
{
    uint64_t below = to < 64u ? (UINT64_C(1) << to) - 1u : UINT64_MAX;
    return below & ~((UINT64_C(1) << from) - 1u);
}

/* The end of the fewest sectors from `from` on that hold `size` bytes, or beyond the last one. */
static uint32_t enough(const struct plan *plan, uint32_t from, uint32_t size)
{
    uint32_t to = from;
    while (to <= plan->count && bytes(plan, from, to) < size) {
        to++;
        if (to > plan->count) {
            break;
        }
    }
    return to;
}

/* The end of the smallest region at `from` that meets the demand, or 0: none does. */
static uint32_t region_end(const struct plan *plan, uint32_t from, const struct demand *demand)
{
    for (uint32_t middle = enough(plan, from, demand->first); middle < plan->count; middle++) {
        uint32_t first = bytes(plan, from, middle);
        uint32_t end = enough(plan, middle, demand->second != 0 ? demand->second : first);
        if (end > plan->count) {
            return 0;
        }
        if (demand->second != 0 || bytes(plan, middle, end) == first) {
            return end;
        }
    }
    return 0;
}

/* The smallest free region that meets the demand. */
static bool place(struct plan *plan, const struct demand *demand, struct serin_region *region)
{
    uint32_t best = 0, best_end = 0, least = UINT32_MAX;
    for (uint32_t from = 0; from < plan->count; from++) {
        uint32_t end = region_end(plan, from, demand);
        bool is_free = end != 0 && (plan->used & mask(from, end)) == 0;
        if (is_free && bytes(plan, from, end) < least) {
            best = from;
            best_end = end;
            least = bytes(plan, from, end);
        }
    }
    if (best_end == 0) {
        return false;
    }
    plan->used |= mask(best, best_end);
    *region = (struct serin_region){.address = plan->start[best], .size = least};
    return true;
}

/* Places the fixed regions beside the slots, in one of their orders. */
static bool place_rest(const struct plan *before, uint32_t order, struct serin_layout *layout)
{
    const struct serin_flash *flash = before->flash;
    const struct demand demands[REGIONS] = {
        {.first = BOOT_RECORDS * serin_round_up(SERIN_BOOT_RECORD_SIZE, flash->write_unit)},
        {.first = serin_round_up(serin_trust_bank_size(flash), flash->write_unit)},
        {.first = serin_round_up(LOG_RECORDS * SERIN_AGENT_RECORD_SIZE, flash->write_unit)},
        {.first = SERIN_SCRATCH_RECORD_SIZE,
         .second = before->spare <= SERIN_PIECE_SIZE ? 2u * SERIN_PIECE_SIZE : before->spare},
    };
    struct serin_region *const regions[REGIONS] = {&layout->boot_log, &layout->trust,
                                                   &layout->agent_log, &layout->scratch};
    struct plan plan = *before;
    bool placed[REGIONS] = {false};
    for (uint32_t left = REGIONS; left > 0; left--) {
        uint32_t skip = order % left, which = 0;
        order /= left;
        while (placed[which] || skip > 0) {
            skip -= placed[which] ? 0 : 1;
            which++;
        }
        placed[which] = true;
        if (!place(&plan, &demands[which], regions[which])) {
            return false;
        }
    }
    return true;
}

/* How many sectors from `a` and `b` on are pairwise of one size, before the one reaches the other.
 */
static uint32_t alike(const struct plan *plan, uint32_t a, uint32_t b)
{
    uint32_t n = 0;
    while (a + n < b && b + n < plan->count &&
           bytes(plan, a + n, a + n + 1u) == bytes(plan, b + n, b + n + 1u)) {
        n++;
    }
    return n;
}

/* Slots of `n` sectors at `a` and `b`, where they hold a larger image than the best so far. */
static void try_slots(struct plan *plan, uint32_t a, uint32_t b, uint32_t n,
                      struct serin_layout *best, uint32_t *capacity)
{
    struct serin_layout layout = {
        .slot = {{.address = plan->start[a], .size = bytes(plan, a, a + n)},
                 {.address = plan->start[b], .size = bytes(plan, b, b + n)}}};
    struct serin_slot_map map;
    serin_slot_map(plan->flash, &layout, &map);
    if (map.image_capacity <= *capacity) {
        return;
    }
    plan->used = mask(a, a + n) | mask(b, b + n);
    plan->spare = 0;
    for (uint32_t i = a; i < a + n; i++) {
        uint32_t size = bytes(plan, i, i + 1u);
        plan->spare = size > plan->spare ? size : plan->spare;
    }
    for (uint32_t order = 0; order < ORDERS; order++) {
        if (place_rest(plan, order, &layout) &&
            serin_layout_check(plan->flash, &layout, NULL) == SERIN_OK) {
            *best = layout;
            *capacity = map.image_capacity;
            return;
        }
    }
}

enum serin_error serin_layout_search(const struct serin_flash *flash, struct serin_layout *layout)
{
    struct plan plan;
    uint32_t capacity = 0;
    if (!read_sectors(flash, &plan)) {
        return SERIN_ERR_LAYOUT;
    }
    for (uint32_t a = 0; a < plan.count; a++) {
        for (uint32_t b = a + 1u; b < plan.count; b++) {
            for (uint32_t n = alike(&plan, a, b); n > 0; n--) {
                try_slots(&plan, a, b, n, layout, &capacity);
            }
        }
    }
    return capacity > 0 ? SERIN_OK : SERIN_ERR_LAYOUT;
}
