/*
 * Makes the golden vectors. A refused vector is the good one with exactly one thing wrong, and it
 * is signed after that thing went wrong unless the signature is the point: so each is refused for
 * its own reason and for no other.
 */
#include "vectors.h"

#include "samples.h"

#include <serin/crc32.h>

#include <stdio.h>
#include <string.h>

struct maker {
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    struct vector_key root, release, director;
    vector_sink *sink;
    void *arg;
    char list[SAMPLE_TEXT_MAX * 2]; /* refused.txt */
    size_t list_size;
    bool failed;
};

/* The two formats with a signature area. */
struct format {
    const char *name;
    enum serin_signed_kind kind;
    size_t body_size;
};

static const struct format manifest_format = {"manifest", SERIN_SIGNED_MANIFEST,
                                              SERIN_MANIFEST_BODY_SIZE};
static const struct format trust_format = {"trust", SERIN_SIGNED_TRUST, SERIN_TRUST_BODY_SIZE};

/* Room for the larger of the two, with a byte too many. */
#define RECORD_MAX (SERIN_TRUST_SIZE_P256 + 1)

/* Signs `body` as `kind` and puts the signature area behind it. Returns the whole size. */
static size_t seal(struct maker *maker, enum serin_signed_kind kind, const struct vector_key *key,
                   uint8_t *record, size_t body_size)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE] = {0};
    serin_signed_digest(maker->crypto, kind, record, body_size, digest);
    maker->failed |= !vector_sign_digest(key, digest, signature);
    return serin_signature_area_encode_p256(record, body_size, key->key_id, signature);
}

/* Hands a vector that must be refused to the sink, and notes with which error. */
static void refuse(struct maker *maker, const char *opener, const char *fault, const char *error,
                   const uint8_t *data, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "refused/%s-%s.bin", opener, fault);
    maker->sink(maker->arg, name, data, size);
    int count = snprintf(maker->list + maker->list_size, sizeof maker->list - maker->list_size,
                         "%s-%s.bin %s %s\n", opener, fault, opener, error);
    maker->list_size += (size_t)count;
}

/* ---- faults in a signed body ---- */

struct patch {
    const char *fault;
    const char *error;
    size_t offset;
    const char *bytes;
    size_t size;
};
#define BYTES(text) (text), sizeof(text) - 1

static const struct patch manifest_patches[] = {
    {"magic", "FORMAT", 0, BYTES("SRNB")},
    {"format", "VERSION", 4, BYTES("\x02")},
    {"body-size", "FORMAT", 6, BYTES("\x01")},
    {"feature", "FEATURE", 11, BYTES("\x80")},
    {"reserved-1", "RESERVED", 12, BYTES("\x01")},
    {"reserved-2", "RESERVED", 123, BYTES("\x01")},
    {"reserved-3", "RESERVED", 219, BYTES("\x01")},
    {"reserved-4", "RESERVED", 511, BYTES("\x01")},
    {"vendor-empty", "FORMAT", 16, BYTES("\0\0\0\0")},
    {"product-name", "FORMAT", 50, BYTES("/")},
    {"product-other", "PRODUCT", 48, BYTES("fan\0")},
    {"component-padding", "RESERVED", 111, BYTES("x")},
    {"hardware-zero", "INVALID", 112, BYTES("\0\0")},
    {"hardware-order", "INVALID", 112, BYTES("\x04")},
    {"image-empty", "INVALID", 128, BYTES("\0\0\0\0")},
    {"image-huge", "INVALID", 128, BYTES("\x01\0\0\x10")},
    {"slot-none", "INVALID", 208, BYTES("\0")},
    {"slot-third", "INVALID", 208, BYTES("\x07")},
    {"window-zero", "INVALID", 216, BYTES("\0\0")},
    {"window-long", "INVALID", 216, BYTES("\x11\x0e")},
    {"tries-zero", "INVALID", 218, BYTES("\0")},
    {"tries-many", "INVALID", 218, BYTES("\x11")},
    {"channel-none", "FORMAT", 232, BYTES("\0\0\0\0\0\0")},
    {"channel-gap", "FORMAT", 328, BYTES("late")},
};

static const struct patch trust_patches[] = {
    {"magic", "FORMAT", 3, BYTES("M")},
    {"format", "VERSION", 5, BYTES("\x01")},
    {"body-size", "FORMAT", 6, BYTES("\xc1")},
    {"feature", "FEATURE", 8, BYTES("\x01")},
    {"version-zero", "INVALID", 12, BYTES("\0\0\0\0")},
    {"product-empty", "FORMAT", 16, BYTES("\0\0\0\0")},
    {"product-padding", "RESERVED", 47, BYTES("x")},
    {"keys-none", "INVALID", 56, BYTES("\0")},
    {"keys-many", "INVALID", 56, BYTES("\x09")},
    {"reserved", "RESERVED", 63, BYTES("\x01")},
    {"role-root", "INVALID", 64, BYTES("\x03")},
    {"role-zero", "INVALID", 64, BYTES("\0")},
    {"algorithm", "UNSUPPORTED", 65, BYTES("\x02")},
    {"key-reserved", "RESERVED", 71, BYTES("\x01")},
    {"key-id", "FORMAT", 72, BYTES("\0\0\0\0\0\0\0\0")},
    {"unused", "RESERVED", 703, BYTES("\x01")},
};

static void refuse_patched(struct maker *maker, const struct format *format,
                           const struct vector_key *key, const uint8_t *good,
                           const struct patch *patches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct patch *patch = &patches[i];
        uint8_t record[RECORD_MAX];
        memcpy(record, good, format->body_size);
        memcpy(record + patch->offset, patch->bytes, patch->size);
        size_t size = seal(maker, format->kind, key, record, format->body_size);
        refuse(maker, format->name, patch->fault, patch->error, record, size);
    }
}

/* ---- faults in the signature area ---- */

/* n of P-256, big-endian. */
static const uint8_t order_n[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* n - s: what verifies wherever s does. */
static void negate(uint8_t s[32])
{
    unsigned borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        unsigned taken = s[i] + borrow;
        borrow = order_n[i] < taken;
        s[i] = (uint8_t)(order_n[i] - taken);
    }
}

/* The base point of secp256k1 (SEC 2, section 2.4.1), X ‖ Y: a key of another curve, of the same
 * size. */
static const uint8_t other_curve[SERIN_P256_PUBLIC_SIZE] = {
    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
    0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
    0x48, 0x3a, 0xda, 0x77, 0x26, 0xa3, 0xc4, 0x65, 0x5d, 0xa4, 0xfb, 0xfc, 0x0e, 0x11, 0x08, 0xa8,
    0xfd, 0x17, 0xb4, 0x48, 0xa6, 0x85, 0x54, 0x19, 0x9c, 0x47, 0xd0, 0x8f, 0xfb, 0x10, 0xd4, 0xb8};

static void refuse_signature(struct maker *maker, const struct format *format, const char *fault,
                             const uint8_t *good, const uint8_t *r, const uint8_t *s)
{
    uint8_t record[RECORD_MAX];
    size_t at = format->body_size + SERIN_SIGNATURE_HEAD_SIZE;
    size_t size = at + SERIN_P256_SIGNATURE_SIZE;
    memcpy(record, good, size);
    if (r != NULL) {
        memcpy(record + at, r, 32);
    }
    if (s != NULL) {
        memcpy(record + at + 32, s, 32);
    }
    refuse(maker, format->name, fault, "SIGNATURE", record, size);
}

/* A change of the signature area alone, of one byte. */
static void refuse_area(struct maker *maker, const struct format *format, const char *fault,
                        const char *error, const uint8_t *good, size_t offset, uint8_t value)
{
    uint8_t record[RECORD_MAX];
    size_t size = format->body_size + SERIN_SIGNATURE_HEAD_SIZE + SERIN_P256_SIGNATURE_SIZE;
    memcpy(record, good, size);
    record[format->body_size + offset] = value;
    refuse(maker, format->name, fault, error, record, size);
}

static void refuse_areas(struct maker *maker, const struct format *format, const uint8_t *good)
{
    static const uint8_t zero[32];
    uint8_t record[RECORD_MAX] = {0};
    size_t size = format->body_size + SERIN_SIGNATURE_HEAD_SIZE + SERIN_P256_SIGNATURE_SIZE;
    memcpy(record, good, size);
    refuse(maker, format->name, "truncated", "TRUNCATED", record, size - 1);
    refuse(maker, format->name, "body-only", "TRUNCATED", record, format->body_size);
    refuse(maker, format->name, "trailing", "FORMAT", record, size + 1);

    refuse_area(maker, format, "type-zero", "UNSUPPORTED", good, 0, 0);
    refuse_area(maker, format, "type-unknown", "UNSUPPORTED", good, 0, 2);
    refuse_area(maker, format, "signature-size", "FORMAT", good, 2, 63);
    refuse_area(maker, format, "signature-huge", "TOO_LARGE", good, 3, 0xff);
    refuse_area(maker, format, "area-reserved", "RESERVED", good, 15, 1);
    refuse_area(maker, format, "key-unknown", "KEY", good, 4,
                (uint8_t)~good[format->body_size + 4]);

    refuse_signature(maker, format, "r0-s0", good, zero, zero);
    refuse_signature(maker, format, "r0", good, zero, NULL);
    refuse_signature(maker, format, "s0", good, NULL, zero);
    refuse_signature(maker, format, "rn", good, order_n, NULL);
    refuse_signature(maker, format, "sn", good, NULL, order_n);
    refuse_signature(maker, format, "rn-sn", good, order_n, order_n);
    memcpy(record, good, size);
    record[format->body_size - 1] ^= 1; /* a bit of the body, flipped after signing */
    refuse(maker, format->name, "body-bit", "SIGNATURE", record, size);
}

/* ---- the vectors ---- */

static size_t make_manifest(struct maker *maker, uint8_t record[RECORD_MAX])
{
    struct serin_manifest manifest;
    struct serin_signature_area area;
    char json[SAMPLE_TEXT_MAX];
    sample_manifest(maker->crypto, &manifest);
    maker->failed |= serin_manifest_encode(&manifest, record) != SERIN_OK;
    size_t size =
        seal(maker, SERIN_SIGNED_MANIFEST, &maker->release, record, SERIN_MANIFEST_BODY_SIZE);
    maker->failed |=
        serin_signature_area_decode(record, size, SERIN_MANIFEST_BODY_SIZE, &area) != SERIN_OK;
    sample_manifest_json(maker->crypto, &manifest, &area, json);
    maker->sink(maker->arg, "manifest.bin", record, size);
    maker->sink(maker->arg, "manifest.json", json, strlen(json));
    return size;
}

static void make_trust(struct maker *maker, uint8_t record[RECORD_MAX])
{
    struct serin_trust trust;
    struct serin_signature_area area;
    char json[SAMPLE_TEXT_MAX];
    sample_trust(&maker->release, &maker->director, &trust);
    maker->failed |= serin_trust_encode(&trust, record) != SERIN_OK;
    size_t size = seal(maker, SERIN_SIGNED_TRUST, &maker->root, record, SERIN_TRUST_BODY_SIZE);
    maker->failed |=
        serin_signature_area_decode(record, size, SERIN_TRUST_BODY_SIZE, &area) != SERIN_OK;
    sample_trust_json(&trust, &area, json);
    maker->sink(maker->arg, "trust.bin", record, size);
    maker->sink(maker->arg, "trust.json", json, strlen(json));
}

/* The bundle of docs/spec/bundle.md around the sample manifest. */
static void make_bundle(struct maker *maker, const uint8_t *manifest, size_t manifest_size)
{
    uint8_t bundle[32 + RECORD_MAX + SAMPLE_PIECES_SIZE + SAMPLE_IMAGE_SIZE] = {'S', 'R', 'N', 'B'};
    serin_put_le16(bundle + 4, 1);
    serin_put_le16(bundle + 6, 32);
    serin_put_le32(bundle + 8, (uint32_t)manifest_size);
    serin_put_le32(bundle + 12, SAMPLE_PIECES_SIZE);
    serin_put_le64(bundle + 16, SAMPLE_IMAGE_SIZE);
    serin_put_le32(bundle + 28, serin_crc32(0, bundle, 28));
    memcpy(bundle + 32, manifest, manifest_size);
    sample_pieces(maker->crypto, bundle + 32 + manifest_size);
    sample_image(bundle + 32 + manifest_size + SAMPLE_PIECES_SIZE);
    maker->sink(maker->arg, "bundle.bin", bundle,
                32 + manifest_size + SAMPLE_PIECES_SIZE + SAMPLE_IMAGE_SIZE);
}

/* Signatures by the wrong key or for another kind. */
static void refuse_keys(struct maker *maker, const uint8_t *manifest, const uint8_t *trust)
{
    uint8_t record[RECORD_MAX];
    size_t body = SERIN_MANIFEST_BODY_SIZE;
    memcpy(record, manifest, body);
    size_t size = seal(maker, SERIN_SIGNED_MANIFEST, &maker->director, record, body);
    refuse(maker, "manifest", "director-key", "KEY", record, size);
    size = seal(maker, SERIN_SIGNED_MANIFEST, &maker->root, record, body);
    refuse(maker, "manifest", "root-key", "KEY", record, size);
    size = seal(maker, SERIN_SIGNED_TRUST, &maker->release, record, body);
    refuse(maker, "manifest", "trust-domain", "SIGNATURE", record, size);
    size = seal(maker, SERIN_SIGNED_DIRECTIVE, &maker->release, record, body);
    refuse(maker, "manifest", "directive-domain", "SIGNATURE", record, size);

    body = SERIN_TRUST_BODY_SIZE;
    memcpy(record, trust, body);
    size = seal(maker, SERIN_SIGNED_TRUST, &maker->release, record, body);
    refuse(maker, "trust", "release-key", "KEY", record, size);
    size = seal(maker, SERIN_SIGNED_TRUST, &maker->director, record, body);
    refuse(maker, "trust", "director-key", "KEY", record, size);
    size = seal(maker, SERIN_SIGNED_MANIFEST, &maker->root, record, body);
    refuse(maker, "trust", "manifest-domain", "SIGNATURE", record, size);
    size = seal(maker, SERIN_SIGNED_DIRECTIVE, &maker->root, record, body);
    refuse(maker, "trust", "directive-domain", "SIGNATURE", record, size);
    memcpy(record + 64 + 80 + 1, record + 64 + 1, 79); /* the release key as director, too */
    size = seal(maker, SERIN_SIGNED_TRUST, &maker->root, record, body);
    refuse(maker, "trust", "key-twice", "KEY", record, size);
    memcpy(record, trust, body);
    memcpy(record + 64 + 8, maker->root.key_id, SERIN_KEY_ID_SIZE);
    memcpy(record + 64 + 16, maker->root.public_key, SERIN_P256_PUBLIC_SIZE);
    size = seal(maker, SERIN_SIGNED_TRUST, &maker->root, record, body);
    refuse(maker, "trust", "root-inside", "KEY", record, size);
}

/* The good record with the twin of its signature: accepted, and the same record. */
static void make_twin(struct maker *maker, const char *name, const uint8_t *good, size_t size)
{
    uint8_t record[RECORD_MAX];
    memcpy(record, good, size);
    negate(record + size - 32);
    maker->sink(maker->arg, name, record, size);
}

/* A directive's payload: the body signed as `kind` by `key`. */
static size_t seal_directive(struct maker *maker, const struct serin_directive *directive,
                             enum serin_signed_kind kind, const struct vector_key *key,
                             uint8_t payload[SERIN_DIRECTIVE_MAX])
{
    uint8_t body[SERIN_DIRECTIVE_MAX];
    uint8_t digest[SERIN_SHA256_SIZE];
    struct serin_envelope envelope = {.body = body};
    size_t size = 0;
    maker->failed |= maker->codec->encode_directive(directive, body, sizeof body,
                                                    &envelope.body_size) != SERIN_OK;
    serin_signed_digest(maker->crypto, kind, body, envelope.body_size, digest);
    maker->failed |= !vector_sign_digest(key, digest, envelope.signature);
    memcpy(envelope.key_id, key->key_id, SERIN_KEY_ID_SIZE);
    maker->failed |=
        maker->codec->encode_envelope(&envelope, payload, SERIN_DIRECTIVE_MAX, &size) != SERIN_OK;
    return size;
}

/* Keys of another curve. The trust record that has one opens, as its points are looked at when they
 * are used; what it would have to verify does not. Its own root key being one, nothing does. */
static void make_other_curve(struct maker *maker, const uint8_t *manifest, const uint8_t *trust)
{
    struct serin_trust holder;
    struct serin_directive directive;
    uint8_t record[RECORD_MAX];
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    struct vector_key other = {.private_key = {0}};
    memcpy(other.public_key, other_curve, sizeof other_curve);
    serin_key_id(maker->crypto, other.public_key, other.key_id);
    for (size_t role = 0; role < 2; role++) {
        sample_trust(role == 0 ? &other : &maker->release, role == 1 ? &other : &maker->director,
                     &holder);
        maker->failed |= serin_trust_encode(&holder, record) != SERIN_OK;
        size_t size = seal(maker, SERIN_SIGNED_TRUST, &maker->root, record, SERIN_TRUST_BODY_SIZE);
        maker->sink(maker->arg,
                    role == 0 ? "other-curve/trust-release.bin" : "other-curve/trust-director.bin",
                    record, size);
    }
    /* Signed by the right keys, each names the one of the other curve. */
    memcpy(record, trust, SERIN_TRUST_SIZE_P256);
    memcpy(record + SERIN_TRUST_BODY_SIZE + 4, other.key_id, SERIN_KEY_ID_SIZE);
    maker->sink(maker->arg, "other-curve/trust.bin", record, SERIN_TRUST_SIZE_P256);
    maker->sink(maker->arg, "other-curve/root-public.bin", other_curve, sizeof other_curve);
    memcpy(record, manifest, SERIN_MANIFEST_SIZE_P256);
    memcpy(record + SERIN_MANIFEST_BODY_SIZE + 4, other.key_id, SERIN_KEY_ID_SIZE);
    maker->sink(maker->arg, "other-curve/manifest.bin", record, SERIN_MANIFEST_SIZE_P256);
    sample_directive(maker->crypto, &directive);
    memcpy(other.private_key, maker->director.private_key, sizeof other.private_key);
    size_t size = seal_directive(maker, &directive, SERIN_SIGNED_DIRECTIVE, &other, payload);
    maker->sink(maker->arg, "other-curve/directive.bin", payload, size);
}

/* A directive whose signature has 63 bytes: the envelope says so, and ends there. */
static void refuse_short_directive(struct maker *maker, const uint8_t *good, size_t size)
{
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t length = size - SERIN_P256_SIGNATURE_SIZE - 1u; /* where its length stands */
    memcpy(payload, good, size);
    maker->failed |= payload[length] != SERIN_P256_SIGNATURE_SIZE;
    payload[length] = SERIN_P256_SIGNATURE_SIZE - 1u;
    refuse(maker, "directive", "signature-short", "INVALID", payload, size - 1u);
}

static void refuse_directives(struct maker *maker)
{
    struct serin_directive directive;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    sample_directive(maker->crypto, &directive);
    size_t size =
        seal_directive(maker, &directive, SERIN_SIGNED_DIRECTIVE, &maker->release, payload);
    refuse(maker, "directive", "release-key", "KEY", payload, size);
    size = seal_directive(maker, &directive, SERIN_SIGNED_DIRECTIVE, &maker->root, payload);
    refuse(maker, "directive", "root-key", "KEY", payload, size);
    size = seal_directive(maker, &directive, SERIN_SIGNED_MANIFEST, &maker->director, payload);
    refuse(maker, "directive", "manifest-domain", "SIGNATURE", payload, size);
    size = seal_directive(maker, &directive, SERIN_SIGNED_TRUST, &maker->director, payload);
    refuse(maker, "directive", "trust-domain", "SIGNATURE", payload, size);
    size = seal_directive(maker, &directive, SERIN_SIGNED_DIRECTIVE, &maker->director, payload);
    payload[size - 1] ^= 1;
    refuse(maker, "directive", "signature-bit", "SIGNATURE", payload, size);
    payload[size - 1] ^= 1;
    uint8_t *r = payload + size - SERIN_P256_SIGNATURE_SIZE;
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    memcpy(signature, r, sizeof signature);
    /* The signature is the last field of the envelope. */
    static const struct {
        const char *fault;
        bool r, s; /* which of them is replaced, by n or else by 0 */
        bool by_n;
    } scalars[] = {{"r0-s0", true, true, false}, {"r0", true, false, false},
                   {"s0", false, true, false},   {"rn-sn", true, true, true},
                   {"rn", true, false, true},    {"sn", false, true, true}};
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        static const uint8_t zero[32];
        const uint8_t *number = scalars[i].by_n ? order_n : zero;
        memcpy(r, scalars[i].r ? number : signature, 32);
        memcpy(r + 32, scalars[i].s ? number : signature + 32, 32);
        refuse(maker, "directive", scalars[i].fault, "SIGNATURE", payload, size);
    }
    memcpy(r, signature, sizeof signature);
    make_twin(maker, "twin/directive.bin", payload, size);
    maker->sink(maker->arg, "twin/directive-good.bin", payload, size);
    refuse(maker, "directive", "truncated", "FORMAT", payload, size - 1);
    refuse_short_directive(maker, payload, size);
    memcpy(directive.product, "fan", sizeof "fan");
    size = seal_directive(maker, &directive, SERIN_SIGNED_DIRECTIVE, &maker->director, payload);
    refuse(maker, "directive", "product-other", "PRODUCT", payload, size);
}

static bool load_key(struct maker *maker, const char *folder, const char *name,
                     struct vector_key *key)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    return vector_key_load(maker->crypto, path, key);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool vectors_make(const struct serin_crypto *crypto, const struct serin_codec *codec,
                  const char *keys, vector_sink *sink, void *arg)
{
    struct maker maker = {.crypto = crypto, .codec = codec, .sink = sink, .arg = arg};
    uint8_t manifest[RECORD_MAX];
    uint8_t trust[RECORD_MAX];
    if (!load_key(&maker, keys, "root", &maker.root) ||
        !load_key(&maker, keys, "release", &maker.release) ||
        !load_key(&maker, keys, "director", &maker.director)) {
        return false;
    }
    sink(arg, "root-public.bin", maker.root.public_key, sizeof maker.root.public_key);
    size_t manifest_size = make_manifest(&maker, manifest);
    make_trust(&maker, trust);
    make_bundle(&maker, manifest, manifest_size);
    refuse_patched(&maker, &manifest_format, &maker.release, manifest, manifest_patches,
                   COUNT(manifest_patches));
    refuse_areas(&maker, &manifest_format, manifest);
    refuse_patched(&maker, &trust_format, &maker.root, trust, trust_patches, COUNT(trust_patches));
    refuse_areas(&maker, &trust_format, trust);
    refuse_keys(&maker, manifest, trust);
    make_twin(&maker, "twin/manifest.bin", manifest, SERIN_MANIFEST_SIZE_P256);
    make_twin(&maker, "twin/trust.bin", trust, SERIN_TRUST_SIZE_P256);
    make_other_curve(&maker, manifest, trust);
    refuse_directives(&maker);
    sink(arg, "refused.txt", maker.list, maker.list_size);
    return !maker.failed;
}
