/* The forged devices (scene.h). Signatures are made with the test keys of the golden vectors, and
 * verified once: a verdict of a child is remembered for the next ones. */
#define _GNU_SOURCE
#include "scene.h"

#include "boot_state.h"
#include "slot.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERDICTS  64u
#define GOOD_FILL 0x02
#define BAD_FILL  0x66

struct keys {
    struct vector_key root, release, director, stranger, stranger_root;
};

/* ---- cryptography that remembers ---- */

struct verdict {
    uint8_t key[SERIN_P256_PUBLIC_SIZE], digest[SERIN_SHA256_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    uint32_t verdict;
};

static struct {
    struct keys keys;
    struct verdict verdicts[VERDICTS];
    size_t count;
} known;

/* Through which a child hands back what it has calculated: the elliptic curve is calculated in
 * children alone, as wolfCrypt's tables would make each fork of the parent slow. Nothing is kept
 * here, where a child under a glitch may write. */
struct mailbox {
    struct keys keys;
    struct verdict verdict;
    bool done;
};

static struct mailbox *mailbox;

/* Does `work` in a child. False: it failed there. */
static bool in_child(void (*work)(const void *arg), const void *arg)
{
    int status = 0;
    mailbox->done = false;
    pid_t child = fork();
    if (child == 0) {
        work(arg);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0) {
    }
    return child > 0 && mailbox->done;
}

static uint32_t remembered_verify(void *ctx, uint32_t run,
                                  const uint8_t key[SERIN_P256_PUBLIC_SIZE],
                                  const uint8_t digest[SERIN_SHA256_SIZE],
                                  const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    struct verdict asked = {.verdict = 0};
    memcpy(asked.key, key, sizeof asked.key);
    memcpy(asked.digest, digest, sizeof asked.digest);
    memcpy(asked.signature, signature, sizeof asked.signature);
    for (size_t i = 0; i < known.count; i++) {
        if (memcmp(&known.verdicts[i], &asked, offsetof(struct verdict, verdict)) == 0) {
            return known.verdicts[i].verdict ^ run;
        }
    }
    const struct serin_crypto *real = serin_wolfcrypt();
    asked.verdict = real->ops->p256_verify(real->ctx, SERIN_RUN_FIRST, key, digest, signature);
    return asked.verdict ^ run;
}

static const struct serin_crypto *remembering(void)
{
    static struct serin_crypto_ops ops;
    static struct serin_crypto crypto;
    ops = *serin_wolfcrypt()->ops;
    ops.p256_verify = remembered_verify;
    crypto = (struct serin_crypto){.ops = &ops, .ctx = serin_wolfcrypt()->ctx};
    return &crypto;
}

/* ---- releases and records ---- */

struct release {
    uint8_t image[SCENE_IMAGE_SIZE];
    uint8_t manifest[SERIN_MANIFEST_SIZE_P256];
};

struct seal {
    enum serin_signed_kind kind;
    const struct vector_key *key, *named;
    const uint8_t *body;
    size_t body_size;
};

/* Signs with `key`, and learns what verifying with `named` gives, before the glitches begin: what a
 * child computes under one must not be believed by the next. */
static void sign(const void *arg)
{
    const struct seal *seal = arg;
    const struct serin_crypto *real = serin_wolfcrypt();
    struct verdict *verdict = &mailbox->verdict;
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_signed_digest(real, seal->kind, seal->body, seal->body_size, digest);
    mailbox->done = vector_sign_digest(seal->key, digest, verdict->signature);
    memcpy(verdict->key, seal->named->public_key, sizeof verdict->key);
    memcpy(verdict->digest, digest, sizeof verdict->digest);
    verdict->verdict = real->ops->p256_verify(real->ctx, SERIN_RUN_FIRST, verdict->key,
                                              verdict->digest, verdict->signature);
}

static void sign_area(enum serin_signed_kind kind, const struct vector_key *key,
                      const struct vector_key *named, uint8_t *record, size_t body_size)
{
    const struct seal seal = {
        .kind = kind, .key = key, .named = named, .body = record, .body_size = body_size};
    if (known.count == VERDICTS || !in_child(sign, &seal)) {
        abort();
    }
    known.verdicts[known.count++] = mailbox->verdict;
    (void)serin_signature_area_encode_p256(record, body_size, named->key_id,
                                           mailbox->verdict.signature);
}

/* A release whose image is made of `fill`; `named` is the key that its signature names. */
static void make_release(struct release *release, uint8_t fill, uint32_t counter,
                         const char *product, const struct vector_key *key,
                         const struct vector_key *named)
{
    memset(release->image, fill, sizeof release->image);
    struct serin_manifest manifest = {
        .vendor = "acme",
        .component = "main",
        .hw_min = 1,
        .hw_max = 3,
        .version = {.major = 1, .minor = fill},
        .security_counter = counter,
        .image_size_bytes = SCENE_IMAGE_SIZE,
        .image_crc32 = serin_crc32(0, release->image, SCENE_IMAGE_SIZE),
        .slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B,
        .confirm_window_s = 60,
        .confirm_tries = 3,
        .channels = {"stable"},
    };
    (void)snprintf(manifest.product, sizeof manifest.product, "%s", product);
    serin_sha256_of(serin_wolfcrypt(), release->image, SCENE_IMAGE_SIZE, manifest.image_sha256);
    if (serin_manifest_encode(&manifest, release->manifest) != SERIN_OK) {
        abort();
    }
    sign_area(SERIN_SIGNED_MANIFEST, key, named, release->manifest, SERIN_MANIFEST_BODY_SIZE);
}

static void make_trust(uint8_t record[SERIN_TRUST_SIZE_P256], uint32_t version,
                       const struct vector_key *release, const struct vector_key *root)
{
    struct serin_trust trust = {.version = version, .product = "lamp", .key_count = 2};
    const struct vector_key *const members[] = {release, &known.keys.director};
    for (size_t i = 0; i < 2; i++) {
        trust.keys[i].role = i == 0 ? SERIN_KEY_ROLE_RELEASE : SERIN_KEY_ROLE_DIRECTOR;
        memcpy(trust.keys[i].key_id, members[i]->key_id, SERIN_KEY_ID_SIZE);
        memcpy(trust.keys[i].public_key, members[i]->public_key, SERIN_P256_PUBLIC_SIZE);
    }
    if (serin_trust_encode(&trust, record) != SERIN_OK) {
        abort();
    }
    sign_area(SERIN_SIGNED_TRUST, root, &known.keys.root, record, SERIN_TRUST_BODY_SIZE);
}

/* ---- devices ---- */

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    memcpy(out, (const uint8_t *)ctx + offset, size);
    return SERIN_OK;
}

static void must(enum serin_error error)
{
    if (error != SERIN_OK) {
        (void)fprintf(stderr, "glitch: a scene cannot be made: %s\n", serin_error_text(error));
        exit(2);
    }
}

/* A device that runs release 2, which is good, in both slots. */
static struct scene *provisioned(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    const struct serin_flash_emulator_config config = {
        .size_bytes = 65536, .sector_size = 1024, .write_unit = 8, .erased_value = 0xFF};
    if (scene == NULL) {
        abort();
    }
    must(serin_flash_emulator_open(&scene->emulator, &config));
    const struct serin_flash *flash = serin_flash_emulator_flash(scene->emulator);
    must(serin_layout_default(flash, &scene->layout));
    scene->boot = (struct serin_boot){.crypto = remembering(),
                                      .flash = flash,
                                      .layout = &scene->layout,
                                      .root_key = known.keys.root.public_key,
                                      .identity = {.device_id = "lamp-1",
                                                   .product = "lamp",
                                                   .channel = "stable",
                                                   .hardware = 2,
                                                   .bootloader = 1}};
    static struct release good;
    uint8_t trust[SERIN_TRUST_SIZE_P256];
    make_release(&good, GOOD_FILL, 2, "lamp", &known.keys.release, &known.keys.release);
    make_trust(trust, 1, &known.keys.release, &known.keys.root);
    const struct serin_factory_image image = {.manifest = good.manifest,
                                              .manifest_size = sizeof good.manifest,
                                              .read = read_image,
                                              .ctx = good.image};
    must(serin_boot_provision(&scene->boot, trust, sizeof trust, &image));
    return scene;
}

/* Puts a release into a slot as if it had been confirmed there. */
static void put_release(struct scene *scene, enum serin_slot slot, const struct release *release)
{
    const struct serin_region *region = &scene->layout.slot[slot == SERIN_SLOT_A ? 0 : 1];
    const struct serin_flash *flash = scene->boot.flash;
    struct serin_slot_map map;
    uint8_t id[SERIN_SHA256_SIZE];
    serin_slot_map(flash, &scene->layout, &map);
    must(flash->ops->erase(flash->ctx, region->address, region->size));
    must(flash->ops->program(flash->ctx, region->address + map.image_offset, release->image,
                             SCENE_IMAGE_SIZE));
    must(serin_slot_manifest_program(&scene->boot, slot, release->manifest,
                                     sizeof release->manifest));
    serin_manifest_id(serin_wolfcrypt(), release->manifest, id);
    must(serin_slot_mark(&scene->boot, slot, id));
}

static void put_in_both(struct scene *scene, const struct release *release)
{
    put_release(scene, SERIN_SLOT_A, release);
    put_release(scene, SERIN_SLOT_B, release);
}

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
    memset(expected, GOOD_FILL, sizeof expected);
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

/* An agent that is offered a forged trust record: no bank may hold it. */
static enum glitch_end takes_trust(void *ctx)
{
    struct scene *scene = ctx;
    const struct serin_region *region = &scene->layout.trust;
    const struct serin_flash *flash = scene->boot.flash;
    uint8_t bank[16 + SERIN_TRUST_SIZE_P256];
    enum serin_error error =
        serin_trust_region_update(&scene->boot, scene->record, sizeof scene->record);
    (void)error;
    for (uint32_t n = 0; n < 2; n++) {
        if (flash->ops->read(flash->ctx, region->address + n * (region->size / 2), bank,
                             sizeof bank) == SERIN_OK &&
            memcmp(bank + 16, scene->record, sizeof scene->record) == 0) {
            return GLITCH_BREACH;
        }
    }
    return GLITCH_REFUSED;
}

/* The same record, judged with nothing remembered: the adapter's own checks are under glitches. */
static enum glitch_end opens_trust(void *ctx)
{
    struct scene *scene = ctx;
    struct serin_trust trust;
    struct serin_proof proof = {.first = 0};
    enum serin_error error =
        serin_trust_open_twice(serin_wolfcrypt(), known.keys.root.public_key, scene->record,
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
    struct scene *scene = provisioned();
    struct release release;
    make_release(&release, GOOD_FILL, 2, "lamp", &known.keys.release, &known.keys.release);
    memset(release.image, BAD_FILL, sizeof release.image);
    put_in_both(scene, &release);
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
    struct scene *scene = provisioned();
    struct release release;
    make_release(&release, BAD_FILL, counter, product, key, named);
    put_in_both(scene, &release);
    return scene;
}

static struct scene *forged_beside_a_good_one(void)
{
    struct scene *scene = provisioned();
    struct release release;
    make_release(&release, BAD_FILL, 2, "lamp", &known.keys.stranger, &known.keys.release);
    put_release(scene, SERIN_SLOT_A, &release);
    scene->good = SERIN_SLOT_B;
    return scene;
}

static struct scene *forged_on_trial(void)
{
    struct scene *scene = provisioned();
    struct release release;
    struct serin_boot_state state;
    make_release(&release, BAD_FILL, 3, "lamp", &known.keys.stranger, &known.keys.release);
    put_release(scene, SERIN_SLOT_B, &release);
    must(serin_boot_log_read(&scene->boot, &state));
    struct serin_boot_change change = {
        .event = SERIN_BOOT_EVENT_STAGE, .slot = SERIN_SLOT_B, .tries = 3, .seconds = 60};
    uint8_t id[SERIN_SHA256_SIZE];
    serin_manifest_id(serin_wolfcrypt(), release.manifest, id);
    change.manifest_id = id;
    must(serin_boot_apply(&state, &change));
    must(serin_boot_log_append(&scene->boot, &state, false));
    scene->good = SERIN_SLOT_A;
    return scene;
}

/* Both banks hold a record of a stranger's, and both slots his release. */
static struct scene *forged_trust(void)
{
    struct scene *scene = forged(&known.keys.stranger, &known.keys.stranger, 2, "lamp");
    const struct serin_region *region = &scene->layout.trust;
    const struct serin_flash *flash = scene->boot.flash;
    uint8_t bank[16 + SERIN_TRUST_SIZE_P256];
    must(flash->ops->read(flash->ctx, region->address, bank, sizeof bank));
    make_trust(bank + 16, 2, &known.keys.stranger, &known.keys.stranger_root);
    serin_put_le32(bank + 8, serin_crc32(0, bank + 16, SERIN_TRUST_SIZE_P256));
    serin_put_le32(bank + 12, serin_crc32(0, bank, 12));
    must(flash->ops->erase(flash->ctx, region->address, region->size));
    must(flash->ops->program(flash->ctx, region->address, bank, sizeof bank));
    must(flash->ops->program(flash->ctx, region->address + region->size / 2, bank, sizeof bank));
    return scene;
}

static struct scene *offered_trust(void)
{
    struct scene *scene = provisioned();
    make_trust(scene->record, 2, &known.keys.stranger, &known.keys.stranger_root);
    return scene;
}

static void read_keys(const void *arg)
{
    static const uint8_t scalars[2][32] = {{0x11, 0x22, 0x33}, {0x44, 0x55, 0x66}};
    struct keys *keys = &mailbox->keys;
    struct {
        const char *name;
        struct vector_key *key;
    } const files[] = {
        {"root", &keys->root}, {"release", &keys->release}, {"director", &keys->director}};
    bool good = vector_key_set(serin_wolfcrypt(), scalars[0], &keys->stranger) &&
                vector_key_set(serin_wolfcrypt(), scalars[1], &keys->stranger_root);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && good; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s.key", (const char *)arg, files[i].name);
        good = vector_key_load(serin_wolfcrypt(), path, files[i].key);
    }
    mailbox->done = good;
}

bool scene_open(const char *vectors)
{
    mailbox =
        mmap(NULL, sizeof *mailbox, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mailbox == MAP_FAILED || !in_child(read_keys, vectors)) {
        return false;
    }
    known.keys = mailbox->keys;
    return true;
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
    return forged(&known.keys.stranger, &known.keys.release, 2, "lamp");
}

static struct scene *forged_by_a_stranger(void)
{
    return forged(&known.keys.stranger, &known.keys.stranger, 2, "lamp");
}

static struct scene *signed_by_a_director(void)
{
    return forged(&known.keys.director, &known.keys.director, 2, "lamp");
}

static struct scene *below_the_floor(void)
{
    return forged(&known.keys.release, &known.keys.release, 1, "lamp");
}

static struct scene *of_another_product(void)
{
    return forged(&known.keys.release, &known.keys.release, 2, "fan");
}

const struct scene_trial scene_trials[] = {
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
const size_t scene_count = sizeof scene_trials / sizeof scene_trials[0];

void scene_close(struct scene *scene)
{
    serin_flash_emulator_close(scene->emulator);
    free(scene);
    known.count = 0;
}
