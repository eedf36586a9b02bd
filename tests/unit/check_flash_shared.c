/*
 * Snapshots serve several threads at once, each with an emulator of its own: what follows is the
 * same as in one thread. ThreadSanitizer sees what luck would hide.
 */
#include "check_main.h"

#include <serin/emulator/flash_emulator.h>

#include <pthread.h>
#include <string.h>

#define SNAPSHOTS 16u
#define THREADS   4u
#define ROUNDS    1500u

static const struct serin_flash_emulator_config config = {
    .size_bytes = 65536, .sector_size = 1024, .write_unit = 8, .erased_value = 0xFF};
static struct serin_flash_snapshot *snapshots[SNAPSHOTS];
static uint8_t data[512];

struct worker {
    pthread_t thread;
    uint64_t seed;
    uint64_t print; /* of all that it saw */
};

static uint32_t dice(uint64_t *state, uint64_t range)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(2685821657736338717) >> 33) % range);
}

/* Restores, tears, reads and erases; a failure leaves another print than it should. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct serin_flash_emulator *emulator;
    uint8_t back[512];
    uint64_t state = worker->seed;
    if (serin_flash_emulator_open(&emulator, &config) != SERIN_OK) {
        return NULL;
    }
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct serin_flash_operation operation = {
            .kind = SERIN_FLASH_PROGRAM, .address = 40960, .size = 512};
        struct serin_flash_fault fault;
        serin_flash_emulator_restore(emulator, snapshots[dice(&state, SNAPSHOTS)]);
        operation.number = serin_flash_emulator_operations(emulator);
        uint64_t count = serin_flash_fault_count(emulator, &operation, 1);
        serin_flash_fault_nth(emulator, &operation, 1, dice(&state, count), &fault);
        (void)!serin_flash_emulator_arm(emulator, &fault);
        (void)!flash->ops->program(flash->ctx, operation.address, data, operation.size);
        serin_flash_emulator_power_on(emulator);
        (void)!flash->ops->read(flash->ctx, operation.address, back, sizeof back);
        (void)!flash->ops->erase(flash->ctx, dice(&state, SNAPSHOTS) * 1024u, 2048);
        worker->print = worker->print * 31u + serin_flash_emulator_fingerprint(emulator);
    }
    serin_flash_emulator_close(emulator);
    return NULL;
}

static void take_snapshots(void)
{
    struct serin_flash_emulator *emulator;
    memset(data, 0x5A, sizeof data);
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        ck_assert_int_eq(flash->ops->program(flash->ctx, i * 1024u, data, sizeof data), SERIN_OK);
        ck_assert_int_eq(serin_flash_emulator_snapshot(emulator, &snapshots[i]), SERIN_OK);
    }
    serin_flash_emulator_close(emulator);
}

START_TEST(snapshots_serve_several_threads)
{
    struct worker workers[THREADS], alone[THREADS];
    take_snapshots();
    for (uint64_t i = 0; i < THREADS; i++) {
        alone[i] = (struct worker){.seed = i + 1u};
        workers[i] = alone[i];
        (void)work(&alone[i]);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_uint_ne(workers[i].print, 0);
        ck_assert_uint_eq(workers[i].print, alone[i].print);
        ck_assert(i == 0 || workers[i].print != workers[0].print);
    }
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        serin_flash_snapshot_free(snapshots[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const list[] = {snapshots_serve_several_threads, NULL};
    return check_run("flash shared", list);
}
