/*
 * The bootloader's ports: images that are copied to where they run, cells that read differently
 * between two reads, and what is left when nothing boots.
 */
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"

#include <string.h>

#define IMAGE_SIZE 5000u

static struct bench bench;
static struct bench_release *v1;
static uint8_t ram[8192];
static struct serin_ram_loader ram_loader;
static struct serin_image_loader loader;

static void set_up(void)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, IMAGE_SIZE, BENCH_GOOD);
    bench_provision(&bench, v1);
    memset(ram, 0, sizeof(ram));
    ram_loader = (struct serin_ram_loader){.memory = ram, .size = sizeof(ram)};
    loader = (struct serin_image_loader){.ops = &serin_ram_loader_ops, .ctx = &ram_loader};
}

static void tear_down(void)
{
    bench_close(&bench);
    bench_release_free(v1);
}

static uint32_t image_address(enum serin_slot slot)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    return serin_slot_address(&bench.boot, slot, map.image_offset);
}

static enum serin_error select_boot(struct serin_boot_choice *choice)
{
    return serin_boot_select(&bench.boot, SERIN_RESET_POWER, choice);
}

/* ---- the proof ---- */

static void count_jump(void *ctx, const struct serin_boot_choice *choice)
{
    (void)choice;
    ++*(unsigned *)ctx;
}

static unsigned jumps(const struct serin_boot_choice *choice)
{
    unsigned count = 0;
    serin_boot_jump(choice, count_jump, &count);
    return count;
}

START_TEST(a_choice_is_started_as_it_was_proved_or_not_at_all)
{
    set_up();
    struct serin_boot_choice choice, changed;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert(serin_boot_proved_first(&choice));
    ck_assert(serin_boot_proved_second(&choice));
    ck_assert_uint_eq(jumps(&choice), 1);
    static const size_t bound[] = {
        offsetof(struct serin_boot_choice, slot),
        offsetof(struct serin_boot_choice, image_address),
        offsetof(struct serin_boot_choice, image_size),
        offsetof(struct serin_boot_choice, manifest.load_address),
        offsetof(struct serin_boot_choice, manifest.entry_address),
        offsetof(struct serin_boot_choice, manifest_id),
        offsetof(struct serin_boot_choice, manifest_id) + SERIN_SHA256_SIZE - 1,
        offsetof(struct serin_boot_choice, proof.first),
        offsetof(struct serin_boot_choice, proof.second),
    };
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(&changed, &choice, sizeof(changed));
            ((uint8_t *)&changed)[bound[i]] ^= (uint8_t)(1u << bit);
            ck_assert_msg(jumps(&changed) == 0, "field %zu, bit %u", i, bit);
        }
    }
    /* One half of a proof is none. */
    memcpy(&changed, &choice, sizeof(changed));
    changed.proof.second = 0;
    ck_assert(serin_boot_proved_first(&changed));
    ck_assert_uint_eq(jumps(&changed), 0);
    memcpy(&changed, &choice, sizeof(changed));
    changed.proof.first = 0;
    ck_assert(serin_boot_proved_second(&changed));
    ck_assert_uint_eq(jumps(&changed), 0);
    tear_down();
}
END_TEST

START_TEST(what_does_not_verify_leaves_no_proof)
{
    set_up();
    struct serin_boot_choice choice;
    memset(&choice, 0xa5, sizeof(choice));
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_A) + 17, 1);
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_B) + 4000, 1);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert(!serin_boot_proved_first(&choice));
    ck_assert(!serin_boot_proved_second(&choice));
    ck_assert_uint_eq(jumps(&choice), 0);
    tear_down();
}
END_TEST

/* ---- the loader port ---- */

START_TEST(an_image_runs_from_where_it_was_hashed)
{
    set_up();
    struct serin_boot_choice choice;
    bench.boot.loader = &loader;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_A);
    ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
    /* The other slot's takes its place where the first does not verify. */
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_A) + 4999, 0x80);
    memset(ram, 0, sizeof(ram));
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
    ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
    tear_down();
}
END_TEST

/* A trial is loaded like any other image, and its try is taken off after that. */
START_TEST(a_trial_is_loaded_too)
{
    set_up();
    struct bench_release *v2 = bench_release(2, 6000, BENCH_GOOD);
    struct serin_boot_choice choice;
    bench.boot.loader = &loader;
    bench_serve(&bench, v2);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 3000));
    ck_assert_mem_eq(ram, v2->image, 6000);
    ck_assert(bench.choice.trial);
    ck_assert(serin_boot_proved_first(&bench.choice));
    ck_assert(serin_boot_proved_second(&bench.choice));
    /* One that does not fit there is none that could run: the trial ends, the old one runs. */
    ram_loader.size = 5500;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert(!choice.trial);
    ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
    tear_down();
    bench_release_free(v2);
}
END_TEST

START_TEST(a_loader_refuses_what_it_cannot_place)
{
    set_up();
    struct serin_boot_choice choice;
    bench.boot.loader = &loader;
    ram_loader.size = IMAGE_SIZE - 1;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ram_loader.size = IMAGE_SIZE;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ram_loader.load_address = 0x20000000u; /* the manifest has none: it takes any */
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    struct serin_manifest manifest = v1->manifest;
    manifest.load_address = 0x20000004u;
    ck_assert_int_eq(loader.ops->begin(loader.ctx, &manifest), SERIN_ERR_UNSUPPORTED);
    manifest.load_address = 0x20000000u;
    ck_assert_int_eq(loader.ops->begin(loader.ctx, &manifest), SERIN_OK);
    /* Nothing reaches beyond the memory, whatever it is asked for. */
    uint8_t byte = 0;
    ck_assert_int_eq(loader.ops->write(loader.ctx, IMAGE_SIZE, &byte, 1), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(loader.ops->write(loader.ctx, UINT32_MAX, &byte, 1), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(loader.ops->read(loader.ctx, 1, ram, IMAGE_SIZE), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(loader.ops->write(loader.ctx, IMAGE_SIZE - 1, &byte, 1), SERIN_OK);
    tear_down();
}
END_TEST

/* Every op that fails, at every call, costs a proof; three of them leave the choice to the other
 * slot. */
#define PROOFS 3u
static unsigned fail_op, fail_at, fails, calls;

static enum serin_error maybe(unsigned op, enum serin_error error)
{
    bool fail = op == fail_op && ++calls >= fail_at && calls - fail_at < fails;
    return fail ? SERIN_ERR_IO : error;
}

static enum serin_error failing_begin(void *ctx, const struct serin_manifest *manifest)
{
    return maybe(0, serin_ram_loader_ops.begin(ctx, manifest));
}

static enum serin_error failing_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
    return maybe(1, serin_ram_loader_ops.write(ctx, offset, data, size));
}

static enum serin_error failing_end(void *ctx)
{
    return maybe(2, serin_ram_loader_ops.end(ctx));
}

static enum serin_error failing_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    return maybe(3, serin_ram_loader_ops.read(ctx, offset, out, size));
}

static const struct serin_image_loader_ops failing_ops = {
    .begin = failing_begin, .write = failing_write, .end = failing_end, .read = failing_read};

/* In place: an image that was linked for one slot does not run from the other. */
START_TEST(an_image_in_place_runs_where_it_was_linked_for)
{
    set_up();
    struct serin_boot_choice choice;
    v1->manifest.load_address = 0x08000000u + image_address(SERIN_SLOT_B);
    bench_release_seal(v1);
    bench_provision(&bench, v1);
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_A); /* nobody told where flash is */
    bench.boot.in_place_address = 0x08000000u;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_B);
    ck_assert_uint_eq(jumps(&choice), 1);
    bench.boot.in_place_address = 0x08001000u;
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    v1->manifest.load_address = 0; /* it runs anywhere */
    bench_release_seal(v1);
    bench_provision(&bench, v1);
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    tear_down();
}
END_TEST

static void fail_and_boot(void)
{
    struct serin_boot_choice choice;
    struct serin_boot_state state;
    calls = 0;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_msg(calls >= fail_at, "op %u did not fail at %u", fail_op, fail_at);
    ck_assert_msg((choice.slot != state.active) == (fails == PROOFS), "op %u at %u, %u times",
                  fail_op, fail_at, fails);
    ck_assert_uint_eq(jumps(&choice), 1);
    ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
}

START_TEST(a_loader_that_fails_costs_a_proof_and_three_the_slot)
{
    set_up();
    loader.ops = &failing_ops;
    bench.boot.loader = &loader;
    for (fail_op = 0; fail_op < 4; fail_op++) {
        /* Of reads there are twice as many as of writes: one hashing for each run. */
        unsigned last = fail_op == 1 ? 20 : fail_op == 3 ? 40 : 1;
        for (fail_at = 1; fail_at <= last; fail_at++) {
            for (fails = 1; fails <= PROOFS; fails++) {
                fail_and_boot();
            }
        }
    }
    tear_down();
}
END_TEST

/* Memory that changes after it was hashed once: the second run sees it. It changes in the reading
 * `spoil_at` of each of the first proofs, as many as `spoils` says. */
static unsigned spoil_at, spoils;

static enum serin_error spoiled_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    if (offset == 0 && ++calls % spoil_at == 0 && calls <= spoils * spoil_at) {
        ram[1234] ^= 1;
    }
    return serin_ram_loader_ops.read(ctx, offset, out, size);
}

START_TEST(a_copy_that_changes_between_the_runs_does_not_boot)
{
    set_up();
    struct serin_image_loader_ops ops = serin_ram_loader_ops;
    ops.read = spoiled_read;
    loader.ops = &ops;
    bench.boot.loader = &loader;
    for (spoil_at = 1; spoil_at <= 2; spoil_at++) {
        for (spoils = 1; spoils <= PROOFS; spoils++) {
            struct serin_boot_choice choice;
            struct serin_boot_state state;
            calls = 0;
            ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
            ck_assert_int_eq(select_boot(&choice), SERIN_OK);
            ck_assert_uint_eq(calls,
                              (uint64_t)spoils * spoil_at + 2u); /* it is copied anew each time */
            ck_assert((choice.slot != state.active) == (spoils == PROOFS));
            ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
        }
    }
    tear_down();
}
END_TEST

/* Places in both slots: one reading in several is right, and not one in three. */
#define LOOSE 6u

/* Lets bits of both images read now so, now so. The fault strikes at the next operation. */
static void loosen(uint64_t seed)
{
    static const enum serin_slot slots[] = {SERIN_SLOT_A, SERIN_SLOT_B};
    struct serin_flash_figures figures;
    serin_flash_emulator_figures(bench.emulator, &figures);
    for (size_t i = 0; i < LOOSE; i++) {
        struct serin_flash_fault fault = {.operation = figures.operations,
                                          .kind = SERIN_FLASH_FAULT_ROT,
                                          .at = image_address(slots[i % 2]) +
                                                (uint32_t)((seed + i * 97u) % 4999),
                                          .torn = SERIN_FLASH_TORN_UNSTABLE,
                                          .mask = 0x11,
                                          .seed = seed + i};
        ck_assert_int_eq(serin_flash_emulator_arm(bench.emulator, &fault), SERIN_OK);
    }
    ck_assert_int_eq(serin_boot_commit(&bench.boot, 1), SERIN_OK); /* an operation */
    serin_flash_emulator_figures(bench.emulator, &figures);
    ck_assert_uint_eq(figures.fired, LOOSE);
}

START_TEST(what_runs_is_what_was_verified_of_cells_that_read_now_so_now_so)
{
    unsigned booted = 0, refused = 0, other_later = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        set_up();
        bench.boot.loader = &loader;
        loosen(seed * 401);
        for (unsigned boot = 0; boot < 40; boot++) {
            struct serin_boot_choice choice;
            memset(ram, 0, sizeof(ram));
            if (select_boot(&choice) != SERIN_OK) {
                refused++;
                continue;
            }
            booted++;
            ck_assert_uint_eq(jumps(&choice), 1);
            ck_assert_mem_eq(ram, v1->image, IMAGE_SIZE);
            uint8_t image[IMAGE_SIZE];
            ck_assert_int_eq(bench.boot.flash->ops->read(bench.boot.flash->ctx,
                                                         choice.image_address, image, IMAGE_SIZE),
                             SERIN_OK);
            other_later += memcmp(image, ram, IMAGE_SIZE) != 0;
        }
        tear_down();
    }
    /* It booted, it did not, and what it booted from reads otherwise: or nothing was tried. */
    ck_assert_uint_gt(booted, 20);
    ck_assert_uint_gt(refused, 20);
    ck_assert_uint_gt(other_later, 20);
}
END_TEST

/* ---- the recovery port ---- */

static struct {
    struct serin_recovery_account account;
    unsigned calls;
    bool provisions;
    enum serin_error answer;
} recovery_seen;

static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account)
{
    ck_assert_ptr_eq(ctx, &recovery_seen);
    recovery_seen.account = *account;
    recovery_seen.calls++;
    if (recovery_seen.provisions) {
        bench_provision(&bench, v1);
    }
    return recovery_seen.answer;
}

static const struct serin_recovery_ops recovery_ops = {.nothing_boots = nothing_boots};
static const struct serin_recovery recovery = {.ops = &recovery_ops, .ctx = &recovery_seen};

static void set_up_recovery(enum serin_error answer)
{
    set_up();
    memset(&recovery_seen, 0, sizeof(recovery_seen));
    recovery_seen.answer = answer;
    bench.boot.recovery = &recovery;
}

START_TEST(recovery_is_told_why_nothing_boots)
{
    set_up_recovery(SERIN_ERR_NOT_FOUND);
    struct serin_boot_choice choice;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_uint_eq(recovery_seen.calls, 0); /* while anything boots it is not its business */
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_A), 4);
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_uint_eq(recovery_seen.calls, 0);
    ck_assert_int_eq(serin_slot_invalidate(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_WATCHDOG, &choice),
                     SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(recovery_seen.calls, 1);
    const struct serin_recovery_account *account = &recovery_seen.account;
    ck_assert_int_eq(account->cause, SERIN_RESET_WATCHDOG);
    ck_assert(!account->log_lost);
    ck_assert_int_eq(account->trust, SERIN_OK);
    ck_assert_int_eq(account->slots[0], SERIN_ERR_CRC);
    ck_assert_int_eq(account->slots[1], SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(account->floor, 1);
    ck_assert_uint_eq(jumps(&choice), 0);

    const struct serin_region *trust = &bench.layout.trust;
    ck_assert_int_eq(
        bench.boot.flash->ops->erase(bench.boot.flash->ctx, trust->address, trust->size), SERIN_OK);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(account->trust, SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(account->slots[0], SERIN_ERR_NOT_FOUND);
    const struct serin_region *log = &bench.layout.boot_log;
    ck_assert_int_eq(bench.boot.flash->ops->erase(bench.boot.flash->ctx, log->address, log->size),
                     SERIN_OK);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert(account->log_lost);
    ck_assert_uint_eq(recovery_seen.calls, 3);
    tear_down();
}
END_TEST

START_TEST(recovery_that_provisions_boots_at_once)
{
    set_up_recovery(SERIN_OK);
    struct serin_boot_choice choice;
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_A), 4);
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_B), 4);
    recovery_seen.provisions = true;
    ck_assert_int_eq(select_boot(&choice), SERIN_OK);
    ck_assert_uint_eq(recovery_seen.calls, 1);
    ck_assert_int_eq(choice.slot, SERIN_SLOT_A);
    ck_assert_uint_eq(jumps(&choice), 1);
    tear_down();
}
END_TEST

/* It says that all is well, and it is not: it is asked once. */
START_TEST(recovery_is_not_believed)
{
    set_up_recovery(SERIN_OK);
    struct serin_boot_choice choice;
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_A), 4);
    serin_flash_emulator_rot(bench.emulator, image_address(SERIN_SLOT_B), 4);
    ck_assert_int_eq(select_boot(&choice), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(recovery_seen.calls, 1);
    ck_assert_uint_eq(jumps(&choice), 0);
    tear_down();
}
END_TEST

/* ---- twins ---- */

/* The other signature of the trust record that stands there is no newer record. */
START_TEST(a_twin_of_the_trust_record_changes_nothing)
{
    static const uint8_t order_n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                        0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    set_up();
    const struct serin_flash *flash = bench.boot.flash;
    uint8_t before[2048], after[2048], record[SERIN_TRUST_SIZE_P256];
    struct serin_trust trust;
    ck_assert_int_eq(
        flash->ops->read(flash->ctx, bench.layout.trust.address, before, sizeof(before)), SERIN_OK);
    memcpy(record, before + 16, sizeof(record));
    unsigned borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        uint8_t *s = record + sizeof(record) - 32;
        unsigned taken = s[i] + borrow;
        borrow = order_n[i] < taken;
        s[i] = (uint8_t)(order_n[i] - taken);
    }
    ck_assert_int_eq(
        serin_trust_open(bench.boot.crypto, bench.boot.root_key, record, sizeof(record), &trust),
        SERIN_OK);
    ck_assert_int_eq(serin_trust_region_update(&bench.boot, record, sizeof(record)),
                     SERIN_ERR_STALE);
    ck_assert_int_eq(flash->ops->read(flash->ctx, bench.layout.trust.address, after, sizeof(after)),
                     SERIN_OK);
    ck_assert_mem_eq(before, after, sizeof(before));
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_choice_is_started_as_it_was_proved_or_not_at_all,
                                  what_does_not_verify_leaves_no_proof,
                                  an_image_runs_from_where_it_was_hashed,
                                  a_trial_is_loaded_too,
                                  a_loader_refuses_what_it_cannot_place,
                                  an_image_in_place_runs_where_it_was_linked_for,
                                  a_loader_that_fails_costs_a_proof_and_three_the_slot,
                                  a_copy_that_changes_between_the_runs_does_not_boot,
                                  what_runs_is_what_was_verified_of_cells_that_read_now_so_now_so,
                                  recovery_is_told_why_nothing_boots,
                                  recovery_that_provisions_boots_at_once,
                                  recovery_is_not_believed,
                                  a_twin_of_the_trust_record_changes_nothing,
                                  NULL};
    bench_open_keys();
    return check_run("boot ports", tests);
}
