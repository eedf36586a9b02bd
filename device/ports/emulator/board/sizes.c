/*
 * flash-layout: what Serin makes of a flash. Prints the default layout as a constant to paste into
 * a port, how large an image may be, and what the watchdog's period must hold.
 *
 *   flash-layout SIZE SECTORS UNIT [BLOCK [WINDOW]]
 *
 * All in bytes. SECTORS is the size of each, or runs of them: 4x16384,1x65536,7x131072, from the
 * first address on. BLOCK is 1024 and WINDOW 4 blocks if not given.
 */
#include <serin/device/agent_state.h>
#include <serin/piece.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_region(const char *name, const struct serin_region *region)
{
    printf("    .%s = {.address = 0x%08" PRIX32 ", .size = 0x%" PRIX32 "},\n", name,
           region->address, region->size);
}

static void print_layout(const struct serin_layout *layout)
{
    printf("const struct serin_layout board_layout = {\n");
    print_region("boot_log", &layout->boot_log);
    print_region("trust", &layout->trust);
    print_region("agent_log", &layout->agent_log);
    print_region("scratch", &layout->scratch);
    printf("    .slot = {{.address = 0x%08" PRIX32 ", .size = 0x%" PRIX32
           "}, {.address = 0x%08" PRIX32 ", .size = 0x%" PRIX32 "}},\n};\n",
           layout->slot[0].address, layout->slot[0].size, layout->slot[1].address,
           layout->slot[1].size);
}

static void print_slot(const struct serin_flash *flash, const struct serin_layout *layout)
{
    struct serin_slot_map map;
    serin_slot_map(flash, layout, &map);
    printf("slot %" PRIu32 " = manifest %" PRIu32 " + pieces %" PRIu32 " + journal %" PRIu32
           " + image %" PRIu32 " + left %" PRIu32 "\n",
           layout->slot[0].size, map.manifest_size, map.pieces_size, map.journal_size,
           map.image_capacity, layout->slot[0].size - map.image_offset - map.image_capacity);
    printf("largest image: %" PRIu32 " bytes\n", map.image_capacity);
}

static void print_work(const char *name, const struct serin_agent_work *work)
{
    printf("%s: reads %" PRIu32 ", hashes %" PRIu32 ", programs %" PRIu32 ", erases %" PRIu32
           " bytes; verifies %" PRIu32 " signatures\n",
           name, work->read_bytes, work->hashed_bytes, work->program_bytes, work->erase_bytes,
           work->verifications);
}

static uint32_t number(int count, char **words, int at, uint32_t otherwise)
{
    return at < count ? (uint32_t)strtoul(words[at], NULL, 0) : otherwise;
}

/* Reads "4x16384,1x65536", or "2048"; false: it is neither. */
static bool read_sectors(const char *text, struct serin_flash *flash, struct serin_flash_run *runs)
{
    char *end = NULL;
    flash->sector_size = (uint32_t)strtoul(text, &end, 0);
    for (uint32_t n = 0; *end == 'x' && n < SERIN_FLASH_RUNS_MAX; n++) {
        runs[n].count = (uint32_t)strtoul(text, &end, 0);
        runs[n].size = *end == 'x' ? (uint32_t)strtoul(end + 1, &end, 0) : 0;
        flash->runs = runs;
        flash->run_count++;
        if (*end != ',') {
            break;
        }
        text = end + 1;
        (void)strtoul(text, &end, 0);
    }
    return *end == '\0';
}

int main(int count, char **words)
{
    struct serin_layout layout;
    struct serin_flash_run runs[SERIN_FLASH_RUNS_MAX] = {{0}};
    struct serin_flash flash = {.size_bytes = number(count, words, 1, 0),
                                .write_unit = number(count, words, 3, 0),
                                .erased_value = 0xFF};
    const char *what = "the flash is too small for two slots";
    if (count < 4 || count > 6 || !read_sectors(words[2], &flash, runs)) {
        fprintf(stderr, "usage: flash-layout SIZE SECTORS UNIT [BLOCK [WINDOW]]\n");
        return 2;
    }
    if (serin_layout_default(&flash, &layout) != SERIN_OK ||
        serin_layout_check(&flash, &layout, &what) != SERIN_OK) {
        fprintf(stderr, "flash-layout: %s\n", what);
        return 1;
    }
    const struct serin_boot boot = {.flash = &flash, .layout = &layout};
    const struct serin_agent_config config = {.boot = &boot,
                                              .block_size = number(count, words, 4, 1024),
                                              .window_blocks = number(count, words, 5, 4)};
    struct serin_agent_work init, step;
    serin_agent_work_max(&config, true, &init);
    serin_agent_work_max(&config, false, &step);
    print_layout(&layout);
    print_slot(&flash, &layout);
    print_work("serin_agent_init, at most", &init);
    print_work("serin_agent_step, at most", &step);
    printf("agent: %zu bytes of RAM here, and %u of scratch\n", serin_agent_size(),
           SERIN_PIECE_SIZE);
    return 0;
}
