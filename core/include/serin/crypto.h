/*
 * The crypto port: the three primitives that the cores need. adapters/wolfcrypt provides it on
 * hosts and boards.
 */
#ifndef SERIN_CRYPTO_H
#define SERIN_CRYPTO_H

#include <serin/bytes.h>
#include <serin/error.h>
#include <serin/proof.h>

#define SERIN_P256_PUBLIC_SIZE    64u /* X ‖ Y, big-endian, uncompressed without the 0x04 prefix */
#define SERIN_P256_SIGNATURE_SIZE 64u /* r ‖ s, big-endian, fixed width */

/* Room for a SHA-256 in progress; the adapter keeps its own context in it and asserts that it fits.
 * Several are in progress at a time, one of them over many steps of the agent, and others begin and
 * end in between: an engine that holds its state in registers saves it here. Never copied. */
struct serin_sha256 {
    _Alignas(8) uint8_t opaque[256];
};

struct serin_crypto_ops {
    /* Starts, continues, ends a SHA-256. They cannot fail: an adapter without working hashing must
     * not start. An update may be of 0 bytes, and changes nothing then. After `final` the context
     * holds nothing and must be started again. */
    void (*sha256_init)(void *ctx, struct serin_sha256 *sha);
    void (*sha256_update)(void *ctx, struct serin_sha256 *sha, const void *data, size_t size);
    void (*sha256_final)(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE]);

    /* Verifies an ECDSA P-256 signature (FIPS 186-4, section 6.4) over `digest`. Refuses r or s
     * outside [1, n-1] and a public key that is not on the curve. Returns one of the three verdicts
     * of serin/proof.h, XORed with `run` (SERIN_RUN_FIRST, SERIN_RUN_SECOND): VALID, INVALID, or
     * UNDECIDED (it could not be computed). Whatever else comes back counts as not valid. An
     * adapter for a device computes it in full at each call: the second run is there for what
     * happened to the first. */
    uint32_t (*p256_verify)(void *ctx, uint32_t run,
                            const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                            const uint8_t digest[SERIN_SHA256_SIZE],
                            const uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);

    /* Fills `out` with unpredictable bytes. SERIN_ERR_CRYPTO: none can be had. */
    enum serin_error (*random)(void *ctx, void *out, size_t size);
};

struct serin_crypto {
    const struct serin_crypto_ops *ops;
    void *ctx; /* passed to each op; may be NULL */
};

/* The port that is called for `crypto`: a bootloader that has one alone defines SERIN_CRYPTO_PORT
 * as its name, and whoever links it as a whole calls its functions directly. */
#ifdef SERIN_CRYPTO_PORT
extern const struct serin_crypto SERIN_CRYPTO_PORT;
#define SERIN_CRYPTO(crypto) ((void)(crypto), &SERIN_CRYPTO_PORT)
#else
#define SERIN_CRYPTO(crypto) (crypto)
#endif

/* SHA-256 of two runs of bytes, one behind the other; and of one. */
SERIN_APART void serin_sha256_of_two(const struct serin_crypto *crypto, const void *first,
                                     size_t first_size, const void *second, size_t second_size,
                                     uint8_t digest[SERIN_SHA256_SIZE]);
void serin_sha256_of(const struct serin_crypto *crypto, const void *data, size_t size,
                     uint8_t digest[SERIN_SHA256_SIZE]);

/* One verification in one run, for hosts, where no glitch is to be feared: SERIN_ERR_SIGNATURE: not
 * valid; SERIN_ERR_CRYPTO: could not be decided, to be treated as not valid. */
SERIN_MUST_USE enum serin_error serin_p256_verify(
    const struct serin_crypto *crypto, const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
    const uint8_t digest[SERIN_SHA256_SIZE], const uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);

/* The error that a verdict of SERIN_RUN_FIRST tells. */
SERIN_MUST_USE enum serin_error serin_verdict_error(uint32_t verdict);

#endif
