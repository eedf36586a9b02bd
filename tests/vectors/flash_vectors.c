/* Makes the golden vectors of what lies in a device's flash (flash_vectors.h). */
#include "flash_vectors.h"

#include "journal.h"
#include "slot.h"

#include <serin/emulator/flash_emulator.h>
#include <serin/host/bundle.h>

#include <stdio.h>
#include <string.h>

#define FLASH_SIZE   (256u * 1024u)
#define FILE_MAX     (64u * 1024u)
#define RECORDS_SEEN 12u

struct life {
    const struct serin_crypto *crypto;
    struct serin_flash_emulator *emulator;
    struct serin_layout layout;
    struct serin_slot_map map;
    struct serin_boot boot;
    struct serin_bundle bundle;
    uint8_t bundle_bytes[FILE_MAX], trust[SERIN_TRUST_MAX], root[SERIN_P256_PUBLIC_SIZE];
    size_t trust_size;
};

static bool slurp(const char *folder, const char *name, uint8_t *out, size_t max, size_t *size)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    *size = fread(out, 1, max, file);
    (void)fclose(file);
    return *size > 0;
}

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct serin_bundle *bundle = ctx;
    if (offset + size > bundle->image_size) {
        return SERIN_ERR_TRUNCATED;
    }
    memcpy(out, bundle->image + offset, size);
    return SERIN_OK;
}

static bool open_life(struct life *life, const char *v1)
{
    const struct serin_flash_emulator_config config = {
        .size_bytes = FLASH_SIZE, .sector_size = 4096, .write_unit = 8, .erased_value = 0xFF};
    size_t size = 0, root_size = 0;
    if (!slurp(v1, "bundle.bin", life->bundle_bytes, sizeof life->bundle_bytes, &size) ||
        !slurp(v1, "trust.bin", life->trust, sizeof life->trust, &life->trust_size) ||
        !slurp(v1, "root-public.bin", life->root, sizeof life->root, &root_size) ||
        root_size != sizeof life->root ||
        serin_bundle_split(life->bundle_bytes, size, &life->bundle) != SERIN_OK ||
        serin_flash_emulator_open(&life->emulator, &config) != SERIN_OK) {
        return false;
    }
    const struct serin_flash *flash = serin_flash_emulator_flash(life->emulator);
    if (serin_layout_default(flash, &life->layout) != SERIN_OK) {
        return false;
    }
    serin_slot_map(flash, &life->layout, &life->map);
    static const struct serin_identity identity = {.device_id = "lamp-1",
                                                   .product = "lamp",
                                                   .channel = "stable",
                                                   .hardware = 1,
                                                   .bootloader = 2};
    life->boot = (struct serin_boot){
        .crypto = life->crypto,
        .flash = flash,
        .layout = &life->layout,
        .root_key = life->root,
        .identity = &identity,
    };
    return true;
}

/* Copies slot A over slot B as a download would leave it: everything but the marker. */
static bool copy_slot(const struct life *life)
{
    const struct serin_flash *flash = life->boot.flash;
    uint32_t from = life->layout.slot[0].address, to = life->layout.slot[1].address;
    uint8_t chunk[4096];
    for (uint32_t done = 0; done < life->layout.slot[0].size; done += (uint32_t)sizeof chunk) {
        if (flash->ops->read(flash->ctx, from + done, chunk, sizeof chunk) != SERIN_OK) {
            return false;
        }
        if (done == 0) {
            memset(chunk + life->map.marker_offset, 0xFF, sizeof chunk - life->map.marker_offset);
        }
        if (flash->ops->program(flash->ctx, to + done, chunk, sizeof chunk) != SERIN_OK) {
            return false;
        }
    }
    return true;
}

static bool selects(const struct life *life, enum serin_reset_cause cause, enum serin_slot slot,
                    bool trial)
{
    struct serin_boot_choice choice;
    return serin_boot_select(&life->boot, cause, &choice) == SERIN_OK && choice.slot == slot &&
           choice.trial == trial;
}

/* Every phase and event of the boot log, in an order that a device could live. */
static bool live(const struct life *life)
{
    const struct serin_factory_image image = {.manifest = life->bundle.manifest,
                                              .manifest_size = life->bundle.manifest_size,
                                              .read = read_image,
                                              .ctx = (void *)(uintptr_t)&life->bundle,
                                              .one_slot = true};
    const struct serin_boot *boot = &life->boot;
    return serin_boot_provision(boot, life->trust, life->trust_size, &image) == SERIN_OK &&
           /* A reset that was asked for: after any other the log leaves a place out. */
           selects(life, SERIN_RESET_REQUESTED, SERIN_SLOT_A, false) && copy_slot(life) &&
           serin_boot_stage(boot, SERIN_SLOT_B) == SERIN_OK &&
           selects(life, SERIN_RESET_REQUESTED, SERIN_SLOT_B, true) &&
           serin_boot_elapse(boot, 10) == SERIN_OK &&
           serin_boot_abandon(boot, SERIN_REASON_HEALTH) == SERIN_OK &&
           selects(life, SERIN_RESET_REQUESTED, SERIN_SLOT_A, false) &&
           serin_boot_stage(boot, SERIN_SLOT_B) == SERIN_OK &&
           selects(life, SERIN_RESET_REQUESTED, SERIN_SLOT_B, true) &&
           serin_boot_confirm(boot) == SERIN_OK && serin_boot_commit(boot, 7) == SERIN_OK;
}

static bool hand_over(const struct life *life, const char *name, uint32_t address, size_t size,
                      vector_sink *sink, void *arg)
{
    const struct serin_flash *flash = life->boot.flash;
    uint8_t bytes[4096];
    if (size > sizeof bytes || flash->ops->read(flash->ctx, address, bytes, size) != SERIN_OK) {
        return false;
    }
    sink(arg, name, bytes, size);
    return true;
}

/* The entries of a journal whose first three positions are accepted. */
static bool write_journal(const struct life *life, uint32_t address)
{
    uint8_t id[SERIN_SHA256_SIZE];
    serin_manifest_id(life->crypto, life->bundle.manifest, id);
    const struct serin_journal journal = {.flash = life->boot.flash,
                                          .address = address,
                                          .stride = life->map.journal_stride,
                                          .size = life->map.journal_size,
                                          .manifest_id = id,
                                          .attempt = 2};
    const struct serin_journal_account account = {.bytes_fetched = 4416, .pieces_refetched = 1};
    struct serin_journal_end end = {0};
    bool done = serin_journal_erase(&journal) == SERIN_OK;
    for (uint32_t position = 0; done && position <= SERIN_JOURNAL_FIRST_PIECE; position++) {
        done = serin_journal_write(&journal, &end, position, &account) == SERIN_OK;
    }
    return done;
}

static bool hand_over_all(const struct life *life, vector_sink *sink, void *arg)
{
    uint32_t slot = life->layout.slot[1].address;
    uint32_t journal = slot + life->map.journal_offset;
    return hand_over(life, "flash/boot-log.bin", life->layout.boot_log.address,
                     (size_t)RECORDS_SEEN * SERIN_BOOT_RECORD_SIZE, sink, arg) &&
           hand_over(life, "flash/manifest-sector.bin", slot, 4096, sink, arg) &&
           hand_over(life, "flash/trust-bank.bin", life->layout.trust.address, 1024, sink, arg) &&
           write_journal(life, journal) &&
           hand_over(life, "flash/journal.bin", journal, (size_t)4 * life->map.journal_stride, sink,
                     arg);
}

bool flash_vectors_make(const struct serin_crypto *crypto, const char *v1, vector_sink *sink,
                        void *arg)
{
    static struct life life;
    memset(&life, 0, sizeof life);
    life.crypto = crypto;
    bool done = open_life(&life, v1) && live(&life) && hand_over_all(&life, sink, arg);
    serin_flash_emulator_close(life.emulator);
    return done;
}
