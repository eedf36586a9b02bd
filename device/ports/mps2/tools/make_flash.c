/*
 * mps2-flash: the factory of the board, for a part that is a file. Writes the identity, and what
 * serin_boot_provision puts into Serin's regions: trust record, first release in both slots.
 *
 *   mps2-flash FILE --id ID --product P --channel C [--hardware N] --root PEM --trust T --bundle B
 *                   [--staged B2]
 *
 * With --staged another release stands in slot B, as an agent would have left it for its trial.
 *
 * The layout and the geometry are the board's (flash.c, memory.h). What is verified there is
 * verified here: both slots are looked at through the eyes of a bootloader.
 */
#include "identity.h"
#include "layout.h"
#include "memory.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/device/boot.h>
#include <serin/id.h>
#include <serin/trust.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t part[BOARD_FLASH_SIZE];

/* ---- the flash port, in memory ---- */

static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    memcpy(out, (uint8_t *)ctx + address, size);
    return SERIN_OK;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    uint8_t *cells = (uint8_t *)ctx + address;
    if (!serin_bytes_all(cells, size, 0xFF)) {
        return SERIN_ERR_FLASH;
    }
    memcpy(cells, data, size);
    return SERIN_OK;
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    memset((uint8_t *)ctx + address, 0xFF, size);
    return SERIN_OK;
}

static const struct serin_flash_ops ops = {
    .read = flash_read, .program = flash_program, .erase = flash_erase};

/* ---- input ---- */

struct input {
    struct serin_identity identity;
    const char *file, *root, *trust, *bundle, *staged;
};

static _Noreturn void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "mps2-flash: %s: %s\n", what, why);
    exit(1);
}

/* Wrong use: exit status 2, as of the other programs. */
static _Noreturn void misuse(const char *what, const char *why)
{
    (void)fprintf(stderr, "mps2-flash: %s %s (try --help)\n", what, why);
    exit(2);
}

static void take_name(char *out, size_t room, const char *option,
                      bool (*valid)(const char *, size_t))
{
    if (!valid(optarg, strlen(optarg)) || serin_text_copy(out, room, optarg) != SERIN_OK) {
        char why[64];
        (void)snprintf(why, sizeof why, "takes 1 to %zu of A-Z a-z 0-9 _ -", room - 1);
        misuse(option, why);
    }
}

static uint16_t take_hardware(void)
{
    char *end;
    unsigned long number = strtoul(optarg, &end, 10);
    if (*end != '\0' || end == optarg || optarg[0] == '-' || number > UINT16_MAX) {
        misuse("--hardware", "takes 0 to 65535");
    }
    return (uint16_t)number;
}

static const char help[] =
    "Makes the flash of a board for QEMU's mps2-an385: its identity, its root key, its trust\n"
    "record, and its first release in both slots. What FILE held before is gone, so credentials\n"
    "come after it (tools/credentials.py).\n\n"
    "Usage: mps2-flash FILE --id ID --product P --channel C --root PEM --trust FILE --bundle "
    "FILE\n\n"
    "  --id ID           the device's, which is also the CN of its certificate\n"
    "  --product P       as in `serin pki init` and `serin pack`\n"
    "  --channel C       whose rollouts it takes, such as stable\n"
    "  --hardware N      its revision, 0 to 65535 (1)\n"
    "  --root PEM        the root key's public half: pki/keys/root.pub\n"
    "  --trust FILE      the trust record: pki/trust.bin\n"
    "  --bundle FILE     the release, packed with --load-address 0x20200000\n"
    "  --staged FILE     another one, staged in slot B for its trial\n";

static void take_option(struct input *input, int option)
{
    struct serin_identity *identity = &input->identity;
    switch (option) {
    case 'i':
        take_name(identity->device_id, sizeof identity->device_id, "--id", serin_id_valid);
        break;
    case 'p':
        take_name(identity->product, sizeof identity->product, "--product", serin_product_valid);
        break;
    case 'c':
        take_name(identity->channel, sizeof identity->channel, "--channel", serin_channel_valid);
        break;
    case 'h':
        identity->hardware = take_hardware();
        break;
    case 'r':
        input->root = optarg;
        break;
    case 't':
        input->trust = optarg;
        break;
    case 'b':
        input->bundle = optarg;
        break;
    case 's':
        input->staged = optarg;
        break;
    case 'H':
        (void)fputs(help, stdout);
        exit(0);
    default:
        exit(2); /* getopt_long has said what is wrong */
    }
}

static void take_options(struct input *input, int count, char **words)
{
    static const struct option options[] = {{"id", 1, NULL, 'i'},       {"product", 1, NULL, 'p'},
                                            {"channel", 1, NULL, 'c'},  {"root", 1, NULL, 'r'},
                                            {"hardware", 1, NULL, 'h'}, {"trust", 1, NULL, 't'},
                                            {"bundle", 1, NULL, 'b'},   {"staged", 1, NULL, 's'},
                                            {"help", 0, NULL, 'H'},     {0}};
    int option;
    input->identity.hardware = 1;
    while ((option = getopt_long(count, words, "", options, NULL)) >= 0) {
        take_option(input, option);
    }
    const struct {
        const char *option, *value;
    } needed[] = {{"--id", input->identity.device_id},
                  {"--product", input->identity.product},
                  {"--channel", input->identity.channel},
                  {"--root", input->root},
                  {"--trust", input->trust},
                  {"--bundle", input->bundle}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].value == NULL || needed[i].value[0] == '\0') {
            misuse(needed[i].option, "is missing");
        }
    }
    if (optind != count - 1) {
        misuse("the flash", optind == count ? "is missing: FILE" : "is one FILE, not several");
    }
    input->file = words[optind];
}

static uint8_t *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail(path, strerror(errno));
    }
    uint8_t *data = malloc(BOARD_FLASH_SIZE);
    if (data == NULL) {
        fail(path, strerror(errno));
    }
    *size = fread(data, 1, BOARD_FLASH_SIZE, file);
    (void)fclose(file);
    return data;
}

/* ---- the factory ---- */

static void identity_write(const struct serin_identity *identity, const uint8_t *root)
{
    uint8_t *page = part + BOARD_IDENTITY_OFFSET;
    memset(page, 0, BOARD_IDENTITY_SIZE);
    bool fits = serin_field_put(page, SERIN_ID_MAX, identity->device_id) == SERIN_OK &&
                serin_field_put(page + BOARD_IDENTITY_PRODUCT, SERIN_PRODUCT_MAX,
                                identity->product) == SERIN_OK &&
                serin_field_put(page + BOARD_IDENTITY_CHANNEL, SERIN_CHANNEL_MAX,
                                identity->channel) == SERIN_OK;
    if (!fits) {
        fail("identity", "a name is too long");
    }
    serin_put_le16(page + BOARD_IDENTITY_HARDWARE, identity->hardware);
    memcpy(page + BOARD_IDENTITY_ROOT, root, SERIN_P256_PUBLIC_SIZE);
    serin_put_le32(page + BOARD_IDENTITY_CRC, serin_crc32(0, page, BOARD_IDENTITY_CRC));
}

static enum serin_error image_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct serin_bundle *bundle = ctx;
    if (size > bundle->image_size || offset > bundle->image_size - size) {
        return SERIN_ERR_TRUNCATED;
    }
    memcpy(out, bundle->image + offset, size);
    return SERIN_OK;
}

static void must(const char *what, enum serin_error error)
{
    if (error != SERIN_OK) {
        fail(what, serin_error_text(error));
    }
}

/* What the bootloader will not boot is no first release (bootloader.c, loader_begin). */
static void must_load(const char *path, const struct serin_manifest *manifest)
{
    if (manifest->load_address != BOARD_IMAGE_ADDRESS) {
        char why[96];
        (void)snprintf(
            why, sizeof why,
            "its load address is 0x%08x: pack it with --load-address 0x%08x --entry 0x%08x",
            (unsigned)manifest->load_address, BOARD_IMAGE_ADDRESS, BOARD_IMAGE_ADDRESS);
        fail(path, why);
    }
    if (manifest->image_size_bytes > BOARD_IMAGE_SIZE) {
        fail(path, "its image is larger than the memory that images run from");
    }
}

/* What a download leaves: image, then manifest, and the trial armed. The bootloader needs neither
 * pieces nor journal. */
static void stage(const struct serin_boot *boot, const char *path)
{
    size_t size;
    uint8_t *bytes = file_read(path, &size);
    struct serin_bundle bundle;
    struct serin_slot_map map;
    const struct serin_region *slot = &board_layout.slot[1];
    uint8_t *cells = part + BOARD_SERIN_OFFSET + slot->address;
    must(path, serin_bundle_split(bytes, size, &bundle));
    serin_slot_map(boot->flash, boot->layout, &map);
    if (bundle.image_size > map.image_capacity) {
        fail(path, "it is larger than a slot");
    }
    memset(cells, 0xFF, slot->size);
    memcpy(cells + map.image_offset, bundle.image, bundle.image_size);
    memcpy(cells + map.manifest_offset, bundle.manifest, bundle.manifest_size);
    must(path, serin_boot_verify_slot(boot, SERIN_SLOT_B, 0, NULL, NULL));
    must(path, serin_boot_stage(boot, SERIN_SLOT_B));
    free(bytes);
}

static void provision(const struct input *input, const uint8_t *root)
{
    size_t trust_size, bundle_size;
    uint8_t *trust = file_read(input->trust, &trust_size);
    uint8_t *bytes = file_read(input->bundle, &bundle_size);
    struct serin_bundle bundle;
    const struct serin_flash flash = {.ops = &ops,
                                      .ctx = part + BOARD_SERIN_OFFSET,
                                      .size_bytes = BOARD_SERIN_SIZE,
                                      .sector_size = BOARD_FLASH_SECTOR,
                                      .write_unit = BOARD_FLASH_WORD,
                                      .erased_value = 0xFF};
    const struct serin_boot boot = {.crypto = serin_wolfcrypt(),
                                    .flash = &flash,
                                    .layout = &board_layout,
                                    .root_key = root,
                                    .identity = &input->identity};
    struct serin_trust record;
    struct serin_manifest manifest;
    must(input->trust, serin_trust_open(serin_wolfcrypt(), root, trust, trust_size, &record));
    must(input->bundle, serin_bundle_split(bytes, bundle_size, &bundle));
    const struct serin_factory_image image = {.manifest = bundle.manifest,
                                              .manifest_size = bundle.manifest_size,
                                              .read = image_read,
                                              .ctx = &bundle};
    must(input->bundle, serin_boot_provision(&boot, trust, trust_size, &image));
    must("slot A", serin_boot_verify_slot(&boot, SERIN_SLOT_A, 0, &manifest, NULL));
    must_load(input->bundle, &manifest);
    must("slot B", serin_boot_verify_slot(&boot, SERIN_SLOT_B, 0, NULL, NULL));
    if (input->staged != NULL) {
        stage(&boot, input->staged);
    }
    free(trust);
    free(bytes);
}

int main(int count, char **words)
{
    struct input input = {0};
    struct serin_key_why why;
    uint8_t root[SERIN_P256_PUBLIC_SIZE];
    take_options(&input, count, words);
    if (serin_key_read_public(input.root, root, &why) != SERIN_OK) {
        fail("--root", why.text);
    }
    memset(part, 0xFF, sizeof part);
    input.identity.bootloader = 1;
    provision(&input, root);
    identity_write(&input.identity, root);
    FILE *file = fopen(input.file, "wb");
    if (file == NULL || fwrite(part, sizeof part, 1, file) != 1 || fclose(file) != 0) {
        fail(input.file, strerror(errno));
    }
    return 0;
}
