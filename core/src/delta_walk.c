/*
 * The walk through an old image (docs/spec/delta.md, section 3).
 */
#include <serin/bytes.h>
#include <serin/delta_form.h>

#define RISCV_LOAD        0x03u
#define RISCV_LOAD_FLOAT  0x07u
#define RISCV_IMMEDIATE   0x13u
#define RISCV_AUIPC       0x17u
#define RISCV_STORE       0x23u
#define RISCV_STORE_FLOAT 0x27u
#define RISCV_OPERATION   0x33u
#define RISCV_LUI         0x37u
#define RISCV_JALR        0x67u
#define RISCV_JAL         0x6fu
#define UPPER_MASK        0xfffff000u

uint32_t serin_delta_map_add(const struct serin_delta_map *map, uint32_t value)
{
    uint32_t low = 0;
    uint32_t high = map->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->breaks[middle].start <= value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? map->breaks[low - 1].add : 0;
}

void serin_delta_walk_start(struct serin_delta_walk *walk, uint32_t from, uint32_t to)
{
    memmove(walk->trail + 1, walk->trail, (SERIN_DELTA_TRAIL - 1) * sizeof *walk->trail);
    walk->trail[0] = (struct serin_delta_trail){.from = from, .end = from, .to = to};
    walk->instruction = walk->arch == SERIN_DELTA_ARCH_XTENSA ? from : (from + 1) & ~1u;
    walk->live = 0;
}

/* How far something at the old offset `value` moved beyond what is copied now from `from` to `to`;
 * 0 where that is not known. */
static uint32_t moved_since(const struct serin_delta_walk *walk, uint32_t value, uint32_t from,
                            uint32_t to)
{
    for (unsigned i = 0; i < SERIN_DELTA_TRAIL; i++) {
        const struct serin_delta_trail *trail = &walk->trail[i];
        if (value >= trail->from && value < trail->end) {
            return trail->to - trail->from - (to - from);
        }
    }
    return 0;
}

static uint32_t register_rd(uint32_t word)
{
    return word >> 7 & 31u;
}

static uint32_t register_rs1(uint32_t word)
{
    return word >> 15 & 31u;
}

uint32_t serin_delta_walk_origin(const uint32_t upper[SERIN_DELTA_REGISTERS],
                                 const struct serin_delta_item *item, uint32_t at)
{
    return item->kind == SERIN_DELTA_LOWER ? upper[register_rs1(serin_get_le32(item->old))] : at;
}

bool serin_delta_walk_adds_pc(const struct serin_delta_item *item)
{
    return (item->old[0] & 0x7fu) == RISCV_AUIPC;
}

bool serin_delta_walk_relative(const struct serin_delta_walk *walk,
                               const struct serin_delta_item *item)
{
    if (item->kind == SERIN_DELTA_LOWER) {
        return (walk->from_pc >> register_rs1(serin_get_le32(item->old)) & 1u) != 0;
    }
    return item->kind != SERIN_DELTA_WORD &&
           (item->kind != SERIN_DELTA_UPPER || serin_delta_walk_adds_pc(item));
}

bool serin_delta_walk_put(const struct serin_delta_walk *walk, const struct serin_delta_item *item,
                          uint32_t value, uint32_t to, uint8_t bytes[SERIN_DELTA_ITEM_MAX])
{
    uint32_t word = serin_delta_word_get(item->old, item->size);
    bool told = true;
    if (item->kind == SERIN_DELTA_WORD) {
        word = value;
    } else if (item->kind == SERIN_DELTA_UPPER) {
        /* Its lower half has a sign, so it is rounded. */
        word = (word & ~UPPER_MASK) |
               ((value - (serin_delta_walk_adds_pc(item) ? to : 0) + 0x800u) & UPPER_MASK);
    } else {
        told = serin_delta_form_put(item->form, &word, value,
                                    serin_delta_walk_origin(walk->upper_new, item, to));
    }
    serin_delta_word_put(bytes, item->size, word);
    return told;
}

/* ---- items ---- */

static void plain(struct serin_delta_item *item, uint32_t size)
{
    item->kind = SERIN_DELTA_PLAIN;
    item->size = size;
    item->add = 0;
}

/* A reference to `value` that moves by `add`. */
static void predict(const struct serin_delta_walk *walk, struct serin_delta_item *item,
                    uint32_t value, uint32_t add, uint32_t to)
{
    item->value = value;
    item->add = add;
    if (!serin_delta_walk_put(walk, item, value + add, to, item->predicted)) {
        memcpy(item->predicted, item->old, sizeof item->predicted);
    }
    item->moved = memcmp(item->predicted, item->old, item->size) != 0;
}

static void predict_by_map(const struct serin_delta_walk *walk, struct serin_delta_item *item,
                           uint32_t value, uint32_t to)
{
    bool relative = serin_delta_walk_relative(walk, item);
    predict(walk, item, value,
            serin_delta_map_add(relative ? &walk->relative : &walk->absolute, value), to);
}

/* An instruction of `size` bytes: a reference if it has the form of one. A near one stands for
 * where it would go in the new image if all moved together. */
static void instruction(const struct serin_delta_walk *walk, uint32_t size, uint32_t from,
                        uint32_t to, struct serin_delta_item *item)
{
    uint32_t word = serin_delta_word_get(item->old, size);
    item->size = size;
    if (!serin_delta_form_find(walk->arch, size, word, item)) {
        plain(item, size);
        return;
    }
    uint32_t value = serin_delta_form_get(item->form, word, from);
    if (item->kind == SERIN_DELTA_NEAR) {
        predict(walk, item, serin_delta_form_get(item->form, word, to),
                moved_since(walk, value, from, to), to);
    } else {
        predict_by_map(walk, item, value, to);
    }
}

static bool is_branch(const uint8_t *bytes)
{
    return (bytes[1] & 0xf8u) == 0xf0u && (bytes[3] & 0x90u) == 0x90u;
}

static void item_thumb(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                       uint32_t from, uint32_t to, struct serin_delta_item *item)
{
    if ((from & 1u) != 0 || size < 4) {
        plain(item, 1);
        return;
    }
    bool wide = bytes[1] >= 0xe8u;
    instruction(walk, wide ? 4 : 2, from, to, item);
    /* One that straddles two words may be the data of both. */
    if (item->kind == SERIN_DELTA_PLAIN && wide && (from & 3u) != 0) {
        plain(item, 2);
    }
}

/* Behind a jump or a return comes what fills up a word, or a pool of literals: addresses of RAM
 * (0x3f…) or of code (0x40…). */
static bool is_pool(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                    uint32_t from, struct serin_delta_item *item)
{
    if (!walk->ended) {
        return false;
    }
    if ((from & 3u) != 0 && bytes[0] == 0) {
        plain(item, 1);
        return true;
    }
    if ((from & 3u) == 0 && size >= 4 && (bytes[3] == 0x3f || bytes[3] == 0x40)) {
        plain(item, 4);
        return true;
    }
    return false;
}

static void item_xtensa(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                        uint32_t from, uint32_t to, struct serin_delta_item *item)
{
    uint32_t operation = bytes[0] & 15u;
    uint32_t length = operation >= 8 && operation < 14 ? 2 : 3;
    if (from < walk->instruction) {
        uint32_t rest = walk->instruction - from;
        plain(item, rest < size ? rest : size);
    } else if (size < length) {
        plain(item, size);
    } else if (!is_pool(walk, bytes, size, from, item)) {
        instruction(walk, length, from, to, item);
    }
}

static bool is_store(uint32_t word)
{
    return (word & 0x7fu) == RISCV_STORE || (word & 0x7fu) == RISCV_STORE_FLOAT;
}

/* Whether an instruction takes the lower 12 bits of an address to its first register. */
static bool is_lower(uint32_t word)
{
    uint32_t operation = word & 0x7fu;
    return operation == RISCV_LOAD || operation == RISCV_LOAD_FLOAT || operation == RISCV_JALR ||
           is_store(word) || (operation == RISCV_IMMEDIATE && (word >> 12 & 7u) == 0);
}

static uint32_t lower_form(uint32_t word)
{
    return is_store(word) ? SERIN_DELTA_FORM_LOWER_STORE : SERIN_DELTA_FORM_LOWER;
}

/* The lower half of an address whose upper half is put into a register before `bytes`; 0 where none
 * is near. */
static uint32_t lower_ahead(const uint8_t *bytes, uint32_t size, uint32_t reg)
{
    for (uint32_t at = 0; at + 4 <= size;) {
        uint32_t word = serin_get_le32(bytes + at);
        if (is_lower(word) && register_rs1(word) == reg) {
            return serin_delta_form_get(lower_form(word), word, 0);
        }
        at += (word & 3u) == 3u ? 4 : 2;
    }
    return 0;
}

static void item_riscv(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                       uint32_t from, uint32_t to, struct serin_delta_item *item)
{
    if (from < walk->instruction || size < 4) {
        plain(item, 1);
        return;
    }
    uint32_t word = serin_get_le32(bytes);
    uint32_t operation = word & 0x7fu;
    if (operation == RISCV_AUIPC || operation == RISCV_LUI) {
        uint32_t value = (word & UPPER_MASK) + (operation == RISCV_AUIPC ? from : 0);
        item->kind = SERIN_DELTA_UPPER;
        predict_by_map(walk, item, value + lower_ahead(bytes + 4, size - 4, register_rd(word)), to);
    } else if (is_lower(word) && (walk->live >> register_rs1(word) & 1u) != 0) {
        item->kind = SERIN_DELTA_LOWER;
        item->form = lower_form(word);
        predict_by_map(walk, item,
                       serin_delta_form_get(item->form, word, walk->upper_old[register_rs1(word)]),
                       to);
    } else {
        instruction(walk, (word & 3u) == 3u ? 4 : 2, from, to, item);
        /* One that straddles two words may be data: the second one is, where it moves. */
        if (item->kind == SERIN_DELTA_PLAIN && item->size == 4 && (from & 3u) != 0 && size >= 6 &&
            serin_delta_map_add(&walk->absolute, serin_get_le32(bytes + 2)) != 0) {
            plain(item, 2);
        }
    }
}

/* Whether aligned bytes are rather an instruction than a word. */
static bool is_code(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size)
{
    if (walk->arch == SERIN_DELTA_ARCH_THUMB) {
        return is_branch(bytes) || (size >= 6 && is_branch(bytes + 2));
    }
    uint32_t operation = bytes[0] & 0x7fu;
    return walk->arch == SERIN_DELTA_ARCH_RISCV &&
           (operation == RISCV_LUI || operation == RISCV_AUIPC || operation == RISCV_JAL);
}

void serin_delta_walk_item(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                           uint32_t from, uint32_t to, struct serin_delta_item *item)
{
    memset(item, 0, sizeof *item);
    memcpy(item->old, bytes, size < SERIN_DELTA_ITEM_MAX ? size : SERIN_DELTA_ITEM_MAX);
    memcpy(item->predicted, item->old, sizeof item->predicted);
    item->size = 4;
    if ((from & 3u) == 0 && size >= 4 && !is_code(walk, bytes, size)) {
        uint32_t word = serin_get_le32(bytes);
        if (serin_delta_map_add(&walk->absolute, word) != 0) {
            item->kind = SERIN_DELTA_WORD;
            predict_by_map(walk, item, word, to);
            return;
        }
    }
    if (walk->arch == SERIN_DELTA_ARCH_THUMB) {
        item_thumb(walk, bytes, size, from, to, item);
    } else if (walk->arch == SERIN_DELTA_ARCH_XTENSA) {
        item_xtensa(walk, bytes, size, from, to, item);
    } else if (walk->arch == SERIN_DELTA_ARCH_RISCV) {
        item_riscv(walk, bytes, size, from, to, item);
    } else {
        uint32_t rest = 4 - (from & 3u);
        plain(item, rest < size ? rest : size);
    }
}

/* ---- what the walk remembers ---- */

/* Whether no way leads on from an instruction: J, RET, JX, RET.N. */
static bool ends(uint32_t word, uint32_t size)
{
    if (size == 2) {
        return word == 0xf00du;
    }
    return (word & 0x3fu) == 0x06u || word == 0x000080u || (word & 0xfff0ffu) == 0x0000a0u;
}

static void remember_upper(struct serin_delta_walk *walk, const struct serin_delta_item *item,
                           uint32_t from, uint32_t to, const uint8_t *bytes)
{
    uint32_t old = serin_get_le32(item->old);
    uint32_t reg = register_rd(old);
    uint32_t bit = 1u << reg;
    bool pc = serin_delta_walk_adds_pc(item);
    walk->upper_old[reg] = (old & UPPER_MASK) + (pc ? from : 0);
    walk->upper_new[reg] = (serin_get_le32(bytes) & UPPER_MASK) + (pc ? to : 0);
    walk->live |= bit;
    walk->from_pc = pc ? walk->from_pc | bit : walk->from_pc & ~bit;
}

void serin_delta_walk_done(struct serin_delta_walk *walk, const struct serin_delta_item *item,
                           uint32_t from, uint32_t to, const uint8_t *bytes)
{
    uint32_t end = from + item->size;
    walk->trail[0].end = end;
    if (end <= walk->instruction || item->kind == SERIN_DELTA_WORD) {
        walk->instruction = end > walk->instruction ? end : walk->instruction;
        return;
    }
    walk->instruction = end;
    uint32_t old = serin_delta_word_get(item->old, item->size);
    if (walk->arch == SERIN_DELTA_ARCH_XTENSA && (item->size == 2 || item->size == 3)) {
        walk->ended = ends(old, item->size);
    } else if (item->kind == SERIN_DELTA_UPPER) {
        remember_upper(walk, item, from, to, bytes);
    } else if (walk->arch == SERIN_DELTA_ARCH_RISCV && item->size == 4) {
        uint32_t operation = old & 0x7fu;
        if (operation == RISCV_LOAD || operation == RISCV_IMMEDIATE ||
            operation == RISCV_OPERATION) {
            walk->live &= ~(1u << register_rd(old));
        }
    }
}
