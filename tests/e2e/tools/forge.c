/*
 * forge: what an attacker with stolen parts could make, for tests that show it refused.
 *
 *   forge directive KEY.key OUT key=value…   a directive, sealed with any key, with any fields that
 * encode forge unpack BUNDLE DEPOT                the objects of a bundle put into a depot folder,
 * unverified
 *
 * Keys of `directive`: product, channel, device, epoch, sequence, lease, features, stable (manifest
 * id), candidate (manifest id), state (candidate_state), attempt, flags (of the release named
 * last), issued (Unix seconds). A candidate is for
 * everyone.
 */
#define _POSIX_C_SOURCE 200809L

#include <serin/adapters/keys.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/host/bundle.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int fail(const char *what)
{
    fprintf(stderr, "forge: %s\n", what);
    return 1;
}

static uint8_t *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    uint8_t *data = malloc(64u << 20);
    *size = data != NULL ? fread(data, 1, 64u << 20, file) : 0;
    fclose(file);
    return data;
}

static bool dump(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool done = file != NULL && fwrite(data, 1, size, file) == size;
    return file != NULL && fclose(file) == 0 && done;
}

/* One release of one offer for every hardware revision. */
static bool set_release(struct serin_release *release, const char *id)
{
    release->offer_count = 1;
    release->offers[0].hw_min = 1;
    release->offers[0].hw_max = 100;
    release->attempt = 1;
    return serin_hex_decode(id, release->offers[0].manifest_id, SERIN_SHA256_SIZE) == SERIN_OK;
}

static bool set(struct serin_directive *d, struct serin_release **last, const char *key,
                const char *value)
{
    unsigned long long number = strtoull(value, NULL, 0);
    if (strcmp(key, "product") == 0) {
        return serin_text_copy(d->product, sizeof d->product, value) == SERIN_OK;
    } else if (strcmp(key, "channel") == 0) {
        return serin_text_copy(d->channel, sizeof d->channel, value) == SERIN_OK;
    } else if (strcmp(key, "device") == 0) {
        return serin_text_copy(d->device_id, sizeof d->device_id, value) == SERIN_OK;
    } else if (strcmp(key, "epoch") == 0) {
        d->order.epoch = (uint32_t)number;
    } else if (strcmp(key, "sequence") == 0) {
        d->order.sequence = (uint32_t)number;
    } else if (strcmp(key, "lease") == 0) {
        d->lease_s = (uint32_t)number;
    } else if (strcmp(key, "features") == 0) {
        d->required_features = (uint32_t)number;
    } else if (strcmp(key, "issued") == 0) {
        d->issued_s = number;
    } else if (strcmp(key, "stable") == 0) {
        *last = &d->stable;
        return set_release(&d->stable, value);
    } else if (strcmp(key, "candidate") == 0) {
        *last = &d->candidate;
        d->candidate_state = SERIN_CANDIDATE_ROLLING;
        d->threshold = SERIN_COHORT_EVERYONE;
        return set_release(&d->candidate, value);
    } else if (strcmp(key, "state") == 0) {
        d->candidate_state = (enum serin_candidate_state)number;
    } else if (strcmp(key, "attempt") == 0) {
        (*last)->attempt = (uint32_t)number;
    } else if (strcmp(key, "flags") == 0) {
        (*last)->flags = (uint32_t)number;
    } else {
        return false;
    }
    return true;
}

/* Seals without the checks of serin_directive_seal: an attacker is not polite. */
static int seal(const struct serin_signer *signer, struct serin_directive *directive,
                const char *out)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    const struct serin_codec *codec = serin_protobufc();
    uint8_t body[SERIN_DIRECTIVE_MAX], payload[SERIN_DIRECTIVE_MAX];
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE], digest[SERIN_SHA256_SIZE];
    struct serin_envelope envelope = {.body = body};
    size_t size = 0;
    /* The codec encodes no feature that it does not know; field 2 is appended by hand. */
    uint8_t features = (uint8_t)directive->required_features;
    directive->required_features = 0;
    if (codec->encode_directive(directive, body, sizeof body - 2, &envelope.body_size) !=
        SERIN_OK) {
        return fail("the directive does not encode");
    }
    if (features != 0) {
        body[envelope.body_size++] = 2 << 3;
        body[envelope.body_size++] = features;
    }
    serin_signed_digest(crypto, SERIN_SIGNED_DIRECTIVE, body, envelope.body_size, digest);
    if (signer->ops->public_key(signer->ctx, public_key) != SERIN_OK ||
        signer->ops->sign(signer->ctx, digest, envelope.signature) != SERIN_OK) {
        return fail("cannot sign");
    }
    serin_key_id(crypto, public_key, envelope.key_id);
    if (codec->encode_envelope(&envelope, payload, sizeof payload, &size) != SERIN_OK ||
        !dump(out, payload, size)) {
        return fail("cannot write the payload");
    }
    return 0;
}

static int forge_directive(int argc, char **argv)
{
    struct serin_directive directive = {.order = {1, 1},
                                        .issued_s = (uint64_t)time(NULL),
                                        .lease_s = 3600,
                                        .candidate_state = SERIN_CANDIDATE_NONE};
    struct serin_release *last = &directive.candidate;
    struct serin_key_signer *key = NULL;
    struct serin_key_why why;
    for (int i = 2; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            return fail("expected key=value");
        }
        *equals = '\0';
        if (!set(&directive, &last, argv[i], equals + 1)) {
            return fail(argv[i]);
        }
    }
    if (serin_key_signer_open(&key, argv[0], &why) != SERIN_OK) {
        return fail(why.text);
    }
    struct serin_signer signer = serin_key_signer_port(key);
    int status = seal(&signer, &directive, argv[1]);
    serin_key_signer_close(key);
    return status;
}

static bool put(const char *depot, const char *folder, const uint8_t name[32], const uint8_t *data,
                size_t size)
{
    char hex[SERIN_SHA256_HEX_SIZE], path[4096];
    serin_hex_encode(name, SERIN_SHA256_SIZE, hex);
    if (strcmp(folder, "objects") == 0) {
        snprintf(path, sizeof path, "%s/objects/%.2s", depot, hex);
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return false;
        }
        snprintf(path, sizeof path, "%s/objects/%.2s/%s", depot, hex, hex);
    } else {
        snprintf(path, sizeof path, "%s/manifests/%s", depot, hex);
    }
    return dump(path, data, size);
}

static int forge_unpack(const char *file, const char *depot)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    size_t size = 0;
    uint8_t *data = slurp(file, &size);
    struct serin_bundle bundle;
    uint8_t id[32], image[32], pieces[32];
    char hex[SERIN_SHA256_HEX_SIZE];
    if (data == NULL || serin_bundle_split(data, size, &bundle) != SERIN_OK) {
        free(data);
        return fail("not a bundle");
    }
    serin_manifest_id(crypto, bundle.manifest, id);
    /* The names that the manifest gives, not those of the content: a corrupt object stays where
     * devices look. */
    memcpy(image, bundle.manifest + 136, sizeof image);
    memcpy(pieces, bundle.manifest + 168, sizeof pieces);
    bool done = put(depot, "manifests", id, bundle.manifest, bundle.manifest_size) &&
                put(depot, "objects", image, bundle.image, bundle.image_size) &&
                put(depot, "objects", pieces, bundle.pieces, bundle.pieces_size);
    free(data);
    serin_hex_encode(id, sizeof id, hex);
    printf("%s\n", hex);
    return done ? 0 : fail("cannot write into the depot");
}

static int forge_manifest(char **argv)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    struct serin_key_signer *key = NULL;
    struct serin_key_why why;
    size_t size = 0;
    uint8_t *data = slurp(argv[0], &size);
    uint8_t digest[SERIN_SHA256_SIZE];
    if (data == NULL || size < SERIN_BUNDLE_HEADER_SIZE + SERIN_MANIFEST_SIZE_P256) {
        free(data);
        return fail("not a bundle");
    }
    if (serin_key_signer_open(&key, argv[1], &why) != SERIN_OK) {
        free(data);
        return fail(why.text);
    }
    uint8_t *body = data + SERIN_BUNDLE_HEADER_SIZE;
    body[strtoul(argv[3], NULL, 0) % SERIN_MANIFEST_BODY_SIZE] = (uint8_t)strtoul(argv[4], NULL, 0);
    serin_signed_digest(crypto, SERIN_SIGNED_MANIFEST, body, SERIN_MANIFEST_BODY_SIZE, digest);
    struct serin_signer signer = serin_key_signer_port(key);
    bool done = signer.ops->sign(signer.ctx, digest, body + SERIN_MANIFEST_HEAD_SIZE) == SERIN_OK &&
                dump(argv[2], data, size);
    serin_key_signer_close(key);
    free(data);
    return done ? 0 : fail("cannot sign or write");
}

static int forge_break(char **argv)
{
    size_t size = 0, offset = strtoul(argv[2], NULL, 0);
    uint8_t *data = slurp(argv[0], &size);
    if (data == NULL || offset >= size) {
        free(data);
        return fail("no such byte");
    }
    data[offset] ^= 0x10;
    bool done = dump(argv[1], data, size);
    free(data);
    return done ? 0 : fail("cannot write");
}

static int forge_ack(char **argv)
{
    const struct serin_ack ack = {.incarnation = strtoull(argv[1], NULL, 16),
                                  .number = strtoull(argv[2], NULL, 10),
                                  .status = SERIN_ACK_STORED};
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    if (serin_protobufc()->encode_ack(&ack, payload, sizeof payload, &size) != SERIN_OK ||
        !dump(argv[0], payload, size)) {
        return fail("cannot encode or write the ack");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "directive") == 0) {
        return forge_directive(argc - 2, argv + 2);
    }
    if (argc == 4 && strcmp(argv[1], "unpack") == 0) {
        return forge_unpack(argv[2], argv[3]);
    }
    if (argc == 5 && strcmp(argv[1], "ack") == 0) {
        return forge_ack(argv + 2);
    }
    if (argc == 7 && strcmp(argv[1], "manifest") == 0) {
        return forge_manifest(argv + 2);
    }
    if (argc == 5 && strcmp(argv[1], "break") == 0) {
        return forge_break(argv + 2);
    }
    fprintf(stderr,
            "usage: forge directive|unpack|manifest|ack|break …; see the head of forge.c\n");
    return 2;
}
