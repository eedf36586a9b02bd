/*
 * A device whose flash holds anything at all in one of its regions (SERIN_FUZZ_KIND: boot_log,
 * trust_bank, slot, journal, download, agent_record): nothing boots that does not verify, what
 * booted once boots again, and an honest server brings the device the release in the end where its
 * account and its logs are whole.
 *
 * An input begins with two bytes: a moment in the life of the device, and the reset's cause with
 * the bootloader's floor. Patches of the region follow, so that an input need not know keys:
 *
 *   0 offset(2) size(1) bytes      these bits flip
 *   1 offset(2) size(1) bytes      the bytes become these
 *   2 from(2) size(2) to(2)        their CRC-32 is written to `to`, little-endian
 *   3 from(2) size(1) to(2)        they are copied
 *   4 offset(2) size(2)            they become erased
 *   5 from(2) size(2) to(2)        as 2, but the last CRC goes on over these bytes
 */
#include "fuzz.h"

#include "device_bench.h"
#include "slot.h"

#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

#define PATCHES_MAX 64u
#define ATTEMPTS                                                                    \
    3u /* of an honest server; the last of them must do where nothing else is wrong \
        */
#define STEPS_MAX 3000u

enum moment { FRESH, DOWNLOADING, STAGED, TRIAL, CONFIRMED, MIRRORED, MOMENTS };

struct known_device {
    struct bench bench;
    struct serin_flash_snapshot *flash;
};

static struct known_device devices[MOMENTS];
static struct bench_release *v1, *v2;
static uint8_t directives[ATTEMPTS][SERIN_DIRECTIVE_MAX];
static size_t directive_sizes[ATTEMPTS];
static struct bench bench;

/* ---- the devices ---- */

static void publish(uint32_t attempt, bool commit)
{
    struct serin_directive directive =
        commit ? bench_directive(&bench, v2, NULL) : bench_directive(&bench, v1, v2);
    directive.stable.flags = commit ? SERIN_RELEASE_COMMIT : 0;
    directive.candidate.attempt = commit ? 0 : attempt;
    bench_publish(&bench, &directive);
}

static void bring_to(enum moment moment)
{
    static const enum serin_state states[MOMENTS] = {
        [DOWNLOADING] = SERIN_STATE_DOWNLOADING,
        [STAGED] = SERIN_STATE_STAGED,
        [TRIAL] = SERIN_STATE_TRIAL,
        [CONFIRMED] = SERIN_STATE_CONFIRMED,
        [MIRRORED] = SERIN_STATE_CONFIRMED,
    };
    bench_open(&bench, &bench_small);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    if (moment != FRESH) {
        publish(1, false);
        SERIN_ASSERT(bench_run_to(&bench, states[moment], STEPS_MAX));
    }
    while (moment == DOWNLOADING && bench.image_blocks < 6) {
        SERIN_ASSERT(bench_step(&bench, UINT64_MAX));
    }
    if (moment == STAGED) {
        struct serin_boot_state state;
        SERIN_ASSERT(serin_boot_read(&bench.boot, &state) == SERIN_OK);
        SERIN_ASSERT(state.phase != SERIN_BOOT_STEADY ||
                     serin_boot_stage(&bench.boot, SERIN_SLOT_B) == SERIN_OK);
    }
    if (moment == MIRRORED) {
        publish(0, true);
        bench_run_for(&bench, 60000);
        SERIN_ASSERT(bench.beat.redundancy == SERIN_REDUNDANCY_MIRRORED);
    }
    bench_online(&bench, false); /* leaves no message behind */
    bench.online = true;
}

static void open_devices(void)
{
    bench_open_keys();
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_GOOD);
    for (int moment = 0; moment < MOMENTS; moment++) {
        bring_to((enum moment)moment);
        devices[moment].bench = bench;
        SERIN_ASSERT(serin_flash_emulator_snapshot(bench.emulator, &devices[moment].flash) ==
                     SERIN_OK);
    }
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        struct serin_directive directive = bench_directive(&bench, v1, v2);
        directive.order.sequence = 1000 + i;
        directive.candidate.attempt = 100 + i;
        directive_sizes[i] = bench_seal(&directive, TEST_DIRECTOR, directives[i]);
    }
}

/* ---- the input ---- */

struct input {
    const uint8_t *data;
    size_t left;
    uint32_t crc; /* the last that was written */
};

static uint32_t take(struct input *input, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size && input->left > 0; i++) {
        value = value << 8 | *input->data++;
        input->left--;
    }
    return value;
}

/* The part of flash that the kind is about. */
static struct serin_region region_of(const char *kind)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    uint32_t slot = bench.layout.slot[1].address;
    struct serin_region journal = {slot + map.journal_offset, map.journal_size};
    return strcmp(kind, "boot_log") == 0     ? bench.layout.boot_log
           : strcmp(kind, "trust_bank") == 0 ? bench.layout.trust
           : strcmp(kind, "slot") == 0       ? bench.layout.slot[1]
           : strcmp(kind, "journal") == 0    ? journal
           : strcmp(kind, "download") == 0   ? bench.layout.scratch
                                             : bench.layout.agent_log;
}

static void peek(const struct serin_region *region, uint32_t offset, uint8_t *out, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        serin_flash_emulator_peek(bench.emulator, region->address + (offset + i) % region->size,
                                  out + i, 1);
    }
}

static void flip(const struct serin_region *region, uint32_t offset, uint8_t mask)
{
    if (mask != 0) {
        serin_flash_emulator_rot(bench.emulator, region->address + offset % region->size, mask);
    }
}

static void set(const struct serin_region *region, uint32_t offset, uint8_t value)
{
    uint8_t now;
    peek(region, offset, &now, 1);
    flip(region, offset, now ^ value);
}

static void patch(struct input *input, const struct serin_region *region)
{
    static uint8_t bytes[UINT16_MAX + 1];
    uint32_t what = take(input, 1) % 6;
    bool sums = what == 2 || what == 5;
    uint32_t offset = take(input, 2);
    uint32_t size = take(input, sums || what == 4 ? 2 : 1);
    uint32_t to = sums || what == 3 ? take(input, 2) : offset;
    size = size < region->size ? size : region->size;
    if (what >= 2) {
        peek(region, offset, bytes, size);
    }
    if (sums) {
        input->crc = serin_crc32(what == 5 ? input->crc : 0, bytes, size);
        serin_put_le32(bytes, input->crc);
        size = 4;
    }
    for (uint32_t i = 0; i < size; i++) {
        if (what == 0) {
            flip(region, offset + i, (uint8_t)take(input, 1));
        } else {
            uint32_t value = what == 1   ? take(input, 1)
                             : what == 4 ? bench.boot.flash->erased_value
                                         : bytes[i];
            set(region, to + i, (uint8_t)value);
        }
    }
}

/* ---- what must hold ---- */

static const struct bench_release *release_named(const uint8_t *id)
{
    const struct bench_release *found = memcmp(id, v1->id, SERIN_SHA256_SIZE) == 0   ? v1
                                        : memcmp(id, v2->id, SERIN_SHA256_SIZE) == 0 ? v2
                                                                                     : NULL;
    SERIN_ASSERT(found != NULL);
    return found;
}

/* What is chosen is a release, byte for byte, and may run. */
static void judge_choice(const struct serin_boot_choice *choice)
{
    static uint8_t image[16384];
    const struct bench_release *release = release_named(choice->manifest_id);
    uint32_t size = release->manifest.image_size_bytes;
    SERIN_ASSERT(choice->image_size == size && size <= sizeof image);
    serin_flash_emulator_peek(bench.emulator, choice->image_address, image, size);
    SERIN_ASSERT(memcmp(image, release->image, size) == 0);
    SERIN_ASSERT(release->manifest.security_counter >= bench.boot.floor_constant);
}

/* The bootloader twice. False: nothing boots. */
static bool boots(enum serin_reset_cause cause)
{
    struct serin_boot_choice choice;
    struct serin_boot_state before, after;
    if (serin_boot_select(&bench.boot, cause, &choice) != SERIN_OK) {
        return false;
    }
    judge_choice(&choice);
    SERIN_ASSERT(serin_boot_read(&bench.boot, &before) == SERIN_OK);
    SERIN_ASSERT(choice.trial == (before.phase == SERIN_BOOT_TRIAL));
    SERIN_ASSERT(serin_boot_select(&bench.boot, cause, &choice) == SERIN_OK);
    judge_choice(&choice);
    SERIN_ASSERT(serin_boot_read(&bench.boot, &after) == SERIN_OK);
    SERIN_ASSERT(!choice.trial || after.tries_left < before.tries_left);
    SERIN_ASSERT(after.floor >= before.floor && after.sequence != before.sequence);
    return true;
}

/* The agent, and a server that offers v2 again and again. */
static bool arrives(void)
{
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        bench_publish_raw(&bench, false, directives[i], directive_sizes[i]);
        for (unsigned step = 0; step < STEPS_MAX; step++) {
            if (bench_running(&bench) == 2 && bench.agent.confirmed) {
                return true;
            }
            if (!bench_step(&bench, bench.now_ms + 3600 * 1000) ||
                bench_state(&bench) == SERIN_STATE_FAILED) {
                break;
            }
        }
    }
    return false;
}

static bool is(const char *kind)
{
    return strcmp(SERIN_FUZZ_KIND, kind) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .left = size};
    if (v1 == NULL) {
        open_devices();
    }
    const struct known_device *device = &devices[take(&input, 1) % MOMENTS];
    uint32_t start = take(&input, 1);
    enum serin_reset_cause cause = (enum serin_reset_cause)(start % (SERIN_RESET_CRASH + 1));
    bench = device->bench;
    bench_seed();
    serin_flash_emulator_restore(bench.emulator, device->flash);
    const struct serin_region region = region_of(SERIN_FUZZ_KIND);
    if (region.size == 0) {
        abort();
    }
    for (unsigned i = 0; i < PATCHES_MAX && input.left > 0; i++) {
        patch(&input, &region);
    }
    bench.boot.floor_constant = (start >> 4) % 3u; /* 2: v1 may not run */
    if (!boots(cause)) {
        /* Two slots, two logs, and a trust record that nobody touched are enough. */
        SERIN_ASSERT(bench.boot.floor_constant > 1 || (!is("journal") && !is("download")));
        return 0;
    }
    bench_boot(&bench, cause);
    bool arrived = arrives();
    /* With a floor of the bootloader's own v2 may run as the last resort, and then it stays that.
     */
    SERIN_ASSERT(arrived || bench.boot.floor_constant > 1 ||
                 (!is("journal") && !is("download") && !is("slot")));
    bench_online(&bench, false);
    return 0;
}
