/*
 * The walk through an old image (docs/spec/delta.md, section 3): it cuts what is copied into items,
 * finds the items that refer to an address, and predicts how they read in the new image.
 *
 * Addresses of two kinds move by two maps: those that are told as a distance stand for offsets in
 * the image, and words stand for themselves. A map is a list of breakpoints: from `start` up to the
 * next one `add` is added, modulo 2^32; below the first one nothing moves. What refers to a place
 * near by needs no map, as the last copies tell how that moved.
 */
#ifndef SERIN_DELTA_WALK_H
#define SERIN_DELTA_WALK_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_DELTA_ITEM_MAX  4u
#define SERIN_DELTA_AHEAD     32u /* old bytes from an item on that its prediction may ask for */
#define SERIN_DELTA_REGISTERS 32u
#define SERIN_DELTA_TRAIL     8u

enum serin_delta_arch {
    SERIN_DELTA_ARCH_NONE,
    SERIN_DELTA_ARCH_THUMB,
    SERIN_DELTA_ARCH_XTENSA,
    SERIN_DELTA_ARCH_RISCV, /* RV32, with compressed instructions or without */
    SERIN_DELTA_ARCH_COUNT
};

struct serin_delta_break {
    uint32_t start, add;
};

struct serin_delta_map {
    const struct serin_delta_break *breaks; /* ascending */
    uint32_t count;
};

enum serin_delta_kind {
    SERIN_DELTA_PLAIN, /* no reference */
    SERIN_DELTA_WORD,  /* a word, aligned in the old image */
    SERIN_DELTA_FAR,   /* a call, a jump, or a load from a pool: by a distance */
    SERIN_DELTA_NEAR,  /* a branch or a load within a function: by a distance */
    SERIN_DELTA_UPPER, /* RISC-V: the upper 20 bits of an address, LUI or AUIPC */
    SERIN_DELTA_LOWER, /* RISC-V: the lower 12 bits of one */
    SERIN_DELTA_KIND_COUNT
};

struct serin_delta_item {
    enum serin_delta_kind kind;
    uint32_t form;       /* of FAR, NEAR and LOWER: the row of the table of forms */
    uint32_t size;       /* 1 to SERIN_DELTA_ITEM_MAX */
    uint32_t value, add; /* of a reference: what it stands for, how far that moves */
    bool moved;          /* `old` and `predicted` differ */
    uint8_t old[SERIN_DELTA_ITEM_MAX], predicted[SERIN_DELTA_ITEM_MAX];
};

/* What was copied: old offsets from `from` up to `end`, to `to`. */
struct serin_delta_trail {
    uint32_t from, end, to;
};

/* Where a walk is. All zero but `arch` and the maps: at the beginning. */
struct serin_delta_walk {
    enum serin_delta_arch arch;
    struct serin_delta_map relative, absolute; /* by distance; of words */
    bool ended; /* Xtensa: no way leads on from the last instruction, so data may follow */
    uint32_t instruction;                              /* old offset of the next one */
    struct serin_delta_trail trail[SERIN_DELTA_TRAIL]; /* the last copies, newest first */
    /* RISC-V: registers that hold an upper half, whether AUIPC made it, and the halves */
    uint32_t live, from_pc;
    uint32_t upper_old[SERIN_DELTA_REGISTERS], upper_new[SERIN_DELTA_REGISTERS];
};

/* How far the map moves `value`. */
uint32_t serin_delta_map_add(const struct serin_delta_map *map, uint32_t value);

/* Begins to copy from old offset `from` to new offset `to`. */
void serin_delta_walk_start(struct serin_delta_walk *walk, uint32_t from, uint32_t to);

/* The item at old offset `from`, copied to offset `to`. `bytes` are the old ones from there, `size`
 * of them: at least 1, and SERIN_DELTA_AHEAD unless the image ends before. */
void serin_delta_walk_item(const struct serin_delta_walk *walk, const uint8_t *bytes, uint32_t size,
                           uint32_t from, uint32_t to, struct serin_delta_item *item);

/* The bytes that refer to `value` at offset `to`, where the old ones are those of `item`, which is
 * not PLAIN. False: they cannot, and `bytes` is unspecified. */
bool serin_delta_walk_put(const struct serin_delta_walk *walk, const struct serin_delta_item *item,
                          uint32_t value, uint32_t to, uint8_t bytes[SERIN_DELTA_ITEM_MAX]);

/* Where the distance of an item at `at` counts from: its own place, or for a lower half what
 * `upper` says of its register. */
uint32_t serin_delta_walk_origin(const uint32_t upper[SERIN_DELTA_REGISTERS],
                                 const struct serin_delta_item *item, uint32_t at);

/* Whether the upper half of `item` is added to where it stands. */
bool serin_delta_walk_adds_pc(const struct serin_delta_item *item);

/* Whether a reference moves by the map of distances. */
bool serin_delta_walk_relative(const struct serin_delta_walk *walk,
                               const struct serin_delta_item *item);

/* The item at `from` was copied to `to`, and reads `bytes` there. */
void serin_delta_walk_done(struct serin_delta_walk *walk, const struct serin_delta_item *item,
                           uint32_t from, uint32_t to, const uint8_t *bytes);

#endif
