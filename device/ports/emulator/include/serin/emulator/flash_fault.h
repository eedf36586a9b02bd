/*
 * Faults of flash as values: each can be named, enumerated, printed and parsed, and none is drawn.
 *
 * A fault belongs to one operation (a program or an erase) and says where in it the power goes,
 * what the cells that were at work hold, how they read from then on, and what becomes of them when
 * software that takes them for erased programs them. Random contents come from the fault's own
 * seed: the same fault on the same flash leaves the same bytes.
 *
 *   life once, uncut ──► operations 0..n-1 (serin_flash_emulator_operation)
 *   for each operation, for each index < serin_flash_fault_count:
 *       serin_flash_fault_nth ──► fault ──► serin_flash_emulator_arm ──► life again
 *       serin_flash_emulator_figures: `fired` must have gone up, else the point proved nothing
 *
 * docs/emulator.md is the guide.
 */
#ifndef SERIN_EMULATOR_FLASH_FAULT_H
#define SERIN_EMULATOR_FLASH_FAULT_H

#include <serin/device/flash.h>

struct serin_flash_emulator; /* flash_emulator.h */

enum serin_flash_operation_kind { SERIN_FLASH_PROGRAM = 1, SERIN_FLASH_ERASE = 2 };

struct serin_flash_operation {
    enum serin_flash_operation_kind kind;
    uint32_t address;
    uint32_t size;
    uint64_t number; /* 0 is the first since the flash was opened */
};

/*
 * Kinds. `at` is a byte of the operation, counted from its start; "old" is what a byte held before.
 *
 *   BEFORE           the power goes before anything has changed
 *   AFTER            all is done, but nobody is told
 *   INSIDE           a tear drawn from the emulator's own seed: a byte prefix and one byte that is
 *                    half done, or some sectors erased and one a mix of old, erased and noise
 *   PROGRAM_PREFIX   bytes before `at` (0 .. size) are new, all others old; the unit of byte `at`
 *                    is torn (with `at` = size: the last one, which is new throughout)
 *   PROGRAM_NEW      all units up to that of byte `at` are new, and that one is torn
 *   PROGRAM_SUBSET   bytes before `at` are new; of those from `at` to the end of the torn unit, a
 *                    random subset of the bits that should have moved has moved
 *   PROGRAM_SCATTER  the same over the whole program, all units of which are torn (`at` is 0)
 *   ERASE_PART       sectors before `at` are erased, the others old; none is torn
 *   ERASE_OLD        ... and the sector of byte `at` is torn, and holds its old bytes
 *   ERASE_ERASED     ... and it holds erased bytes
 *   ERASE_HALF       ... and its bytes before `at` are erased, those from `at` on old
 *   ERASE_GARBAGE    ... and it holds noise
 *   ERASE_MIX        ... and each byte of it is old, erased or noise
 *   FAILS            the operation reports a failure and changed nothing; the power stays
 *   FAILS_DONE       the operation reports a failure, but all of it was done; the power stays
 *   ROT              no cut: as soon as `operation` operations are done (at once, where they are),
 *                    the bits of `mask` in the byte at *address* `at` flip (torn = STABLE), or are
 *                    as `torn` says: loose, weak, or their unit cannot be read
 */
enum serin_flash_fault_kind {
    SERIN_FLASH_FAULT_NONE,
    SERIN_FLASH_FAULT_BEFORE,
    SERIN_FLASH_FAULT_AFTER,
    SERIN_FLASH_FAULT_INSIDE,
    SERIN_FLASH_FAULT_PROGRAM_PREFIX,
    SERIN_FLASH_FAULT_PROGRAM_NEW,
    SERIN_FLASH_FAULT_PROGRAM_SUBSET,
    SERIN_FLASH_FAULT_PROGRAM_SCATTER,
    SERIN_FLASH_FAULT_ERASE_PART,
    SERIN_FLASH_FAULT_ERASE_OLD,
    SERIN_FLASH_FAULT_ERASE_ERASED,
    SERIN_FLASH_FAULT_ERASE_HALF,
    SERIN_FLASH_FAULT_ERASE_GARBAGE,
    SERIN_FLASH_FAULT_ERASE_MIX,
    SERIN_FLASH_FAULT_FAILS,
    SERIN_FLASH_FAULT_FAILS_DONE,
    SERIN_FLASH_FAULT_ROT
};
#define SERIN_FLASH_FAULT_KIND_COUNT 17u

/*
 * How a torn unit reads until its sector is erased. Its *loose* bits are those that were at work:
 * of a program the bits that it moves, of an erase those that were or are not erased, of ROT those
 * of the mask. Where there are none, it is STABLE.
 *
 * On a part with ECC words no read ever gives wrong bits: a unit that holds neither its old nor its
 * new bytes whole is FAULTING whatever is asked for, an UNSTABLE one gives what it holds or
 * fails, a WEAK one fails once it has flipped.
 */
enum serin_flash_torn {
    SERIN_FLASH_TORN_STABLE,    /* what it holds, always */
    SERIN_FLASH_TORN_FAULTING,  /* SERIN_ERR_FLASH, always */
    SERIN_FLASH_TORN_UNSTABLE,  /* now what it holds, now with some loose bits wrong */
    SERIN_FLASH_TORN_WEAK_READ, /* what it holds `reads` times; then loose bits flip for good */
    SERIN_FLASH_TORN_WEAK_POWER /* the same until the power has come a second time; ROT: once */
};
#define SERIN_FLASH_TORN_COUNT 5u

/*
 * What becomes of a torn unit that reads as erased (UNSTABLE: that holds erased bytes, or gave them
 * when it was last read) when it is programmed before it was erased. Software cannot know, so it is
 * no breach of the rules; code that must not fail keeps away from places whose neighbourhood may
 * have been cut, or reads back what it wrote and moves on.
 */
enum serin_flash_again {
    SERIN_FLASH_AGAIN_REFUSED,  /* the program fails and changes nothing; counted as `refused` */
    SERIN_FLASH_AGAIN_UNSTABLE, /* it reports success; the unit is UNSTABLE, moved bits loose */
    SERIN_FLASH_AGAIN_FINE      /* as if it had been erased */
};
#define SERIN_FLASH_AGAIN_COUNT 3u

struct serin_flash_fault {
    uint64_t operation; /* number of the operation, 0 is the first since the flash was opened */
    enum serin_flash_fault_kind kind;
    uint32_t at; /* PROGRAM_*, ERASE_*: a byte of the operation; ROT: an address; else 0 */
    enum serin_flash_torn torn;
    uint32_t reads; /* WEAK_READ: 1 .. 255, reads that touch the unit; else 0 */
    enum serin_flash_again again;
    uint8_t mask;  /* ROT: its bits; else 0 */
    uint64_t seed; /* of random contents and of loose bits */
};

/* How many faults `operation` has on this flash: all places, contents, ways to read and results of
 * a second program that its geometry (write unit, ECC, sectors) tells apart, of random contents
 * `seeds` each (≥ 1). INSIDE and ROT are not among them. The flash's content does not count. */
uint64_t serin_flash_fault_count(const struct serin_flash_emulator *emulator,
                                 const struct serin_flash_operation *operation, uint32_t seeds);
/* Fault `index` of them, below serin_flash_fault_count with the same arguments; seeds of random
 * contents are 1 .. `seeds`. No two are equal. */
void serin_flash_fault_nth(const struct serin_flash_emulator *emulator,
                           const struct serin_flash_operation *operation, uint32_t seeds,
                           uint64_t index, struct serin_flash_fault *fault);
/* Whether the power goes when it fires: all but FAILS, FAILS_DONE and ROT. */
bool serin_flash_fault_is_cut(const struct serin_flash_fault *fault);

/* The name of a kind, as it is printed; in static storage. */
const char *serin_flash_fault_name(enum serin_flash_fault_kind kind);

/*
 * The replay line: operation, kind, at, torn, reads, again, mask, seed, in this order, with single
 * spaces between them; all but the first two are left out where they are 0, stable or refused.
 * Numbers are decimal. Kinds are named as above, in small letters and with dashes.
 *
 *   operation=117 kind=program-prefix at=12 torn=weak-read reads=1 again=fine seed=7
 */
#define SERIN_FLASH_FAULT_TEXT_MAX 192u

/* Prints the line with a NUL into SERIN_FLASH_FAULT_TEXT_MAX bytes. */
void serin_flash_fault_print(const struct serin_flash_fault *fault, char *text);
/* Parses a line: `text` ends after it. SERIN_ERR_INVALID: not such a line (unknown, repeated or
 * misplaced words, numbers out of range, another kind's fields); `*fault` is then all zero. */
SERIN_MUST_USE enum serin_error serin_flash_fault_parse(const char *text,
                                                        struct serin_flash_fault *fault);

#endif
