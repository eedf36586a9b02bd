/*
 * Signing manifests, directives and trust records (docs/spec/signing.md). Every seal is verified
 * with the signer's own public key before it is handed out: a signature that no device accepts must
 * not leave the release desk.
 */
#include <serin/host/bundle.h>

#include <string.h>

struct seal {
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
};

/* Whatever a signer or its token says, for the caller it is one thing: no signature can be had. */
static enum serin_error seal_make(const struct serin_crypto *crypto,
                                  const struct serin_signer *signer, enum serin_signed_kind kind,
                                  const uint8_t *body, size_t body_size, struct seal *seal)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_signed_digest(crypto, kind, body, body_size, digest);
    if (signer->ops->public_key(signer->ctx, seal->public_key) != SERIN_OK ||
        signer->ops->sign(signer->ctx, digest, seal->signature) != SERIN_OK) {
        return SERIN_ERR_CRYPTO;
    }
    serin_key_id(crypto, seal->public_key, seal->key_id);
    enum serin_error error =
        serin_signed_verify(crypto, kind, seal->public_key, body, body_size, seal->signature);
    return error == SERIN_OK ? SERIN_OK : SERIN_ERR_CRYPTO;
}

enum serin_error serin_manifest_seal(const struct serin_crypto *crypto,
                                     const struct serin_signer *signer,
                                     const struct serin_manifest *manifest,
                                     uint8_t bytes[SERIN_MANIFEST_SIZE_P256], const char **field)
{
    enum serin_error error = serin_manifest_check(manifest, field);
    if (error == SERIN_OK) {
        error = serin_manifest_encode(manifest, bytes);
    }
    struct seal seal;
    if (error == SERIN_OK) {
        error = seal_make(crypto, signer, SERIN_SIGNED_MANIFEST, bytes, SERIN_MANIFEST_BODY_SIZE,
                          &seal);
    }
    if (error == SERIN_OK) {
        serin_signature_area_encode_p256(bytes, SERIN_MANIFEST_BODY_SIZE, seal.key_id,
                                         seal.signature);
    }
    return error;
}

enum serin_error
serin_directive_seal(const struct serin_crypto *crypto, const struct serin_codec *codec,
                     const struct serin_signer *signer, const struct serin_directive *directive,
                     uint8_t payload[SERIN_DIRECTIVE_MAX], size_t *size, const char **field)
{
    uint8_t body[SERIN_DIRECTIVE_MAX];
    size_t body_size = 0;
    enum serin_error error = serin_directive_check(directive, field);
    if (error == SERIN_OK) {
        error = codec->encode_directive(directive, body, sizeof(body), &body_size);
    }
    struct seal seal;
    if (error == SERIN_OK) {
        error = seal_make(crypto, signer, SERIN_SIGNED_DIRECTIVE, body, body_size, &seal);
    }
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_envelope envelope = {.body = body, .body_size = body_size};
    memcpy(envelope.key_id, seal.key_id, sizeof(envelope.key_id));
    memcpy(envelope.signature, seal.signature, sizeof(envelope.signature));
    return codec->encode_envelope(&envelope, payload, SERIN_DIRECTIVE_MAX, size);
}

enum serin_error serin_trust_seal(const struct serin_crypto *crypto,
                                  const struct serin_signer *signer,
                                  const struct serin_trust *trust,
                                  uint8_t record[SERIN_TRUST_SIZE_P256])
{
    enum serin_error error = serin_trust_encode(trust, record);
    struct seal seal;
    if (error == SERIN_OK) {
        error = seal_make(crypto, signer, SERIN_SIGNED_TRUST, record, SERIN_TRUST_BODY_SIZE, &seal);
    }
    if (error != SERIN_OK) {
        return error;
    }
    size_t size = serin_signature_area_encode_p256(record, SERIN_TRUST_BODY_SIZE, seal.key_id,
                                                   seal.signature);
    /* Open it as a device will: wrong key ids, or root among the keys, come out here. */
    struct serin_trust opened;
    return serin_trust_open(crypto, seal.public_key, record, size, &opened);
}
