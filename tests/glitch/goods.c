/* Keys, releases, records and devices of the scenes (goods.h). */
#define _GNU_SOURCE
#include "goods.h"

#include "boot_state.h"
#include "slot.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERDICTS 64u

struct goods_keys goods_keys;

/* ---- cryptography that remembers ---- */

struct verdict {
    uint8_t key[SERIN_P256_PUBLIC_SIZE], digest[SERIN_SHA256_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    uint32_t verdict;
};

void goods_must(enum serin_error error)
{
    if (error != SERIN_OK) {
        (void)fprintf(stderr, "glitch: a scene cannot be made: %s\n", serin_error_text(error));
        exit(2);
    }
}

static struct {
    struct verdict verdicts[VERDICTS];
    size_t count;
} known;

/* Through which a child hands back what it has calculated: the elliptic curve is calculated in
 * children alone, as wolfCrypt's tables would make each fork of the parent slow. Nothing is kept
 * here, where a child under a glitch may write. */
struct mailbox {
    struct goods_keys keys;
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

/* Leaves the signature in the mailbox. */
static void seal_up(const struct seal *seal)
{
    if (known.count == VERDICTS || !in_child(sign, seal)) {
        abort();
    }
    known.verdicts[known.count++] = mailbox->verdict;
}

static void sign_area(enum serin_signed_kind kind, const struct vector_key *key,
                      const struct vector_key *named, uint8_t *record, size_t body_size)
{
    seal_up(&(struct seal){
        .kind = kind, .key = key, .named = named, .body = record, .body_size = body_size});
    (void)serin_signature_area_encode_p256(record, body_size, named->key_id,
                                           mailbox->verdict.signature);
}

void goods_release(struct goods_release *release, uint8_t fill, uint32_t counter,
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

void goods_trust(uint8_t record[SERIN_TRUST_SIZE_P256], uint32_t version,
                 const struct vector_key *release, const struct vector_key *root)
{
    struct serin_trust trust = {.version = version, .product = "lamp", .key_count = 2};
    const struct vector_key *const members[] = {release, &goods_keys.director};
    for (size_t i = 0; i < 2; i++) {
        trust.keys[i].role = i == 0 ? SERIN_KEY_ROLE_RELEASE : SERIN_KEY_ROLE_DIRECTOR;
        memcpy(trust.keys[i].key_id, members[i]->key_id, SERIN_KEY_ID_SIZE);
        memcpy(trust.keys[i].public_key, members[i]->public_key, SERIN_P256_PUBLIC_SIZE);
    }
    if (serin_trust_encode(&trust, record) != SERIN_OK) {
        abort();
    }
    sign_area(SERIN_SIGNED_TRUST, root, &goods_keys.root, record, SERIN_TRUST_BODY_SIZE);
}

size_t goods_directive(const struct serin_directive *directive, const struct vector_key *key,
                       const struct vector_key *named, uint8_t payload[SERIN_DIRECTIVE_MAX])
{
    uint8_t body[SERIN_DIRECTIVE_MAX];
    struct serin_envelope envelope = {.body = body};
    size_t size;
    goods_must(
        serin_protobufc()->encode_directive(directive, body, sizeof body, &envelope.body_size));
    seal_up(&(struct seal){.kind = SERIN_SIGNED_DIRECTIVE,
                           .key = key,
                           .named = named,
                           .body = body,
                           .body_size = envelope.body_size});
    memcpy(envelope.key_id, named->key_id, sizeof envelope.key_id);
    memcpy(envelope.signature, mailbox->verdict.signature, sizeof envelope.signature);
    goods_must(serin_protobufc()->encode_envelope(&envelope, payload, SERIN_DIRECTIVE_MAX, &size));
    return size;
}

/* ---- devices ---- */

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    memcpy(out, (const uint8_t *)ctx + offset, size);
    return SERIN_OK;
}

struct scene *goods_device(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    const struct serin_flash_emulator_config config = {
        .size_bytes = 65536, .sector_size = 1024, .write_unit = 8, .erased_value = 0xFF};
    if (scene == NULL) {
        abort();
    }
    goods_must(serin_flash_emulator_open(&scene->emulator, &config));
    const struct serin_flash *flash = serin_flash_emulator_flash(scene->emulator);
    goods_must(serin_layout_default(flash, &scene->layout));
    static const struct serin_identity identity = {.device_id = "lamp-1",
                                                   .product = "lamp",
                                                   .channel = "stable",
                                                   .hardware = 2,
                                                   .bootloader = 1};
    scene->boot = (struct serin_boot){.crypto = remembering(),
                                      .flash = flash,
                                      .layout = &scene->layout,
                                      .root_key = goods_keys.root.public_key,
                                      .identity = &identity};
    static struct goods_release good;
    uint8_t trust[SERIN_TRUST_SIZE_P256];
    goods_release(&good, GOODS_GOOD_FILL, 2, "lamp", &goods_keys.release, &goods_keys.release);
    goods_trust(trust, 1, &goods_keys.release, &goods_keys.root);
    const struct serin_factory_image image = {.manifest = good.manifest,
                                              .manifest_size = sizeof good.manifest,
                                              .read = read_image,
                                              .ctx = good.image};
    goods_must(serin_boot_provision(&scene->boot, trust, sizeof trust, &image));
    return scene;
}

void goods_put(struct scene *scene, enum serin_slot slot, const struct goods_release *release)
{
    const struct serin_region *region = &scene->layout.slot[slot == SERIN_SLOT_A ? 0 : 1];
    const struct serin_flash *flash = scene->boot.flash;
    struct serin_slot_map map;
    uint8_t id[SERIN_SHA256_SIZE];
    serin_slot_map(flash, &scene->layout, &map);
    goods_must(flash->ops->erase(flash->ctx, region->address, region->size));
    goods_must(flash->ops->program(flash->ctx, region->address + map.image_offset, release->image,
                                   SCENE_IMAGE_SIZE));
    goods_must(serin_slot_manifest_program(&scene->boot, slot, release->manifest,
                                           sizeof release->manifest));
    serin_manifest_id(serin_wolfcrypt(), release->manifest, id);
    goods_must(serin_slot_mark(&scene->boot, slot, id));
}

void goods_put_in_both(struct scene *scene, const struct goods_release *release)
{
    goods_put(scene, SERIN_SLOT_A, release);
    goods_put(scene, SERIN_SLOT_B, release);
}

/* ---- keys ---- */

static void read_keys(const void *arg)
{
    static const uint8_t scalars[2][32] = {{0x11, 0x22, 0x33}, {0x44, 0x55, 0x66}};
    struct goods_keys *keys = &mailbox->keys;
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

bool goods_open(const char *vectors)
{
    mailbox =
        mmap(NULL, sizeof *mailbox, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mailbox == MAP_FAILED || !in_child(read_keys, vectors)) {
        return false;
    }
    goods_keys = mailbox->keys;
    return true;
}

void goods_forget(void)
{
    known.count = 0;
}
