/* The bootloaders that meet forged devices (scene.h). */
#include "goods.h"

#include "boot_state.h"
#include "slot.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

/* ---- what is tried ---- */

struct jumped {
    const struct scene *scene;
    const struct serin_boot_choice *choice; /* the bootloader's own */
    enum glitch_end end;
};

/* Whether the choice is the good release of the scene's good slot, byte for byte. */
static bool is_good(const struct scene *scene, const struct serin_boot_choice *choice)
{
    const struct serin_flash *flash = scene->boot.flash;
    uint8_t image[SCENE_IMAGE_SIZE], expected[SCENE_IMAGE_SIZE];
    memset(expected, GOODS_GOOD_FILL, sizeof expected);
    return scene->good != SERIN_SLOT_NONE && choice->slot == scene->good &&
           choice->image_size == sizeof image &&
           flash->ops->read(flash->ctx, choice->image_address, image, sizeof image) == SERIN_OK &&
           memcmp(image, expected, sizeof image) == 0;
}

/* Starts what was chosen. Where that is good and a glitch has made this pointer wrong, between the
 * last comparison and here, a board starts at a wild address; that is a trap. */
static void jump(void *ctx, const struct serin_boot_choice *choice)
{
    struct jumped *jumped = ctx;
    if (!is_good(jumped->scene, jumped->choice)) {
        jumped->end = GLITCH_BREACH;
    } else {
        jumped->end = choice == jumped->choice ? GLITCH_GOOD : GLITCH_TRAP;
    }
}

/* A bootloader that jumps whatever serin_boot_select returned, into memory that held anything: what
 * keeps it from a forged image is the proof alone. */
static enum glitch_end boots(void *ctx)
{
    struct scene *scene = ctx;
    struct serin_boot_choice choice;
    struct jumped jumped = {.scene = scene, .choice = &choice, .end = GLITCH_REFUSED};
    memset(&choice, 0xA5, sizeof choice);
    enum serin_error error = serin_boot_select(&scene->boot, SERIN_RESET_POWER, &choice);
    (void)error;
    serin_boot_jump(&choice, jump, &jumped);
    return jumped.end;
}

/* A bootloader without proofs, whose one `if` believes one verification. */
static enum glitch_end boots_plainly(void *ctx)
{
    struct scene *scene = ctx;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    return serin_boot_verify_slot(&scene->boot, SERIN_SLOT_A, 0, &manifest, id) == SERIN_OK
               ? GLITCH_BREACH
               : GLITCH_REFUSED;
}

bool scene_holds_trust(const struct scene *scene, const uint8_t record[SERIN_TRUST_SIZE_P256])
{
    const struct serin_region *region = &scene->layout.trust;
    const struct serin_flash *flash = scene->boot.flash;
    uint8_t bank[16 + SERIN_TRUST_SIZE_P256];
    for (uint32_t n = 0; n < 2; n++) {
        if (flash->ops->read(flash->ctx, region->address + n * (region->size / 2), bank,
                             sizeof bank) == SERIN_OK &&
            memcmp(bank + 16, record, SERIN_TRUST_SIZE_P256) == 0) {
            return true;
        }
    }
    return false;
}

/* A device that is offered a forged trust record: no bank may hold it. */
static enum glitch_end takes_trust(void *ctx)
{
    const struct scene *scene = ctx;
    enum serin_error error =
        serin_trust_region_update(&scene->boot, scene->record, sizeof scene->record);
    (void)error;
    return scene_holds_trust(scene, scene->record) ? GLITCH_BREACH : GLITCH_REFUSED;
}

/* The same record, judged with nothing remembered: the adapter's own checks are under glitches. */
static enum glitch_end opens_trust(void *ctx)
{
    struct scene *scene = ctx;
    struct serin_trust trust;
    struct serin_proof proof = {.first = 0};
    enum serin_error error =
        serin_trust_open_twice(serin_wolfcrypt(), goods_keys.root.public_key, scene->record,
                               sizeof scene->record, &trust, &proof);
    (void)error;
    return serin_proof_first(&proof, SERIN_PROOF_TRUST) &&
                   serin_proof_second(&proof, SERIN_PROOF_TRUST)
               ? GLITCH_BREACH
               : GLITCH_REFUSED;
}

/* ---- the scenes ---- */

static struct scene *altered_image(void)
{
    struct scene *scene = goods_device();
    struct goods_release release;
    goods_release(&release, GOODS_GOOD_FILL, 2, "lamp", &goods_keys.release, &goods_keys.release);
    memset(release.image, GOODS_BAD_FILL, sizeof release.image);
    goods_put_in_both(scene, &release);
    return scene;
}

static struct scene *altered_copy(void)
{
    struct scene *scene = altered_image();
    scene->ram_loader = (struct serin_ram_loader){.memory = scene->ram, .size = sizeof scene->ram};
    scene->loader =
        (struct serin_image_loader){.ops = &serin_ram_loader_ops, .ctx = &scene->ram_loader};
    scene->boot.loader = &scene->loader;
    return scene;
}

/* A release of `key`'s that says to be of `named`'s. */
static struct scene *forged(const struct vector_key *key, const struct vector_key *named,
                            uint32_t counter, const char *product)
{
    struct scene *scene = goods_device();
    struct goods_release release;
    goods_release(&release, GOODS_BAD_FILL, counter, product, key, named);
    goods_put_in_both(scene, &release);
    return scene;
}

static struct scene *forged_beside_a_good_one(void)
{
    struct scene *scene = goods_device();
    struct goods_release release;
    goods_release(&release, GOODS_BAD_FILL, 2, "lamp", &goods_keys.stranger, &goods_keys.release);
    goods_put(scene, SERIN_SLOT_A, &release);
    scene->good = SERIN_SLOT_B;
    return scene;
}

static struct scene *forged_on_trial(void)
{
    struct scene *scene = goods_device();
    struct goods_release release;
    struct serin_boot_state state;
    goods_release(&release, GOODS_BAD_FILL, 3, "lamp", &goods_keys.stranger, &goods_keys.release);
    goods_put(scene, SERIN_SLOT_B, &release);
    goods_must(serin_boot_log_read(&scene->boot, &state));
    struct serin_boot_change change = {
        .event = SERIN_BOOT_EVENT_STAGE, .slot = SERIN_SLOT_B, .tries = 3, .seconds = 60};
    uint8_t id[SERIN_SHA256_SIZE];
    serin_manifest_id(serin_wolfcrypt(), release.manifest, id);
    change.manifest_id = id;
    goods_must(serin_boot_apply(&state, &change));
    goods_must(serin_boot_log_append(&scene->boot, &state, false));
    scene->good = SERIN_SLOT_A;
    return scene;
}

/* Both banks hold a record of a stranger's, and both slots his release. */
static struct scene *forged_trust(void)
{
    struct scene *scene = forged(&goods_keys.stranger, &goods_keys.stranger, 2, "lamp");
    const struct serin_region *region = &scene->layout.trust;
    const struct serin_flash *flash = scene->boot.flash;
    uint8_t bank[16 + SERIN_TRUST_SIZE_P256];
    goods_must(flash->ops->read(flash->ctx, region->address, bank, sizeof bank));
    goods_trust(bank + 16, 2, &goods_keys.stranger, &goods_keys.stranger_root);
    serin_put_le32(bank + 8, serin_crc32(0, bank + 16, SERIN_TRUST_SIZE_P256));
    serin_put_le32(bank + 12, serin_crc32(0, bank, 12));
    goods_must(flash->ops->erase(flash->ctx, region->address, region->size));
    goods_must(flash->ops->program(flash->ctx, region->address, bank, sizeof bank));
    goods_must(
        flash->ops->program(flash->ctx, region->address + region->size / 2, bank, sizeof bank));
    return scene;
}

static struct scene *offered_trust(void)
{
    struct scene *scene = goods_device();
    goods_trust(scene->record, 2, &goods_keys.stranger, &goods_keys.stranger_root);
    return scene;
}

/* The same for the trial that calculates: wolfCrypt's tables are made here, as they would take
 * minutes where each instruction is counted. */
static struct scene *calculated_trust(void)
{
    struct scene *scene = offered_trust();
    for (unsigned use = 0; use < 8; use++) { /* a key's table is made when it comes again */
        if (opens_trust(scene) != GLITCH_REFUSED) {
            abort();
        }
    }
    return scene;
}

static struct scene *forged_signature(void)
{
    return forged(&goods_keys.stranger, &goods_keys.release, 2, "lamp");
}

static struct scene *forged_by_a_stranger(void)
{
    return forged(&goods_keys.stranger, &goods_keys.stranger, 2, "lamp");
}

static struct scene *signed_by_a_director(void)
{
    return forged(&goods_keys.director, &goods_keys.director, 2, "lamp");
}

static struct scene *below_the_floor(void)
{
    return forged(&goods_keys.release, &goods_keys.release, 1, "lamp");
}

static struct scene *of_another_product(void)
{
    return forged(&goods_keys.release, &goods_keys.release, 2, "fan");
}

bool scene_open(const char *vectors)
{
    return goods_open(vectors);
}

const struct scene_trial boot_trials[] = {
    {altered_image, {.name = "image", .attempt = boots, .brief = 1}},
    {altered_copy, {.name = "copy", .attempt = boots}},
    {forged_signature, {.name = "signature", .attempt = boots, .brief = 2}},
    {forged_by_a_stranger, {.name = "stranger", .attempt = boots}},
    {signed_by_a_director, {.name = "role", .attempt = boots}},
    {below_the_floor, {.name = "floor", .attempt = boots, .brief = 1}},
    {of_another_product, {.name = "product", .attempt = boots}},
    {forged_beside_a_good_one, {.name = "beside", .attempt = boots, .expected = GLITCH_GOOD}},
    {forged_on_trial, {.name = "trial", .attempt = boots, .expected = GLITCH_GOOD, .brief = 1}},
    {forged_trust, {.name = "trust", .attempt = boots, .brief = 2}},
    {offered_trust, {.name = "update", .attempt = takes_trust, .brief = 2}},
    {forged_signature, {.name = "plain", .attempt = boots_plainly, .brief = 2, .weak = true}},
    {calculated_trust, {.name = "adapter", .attempt = opens_trust, .brief = 2}},
};
const size_t boot_trial_count = sizeof boot_trials / sizeof boot_trials[0];

void scene_close(struct scene *scene)
{
    serin_flash_emulator_close(scene->emulator);
    free(scene);
    goods_forget();
}
