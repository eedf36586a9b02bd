/*
 * Bundles: built, split and verified; every corruption of every section found, and by its name.
 */
#include "check_main.h"
#include "test_keys.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/host/bundle.h>

#include <stdio.h>
#include <string.h>

#define IMAGE_MAX 20000u

static uint8_t image[IMAGE_MAX];
static uint8_t file[IMAGE_MAX + 4096];
static size_t file_size;
static struct serin_trust trust;

static void manifest_fill(struct serin_manifest *manifest)
{
    memset(manifest, 0, sizeof(*manifest));
    strcpy(manifest->vendor, "acme");
    strcpy(manifest->product, "lamp");
    strcpy(manifest->component, "main");
    strcpy(manifest->channels[0], "stable");
    manifest->hw_min = 1;
    manifest->hw_max = 3;
    manifest->version = (struct serin_version){1, 2, 3};
    manifest->security_counter = 4;
    manifest->slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B;
    manifest->confirm_window_s = 60;
    manifest->confirm_tries = 3;
    manifest->created_s = 1767225600;
}

/* Builds a bundle of an image of this size into `file`. */
static void bundle_make(enum test_key_name key, size_t image_size, struct serin_manifest *manifest)
{
    uint8_t *prefix = NULL;
    size_t prefix_size = 0;
    const char *field = "";
    test_trust(&trust, "lamp");
    for (size_t i = 0; i < image_size; i++) {
        image[i] = (uint8_t)(i * 31 + i / 256);
    }
    manifest_fill(manifest);
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), &test_keys[key].signer, manifest, image,
                                        image_size, &prefix, &prefix_size, &field),
                     SERIN_OK);
    ck_assert_ptr_null(field);
    memcpy(file, prefix, prefix_size);
    memcpy(file + prefix_size, image, image_size);
    file_size = prefix_size + image_size;
    free(prefix);
}

static enum serin_error verify(const struct serin_trust *keys, const char **what)
{
    struct serin_bundle bundle;
    struct serin_manifest manifest;
    ck_assert_int_eq(serin_bundle_split(file, file_size, &bundle), SERIN_OK);
    return serin_bundle_verify(serin_wolfcrypt(), keys, &bundle, &manifest, NULL, what);
}

START_TEST(what_is_built_verifies)
{
    static const size_t sizes[] = {1, 4095, 4096, 4097, 8192, IMAGE_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct serin_manifest made, read;
        struct serin_bundle bundle;
        uint8_t id[SERIN_SHA256_SIZE], expected[SERIN_SHA256_SIZE];
        const char *what = NULL;
        bundle_make(TEST_RELEASE, sizes[i], &made);
        ck_assert_int_eq(serin_bundle_split(file, file_size, &bundle), SERIN_OK);
        ck_assert_uint_eq(bundle.manifest_size, SERIN_MANIFEST_SIZE_P256);
        ck_assert_uint_eq(bundle.image_size, sizes[i]);
        ck_assert_mem_eq(bundle.image, image, sizes[i]);
        memset(&read, 0, sizeof(read));
        ck_assert_int_eq(serin_bundle_verify(serin_wolfcrypt(), &trust, &bundle, &read, id, &what),
                         SERIN_OK);
        ck_assert_str_eq(what, "");
        ck_assert_uint_eq(read.image_size_bytes, sizes[i]);
        ck_assert_uint_eq(read.image_crc32, serin_crc32(0, image, sizes[i]));
        ck_assert_str_eq(read.product, "lamp");
        ck_assert_int_eq(serin_version_compare(read.version, made.version), 0);
        serin_sha256_of(serin_wolfcrypt(), bundle.manifest, SERIN_MANIFEST_BODY_SIZE, expected);
        ck_assert_mem_eq(id, expected, sizeof(id));
        ck_assert_int_eq(serin_bundle_verify(serin_wolfcrypt(), NULL, &bundle, &read, NULL, NULL),
                         SERIN_OK);
    }
}
END_TEST

START_TEST(the_golden_bundle_verifies)
{
    static uint8_t record[SERIN_TRUST_MAX], root[SERIN_P256_PUBLIC_SIZE];
    static const struct {
        const char *name;
        uint8_t *out;
        size_t capacity;
    } files[] = {{"bundle.bin", file, sizeof(file)},
                 {"root-public.bin", root, sizeof(root)},
                 {"trust.bin", record, sizeof(record)}};
    size_t sizes[3];
    for (size_t i = 0; i < 3; i++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", SERIN_VECTORS, files[i].name);
        FILE *stream = fopen(path, "rb");
        ck_assert_ptr_nonnull(stream);
        sizes[i] = fread(files[i].out, 1, files[i].capacity, stream);
        fclose(stream);
    }
    file_size = sizes[0];
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root, record, sizes[2], &trust), SERIN_OK);
    ck_assert_int_eq(verify(&trust, NULL), SERIN_OK);
}
END_TEST

/* ---- splitting ---- */

START_TEST(every_truncation_and_any_tail_is_refused)
{
    struct serin_manifest manifest;
    struct serin_bundle bundle;
    bundle_make(TEST_RELEASE, 5000, &manifest);
    for (size_t size = 0; size < file_size; size++) {
        uint8_t *cut = malloc(size > 0 ? size : 1);
        memcpy(cut, file, size);
        ck_assert_int_eq(serin_bundle_split(cut, size, &bundle), SERIN_ERR_TRUNCATED);
        free(cut);
    }
    ck_assert_int_eq(serin_bundle_split(file, file_size + 1, &bundle), SERIN_ERR_FORMAT);
}
END_TEST

START_TEST(every_bit_of_the_header_counts)
{
    struct serin_manifest manifest;
    struct serin_bundle bundle;
    bundle_make(TEST_RELEASE, 5000, &manifest);
    for (size_t bit = 0; bit < SERIN_BUNDLE_HEADER_SIZE * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(serin_bundle_split(file, file_size, &bundle),
                         bit < 32 ? SERIN_ERR_FORMAT : SERIN_ERR_CRC);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

START_TEST(headers_with_a_right_crc_and_wrong_fields_are_refused)
{
    static const struct {
        size_t offset;
        uint8_t bytes[8];
        size_t size;
        enum serin_error expected;
    } cases[] = {
        {4, {2, 0}, 2, SERIN_ERR_VERSION},
        {4, {0, 0}, 2, SERIN_ERR_VERSION},
        {6, {31, 0}, 2, SERIN_ERR_FORMAT},
        {6, {0, 1}, 2, SERIN_ERR_FORMAT},
        {8, {0x01, 0x0f, 0, 0}, 4, SERIN_ERR_TOO_LARGE}, /* 3841 */
        {8, {0xff, 0xff, 0xff, 0xff}, 4, SERIN_ERR_TOO_LARGE},
        {12, {0xff, 0xff, 0xff, 0xff}, 4, SERIN_ERR_TOO_LARGE},
        {12, {0x01, 0, 0x20, 0}, 4, SERIN_ERR_TOO_LARGE}, /* 2 MiB and a byte */
        {16, {0x01, 0, 0, 0x10}, 4, SERIN_ERR_TOO_LARGE}, /* 256 MiB and a byte */
        {16, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, SERIN_ERR_TOO_LARGE},
        {20, {1, 0, 0, 0}, 4, SERIN_ERR_TOO_LARGE}, /* 4 GiB more: it must not wrap */
        {24, {1, 0, 0, 0}, 4, SERIN_ERR_RESERVED},
        {27, {0x80}, 1, SERIN_ERR_RESERVED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct serin_manifest manifest;
        struct serin_bundle bundle;
        bundle_make(TEST_RELEASE, 5000, &manifest);
        memcpy(file + cases[i].offset, cases[i].bytes, cases[i].size);
        serin_put_le32(file + 28, serin_crc32(0, file, 28));
        enum serin_error error = serin_bundle_split(file, file_size, &bundle);
        ck_assert_msg(error == cases[i].expected, "case %zu gives %s", i, serin_error_name(error));
    }
}
END_TEST

/* ---- verifying ---- */

START_TEST(every_corruption_is_found_and_named)
{
    struct serin_manifest manifest;
    struct serin_bundle bundle;
    bundle_make(TEST_RELEASE, 9000, &manifest);
    ck_assert_int_eq(serin_bundle_split(file, file_size, &bundle), SERIN_OK);
    const struct {
        const uint8_t *start;
        size_t size;
        const char *what;
    } sections[] = {
        {bundle.manifest, bundle.manifest_size, "manifest"},
        {bundle.pieces, bundle.pieces_size, "piece table"},
        {bundle.image, bundle.image_size, "image piece"},
    };
    for (size_t s = 0; s < 3; s++) {
        size_t start = (size_t)(sections[s].start - file);
        size_t step = s == 2 ? 37 : 1;
        for (size_t at = 0; at < sections[s].size; at += step) {
            const char *what = NULL;
            file[start + at] ^= (uint8_t)(1u << at % 8);
            ck_assert_int_ne(verify(&trust, &what), SERIN_OK);
            ck_assert_str_eq(what, sections[s].what);
            file[start + at] ^= (uint8_t)(1u << at % 8);
        }
    }
    ck_assert_int_eq(verify(&trust, NULL), SERIN_OK);
}
END_TEST

/* Signs the manifest in `file` again, so that what follows from it is judged by itself. */
static void manifest_sign_again(const struct serin_manifest *manifest, enum test_key_name key,
                                enum serin_signed_kind kind, enum test_key_name named)
{
    uint8_t *body = file + SERIN_BUNDLE_HEADER_SIZE;
    uint8_t digest[SERIN_SHA256_SIZE], key_id[SERIN_KEY_ID_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    const struct serin_signer *signer = &test_keys[key].signer;
    ck_assert_int_eq(serin_manifest_encode(manifest, body), SERIN_OK);
    serin_signed_digest(serin_wolfcrypt(), kind, body, SERIN_MANIFEST_BODY_SIZE, digest);
    ck_assert_int_eq(signer->ops->sign(signer->ctx, digest, signature), SERIN_OK);
    serin_key_id(serin_wolfcrypt(), test_keys[named].public_key, key_id);
    serin_signature_area_encode_p256(body, SERIN_MANIFEST_BODY_SIZE, key_id, signature);
}

START_TEST(a_manifest_of_something_else_is_told_apart)
{
    static const struct {
        const char *what;
        enum serin_error expected;
    } cases[] = {
        {"image size", SERIN_ERR_FORMAT},       {"image size", SERIN_ERR_FORMAT},
        {"piece table size", SERIN_ERR_FORMAT}, {"piece table", SERIN_ERR_DIGEST},
        {"image CRC32", SERIN_ERR_CRC},         {"image SHA-256", SERIN_ERR_DIGEST},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct serin_manifest manifest;
        const char *what = NULL;
        bundle_make(TEST_RELEASE, 9000, &manifest);
        if (i == 0) {
            manifest.image_size_bytes++;
        } else if (i == 1) {
            manifest.image_size_bytes--;
        } else if (i == 2) {
            /* One hash moves from the table to the image; the header agrees, the manifest cannot.
             */
            manifest.image_size_bytes += SERIN_SHA256_SIZE;
            serin_put_le32(file + 12, serin_get_le32(file + 12) - SERIN_SHA256_SIZE);
            serin_put_le64(file + 16, serin_get_le64(file + 16) + SERIN_SHA256_SIZE);
            serin_put_le32(file + 28, serin_crc32(0, file, 28));
        } else if (i == 3) {
            manifest.pieces_sha256[31] ^= 1;
        } else if (i == 4) {
            manifest.image_crc32 ^= 1;
        } else {
            manifest.image_sha256[0] ^= 1;
        }
        manifest_sign_again(&manifest, TEST_RELEASE, SERIN_SIGNED_MANIFEST, TEST_RELEASE);
        enum serin_error error = verify(&trust, &what);
        ck_assert_msg(error == cases[i].expected, "case %zu gives %s", i, serin_error_name(error));
        ck_assert_str_eq(what, cases[i].what);
    }
}
END_TEST

START_TEST(only_the_release_key_makes_a_manifest)
{
    static const struct {
        enum test_key_name key, named;
        enum serin_signed_kind kind;
        enum serin_error expected;
    } cases[] = {
        {TEST_RELEASE, TEST_RELEASE, SERIN_SIGNED_MANIFEST, SERIN_OK},
        {TEST_DIRECTOR, TEST_DIRECTOR, SERIN_SIGNED_MANIFEST, SERIN_ERR_KEY},
        {TEST_ROOT, TEST_ROOT, SERIN_SIGNED_MANIFEST, SERIN_ERR_KEY},
        {TEST_STRANGER, TEST_STRANGER, SERIN_SIGNED_MANIFEST, SERIN_ERR_KEY},
        {TEST_STRANGER, TEST_RELEASE, SERIN_SIGNED_MANIFEST, SERIN_ERR_SIGNATURE},
        {TEST_DIRECTOR, TEST_RELEASE, SERIN_SIGNED_MANIFEST, SERIN_ERR_SIGNATURE},
        {TEST_RELEASE, TEST_RELEASE, SERIN_SIGNED_DIRECTIVE, SERIN_ERR_SIGNATURE},
        {TEST_RELEASE, TEST_RELEASE, SERIN_SIGNED_TRUST, SERIN_ERR_SIGNATURE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct serin_manifest manifest;
        const char *what = NULL;
        bundle_make(TEST_RELEASE, 100, &manifest);
        manifest_sign_again(&manifest, cases[i].key, cases[i].kind, cases[i].named);
        enum serin_error error = verify(&trust, &what);
        ck_assert_msg(error == cases[i].expected, "case %zu gives %s", i, serin_error_name(error));
        ck_assert_str_eq(what, error == SERIN_OK ? "" : "manifest");
    }
    struct serin_manifest manifest;
    bundle_make(TEST_RELEASE, 100, &manifest);
    test_trust(&trust, "toaster");
    ck_assert_int_eq(verify(&trust, NULL), SERIN_ERR_PRODUCT);
}
END_TEST

/* ---- building ---- */

static enum serin_error no_public_key(void *ctx, uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    (void)ctx;
    (void)public_key;
    return SERIN_ERR_NOT_FOUND;
}

static enum serin_error some_public_key(void *ctx, uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    (void)ctx;
    memcpy(public_key, test_keys[TEST_RELEASE].public_key, SERIN_P256_PUBLIC_SIZE);
    return SERIN_OK;
}

static enum serin_error no_signature(void *ctx, const uint8_t digest[SERIN_SHA256_SIZE],
                                     uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    (void)digest;
    (void)signature;
    return SERIN_ERR_IO;
}

/* A token that has gone bad: it signs, with another key than it tells. */
static enum serin_error foreign_signature(void *ctx, const uint8_t digest[SERIN_SHA256_SIZE],
                                          uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    const struct serin_signer *other = &test_keys[TEST_STRANGER].signer;
    return other->ops->sign(other->ctx, digest, signature);
}

START_TEST(what_cannot_be_built_leaves_nothing)
{
    static const struct serin_signer_ops bad[] = {
        {.public_key = no_public_key, .sign = foreign_signature},
        {.public_key = some_public_key, .sign = no_signature},
        {.public_key = some_public_key, .sign = foreign_signature},
    };
    struct serin_manifest manifest;
    uint8_t *prefix = NULL;
    size_t prefix_size = 0;
    const char *field = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct serin_signer signer = {.ops = &bad[i], .ctx = NULL};
        manifest_fill(&manifest);
        ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), &signer, &manifest, image, 10,
                                            &prefix, &prefix_size, &field),
                         SERIN_ERR_CRYPTO);
        ck_assert_ptr_null(prefix);
        ck_assert_ptr_null(field);
    }
    const struct serin_signer *good = &test_keys[TEST_RELEASE].signer;
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), good, &manifest, image, 0, &prefix,
                                        &prefix_size, &field),
                     SERIN_ERR_INVALID);
    ck_assert_str_eq(field, "image_size_bytes");
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), good, &manifest, image,
                                        (size_t)SERIN_IMAGE_SIZE_MAX + 1, &prefix, &prefix_size,
                                        &field),
                     SERIN_ERR_INVALID);
    ck_assert_str_eq(field, "image_size_bytes");
    manifest.confirm_tries = 0;
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), good, &manifest, image, 10, &prefix,
                                        &prefix_size, &field),
                     SERIN_ERR_INVALID);
    ck_assert_ptr_nonnull(field);
    ck_assert_ptr_nonnull(strstr(field, "tries"));
    manifest_fill(&manifest);
    manifest.required_features = 1;
    ck_assert_int_eq(serin_bundle_build(serin_wolfcrypt(), good, &manifest, image, 10, &prefix,
                                        &prefix_size, NULL),
                     SERIN_ERR_FEATURE);
    ck_assert_ptr_null(prefix);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_built_verifies,
        the_golden_bundle_verifies,
        every_truncation_and_any_tail_is_refused,
        every_bit_of_the_header_counts,
        headers_with_a_right_crc_and_wrong_fields_are_refused,
        every_corruption_is_found_and_named,
        a_manifest_of_something_else_is_told_apart,
        only_the_release_key_makes_a_manifest,
        what_cannot_be_built_leaves_nothing,
        NULL,
    };
    test_keys_open();
    int result = check_run("bundle", tests);
    test_keys_close();
    return result;
}
