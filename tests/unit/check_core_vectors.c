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
    ck_assert_uint_gt(count, 80);
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
    ck_assert_uint_ge(count, 80);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_same_bytes_are_made_today, signatures_are_deterministic_ecdsa,
                                  the_good_ones_open, the_wrong_ones_are_refused_for_their_reason,
                                  NULL};
    return check_run("core_vectors", tests);
}
