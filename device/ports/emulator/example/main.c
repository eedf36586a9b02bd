/*
 * flash-emulator-example: the storage code of counter.c, cut at every operation in every way.
 * docs/emulator.md walks through it.
 *
 *   flash-emulator-example [UNIT [plain|ecc]]      all faults
 *   flash-emulator-example UNIT plain|ecc LINE     one fault, as a line that was printed
 *
 * Exit status: 0 all were survived; 1 one was not, or none was tried; 2 wrong use.
 */
#include "counter.h"

#include <serin/emulator/flash_emulator.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDS       9u
#define SECTOR     2048u
#define OPERATIONS 4u /* of a step, at most */

/* ---- the driver, on the emulator ---- */

static int hal_read(void *device, uint32_t address, void *out, uint32_t size)
{
    const struct serin_flash *flash = device;
    return flash->ops->read(flash->ctx, address, out, size) == SERIN_OK ? 0 : -1;
}

static int hal_write(void *device, uint32_t address, const void *data, uint32_t size)
{
    const struct serin_flash *flash = device;
    return flash->ops->program(flash->ctx, address, data, size) == SERIN_OK ? 0 : -1;
}

static int hal_erase_sector(void *device, uint32_t address)
{
    const struct serin_flash *flash = device;
    return flash->ops->erase(flash->ctx, address, SECTOR) == SERIN_OK ? 0 : -1;
}

struct bench {
    struct serin_flash_emulator *emulator;
    struct serin_flash flash;
    struct hal_flash hal;
};

static bool open_bench(struct bench *bench, uint32_t unit, bool ecc)
{
    const struct serin_flash_emulator_config config = {.size_bytes = 2u * SECTOR,
                                                       .sector_size = SECTOR,
                                                       .write_unit = unit,
                                                       .erased_value = 0xFF,
                                                       .ecc = ecc};
    if (unit > COUNTER_UNIT_MAX ||
        serin_flash_emulator_open(&bench->emulator, &config) != SERIN_OK) {
        return false;
    }
    bench->flash = *serin_flash_emulator_flash(bench->emulator);
    bench->hal = (struct hal_flash){.read = hal_read,
                                    .write = hal_write,
                                    .erase_sector = hal_erase_sector,
                                    .device = &bench->flash,
                                    .sector_size = SECTOR,
                                    .unit = unit < 16u ? 16u : unit};
    return true;
}

/* ---- a life ---- */

/* One step: the first opens the counter, the others add. */
static bool live(struct bench *bench, struct counter *counter, uint32_t step)
{
    return step == 0 ? counter_open(counter, &bench->hal) : counter_add(counter);
}

/* The power comes back in step `step`, and the counter must be what it was or one more. NULL: all
 * is well. */
static const char *recover(struct bench *bench, uint32_t step)
{
    struct counter counter;
    uint32_t before = step > 0 ? step - 1u : 0;
    for (int boots = 0; boots < 3; boots++) {
        serin_flash_emulator_power_off(bench->emulator);
        serin_flash_emulator_power_on(bench->emulator);
        if (!counter_open(&counter, &bench->hal)) {
            return "the counter does not open";
        }
        if (counter.value != before && (boots > 0 || counter.value != step)) {
            return "the counter holds another value";
        }
        before = counter.value; /* what was read once stands */
    }
    for (uint32_t i = 0; i < 2u * SECTOR / bench->hal.unit; i++) {
        if (!counter_add(&counter) || counter.value != before + i + 1u) {
            return "the counter does not go on";
        }
    }
    return serin_flash_emulator_breaches(bench->emulator) == 0
               ? NULL
               : serin_flash_emulator_breach(bench->emulator);
}

/* Lives step `step` with the fault, from where the uncut life stood before it. */
static const char *try_fault(struct bench *bench, const struct counter *before,
                             const struct serin_flash_fault *fault, uint32_t step)
{
    struct counter counter = *before;
    struct serin_flash_figures figures;
    if (serin_flash_emulator_arm(bench->emulator, fault) != SERIN_OK) {
        return "the fault cannot be set";
    }
    bool done = live(bench, &counter, step);
    serin_flash_emulator_figures(bench->emulator, &figures);
    if (done || figures.fired != 1u) {
        return "the fault did not fire"; /* a point that proves nothing is a failure */
    }
    return recover(bench, step);
}

struct sweep {
    const struct serin_flash_fault *only; /* NULL: all */
    uint64_t points, failures;
};

/* Where the uncut life stood before a step. */
struct start {
    const struct serin_flash_snapshot *flash;
    struct counter counter;
    uint32_t step;
};

static void try_point(struct bench *bench, const struct start *start,
                      const struct serin_flash_fault *fault, struct sweep *sweep)
{
    char line[SERIN_FLASH_FAULT_TEXT_MAX];
    serin_flash_emulator_restore(bench->emulator, start->flash);
    const char *verdict = try_fault(bench, &start->counter, fault, start->step);
    sweep->points++;
    if (verdict != NULL) {
        serin_flash_fault_print(fault, line);
        sweep->failures++;
        printf("%s: %s\n", line, verdict);
    }
}

/* Tries all faults of an operation, of random contents two of each kind. */
static void sweep_operation(struct bench *bench, const struct start *start,
                            const struct serin_flash_operation *operation, struct sweep *sweep)
{
    uint64_t count = serin_flash_fault_count(bench->emulator, operation, 2);
    for (uint64_t i = 0; i < count && sweep->only == NULL; i++) {
        struct serin_flash_fault fault;
        serin_flash_fault_nth(bench->emulator, operation, 2, i, &fault);
        try_point(bench, start, &fault, sweep);
    }
    if (sweep->only != NULL && sweep->only->operation == operation->number) {
        try_point(bench, start, sweep->only, sweep);
    }
}

/* The operations that the step of the uncut life turned out to have, which is over now. */
static void sweep_step(struct bench *bench, const struct start *start, struct sweep *sweep)
{
    struct serin_flash_operation operations[OPERATIONS];
    size_t used = 0;
    uint64_t n = serin_flash_emulator_operations(bench->emulator);
    /* The snapshot began the history anew, so that what is in it is of this step. */
    while (used < OPERATIONS && n > used &&
           serin_flash_emulator_operation(bench->emulator, n - used - 1u, &operations[used])) {
        used++;
    }
    for (size_t i = 0; i < used; i++) {
        sweep_operation(bench, start, &operations[i], sweep);
    }
}

static bool sweep_life(struct bench *bench, struct sweep *sweep)
{
    struct counter counter = {0};
    bool good = true;
    for (uint32_t step = 0; step <= ADDS && good; step++) {
        struct serin_flash_snapshot *before = NULL, *after = NULL;
        struct start start = {.counter = counter, .step = step};
        if (serin_flash_emulator_snapshot(bench->emulator, &before) != SERIN_OK) {
            return false;
        }
        serin_flash_emulator_restore(bench->emulator, before);
        start.flash = before;
        good = live(bench, &counter, step) &&
               serin_flash_emulator_snapshot(bench->emulator, &after) == SERIN_OK;
        if (good) {
            sweep_step(bench, &start, sweep);
            serin_flash_emulator_restore(bench->emulator, after);
        }
        serin_flash_snapshot_free(before);
        serin_flash_snapshot_free(after);
    }
    return good;
}

static const char help[] =
    "flash-emulator-example: storage code that knows nothing of Serin, cut at every operation\n"
    "\n"
    "  flash-emulator-example [UNIT [plain|ecc]]   all faults; each that is survived badly is "
    "printed\n"
    "  flash-emulator-example UNIT plain|ecc LINE  one fault, as a line that was printed\n"
    "\n"
    "  UNIT  bytes of a write unit: a power of two from 1 to 512 (8); ecc: units are ECC words\n";

static int wrong(const char *what, const char *word)
{
    fprintf(stderr, "flash-emulator-example: %s: '%s' (try --help)\n", what, word);
    return 2;
}

int main(int count_of_words, char **words)
{
    struct serin_flash_fault only;
    struct sweep sweep = {0};
    struct bench bench = {0};
    const char *unit_word = count_of_words > 1 ? words[1] : "8";
    const char *sort = count_of_words > 2 ? words[2] : "plain";
    if (strcmp(unit_word, "--help") == 0 || strcmp(unit_word, "-h") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(sort, "plain") != 0 && strcmp(sort, "ecc") != 0) {
        return wrong("neither plain nor ecc", sort);
    }
    if (count_of_words > 4) {
        return wrong("one word too many", words[4]);
    }
    if (count_of_words > 3) {
        if (serin_flash_fault_parse(words[3], &only) != SERIN_OK) {
            return wrong("this is no replay line", words[3]);
        }
        sweep.only = &only;
    }
    char *end = NULL;
    unsigned long unit = strtoul(unit_word, &end, 10);
    bool ecc = strcmp(sort, "ecc") == 0;
    if (*end != '\0' || unit > COUNTER_UNIT_MAX || !open_bench(&bench, (uint32_t)unit, ecc)) {
        return wrong("there is no flash with such a write unit", unit_word);
    }
    bool lived = sweep_life(&bench, &sweep);
    serin_flash_emulator_close(bench.emulator);
    printf("unit %lu%s: %" PRIu64 " fault%s, %" PRIu64 " survived badly\n", unit,
           ecc ? " with ECC" : "", sweep.points, sweep.points == 1 ? "" : "s", sweep.failures);
    if (lived && sweep.only != NULL && sweep.points == 0) {
        return wrong("the life has no such operation", words[3]);
    }
    return lived && sweep.points > 0 && sweep.failures == 0 ? 0 : 1;
}
