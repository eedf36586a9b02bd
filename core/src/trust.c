/* The trust record, and opening what its keys have signed (docs/spec/trust.md). */
#include <serin/trust.h>

#include <string.h>

/* Offsets in the body, in its order. */
enum {
    OFFSET_MAGIC = 0,
    OFFSET_FORMAT = 4,
    OFFSET_BODY_SIZE = 6,
    OFFSET_FEATURES = 8,
    OFFSET_VERSION = 12,
    OFFSET_PRODUCT = 16,
    OFFSET_CREATED = 48,
    OFFSET_KEY_COUNT = 56,
    OFFSET_RESERVED = 57,
    OFFSET_KEYS = 64,
};

/* Offsets in a key. */
enum {
    KEY_ROLE = 0,
    KEY_ALGORITHM = 1,
    KEY_RESERVED = 2,
    KEY_ID = 8,
    KEY_PUBLIC = 16,
    KEY_SIZE = 80,
};
_Static_assert(OFFSET_KEYS + SERIN_TRUST_KEYS_MAX * KEY_SIZE == SERIN_TRUST_BODY_SIZE,
               "docs/spec/trust.md");
_Static_assert(KEY_PUBLIC + SERIN_P256_PUBLIC_SIZE == KEY_SIZE, "docs/spec/trust.md");
_Static_assert(SERIN_TRUST_BODY_SIZE + SERIN_SIGNATURE_HEAD_SIZE + SERIN_P256_SIGNATURE_SIZE ==
                   SERIN_TRUST_SIZE_P256,
               "docs/spec/trust.md");
_Static_assert(SERIN_TRUST_BODY_SIZE + SERIN_SIGNATURE_HEAD_SIZE + SERIN_SIGNATURE_MAX ==
                   SERIN_TRUST_MAX,
               "docs/spec/trust.md");

#define TRUST_FORMAT 1u
#define TRUST_MAGIC  0x544E5253u /* "SRNT" */

/* Whether `public_key` stands among the keys of the record from the one at `from` on. */
static bool has_key(const struct serin_trust *trust, size_t from,
                    const uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    for (size_t i = from; i < trust->key_count; i++) {
        if (memcmp(trust->keys[i].public_key, public_key, SERIN_P256_PUBLIC_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* What both directions demand of version and keys. */
static enum serin_error check_keys(const struct serin_trust *trust)
{
    bool twice = false;
    if (trust->version < 1) {
        return SERIN_ERR_INVALID;
    }
    for (size_t i = 0; i < trust->key_count; i++) {
        const struct serin_trust_key *key = &trust->keys[i];
        if (key->role != SERIN_KEY_ROLE_RELEASE && key->role != SERIN_KEY_ROLE_DIRECTOR) {
            return SERIN_ERR_INVALID;
        }
        twice = twice || has_key(trust, i + 1, key->public_key);
    }
    return twice ? SERIN_ERR_KEY : SERIN_OK;
}

enum serin_error serin_trust_encode(const struct serin_trust *trust,
                                    uint8_t body[SERIN_TRUST_BODY_SIZE])
{
    if ((trust->required_features & ~SERIN_TRUST_FEATURES_KNOWN) != 0) {
        return SERIN_ERR_FEATURE;
    }
    if (trust->key_count < 1 || trust->key_count > SERIN_TRUST_KEYS_MAX ||
        !serin_product_held(trust->product)) {
        return SERIN_ERR_INVALID;
    }
    enum serin_error error = check_keys(trust);
    if (error != SERIN_OK) {
        return error;
    }
    memset(body, 0, SERIN_TRUST_BODY_SIZE);
    serin_put_le32(body + OFFSET_MAGIC, TRUST_MAGIC);
    serin_put_le16(body + OFFSET_FORMAT, TRUST_FORMAT);
    serin_put_le16(body + OFFSET_BODY_SIZE, SERIN_TRUST_BODY_SIZE);
    serin_put_le32(body + OFFSET_FEATURES, trust->required_features);
    serin_put_le32(body + OFFSET_VERSION, trust->version);
    memcpy(body + OFFSET_PRODUCT, trust->product, strlen(trust->product));
    serin_put_le64(body + OFFSET_CREATED, trust->created_s);
    body[OFFSET_KEY_COUNT] = (uint8_t)trust->key_count;
    for (size_t i = 0; i < trust->key_count; i++) {
        uint8_t *key = body + OFFSET_KEYS + i * KEY_SIZE;
        key[KEY_ROLE] = (uint8_t)trust->keys[i].role;
        key[KEY_ALGORITHM] = SERIN_SIGNATURE_ECDSA_P256;
        memcpy(key + KEY_ID, trust->keys[i].key_id, SERIN_KEY_ID_SIZE);
        memcpy(key + KEY_PUBLIC, trust->keys[i].public_key, SERIN_P256_PUBLIC_SIZE);
    }
    return SERIN_OK;
}

/* Checks what must hold before any field means anything; see check_frame of the manifest. */
static enum serin_error check_frame(const uint8_t *body, size_t size)
{
    if (size < SERIN_TRUST_BODY_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    if (serin_get_le32(body + OFFSET_MAGIC) != TRUST_MAGIC) {
        return SERIN_ERR_FORMAT;
    }
    if (serin_get_le16(body + OFFSET_FORMAT) != TRUST_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    if (serin_get_le16(body + OFFSET_BODY_SIZE) != SERIN_TRUST_BODY_SIZE) {
        return SERIN_ERR_FORMAT;
    }
    if ((serin_get_le32(body + OFFSET_FEATURES) & ~SERIN_TRUST_FEATURES_KNOWN) != 0) {
        return SERIN_ERR_FEATURE;
    }
    return serin_bytes_all(body + OFFSET_RESERVED, OFFSET_KEYS - OFFSET_RESERVED, 0)
               ? SERIN_OK
               : SERIN_ERR_RESERVED;
}

static enum serin_error decode_key(const struct serin_crypto *crypto, const uint8_t *bytes,
                                   struct serin_trust_key *key)
{
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    if (bytes[KEY_ALGORITHM] != SERIN_SIGNATURE_ECDSA_P256) {
        return SERIN_ERR_UNSUPPORTED;
    }
    if (!serin_bytes_all(bytes + KEY_RESERVED, KEY_ID - KEY_RESERVED, 0)) {
        return SERIN_ERR_RESERVED;
    }
    key->role = (enum serin_key_role)bytes[KEY_ROLE];
    memcpy(key->key_id, bytes + KEY_ID, SERIN_KEY_ID_SIZE);
    memcpy(key->public_key, bytes + KEY_PUBLIC, SERIN_P256_PUBLIC_SIZE);
    serin_key_id(crypto, key->public_key, key_id);
    return memcmp(key_id, key->key_id, sizeof key_id) == 0 ? SERIN_OK : SERIN_ERR_FORMAT;
}

enum serin_error serin_trust_decode(const struct serin_crypto *crypto, const uint8_t *body,
                                    size_t size, struct serin_trust *trust)
{
    enum serin_error error = check_frame(body, size);
    if (error != SERIN_OK) {
        return error;
    }
    memset(trust, 0, sizeof *trust);
    trust->required_features = serin_get_le32(body + OFFSET_FEATURES);
    trust->version = serin_get_le32(body + OFFSET_VERSION);
    trust->created_s = serin_get_le64(body + OFFSET_CREATED);
    trust->key_count = body[OFFSET_KEY_COUNT];
    error = serin_field_get(body + OFFSET_PRODUCT, SERIN_PRODUCT_MAX, trust->product);
    if (error != SERIN_OK) {
        return error;
    }
    if (!serin_product_held(trust->product)) {
        return SERIN_ERR_FORMAT;
    }
    if (trust->key_count < 1 || trust->key_count > SERIN_TRUST_KEYS_MAX) {
        return SERIN_ERR_INVALID;
    }
    const uint8_t *unused = body + OFFSET_KEYS + trust->key_count * KEY_SIZE;
    if (!serin_bytes_all(unused, (SERIN_TRUST_KEYS_MAX - trust->key_count) * KEY_SIZE, 0)) {
        return SERIN_ERR_RESERVED;
    }
    for (size_t i = 0; i < trust->key_count && error == SERIN_OK; i++) {
        error = decode_key(crypto, body + OFFSET_KEYS + i * KEY_SIZE, &trust->keys[i]);
    }
    return error == SERIN_OK ? check_keys(trust) : error;
}

enum serin_error serin_trust_prove(const struct serin_crypto *crypto,
                                   const uint8_t root_key[SERIN_P256_PUBLIC_SIZE],
                                   const uint8_t *record, size_t size, struct serin_trust *trust,
                                   struct serin_run *run)
{
    struct serin_signature_area area;
    uint8_t root_id[SERIN_KEY_ID_SIZE];
    enum serin_error error =
        serin_signature_area_decode(record, size, SERIN_TRUST_BODY_SIZE, &area);
    if (error != SERIN_OK) {
        return error;
    }
    serin_key_id(crypto, root_key, root_id);
    uint32_t difference = serin_difference(root_id, area.key_id, sizeof root_id);
    serin_run_note(run, SERIN_STEP_TRUST_KEY, difference);
    if (difference != 0) {
        return SERIN_ERR_KEY;
    }
    error = serin_signed_prove(crypto, SERIN_SIGNED_TRUST, root_key, record, SERIN_TRUST_BODY_SIZE,
                               area.signature, SERIN_STEP_TRUST_SIGNATURE, run);
    if (error == SERIN_OK) {
        error = serin_trust_decode(crypto, record, SERIN_TRUST_BODY_SIZE, trust);
        if (error == SERIN_OK && has_key(trust, 0, root_key)) {
            error = SERIN_ERR_KEY; /* root has a role already */
        }
        serin_run_note(run, SERIN_STEP_TRUST_CONTENT, (uint32_t)error);
    }
    return error;
}

enum serin_error serin_trust_open(const struct serin_crypto *crypto,
                                  const uint8_t root_key[SERIN_P256_PUBLIC_SIZE],
                                  const uint8_t *record, size_t size, struct serin_trust *trust)
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return serin_trust_prove(crypto, root_key, record, size, trust, &run);
}

enum serin_error serin_trust_open_twice(const struct serin_crypto *crypto,
                                        const uint8_t root_key[SERIN_P256_PUBLIC_SIZE],
                                        const uint8_t *record, size_t size,
                                        struct serin_trust *trust, struct serin_proof *proof)
{
    struct serin_run first, second;
    serin_run_start(&first, SERIN_RUN_FIRST);
    serin_run_start(&second, SERIN_RUN_SECOND);
    *proof = (struct serin_proof){.first = 0};
    enum serin_error error = serin_trust_prove(crypto, root_key, record, size, trust, &first);
    proof->first = first.evidence;
    if (error == SERIN_OK) {
        error = serin_trust_prove(crypto, root_key, record, size, trust, &second);
        proof->second = second.evidence;
    }
    return error;
}

const struct serin_trust_key *serin_trust_find(const struct serin_trust *trust,
                                               enum serin_key_role role,
                                               const uint8_t key_id[SERIN_KEY_ID_SIZE])
{
    for (size_t i = 0; i < trust->key_count; i++) {
        const struct serin_trust_key *key = &trust->keys[i];
        if (key->role == role && memcmp(key->key_id, key_id, SERIN_KEY_ID_SIZE) == 0) {
            return key;
        }
    }
    return NULL;
}

enum serin_error serin_manifest_prove(const struct serin_crypto *crypto,
                                      const struct serin_trust *trust, const uint8_t *bytes,
                                      size_t size, struct serin_manifest *manifest,
                                      uint8_t id[SERIN_SHA256_SIZE], struct serin_run *run)
{
    struct serin_signature_area area;
    enum serin_error error =
        serin_signature_area_decode(bytes, size, SERIN_MANIFEST_BODY_SIZE, &area);
    if (error != SERIN_OK) {
        return error;
    }
    const struct serin_trust_key *key =
        serin_trust_find(trust, SERIN_KEY_ROLE_RELEASE, area.key_id);
    if (key == NULL) {
        return SERIN_ERR_KEY;
    }
    serin_run_note(run, SERIN_STEP_MANIFEST_KEY,
                   ((uint32_t)key->role ^ SERIN_KEY_ROLE_RELEASE) |
                       serin_difference(key->key_id, area.key_id, sizeof area.key_id));
    error = serin_signed_prove(crypto, SERIN_SIGNED_MANIFEST, key->public_key, bytes,
                               SERIN_MANIFEST_BODY_SIZE, area.signature,
                               SERIN_STEP_MANIFEST_SIGNATURE, run);
    if (error == SERIN_OK) {
        error = serin_manifest_decode(bytes, SERIN_MANIFEST_BODY_SIZE, manifest);
        serin_run_note(run, SERIN_STEP_MANIFEST_CONTENT, (uint32_t)error);
    }
    if (error == SERIN_OK) {
        error = strcmp(manifest->product, trust->product) == 0 ? SERIN_OK : SERIN_ERR_PRODUCT;
        serin_run_note(run, SERIN_STEP_MANIFEST_PRODUCT, (uint32_t)error);
    }
    if (error == SERIN_OK && id != NULL) {
        serin_manifest_id(crypto, bytes, id);
    }
    return error;
}

enum serin_error serin_manifest_open(const struct serin_crypto *crypto,
                                     const struct serin_trust *trust, const uint8_t *bytes,
                                     size_t size, struct serin_manifest *manifest,
                                     uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return serin_manifest_prove(crypto, trust, bytes, size, manifest, id, &run);
}

enum serin_error serin_manifest_open_twice(const struct serin_crypto *crypto,
                                           const struct serin_trust *trust, const uint8_t *bytes,
                                           size_t size, struct serin_manifest *manifest,
                                           struct serin_proof *proof)
{
    struct serin_run first, second;
    serin_run_start(&first, SERIN_RUN_FIRST);
    serin_run_start(&second, SERIN_RUN_SECOND);
    *proof = (struct serin_proof){.first = 0};
    enum serin_error error =
        serin_manifest_prove(crypto, trust, bytes, size, manifest, NULL, &first);
    proof->first = first.evidence;
    if (error == SERIN_OK) {
        error = serin_manifest_prove(crypto, trust, bytes, size, manifest, NULL, &second);
        proof->second = second.evidence;
    }
    return error;
}
