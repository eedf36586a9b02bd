/*
 * What a harness builds on: all faults of an operation are distinct, fire and can be replayed from
 * a line; snapshots bring back all of a flash; equal flashes have equal fingerprints.
 */
#include "check_main.h"

#include <serin/emulator/flash_emulator.h>

#include <stdlib.h>
#include <string.h>

#define SECTOR 512u
#define SIZE   8192u
#define ENOUGH 4096u /* faults of an operation of these tests */

static uint8_t data[SIZE];

static struct serin_flash_emulator *open_part(uint32_t unit, bool ecc, uint64_t seed)
{
    struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                 .sector_size = SECTOR,
                                                 .write_unit = unit,
                                                 .erased_value = 0xFF,
                                                 .ecc = ecc,
                                                 .seed = seed};
    struct serin_flash_emulator *emulator = NULL;
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 89u * 2u + 1u);
    }
    return emulator;
}

static enum serin_error program(struct serin_flash_emulator *emulator, uint32_t address,
                                const void *bytes, size_t size)
{
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    return flash->ops->program(flash->ctx, address, bytes, size);
}

static enum serin_error erase(struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    return flash->ops->erase(flash->ctx, address, size);
}

static enum serin_error read_at(struct serin_flash_emulator *emulator, uint32_t address, void *out,
                                size_t size)
{
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    return flash->ops->read(flash->ctx, address, out, size);
}

static struct serin_flash_figures figures(const struct serin_flash_emulator *emulator)
{
    struct serin_flash_figures now;
    serin_flash_emulator_figures(emulator, &now);
    return now;
}

static void take(const struct serin_flash_emulator *emulator,
                 struct serin_flash_snapshot **snapshot)
{
    ck_assert_int_eq(serin_flash_emulator_snapshot(emulator, snapshot), SERIN_OK);
}

/* ---- the faults of an operation ---- */

static enum serin_error run(struct serin_flash_emulator *emulator,
                            const struct serin_flash_operation *operation)
{
    return operation->kind == SERIN_FLASH_PROGRAM
               ? program(emulator, operation->address, data, operation->size)
               : erase(emulator, operation->address, operation->size);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Fires each fault of the operation, and returns how many different flashes that gave. */
static size_t fire_all(struct serin_flash_emulator *emulator,
                       const struct serin_flash_operation *operation, uint32_t seeds)
{
    static char lines[ENOUGH][SERIN_FLASH_FAULT_TEXT_MAX];
    static uint64_t prints[ENOUGH];
    struct serin_flash_snapshot *start;
    size_t different = 0;
    uint64_t count = serin_flash_fault_count(emulator, operation, seeds);
    ck_assert_uint_le(count, ENOUGH);
    take(emulator, &start);
    for (uint64_t i = 0; i < count; i++) {
        struct serin_flash_fault fault, parsed;
        serin_flash_fault_nth(emulator, operation, seeds, i, &fault);
        serin_flash_fault_print(&fault, lines[i]);
        ck_assert_int_eq(serin_flash_fault_parse(lines[i], &parsed), SERIN_OK);
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &parsed), SERIN_OK);
        ck_assert_int_eq(run(emulator, operation), SERIN_ERR_FLASH);
        ck_assert_uint_eq(figures(emulator).fired, 1);
        ck_assert_uint_eq(figures(emulator).breaches, 0);
        ck_assert_int_eq(serin_flash_emulator_is_off(emulator), serin_flash_fault_is_cut(&fault));
        prints[i] = serin_flash_emulator_fingerprint(emulator);
        size_t same = 0;
        while (prints[same] != prints[i]) {
            same++;
        }
        different += same == i;
        serin_flash_emulator_restore(emulator, start);
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    for (uint64_t i = 1; i < count; i++) {
        ck_assert_str_ne(lines[i - 1u], lines[i]);
    }
    serin_flash_snapshot_free(start);
    return different;
}

START_TEST(each_fault_of_a_program_is_one_of_its_own)
{
    struct serin_flash_emulator *emulator = open_part(8, false, 1);
    struct serin_flash_operation operation = {
        .kind = SERIN_FLASH_PROGRAM, .address = 64, .size = 32};
    /* 4 plain ones; 28 prefixes within a unit read in 5 ways, 4 at a unit in 5 with 3 results, 4
     * new units in 4; subsets: 4 places and the whole, 5 ways, 3 seeds. */
    uint64_t count = 4u + 28u * 5u + 4u * 5u * 3u + 4u * 4u + 4u * 5u * 3u + 5u * 3u;
    ck_assert_uint_eq(serin_flash_fault_count(emulator, &operation, 3), count);
    ck_assert_uint_eq(serin_flash_fault_count(emulator, &operation, 1), count - 2u * 25u);
    size_t different = fire_all(emulator, &operation, 3);
    /* Merged: AFTER with FAILS_DONE, BEFORE with FAILS and the torn unit 0 that is FINE. */
    ck_assert_uint_eq(different, count - 3u);
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(each_fault_of_an_ecc_word_is_one_of_its_own)
{
    struct serin_flash_emulator *emulator = open_part(8, true, 1);
    struct serin_flash_operation operation = {
        .kind = SERIN_FLASH_PROGRAM, .address = 64, .size = 32};
    /* Nobody can tell how far a word came that does not read. */
    uint64_t count = 4u + 4u * 5u * 3u + 4u + 4u * 4u + 1u;
    ck_assert_uint_eq(serin_flash_fault_count(emulator, &operation, 7), count);
    size_t different = fire_all(emulator, &operation, 1);
    ck_assert_uint_eq(different, count - 3u);
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(each_fault_of_an_erase_is_one_of_its_own)
{
    bool ecc = _i == 1;
    struct serin_flash_emulator *emulator = open_part(8, ecc, 1);
    struct serin_flash_operation operation = {
        .kind = SERIN_FLASH_ERASE, .address = SECTOR, .size = 3u * SECTOR, .number = 1};
    ck_assert_int_eq(program(emulator, 0, data, SIZE), SERIN_OK);
    /* 4 plain ones, 2 cuts between sectors; of each sector: old in 5 ways; erased and three halves
     * in 5 with 3 results; noise, and a mix with 3 results, in 5 with 2 seeds. */
    uint64_t count = 4u + 2u + 3u * (5u + 4u * 5u * 3u);
    count += ecc ? 3u : 3u * (5u * 2u + 5u * 3u * 2u);
    ck_assert_uint_eq(serin_flash_fault_count(emulator, &operation, 2), count);
    size_t different = fire_all(emulator, &operation, 2);
    /* Merged: BEFORE and FAILS with the old sector 0, AFTER and FAILS_DONE with the last sector
     * that is erased and FINE, each cut between sectors with both of these at its sector; and a mix
     * that is at rest where no unit of it reads erased. */
    ck_assert_uint_le(different, count - 8u);
    ck_assert_uint_ge(different, count - (ecc ? 8u : 20u));
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(a_replay_line_is_strict)
{
    static const struct serin_flash_fault fault = {.operation = 117,
                                                   .kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX,
                                                   .at = 12,
                                                   .torn = SERIN_FLASH_TORN_WEAK_READ,
                                                   .reads = 1,
                                                   .again = SERIN_FLASH_AGAIN_FINE,
                                                   .seed = 7};
    static const char *const wrong[] = {
        "",
        "operation=1",
        "kind=before operation=1",
        "operation=1 kind=before ",
        " operation=1 kind=before",
        "operation=1  kind=before",
        "operation=01 kind=before",
        "operation= kind=before",
        "operation=-1 kind=before",
        "operation=18446744073709551616 kind=before",
        "operation=1 kind=befor",
        "operation=1 kind=before at=1",
        "operation=1 kind=before seed=1",
        "operation=1 kind=before torn=unstable",
        "operation=1 kind=erase-old again=fine at=5",
        "operation=1 kind=erase-old at=0",
        "operation=1 kind=erase-old at=5 at=5",
        "operation=1 kind=erase-old at=4294967296",
        "operation=1 kind=erase-old torn=stable",
        "operation=1 kind=erase-old torn=weak-read",
        "operation=1 kind=erase-old torn=weak-read reads=256",
        "operation=1 kind=erase-old reads=1",
        "operation=1 kind=erase-old mask=1",
        "operation=1 kind=program-scatter at=1",
        "operation=1 kind=rot at=1",
        "operation=1 kind=rot at=1 mask=256",
        "operation=1 kind=erase-old again=unstableunstableunstableunstableunstable",
    };
    char text[SERIN_FLASH_FAULT_TEXT_MAX];
    struct serin_flash_fault parsed;
    serin_flash_fault_print(&fault, text);
    ck_assert_str_eq(text, "operation=117 kind=program-prefix at=12 torn=weak-read reads=1 "
                           "again=fine seed=7");
    ck_assert_int_eq(serin_flash_fault_parse(text, &parsed), SERIN_OK);
    ck_assert_uint_eq(parsed.operation, fault.operation);
    ck_assert_int_eq(parsed.kind, fault.kind);
    ck_assert_uint_eq(parsed.at, fault.at);
    ck_assert_int_eq(parsed.torn, fault.torn);
    ck_assert_uint_eq(parsed.reads, fault.reads);
    ck_assert_int_eq(parsed.again, fault.again);
    ck_assert_uint_eq(parsed.mask, 0);
    ck_assert_uint_eq(parsed.seed, fault.seed);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(serin_flash_fault_parse(wrong[i], &parsed) == SERIN_ERR_INVALID, "taken: %s",
                      wrong[i]);
        ck_assert_uint_eq(parsed.operation, 0);
    }
    /* The longest there is, and every byte that can stand after a line. */
    static const struct serin_flash_fault longest = {.operation = UINT64_MAX,
                                                     .kind = SERIN_FLASH_FAULT_ROT,
                                                     .at = UINT32_MAX,
                                                     .torn = SERIN_FLASH_TORN_WEAK_READ,
                                                     .reads = 255,
                                                     .again = SERIN_FLASH_AGAIN_UNSTABLE,
                                                     .mask = 255,
                                                     .seed = UINT64_MAX};
    serin_flash_fault_print(&longest, text);
    ck_assert_int_eq(serin_flash_fault_parse(text, &parsed), SERIN_OK);
    ck_assert_uint_eq(parsed.seed, UINT64_MAX);
    size_t length = strlen(text);
    for (int more = 1; more < 256; more++) {
        text[length] = (char)more;
        text[length + 1u] = '\0';
        ck_assert_int_eq(serin_flash_fault_parse(text, &parsed), SERIN_ERR_INVALID);
    }
}
END_TEST

/* ---- snapshots ---- */

static uint64_t state;

static uint32_t dice(uint32_t range)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * UINT64_C(2685821657736338717) >> 33) % range;
}

/* One step of any kind, faults and reads included. */
static void any_step(struct serin_flash_emulator *emulator)
{
    uint8_t back[64];
    uint32_t what = dice(10);
    if (serin_flash_emulator_is_off(emulator)) {
        serin_flash_emulator_power_on(emulator);
    } else if (what < 5u) {
        (void)program(emulator, dice(SIZE / 8u - 16u) * 8u, data + dice(99), 8u + dice(16) * 8u);
    } else if (what < 7u) {
        (void)erase(emulator, dice(SIZE / SECTOR - 2u) * SECTOR, SECTOR + dice(2) * SECTOR);
    } else if (what < 9u) {
        (void)read_at(emulator, dice(SIZE - 64u), back, 1u + dice(64));
    } else {
        struct serin_flash_operation operation = {
            .kind = dice(2) == 0 ? SERIN_FLASH_PROGRAM : SERIN_FLASH_ERASE,
            .size = SECTOR,
            .number = serin_flash_emulator_operations(emulator) + dice(3)};
        struct serin_flash_fault fault;
        uint64_t count = serin_flash_fault_count(emulator, &operation, 5);
        serin_flash_fault_nth(emulator, &operation, 5, dice((uint32_t)count), &fault);
        (void)!serin_flash_emulator_arm(emulator, &fault);
    }
}

struct seen {
    struct serin_flash_figures figures;
    uint64_t print;
    uint32_t wear[SIZE / SECTOR];
    uint8_t bytes[SIZE];
    bool off;
};

static void look(const struct serin_flash_emulator *emulator, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    serin_flash_emulator_figures(emulator, &seen->figures);
    seen->print = serin_flash_emulator_fingerprint(emulator);
    seen->off = serin_flash_emulator_is_off(emulator);
    serin_flash_emulator_peek(emulator, 0, seen->bytes, SIZE);
    for (uint32_t i = 0; i < SIZE / SECTOR; i++) {
        seen->wear[i] = serin_flash_emulator_wear(emulator, i * SECTOR);
    }
}

#define KEPT 12u

START_TEST(a_snapshot_brings_everything_back)
{
    static struct seen seen[KEPT], now;
    struct serin_flash_snapshot *kept[KEPT] = {NULL};
    struct serin_flash_emulator *emulator = open_part(_i == 2 ? 1 : 8, _i == 1, 5);
    uint32_t restored = 0;
    uint64_t fired = 0;
    state = (uint64_t)_i * 2u + 1u;
    for (uint32_t step = 0; step < 3000u; step++) {
        uint32_t which = dice(KEPT);
        uint64_t before = figures(emulator).fired;
        any_step(emulator);
        fired += figures(emulator).fired - before;
        if (dice(20) == 0) {
            serin_flash_snapshot_free(kept[which]);
            take(emulator, &kept[which]);
            look(emulator, &seen[which]);
        } else if (dice(20) == 0 && kept[which] != NULL) {
            serin_flash_emulator_restore(emulator, kept[which]);
            look(emulator, &now);
            ck_assert_mem_eq(&now, &seen[which], sizeof now);
            restored++;
        }
    }
    ck_assert_uint_gt(restored, 20);
    ck_assert_uint_gt(fired, 50);
    serin_flash_emulator_close(emulator); /* snapshots outlive it, */
    emulator = open_part(_i == 2 ? 1 : 8, _i == 1, 6);
    for (uint32_t i = 0; i < KEPT; i++) { /* and another of the same kind takes them over */
        serin_flash_emulator_restore(emulator, kept[i]);
        look(emulator, &now);
        ck_assert_mem_eq(&now, &seen[i], sizeof now);
        serin_flash_snapshot_free(kept[i]);
    }
    serin_flash_emulator_close(emulator);
    serin_flash_snapshot_free(NULL);
}
END_TEST

START_TEST(what_follows_a_snapshot_repeats_itself)
{
    static struct seen first, second;
    struct serin_flash_snapshot *start;
    struct serin_flash_emulator *emulator = open_part(8, false, 9);
    uint32_t different = 0;
    state = 77;
    for (uint32_t round = 0; round < 100u; round++) {
        for (uint32_t i = 0; i < 30u; i++) {
            any_step(emulator);
        }
        take(emulator, &start);
        uint64_t drawn = state;
        for (uint32_t again = 0; again < 2u; again++) { /* unstable reads and noise included */
            state = drawn;
            serin_flash_emulator_restore(emulator, start);
            for (uint32_t i = 0; i < 30u; i++) {
                any_step(emulator);
            }
            look(emulator, again == 0 ? &first : &second);
        }
        different += first.print != serin_flash_emulator_fingerprint(emulator);
        ck_assert_mem_eq(&first, &second, sizeof first);
        serin_flash_snapshot_free(start);
    }
    ck_assert_uint_eq(different, 0);
    serin_flash_emulator_close(emulator);
}
END_TEST

static void restore_on_another_part(void)
{
    struct serin_flash_emulator *one = open_part(8, false, 1), *other = open_part(16, false, 1);
    struct serin_flash_snapshot *snapshot;
    take(one, &snapshot);
    serin_flash_emulator_restore(other, snapshot);
}

START_TEST(a_history_begins_anew)
{
    struct serin_flash_operation operation;
    struct serin_flash_snapshot *snapshot;
    struct serin_flash_emulator *emulator = open_part(8, false, 1);
    ck_assert_int_eq(program(emulator, 0, data, 8), SERIN_OK);
    take(emulator, &snapshot);
    ck_assert_int_eq(program(emulator, 8, data, 8), SERIN_OK);
    serin_flash_emulator_restore(emulator, snapshot);
    ck_assert(!serin_flash_emulator_operation(emulator, 0, &operation));
    ck_assert(!serin_flash_emulator_operation(emulator, 1, &operation));
    ck_assert_int_eq(program(emulator, 16, data, 24), SERIN_OK);
    ck_assert(serin_flash_emulator_operation(emulator, 1, &operation));
    ck_assert_uint_eq(operation.address, 16);
    ck_assert_uint_eq(operation.size, 24);
    ck_assert_uint_eq(operation.number, 1);
    serin_flash_snapshot_free(snapshot);
    serin_flash_emulator_close(emulator);
    ck_assert(check_dies(restore_on_another_part));
}
END_TEST

/* ---- fingerprints ---- */

static uint64_t print_after(struct serin_flash_emulator *emulator,
                            const struct serin_flash_snapshot *start,
                            struct serin_flash_fault fault)
{
    serin_flash_emulator_restore(emulator, start);
    fault.operation = serin_flash_emulator_operations(emulator);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    if (fault.kind != SERIN_FLASH_FAULT_ROT) {
        ck_assert_int_eq(program(emulator, 0, data, 64), SERIN_ERR_FLASH);
    }
    return serin_flash_emulator_fingerprint(emulator);
}

START_TEST(a_fingerprint_tells_states_apart_and_nothing_else)
{
    struct serin_flash_emulator *emulator = open_part(16, false, 1);
    struct serin_flash_emulator *copy;
    uint64_t empty = serin_flash_emulator_fingerprint(emulator);
    ck_assert_int_eq(program(emulator, 4096, data, 64), SERIN_OK);
    uint64_t filled = serin_flash_emulator_fingerprint(emulator);
    ck_assert_uint_ne(filled, empty);
    ck_assert_int_eq(serin_flash_emulator_copy(&copy, emulator), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_fingerprint(copy), filled);
    ck_assert_int_eq(erase(emulator, 4096, SECTOR), SERIN_OK); /* wear and counters do not count, */
    ck_assert_uint_eq(serin_flash_emulator_fingerprint(emulator), empty); /* nor that it was used */
    ck_assert_int_eq(program(emulator, 4096, data, 32), SERIN_OK);
    ck_assert_uint_ne(serin_flash_emulator_fingerprint(emulator), filled);
    ck_assert_int_eq(program(emulator, 4096 + 32, data + 32, 32), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_fingerprint(emulator), filled);
    /* The same bytes elsewhere are another flash; so are erased bytes that were programmed. */
    ck_assert_int_eq(erase(copy, 4096, SECTOR), SERIN_OK);
    ck_assert_int_eq(program(copy, 5120, data, 64), SERIN_OK);
    ck_assert_uint_ne(serin_flash_emulator_fingerprint(copy), filled);
    ck_assert_int_eq(erase(copy, 5120, SECTOR), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_fingerprint(copy), empty);
    uint8_t blank[16];
    memset(blank, 0xFF, sizeof blank);
    ck_assert_int_eq(program(copy, 0, blank, 16), SERIN_OK);
    ck_assert_uint_ne(serin_flash_emulator_fingerprint(copy), empty);
    ck_assert_int_eq(program(emulator, 4096 + 128, blank, 16), SERIN_OK); /* nor beside others */
    ck_assert_uint_ne(serin_flash_emulator_fingerprint(emulator), filled);
    serin_flash_emulator_close(copy);
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(a_fingerprint_sees_how_units_are_torn)
{
    struct serin_flash_emulator *emulator = open_part(16, false, 1);
    struct serin_flash_snapshot *start;
    struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 16};
    uint64_t prints[8];
    take(emulator, &start);
    prints[0] = print_after(emulator, start, fault);
    fault.again = SERIN_FLASH_AGAIN_UNSTABLE;
    prints[1] = print_after(emulator, start, fault);
    fault.again = SERIN_FLASH_AGAIN_FINE;
    prints[2] = print_after(emulator, start, fault);
    fault.torn = SERIN_FLASH_TORN_UNSTABLE;
    prints[3] = print_after(emulator, start, fault);
    fault.torn = SERIN_FLASH_TORN_WEAK_READ;
    fault.reads = 1;
    prints[4] = print_after(emulator, start, fault);
    fault.reads = 2;
    prints[5] = print_after(emulator, start, fault);
    uint8_t back[16];
    serin_flash_emulator_power_on(emulator);
    ck_assert_int_eq(read_at(emulator, 16, back, 16), SERIN_OK);
    prints[6] = serin_flash_emulator_fingerprint(emulator); /* one read less is left */
    fault.reads = 2;
    fault.seed = 1; /* other bits will flip */
    prints[7] = print_after(emulator, start, fault);
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < i; k++) {
            if (!(i == 6 && k == 4)) {
                ck_assert_msg(prints[i] != prints[k], "%d is as %d", i, k);
            }
        }
    }
    ck_assert_uint_eq(prints[6], prints[4]);
    /* Where no bit moves, nothing is torn; and that power went changes nothing by itself. */
    memset(data, 0xFF, 64);
    fault = (struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX,
                                       .torn = SERIN_FLASH_TORN_UNSTABLE,
                                       .again = SERIN_FLASH_AGAIN_FINE};
    uint64_t unmoved = print_after(emulator, start, fault);
    fault = (struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_BEFORE};
    ck_assert_uint_eq(print_after(emulator, start, fault), unmoved);
    serin_flash_emulator_restore(emulator, start);
    ck_assert_uint_eq(serin_flash_emulator_fingerprint(emulator), unmoved);
    memset(data, 0x11, 64);
    /* Which bits are loose counts. */
    fault = (struct serin_flash_fault){
        .kind = SERIN_FLASH_FAULT_ROT, .torn = SERIN_FLASH_TORN_UNSTABLE, .mask = 1};
    uint64_t one = print_after(emulator, start, fault);
    fault.mask = 2;
    ck_assert_uint_ne(print_after(emulator, start, fault), one);
    /* What nobody can read does not count. */
    fault = (struct serin_flash_fault){
        .kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 17, .torn = SERIN_FLASH_TORN_FAULTING};
    uint64_t unreadable = print_after(emulator, start, fault);
    fault.at = 20;
    ck_assert_uint_eq(print_after(emulator, start, fault), unreadable);
    fault.torn = SERIN_FLASH_TORN_STABLE;
    ck_assert_uint_ne(print_after(emulator, start, fault), unreadable);
    serin_flash_snapshot_free(start);
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(an_erase_takes_every_trace_of_a_tear)
{
    static const enum serin_flash_torn torn[] = {SERIN_FLASH_TORN_STABLE, SERIN_FLASH_TORN_FAULTING,
                                                 SERIN_FLASH_TORN_UNSTABLE,
                                                 SERIN_FLASH_TORN_WEAK_POWER};
    struct serin_flash_emulator *emulator = open_part(16, false, 1);
    ck_assert_int_eq(program(emulator, SECTOR, data, 64), SERIN_OK); /* its neighbour stays, */
    if (_i == 1) {                                                   /* torn itself, or sound */
        struct serin_flash_fault fault = {.operation = 1,
                                          .kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                          .torn = SERIN_FLASH_TORN_FAULTING};
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
        ck_assert_int_eq(program(emulator, SECTOR + 64u, data, 64), SERIN_ERR_FLASH);
        serin_flash_emulator_power_on(emulator);
    }
    uint64_t clean = serin_flash_emulator_fingerprint(emulator);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_PROGRAM_SCATTER,
                                          .torn = torn[i],
                                          .again = SERIN_FLASH_AGAIN_UNSTABLE};
        for (int twice = 0; twice < 2; twice++) { /* torn units are torn once more */
            fault.operation = serin_flash_emulator_operations(emulator);
            ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
            ck_assert_int_eq(twice == 0 ? program(emulator, 0, data, 64)
                                        : erase(emulator, 0, SECTOR),
                             SERIN_ERR_FLASH);
            serin_flash_emulator_power_on(emulator);
            fault.kind = SERIN_FLASH_FAULT_ERASE_ERASED;
        }
        ck_assert_uint_ne(serin_flash_emulator_fingerprint(emulator), clean);
        ck_assert_int_eq(erase(emulator, 0, SECTOR), SERIN_OK);
        ck_assert_uint_eq(serin_flash_emulator_fingerprint(emulator), clean);
        ck_assert_int_eq(program(emulator, 0, data, 16), SERIN_OK);
        ck_assert_int_eq(erase(emulator, 0, SECTOR), SERIN_OK);
        ck_assert_uint_eq(serin_flash_emulator_fingerprint(emulator), clean);
    }
    serin_flash_emulator_close(emulator);
}
END_TEST

START_TEST(a_copy_has_power_and_the_same_wounds)
{
    struct serin_flash_emulator *emulator = open_part(16, false, 1), *copy;
    struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                      .torn = SERIN_FLASH_TORN_UNSTABLE};
    unsigned wrong = 0;
    uint8_t back[16];
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    ck_assert_int_eq(program(emulator, 0, data, 16), SERIN_ERR_FLASH);
    fault.operation = 5;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
    serin_flash_emulator_cut(emulator, 3, SERIN_CUT_BEFORE);
    ck_assert_int_eq(serin_flash_emulator_copy(&copy, emulator), SERIN_OK);
    ck_assert(serin_flash_emulator_is_off(emulator));
    ck_assert(!serin_flash_emulator_is_off(copy));
    ck_assert_uint_eq(figures(emulator).armed, 2);
    ck_assert_uint_eq(figures(copy).armed, 0);
    ck_assert_uint_eq(figures(copy).fired, 1);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(read_at(copy, 0, back, 16), SERIN_OK);
        wrong += memcmp(back, data, 16) != 0;
    }
    ck_assert_uint_gt(wrong, 10);
    serin_flash_emulator_close(copy);
    serin_flash_emulator_close(emulator);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_snapshots");
    TCase *tests = tcase_create("flash_snapshots");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, each_fault_of_a_program_is_one_of_its_own);
    tcase_add_test(tests, each_fault_of_an_ecc_word_is_one_of_its_own);
    tcase_add_loop_test(tests, each_fault_of_an_erase_is_one_of_its_own, 0, 2);
    tcase_add_test(tests, a_replay_line_is_strict);
    tcase_add_loop_test(tests, a_snapshot_brings_everything_back, 0, 3);
    tcase_add_test(tests, what_follows_a_snapshot_repeats_itself);
    tcase_add_test(tests, a_history_begins_anew);
    tcase_add_test(tests, a_fingerprint_tells_states_apart_and_nothing_else);
    tcase_add_test(tests, a_fingerprint_sees_how_units_are_torn);
    tcase_add_loop_test(tests, an_erase_takes_every_trace_of_a_tear, 0, 2);
    tcase_add_test(tests, a_copy_has_power_and_the_same_wounds);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
