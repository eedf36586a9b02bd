/* Reading, programming and erasing cells, those of torn units included. */
#include "emulator_internal.h"

#include <string.h>

bool emulator_in_broken(const struct serin_flash_emulator *emulator, uint32_t address, size_t size,
                        enum serin_breakage how)
{
    for (uint32_t i = 0; i < emulator->state.broken_count; i++) {
        const struct broken_part *part = &emulator->state.broken[i];
        if (part->how == how && address < part->region.address + part->region.size &&
            part->region.address < address + size) {
            return true;
        }
    }
    return false;
}

uint8_t emulator_programmed(const struct serin_flash_emulator *emulator, uint32_t address,
                            uint8_t old, uint8_t data)
{
    if (emulator_in_broken(emulator, address, 1, SERIN_BREAKAGE_STUCK)) {
        return old;
    }
    return emulator->config.erased_value == 0xFF ? old & data : old | data;
}

/* ---- torn units ---- */

static bool holds_erased(const struct serin_flash_emulator *emulator, const uint8_t *bytes)
{
    return serin_bytes_all(bytes, emulator_unit(emulator), emulator->config.erased_value);
}

static enum serin_flash_torn how_torn(const struct serin_flash_emulator *emulator,
                                      const uint8_t *loose, enum serin_flash_torn asked,
                                      bool code_word)
{
    if (emulator->config.ecc) {
        return code_word ? asked : SERIN_FLASH_TORN_FAULTING;
    }
    bool restless = asked >= SERIN_FLASH_TORN_UNSTABLE;
    bool at_rest = restless && serin_bytes_all(loose, emulator_unit(emulator), 0);
    return at_rest ? SERIN_FLASH_TORN_STABLE : asked;
}

static uint8_t patience(const struct serin_flash_fault *fault, enum serin_flash_torn torn)
{
    if (torn == SERIN_FLASH_TORN_WEAK_READ) {
        return (uint8_t)fault->reads;
    }
    /* The first power cycle after a cut is that of the cut. */
    return torn == SERIN_FLASH_TORN_WEAK_POWER && fault->kind != SERIN_FLASH_FAULT_ROT;
}

void emulator_unit_tear(struct serin_flash_emulator *emulator, struct page *page, uint32_t offset,
                        const uint8_t *held, const uint8_t *loose,
                        const struct serin_flash_fault *fault, bool code_word)
{
    uint32_t size = emulator_unit(emulator);
    uint32_t index = offset / size;
    struct wound *wound = &page->wounds[index];
    enum serin_flash_torn torn = how_torn(emulator, loose, fault->torn, code_word);
    page->torn -= page->states[index] == UNIT_TORN;
    page->states[index] = UNIT_TORN;
    *wound = (struct wound){0};
    memmove(page->bytes + offset, held, size);
    if (torn < SERIN_FLASH_TORN_UNSTABLE) {
        memset(page->loose + offset, 0, size);
    } else {
        memmove(page->loose + offset, loose, size);
    }
    if (torn == SERIN_FLASH_TORN_STABLE && !holds_erased(emulator, held)) {
        page->states[index] = UNIT_PROGRAMMED;
    } else if (torn == SERIN_FLASH_TORN_STABLE && fault->again == SERIN_FLASH_AGAIN_FINE) {
        page->states[index] = UNIT_ERASED;
    } else {
        wound->torn = (uint8_t)torn;
        wound->again = (uint8_t)fault->again;
        wound->left = patience(fault, torn);
        page->torn++;
    }
    if (torn == SERIN_FLASH_TORN_WEAK_POWER) {
        emulator->state.weak_power = true;
    }
}

/* A weak unit gives way: some of its loose bits flip, at least one, and stay so. */
static void flip(struct serin_flash_emulator *emulator, struct page *page, uint32_t index)
{
    uint32_t size = emulator_unit(emulator);
    const uint8_t *old = page->bytes + emulator_unit_offset(emulator, index);
    const uint8_t *loose = page->loose + emulator_unit_offset(emulator, index);
    uint8_t held[SERIN_FLASH_UNIT_MAX];
    bool moved = false;
    memcpy(held, old, size);
    for (uint32_t i = 0; i < size; i++) {
        held[i] ^= loose[i] & (uint8_t)(emulator_noise(&emulator->state.jitter) >> 32);
        moved = moved || held[i] != old[i];
    }
    for (uint32_t i = 0; i < size && !moved; i++) {
        held[i] = old[i] ^ loose[i];
        moved = loose[i] != 0;
    }
    struct serin_flash_fault settled = {.torn = SERIN_FLASH_TORN_STABLE,
                                        .again = (enum serin_flash_again)page->wounds[index].again};
    emulator_unit_tear(emulator, page, index * size, held, loose, &settled, false);
}

void emulator_cells_power_on(struct serin_flash_emulator *emulator)
{
    if (!emulator->state.weak_power) {
        return;
    }
    emulator->state.weak_power = false;
    for (uint32_t at = 0; at < emulator->page_count; at++) {
        bool owned = false;
        for (uint32_t i = 0; emulator->pages[at] != NULL && i < emulator->page_units; i++) {
            if (emulator->pages[at]->wounds[i].torn != SERIN_FLASH_TORN_WEAK_POWER) {
                continue;
            }
            owned = owned || emulator_own(emulator, at) != NULL;
            struct page *page = emulator->pages[at];
            if (!owned) {
                emulator->state.weak_power = true;
            } else if (page->wounds[i].left > 0) {
                page->wounds[i].left--;
                emulator->state.weak_power = true;
            } else {
                flip(emulator, page, i);
            }
        }
    }
}

/* ---- reading ---- */

/* The units of a page that a stretch touches, restless or not. */
struct touched {
    uint32_t first, last;
};

static struct touched touched_units(const struct serin_flash_emulator *emulator,
                                    const struct stretch *stretch)
{
    uint32_t unit = emulator_unit(emulator);
    return (struct touched){stretch->offset / unit, (stretch->offset + stretch->size - 1u) / unit};
}

static bool touches_restless(const struct page *page, const struct touched *touched)
{
    for (uint32_t i = touched->first; i <= touched->last; i++) {
        if (page->wounds[i].torn >= SERIN_FLASH_TORN_UNSTABLE) {
            return true;
        }
    }
    return false;
}

/* Lets a read wear weak units, and says whether one cannot be read. */
static bool strain(struct serin_flash_emulator *emulator, struct page *page,
                   const struct touched *touched)
{
    bool readable = true;
    for (uint32_t i = touched->first; i <= touched->last; i++) {
        struct wound *wound = &page->wounds[i];
        if (wound->torn == SERIN_FLASH_TORN_WEAK_READ) {
            if (wound->left == 0) {
                flip(emulator, page, i);
            } else {
                wound->left--;
            }
        }
        if (wound->torn == SERIN_FLASH_TORN_UNSTABLE && emulator->config.ecc) {
            readable = readable && (emulator_noise(&emulator->state.jitter) >> 32 & 1u) == 0;
        }
        readable = readable && wound->torn != SERIN_FLASH_TORN_FAULTING;
    }
    return readable;
}

/* Makes the bytes of one unit in `out` differ from what it holds, half of the times. */
static void shake(struct serin_flash_emulator *emulator, struct page *page, uint32_t index,
                  const struct stretch *stretch, uint8_t *out)
{
    uint32_t size = emulator_unit(emulator);
    uint32_t from = index * size, to = from + size;
    bool differs =
        !emulator->config.ecc && (emulator_noise(&emulator->state.jitter) >> 32 & 1u) != 0;
    bool blank = true;
    from = from < stretch->offset ? stretch->offset : from;
    to = to > stretch->offset + stretch->size ? stretch->offset + stretch->size : to;
    for (uint32_t at = from; at < to; at++) {
        uint8_t *byte = &out[at - stretch->offset];
        if (differs) {
            *byte ^= page->loose[at] & (uint8_t)(emulator_noise(&emulator->state.jitter) >> 32);
        }
        blank = blank && *byte == emulator->config.erased_value;
    }
    page->wounds[index].blank = blank;
}

static bool read_torn(struct serin_flash_emulator *emulator, const struct stretch *stretch,
                      uint8_t *out, enum serin_error *error)
{
    struct page *page = emulator->pages[stretch->index];
    struct touched touched = touched_units(emulator, stretch);
    bool restless = touches_restless(page, &touched);
    if (restless) {
        page = emulator_own(emulator, stretch->index);
        if (page == NULL) {
            return false;
        }
    }
    if (!strain(emulator, page, &touched)) {
        *error = SERIN_ERR_FLASH;
    }
    memcpy(out, page->bytes + stretch->offset, stretch->size);
    for (uint32_t i = touched.first; restless && i <= touched.last; i++) {
        if (page->wounds[i].torn == SERIN_FLASH_TORN_UNSTABLE) {
            shake(emulator, page, i, stretch, out);
        }
    }
    return true;
}

bool emulator_cells_read(struct serin_flash_emulator *emulator, uint32_t address, void *out,
                         size_t size, enum serin_error *error)
{
    uint8_t *room = out;
    while (size > 0) {
        struct stretch stretch = emulator_stretch(emulator, address, size);
        const struct page *page = emulator->pages[stretch.index];
        if (page == NULL) {
            memset(room, emulator->config.erased_value, stretch.size);
        } else if (page->torn == 0) {
            memcpy(room, page->bytes + stretch.offset, stretch.size);
        } else if (!read_torn(emulator, &stretch, room, error)) {
            return false;
        }
        address += stretch.size;
        room += stretch.size;
        size -= stretch.size;
    }
    return true;
}

/* ---- programming ---- */

static bool reads_erased(const struct serin_flash_emulator *emulator, const struct page *page,
                         uint32_t index)
{
    const struct wound *wound = &page->wounds[index];
    return wound->torn != SERIN_FLASH_TORN_FAULTING &&
           (wound->blank != 0 ||
            holds_erased(emulator, page->bytes + emulator_unit_offset(emulator, index)));
}

static bool moves_back(const struct serin_flash_emulator *emulator, const uint8_t *held,
                       const uint8_t *data)
{
    uint8_t erased = emulator->config.erased_value;
    for (uint32_t i = 0; i < emulator_unit(emulator); i++) {
        if (((held[i] ^ erased) & ~(data[i] ^ erased)) != 0) {
            return true;
        }
    }
    return false;
}

static enum obstacle judge_unit(const struct serin_flash_emulator *emulator,
                                const struct page *page, uint32_t index, const uint8_t *data)
{
    uint8_t state = page->states[index];
    if (state == UNIT_ERASED) {
        return OBSTACLE_NONE;
    }
    if (state == UNIT_TORN && reads_erased(emulator, page, index)) {
        return page->wounds[index].again == SERIN_FLASH_AGAIN_REFUSED ? OBSTACLE_REFUSED
                                                                      : OBSTACLE_NONE;
    }
    if (emulator->config.programming == SERIN_FLASH_WRITE_ONCE) {
        return OBSTACLE_PROGRAMMED;
    }
    return moves_back(emulator, page->bytes + emulator_unit_offset(emulator, index), data)
               ? OBSTACLE_BIT_BACK
               : OBSTACLE_NONE;
}

/* Most programs are of units that are; memcmp is as fast as it gets. */
static bool all_erased(const uint8_t *states, size_t count)
{
    return states[0] == UNIT_ERASED && memcmp(states, states + 1, count - 1u) == 0;
}

enum obstacle emulator_cells_judge(const struct serin_flash_emulator *emulator, uint32_t address,
                                   const uint8_t *data, size_t size)
{
    uint32_t unit = emulator_unit(emulator);
    enum obstacle worst = OBSTACLE_NONE;
    while (size > 0) {
        struct stretch stretch = emulator_stretch(emulator, address, size);
        const struct page *page = emulator->pages[stretch.index];
        bool virgin =
            page == NULL || all_erased(page->states + stretch.offset / unit, stretch.size / unit);
        for (uint32_t at = 0; !virgin && at < stretch.size; at += unit) {
            enum obstacle obstacle =
                judge_unit(emulator, page, (stretch.offset + at) / unit, data + at);
            worst = obstacle > worst ? obstacle : worst;
        }
        address += stretch.size;
        data += stretch.size;
        size -= stretch.size;
    }
    return worst;
}

/* A torn unit that reads erased takes a program and does not keep it well. */
static void program_shaky(struct serin_flash_emulator *emulator, struct page *page, uint32_t index,
                          uint32_t address, const uint8_t *data)
{
    static const struct serin_flash_fault unstable = {.torn = SERIN_FLASH_TORN_UNSTABLE,
                                                      .again = SERIN_FLASH_AGAIN_UNSTABLE};
    uint32_t size = emulator_unit(emulator);
    uint8_t held[SERIN_FLASH_UNIT_MAX], loose[SERIN_FLASH_UNIT_MAX];
    for (uint32_t i = 0; i < size; i++) {
        uint8_t old = page->bytes[index * size + i];
        held[i] = emulator_programmed(emulator, address + i, old, data[i]);
        loose[i] = (uint8_t)((held[i] ^ old) | page->loose[index * size + i]);
    }
    emulator_unit_tear(emulator, page, index * size, held, loose, &unstable, true);
}

static void program_unit(struct serin_flash_emulator *emulator, struct page *page, uint32_t index,
                         uint32_t address, const uint8_t *data)
{
    uint32_t size = emulator_unit(emulator);
    bool torn = page->states[index] == UNIT_TORN;
    bool virgin = torn ? reads_erased(emulator, page, index) : page->states[index] == UNIT_ERASED;
    if (torn && virgin && page->wounds[index].again == SERIN_FLASH_AGAIN_UNSTABLE) {
        program_shaky(emulator, page, index, address, data);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint8_t *byte = &page->bytes[index * size + i];
        *byte = emulator_programmed(emulator, address + i, *byte, data[i]);
    }
    emulator->state.figures.reprogrammed += !virgin;
    if (!torn || virgin) {
        page->states[index] = UNIT_PROGRAMMED;
        page->wounds[index] = (struct wound){0};
        memset(page->loose + emulator_unit_offset(emulator, index), 0, size);
        page->torn -= torn;
    }
}

/* Programs `data` over `bytes`; `invert` has all bits where the erased value is 0x00, none else. */
static void move_bits(uint8_t *bytes, const uint8_t *data, size_t size, uint64_t invert)
{
    for (; size >= sizeof invert; size -= sizeof invert) {
        uint64_t held, wanted;
        memcpy(&held, bytes, sizeof held);
        memcpy(&wanted, data, sizeof wanted);
        held = ((held ^ invert) & (wanted ^ invert)) ^ invert;
        memcpy(bytes, &held, sizeof held);
        bytes += sizeof held;
        data += sizeof held;
    }
    for (; size > 0; size--, bytes++, data++) {
        *bytes = (uint8_t)(((*bytes ^ invert) & (*data ^ invert)) ^ invert);
    }
}

/* The same where nothing is torn or broken: most of the work that the emulator ever does. */
static void program_sound(struct serin_flash_emulator *emulator, struct page *page,
                          const struct stretch *stretch, const uint8_t *data)
{
    uint32_t unit = emulator_unit(emulator);
    uint32_t first = stretch->offset / unit, count = stretch->size / unit;
    move_bits(page->bytes + stretch->offset, data, stretch->size,
              emulator->config.erased_value == 0xFF ? 0 : UINT64_MAX);
    bool again = emulator->config.programming == SERIN_FLASH_AND;
    for (uint32_t i = first; again && i < first + count; i++) {
        emulator->state.figures.reprogrammed += page->states[i] == UNIT_PROGRAMMED;
    }
    memset(page->states + first, UNIT_PROGRAMMED, count);
}

bool emulator_cells_program(struct serin_flash_emulator *emulator, uint32_t address,
                            const uint8_t *data, size_t size)
{
    uint32_t unit = emulator_unit(emulator);
    while (size > 0) {
        struct stretch stretch = emulator_stretch(emulator, address, size);
        struct page *page = emulator_own(emulator, stretch.index);
        if (page == NULL) {
            return false;
        }
        if (page->torn == 0 && emulator->state.broken_count == 0) {
            program_sound(emulator, page, &stretch, data);
        } else {
            for (uint32_t at = 0; at < stretch.size; at += unit) {
                program_unit(emulator, page, (stretch.offset + at) / unit, address + at, data + at);
            }
        }
        address += stretch.size;
        data += stretch.size;
        size -= stretch.size;
    }
    return true;
}

/* ---- erasing ---- */

static void erase_units(struct serin_flash_emulator *emulator, struct page *page,
                        const struct stretch *stretch)
{
    uint32_t unit = emulator_unit(emulator);
    uint32_t first = stretch->offset / unit, count = stretch->size / unit;
    for (uint32_t i = first; page->torn > 0 && i < first + count; i++) {
        page->torn -= page->states[i] == UNIT_TORN;
    }
    memset(page->wounds + first, 0, count * sizeof *page->wounds);
    memset(page->states + first, UNIT_ERASED, count);
    memset(page->bytes + stretch->offset, emulator->config.erased_value, stretch->size);
    memset(page->loose + stretch->offset, 0, stretch->size);
}

static void wear_sectors(struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    struct serin_region sector = {.address = address};
    for (uint32_t at = address; size > 0; at += sector.size) {
        uint32_t number = serin_flash_emulator_sector_at(emulator, at);
        serin_flash_emulator_sector(emulator, number, &sector);
        emulator->wear[number]++;
        size -= sector.size;
    }
}

bool emulator_cells_erase(struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    wear_sectors(emulator, address, size);
    while (size > 0) {
        struct stretch stretch = emulator_stretch(emulator, address, size);
        if (stretch.size == emulator->page_bytes) {
            emulator_drop(emulator, stretch.index);
        } else if (emulator->pages[stretch.index] != NULL) {
            struct page *page = emulator_own(emulator, stretch.index);
            if (page == NULL) {
                return false;
            }
            erase_units(emulator, page, &stretch);
        }
        address += stretch.size;
        size -= stretch.size;
    }
    return true;
}
