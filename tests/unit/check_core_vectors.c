/*
 * The golden vectors of the signed formats: the code of today makes them byte for byte, reads them
 * as it should, and refuses every wrong one for its own reason.
 */
#include "check_main.h"

#include "samples.h"
#include "vectors.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/directive.h>

#include <stdio.h>
#include <string.h>

#define FILE_MAX 32768u

/* Reads a whole vector and gives its size. */
static size_t read_vector(const char *name, uint8_t data[FILE_MAX])
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", SERIN_VECTORS, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "no vector %s", path);
    size_t size = fread(data, 1, FILE_MAX, file);
    fclose(file);
    ck_assert_uint_lt(size, FILE_MAX);
    return size;
}

static void compare(void *arg, const char *name, const void *data, size_t size)
{
    uint8_t stored[FILE_MAX];
    size_t *count = arg;
    size_t stored_size = read_vector(name, stored);
    ck_assert_msg(stored_size == size, "%s: %zu bytes, not %zu", name, stored_size, size);
    ck_assert_msg(memcmp(stored, data, size) == 0, "%s differs", name);
    (*count)++;
}

START_TEST(the_same_bytes_are_made_today)
{
    size_t count = 0;
    ck_assert(vectors_make(serin_wolfcrypt(), serin_protobufc(), SERIN_VECTORS, compare, &count));
    ck_assert_uint_gt(count, 100);
}
END_TEST

/* RFC 6979, A.2.5: the signing of the vectors is the standard's, so any library can check them. */
START_TEST(signatures_are_deterministic_ecdsa)
{
    uint8_t private_key[32];
    uint8_t expected[SERIN_P256_SIGNATURE_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE];
    struct vector_key key;
    ck_assert_int_eq(
        serin_hex_decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
                         private_key, sizeof private_key),
        SERIN_OK);
    ck_assert_int_eq(
        serin_hex_decode("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                         "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
                         expected, sizeof expected),
        SERIN_OK);
    ck_assert(vector_key_set(serin_wolfcrypt(), private_key, &key));
    serin_sha256_of(serin_wolfcrypt(), "sample", 6, digest);
    ck_assert(vector_sign_digest(&key, digest, signature));
    ck_assert_mem_eq(signature, expected, sizeof expected);
}
END_TEST

static void open_trust(struct serin_trust *trust)
{
    uint8_t root[FILE_MAX];
    uint8_t record[FILE_MAX];
    ck_assert_uint_eq(read_vector("root-public.bin", root), SERIN_P256_PUBLIC_SIZE);
    size_t size = read_vector("trust.bin", record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, record, size, trust), SERIN_OK);
}

START_TEST(the_good_ones_open)
{
    struct serin_trust trust;
    struct serin_manifest manifest;
    struct serin_manifest expected;
    uint8_t record[FILE_MAX];
    uint8_t id[SERIN_SHA256_SIZE];
    uint8_t body_digest[SERIN_SHA256_SIZE];
    open_trust(&trust);
    ck_assert_uint_eq(trust.version, 3);
    ck_assert_uint_eq(trust.key_count, 2);

    size_t size = read_vector("manifest.bin", record);
    ck_assert_uint_eq(size, SERIN_MANIFEST_SIZE_P256);
    ck_assert_int_eq(serin_manifest_open(serin_wolfcrypt(), &trust, record, size, &manifest, id),
                     SERIN_OK);
    ck_assert_int_eq(serin_manifest_open(serin_wolfcrypt(), &trust, record, size, &manifest, NULL),
                     SERIN_OK);
    memset(&expected, 0, sizeof expected);
    sample_manifest(serin_wolfcrypt(), &expected);
    ck_assert_str_eq(manifest.product, expected.product);
    ck_assert_uint_eq(manifest.version.patch, 40);
    ck_assert_mem_eq(manifest.image_sha256, expected.image_sha256, SERIN_SHA256_SIZE);
    serin_sha256_of(serin_wolfcrypt(), record, SERIN_MANIFEST_BODY_SIZE, body_digest);
    ck_assert_mem_eq(id, body_digest, sizeof id);
}
END_TEST

static enum serin_error open_as(const char *opener, const uint8_t *data, size_t size)
{
    struct serin_trust trust;
    if (strcmp(opener, "trust") == 0) {
        uint8_t root[FILE_MAX];
        read_vector("root-public.bin", root);
        return serin_trust_open(serin_wolfcrypt(), root, data, size, &trust);
    }
    open_trust(&trust);
    if (strcmp(opener, "manifest") == 0) {
        struct serin_manifest manifest;
        return serin_manifest_open(serin_wolfcrypt(), &trust, data, size, &manifest, NULL);
    }
    ck_assert_str_eq(opener, "directive");
    struct serin_directive directive;
    return serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, data, size,
                                &directive);
}

START_TEST(the_wrong_ones_are_refused_for_their_reason)
{
    uint8_t list[FILE_MAX];
    char file[64];
    char opener[16];
    char error[16];
    int used = 0;
    size_t count = 0;
    list[read_vector("refused.txt", list)] = '\0';
    for (const char *at = (const char *)list;
         sscanf(at, "%63s %15s %15s%n", file, opener, error, &used) == 3; at += used) {
        uint8_t data[FILE_MAX];
        char path[80];
        snprintf(path, sizeof path, "refused/%s", file);
        size_t size = read_vector(path, data);
        const char *got = serin_error_name(open_as(opener, data, size));
        ck_assert_msg(strcmp(got, error) == 0, "%s: %s, not %s", file, got, error);
        count++;
    }
    ck_assert_uint_ge(count, 96);
}
END_TEST

/* The two records differ in s alone, which ends them. */
static void check_is_twin(const uint8_t *good, const uint8_t *twin, size_t size)
{
    ck_assert_mem_eq(good, twin, size - 32);
    ck_assert_mem_ne(good + size - 32, twin + size - 32, 32);
}

/* (r, n - s) holds wherever (r, s) does, and who can see a signature can make it: accepted, it has
 * to change nothing. What devices keep of a record is never its signature. */
START_TEST(the_twin_of_a_signature_is_the_same_record)
{
    struct serin_trust trust, same;
    struct serin_manifest manifest;
    struct serin_directive first, second;
    uint8_t good[FILE_MAX], twin[FILE_MAX], root[FILE_MAX];
    uint8_t ids[2][SERIN_SHA256_SIZE];
    open_trust(&trust);
    read_vector("root-public.bin", root);

    size_t size = read_vector("trust.bin", good);
    ck_assert_uint_eq(read_vector("twin/trust.bin", twin), size);
    check_is_twin(good, twin, size);
    memset(&same, 0, sizeof same);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, twin, size, &same), SERIN_OK);
    ck_assert_uint_eq(same.version, trust.version);
    ck_assert_uint_eq(same.key_count, trust.key_count);
    ck_assert_mem_eq(same.keys, trust.keys, sizeof trust.keys);

    size = read_vector("manifest.bin", good);
    ck_assert_uint_eq(read_vector("twin/manifest.bin", twin), size);
    check_is_twin(good, twin, size);
    ck_assert_int_eq(serin_manifest_open(serin_wolfcrypt(), &trust, good, size, &manifest, ids[0]),
                     SERIN_OK);
    ck_assert_int_eq(serin_manifest_open(serin_wolfcrypt(), &trust, twin, size, &manifest, ids[1]),
                     SERIN_OK);
    ck_assert_mem_eq(ids[0], ids[1], SERIN_SHA256_SIZE);

    size = read_vector("twin/directive-good.bin", good);
    ck_assert_uint_eq(read_vector("twin/directive.bin", twin), size);
    check_is_twin(good, twin, size);
    ck_assert_int_eq(
        serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, good, size, &first),
        SERIN_OK);
    ck_assert_int_eq(
        serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, twin, size, &second),
        SERIN_OK);
    ck_assert_int_eq(serin_order_compare(first.order, second.order), 0);
    /* The body is what an order says; an agent compares its digest, not that of the payload. */
    struct serin_envelope bodies[2];
    ck_assert_int_eq(serin_protobufc()->decode_envelope(good, size, &bodies[0]), SERIN_OK);
    ck_assert_int_eq(serin_protobufc()->decode_envelope(twin, size, &bodies[1]), SERIN_OK);
    ck_assert_uint_eq(bodies[0].body_size, bodies[1].body_size);
    ck_assert_mem_eq(bodies[0].body, bodies[1].body, bodies[0].body_size);
}
END_TEST

/* A point of secp256k1 fills a key's 64 bytes as well. In a trust record it verifies nothing, nor
 * as the root key. */
START_TEST(keys_of_another_curve_verify_nothing)
{
    struct serin_trust trust;
    struct serin_manifest manifest;
    struct serin_directive directive;
    uint8_t record[FILE_MAX], root[FILE_MAX];
    read_vector("root-public.bin", root);
    size_t size = read_vector("other-curve/trust-release.bin", record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, record, size, &trust), SERIN_OK);
    size = read_vector("other-curve/manifest.bin", record);
    ck_assert_int_eq(serin_manifest_open(serin_wolfcrypt(), &trust, record, size, &manifest, NULL),
                     SERIN_ERR_SIGNATURE);

    size = read_vector("other-curve/trust-director.bin", record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, record, size, &trust), SERIN_OK);
    size = read_vector("other-curve/directive.bin", record);
    ck_assert_int_eq(serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, record,
                                          size, &directive),
                     SERIN_ERR_SIGNATURE);

    read_vector("other-curve/root-public.bin", root);
    size = read_vector("other-curve/trust.bin", record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, record, size, &trust),
                     SERIN_ERR_SIGNATURE);
}
END_TEST

/* What a device opens in two runs: the same errors, and a proof exactly where there is none. */
START_TEST(two_runs_agree_with_one)
{
    struct serin_trust trust, opened;
    struct serin_manifest manifest;
    struct serin_directive directive;
    struct serin_proof proof;
    uint8_t list[FILE_MAX], root[FILE_MAX], data[FILE_MAX];
    char file[64], opener[16], error[16], path[80];
    int used = 0;
    open_trust(&trust);
    read_vector("root-public.bin", root);
    list[read_vector("refused.txt", list)] = '\0';
    for (const char *at = (const char *)list;
         sscanf(at, "%63s %15s %15s%n", file, opener, error, &used) == 3; at += used) {
        snprintf(path, sizeof path, "refused/%s", file);
        size_t size = read_vector(path, data);
        memset(&proof, 0xa5, sizeof proof);
        enum serin_error got;
        uint32_t whole;
        if (opener[0] == 't') {
            got = serin_trust_open_twice(serin_wolfcrypt(), root, data, size, &opened, &proof);
            whole = SERIN_PROOF_TRUST;
        } else if (opener[0] == 'm') {
            got =
                serin_manifest_open_twice(serin_wolfcrypt(), &trust, data, size, &manifest, &proof);
            whole = SERIN_PROOF_MANIFEST;
        } else {
            got = serin_directive_open_twice(serin_wolfcrypt(), serin_protobufc(), &trust, data,
                                             size, &directive, &proof);
            whole = SERIN_PROOF_DIRECTIVE;
        }
        ck_assert_msg(strcmp(serin_error_name(got), error) == 0, "%s: not %s", file, error);
        ck_assert_msg(!serin_proof_first(&proof, whole), "%s proves in the first run", file);
        ck_assert_msg(!serin_proof_second(&proof, whole), "%s proves in the second run", file);
    }
    size_t size = read_vector("trust.bin", data);
    ck_assert_int_eq(serin_trust_open_twice(serin_wolfcrypt(), root, data, size, &opened, &proof),
                     SERIN_OK);
    ck_assert(serin_proof_first(&proof, SERIN_PROOF_TRUST));
    ck_assert(serin_proof_second(&proof, SERIN_PROOF_TRUST));
    size = read_vector("manifest.bin", data);
    ck_assert_int_eq(
        serin_manifest_open_twice(serin_wolfcrypt(), &trust, data, size, &manifest, &proof),
        SERIN_OK);
    ck_assert(serin_proof_first(&proof, SERIN_PROOF_MANIFEST));
    ck_assert(serin_proof_second(&proof, SERIN_PROOF_MANIFEST));
    size = read_vector("twin/directive.bin", data);
    ck_assert_int_eq(serin_directive_open_twice(serin_wolfcrypt(), serin_protobufc(), &trust, data,
                                                size, &directive, &proof),
                     SERIN_OK);
    ck_assert(serin_proof_first(&proof, SERIN_PROOF_DIRECTIVE));
    ck_assert(serin_proof_second(&proof, SERIN_PROOF_DIRECTIVE));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_same_bytes_are_made_today,
                                  signatures_are_deterministic_ecdsa,
                                  the_good_ones_open,
                                  the_wrong_ones_are_refused_for_their_reason,
                                  the_twin_of_a_signature_is_the_same_record,
                                  keys_of_another_curve_verify_nothing,
                                  two_runs_agree_with_one,
                                  NULL};
    return check_run("core_vectors", tests);
}
