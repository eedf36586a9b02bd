/*
 * Key files: made once and never overwritten, read in the forms that OpenSSL writes, and everything
 * else refused with a sentence that helps.
 */
#define _DEFAULT_SOURCE
#include "check_main.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/serin-keys-XXXXXX";
static char origin[4096];
static struct serin_key_why why;

/* Each test works in a folder of its own inside this one, which goes even where a test fails. */
static void make_folder(void)
{
    ck_assert_ptr_nonnull(getcwd(origin, sizeof(origin)));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void enter_own_folder(void)
{
    char own[] = "test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(own));
    ck_assert_int_eq(chdir(own), 0);
    umask(022);
}

static void shell(const char *command)
{
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static void remove_folder(void)
{
    char command[64];
    ck_assert_int_eq(chdir(origin), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    shell(command);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static size_t read_file(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(out, 1, capacity, file);
    fclose(file);
    return size;
}

/* Signs with a key file and verifies with the public half that the signer tells. */
static void check_signs(struct serin_key_signer *signer)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    struct serin_signer port = serin_key_signer_port(signer);
    uint8_t key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE];
    ck_assert_int_eq(port.ops->public_key(port.ctx, key), SERIN_OK);
    for (int i = 0; i < 20; i++) {
        serin_sha256_of(crypto, &i, sizeof(i), digest);
        ck_assert_int_eq(port.ops->sign(port.ctx, digest, signature), SERIN_OK);
        ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_OK);
        digest[0] ^= 1;
        ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_ERR_SIGNATURE);
    }
}

START_TEST(a_pair_is_made_and_works)
{
    uint8_t told[SERIN_P256_PUBLIC_SIZE], read[SERIN_P256_PUBLIC_SIZE];
    struct serin_key_signer *signer = NULL;
    ck_assert_int_eq(serin_key_generate("a.key", "a.pub", &why), SERIN_OK);
    ck_assert_str_eq(why.text, "");
    ck_assert_int_eq(mode_of("a.key"), 0600);
    ck_assert_int_eq(mode_of("a.pub"), 0644);
    ck_assert_int_eq(serin_key_signer_open(&signer, "a.key", &why), SERIN_OK);
    check_signs(signer);
    struct serin_signer port = serin_key_signer_port(signer);
    ck_assert_int_eq(port.ops->public_key(port.ctx, told), SERIN_OK);
    ck_assert_int_eq(serin_key_read_public("a.pub", read, &why), SERIN_OK);
    ck_assert_mem_eq(told, read, sizeof(told));
    serin_key_signer_close(signer);
    serin_key_signer_close(NULL);
    /* OpenSSL finds the same public key in the private file, to the byte. */
    shell("openssl pkey -in a.key -check -noout >/dev/null");
    shell("openssl pkey -in a.key -pubout -out b.pub && cmp a.pub b.pub");
}
END_TEST

/* One number in 256 begins with a zero byte, which encoders like to drop: enough signatures to meet
 * some. */
START_TEST(short_numbers_are_widened)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE];
    struct serin_key_signer *signer = NULL;
    size_t met = 0;
    ck_assert_int_eq(serin_key_generate("a.key", NULL, NULL), SERIN_OK);
    ck_assert_int_eq(serin_key_signer_open(&signer, "a.key", NULL), SERIN_OK);
    struct serin_signer port = serin_key_signer_port(signer);
    ck_assert_int_eq(port.ops->public_key(port.ctx, key), SERIN_OK);
    for (uint32_t i = 0; i < 20000 && met < 4; i++) {
        serin_sha256_of(crypto, &i, sizeof(i), digest);
        ck_assert_int_eq(port.ops->sign(port.ctx, digest, signature), SERIN_OK);
        ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_OK);
        met += signature[0] == 0 || signature[32] == 0;
    }
    ck_assert_uint_eq(met, 4);
    serin_key_signer_close(signer);
}
END_TEST

START_TEST(keys_differ)
{
    uint8_t a[SERIN_P256_PUBLIC_SIZE], b[SERIN_P256_PUBLIC_SIZE];
    ck_assert_int_eq(serin_key_generate("a.key", "a.pub", NULL), SERIN_OK);
    ck_assert_int_eq(serin_key_generate("b.key", "b.pub", NULL), SERIN_OK);
    ck_assert_int_eq(serin_key_read_public("a.pub", a, NULL), SERIN_OK);
    ck_assert_int_eq(serin_key_read_public("b.pub", b, NULL), SERIN_OK);
    ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(nothing_is_overwritten)
{
    char before[1024], after[1024];
    ck_assert_int_eq(serin_key_generate("a.key", "a.pub", NULL), SERIN_OK);
    size_t size = read_file("a.key", before, sizeof(before));
    ck_assert_int_eq(serin_key_generate("a.key", "new.pub", &why), SERIN_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, "a.key: exists already"));
    ck_assert_uint_eq(read_file("a.key", after, sizeof(after)), size);
    ck_assert_mem_eq(before, after, size);
    ck_assert_int_ne(access("new.pub", F_OK), 0);
    /* A public file in the way: the private one must not stay behind as if it were of use. */
    ck_assert_int_eq(serin_key_generate("new.key", "a.pub", &why), SERIN_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, "a.pub"));
    ck_assert_int_ne(access("new.key", F_OK), 0);
    /* Nor is a link followed, not even one that leads nowhere. */
    ck_assert_int_eq(symlink("elsewhere", "link.key"), 0);
    ck_assert_int_eq(serin_key_generate("link.key", NULL, &why), SERIN_ERR_EXISTS);
    ck_assert_int_ne(access("elsewhere", F_OK), 0);
}
END_TEST

START_TEST(private_stays_private_whatever_the_umask)
{
    umask(0);
    ck_assert_int_eq(serin_key_generate("a.key", NULL, NULL), SERIN_OK);
    ck_assert_int_eq(mode_of("a.key"), 0600);
}
END_TEST

START_TEST(unwritable_places_are_told)
{
    ck_assert_int_eq(serin_key_generate("no/such/a.key", NULL, &why), SERIN_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(why.text, "no/such/a.key: No such file or directory"));
    ck_assert_int_eq(serin_key_generate("/dev/full/a.key", NULL, &why), SERIN_ERR_IO);
    ck_assert_int_eq(serin_key_generate("a.key", "no/such/a.pub", &why), SERIN_ERR_NOT_FOUND);
    ck_assert_int_ne(access("a.key", F_OK), 0);
}
END_TEST

#define GENPKEY "openssl genpkey -quiet -algorithm "
#define ECPARAM "openssl ecparam -genkey -name prime256v1 "

START_TEST(forms_of_openssl_are_read)
{
    static const char *const commands[] = {
        GENPKEY "EC -pkeyopt ec_paramgen_curve:P-256 -out k",
        ECPARAM "-noout -out k",
        ECPARAM "-out k", /* with a block of parameters in front */
        ECPARAM "-noout | openssl pkey -text -out k",
        ECPARAM "-noout | openssl ec -no_public -out k 2>/dev/null",
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        uint8_t told[SERIN_P256_PUBLIC_SIZE], read[SERIN_P256_PUBLIC_SIZE];
        struct serin_key_signer *signer = NULL;
        shell(commands[i]);
        shell("chmod 600 k && openssl pkey -in k -pubout -out p");
        enum serin_error error = serin_key_signer_open(&signer, "k", &why);
        ck_assert_msg(error == SERIN_OK, "%s: %s", commands[i], why.text);
        check_signs(signer);
        struct serin_signer port = serin_key_signer_port(signer);
        ck_assert_int_eq(port.ops->public_key(port.ctx, told), SERIN_OK);
        ck_assert_int_eq(serin_key_read_public("p", read, &why), SERIN_OK);
        ck_assert_mem_eq(told, read, sizeof(told));
        serin_key_signer_close(signer);
    }
}
END_TEST

START_TEST(other_private_keys_are_refused)
{
    static const struct {
        const char *command;
        enum serin_error expected;
        const char *words;
    } cases[] = {
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:P-384 -out k", SERIN_ERR_UNSUPPORTED, "curve"},
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:secp256k1 -out k", SERIN_ERR_UNSUPPORTED, "curve"},
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -out k", SERIN_ERR_UNSUPPORTED,
         "P-256"},
        {"openssl ecparam -genkey -noout -name secp256k1 -out k", SERIN_ERR_UNSUPPORTED, "curve"},
        {GENPKEY "RSA -pkeyopt rsa_keygen_bits:2048 -out k", SERIN_ERR_FORMAT, "private key"},
        {GENPKEY "RSA -pkeyopt rsa_keygen_bits:1024 | openssl rsa -traditional -out k 2>/dev/null",
         SERIN_ERR_FORMAT, "RSA"},
        {GENPKEY "ED25519 -out k", SERIN_ERR_UNSUPPORTED, "Edwards"},
        {ECPARAM "-noout | openssl pkcs8 -topk8 -passout pass:x -out k", SERIN_ERR_FORMAT,
         "encrypted"},
        {ECPARAM "-noout | openssl ec -pubout -out k 2>/dev/null", SERIN_ERR_FORMAT,
         "a public key"},
        {"echo hello > k", SERIN_ERR_FORMAT, "not a private key"},
        {": > k", SERIN_ERR_FORMAT, "empty"},
        {"echo -----BEGIN CERTIFICATE----- > k", SERIN_ERR_FORMAT, "a certificate"},
        /* What a file is comes before who may read it: a public file is rightly open to all. */
        {"echo -----BEGIN CERTIFICATE----- > k; chmod 644 k", SERIN_ERR_FORMAT, "a certificate"},
        {ECPARAM "-noout | openssl ec -pubout -out k 2>/dev/null; chmod 644 k", SERIN_ERR_FORMAT,
         "a public key"},
        {"echo hello > k; chmod 644 k", SERIN_ERR_FORMAT, "not a private key"},
        {"head -c 100 /dev/zero > k; chmod 644 k", SERIN_ERR_FORMAT, "not a private key"},
        {": > k; chmod 644 k", SERIN_ERR_FORMAT, "empty"},
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:P-384 -out k; chmod 644 k", SERIN_ERR_UNSUPPORTED,
         "curve"},
        {ECPARAM "-noout | head -3 > k", SERIN_ERR_FORMAT, "not a private key"},
        {ECPARAM "-noout > k; printf '\\0' >> k", SERIN_ERR_FORMAT, "not text"},
        {"head -c 20000 /dev/zero > k", SERIN_ERR_FORMAT, "too large"},
        {ECPARAM "-noout > k; chmod 644 k", SERIN_ERR_DENIED, "chmod o="},
        {ECPARAM "-noout > k; chmod 604 k", SERIN_ERR_DENIED, "chmod o="},
        {"rm -f k; mkdir k", SERIN_ERR_FORMAT, "not a plain file"},
        {"rmdir k; mkfifo k", SERIN_ERR_FORMAT, "not a plain file"},
        {"rm k", SERIN_ERR_NOT_FOUND, "No such file"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct serin_key_signer *signer = NULL;
        shell("test ! -f k || rm k; umask 077");
        umask(077);
        shell(cases[i].command);
        enum serin_error error = serin_key_signer_open(&signer, "k", &why);
        ck_assert_msg(error == cases[i].expected, "%s gives %s: %s", cases[i].command,
                      serin_error_name(error), why.text);
        ck_assert_msg(strstr(why.text, cases[i].words) != NULL, "%s gives: %s", cases[i].command,
                      why.text);
        ck_assert_msg(strncmp(why.text, "k: ", 3) == 0, "the file is not named: %s", why.text);
        ck_assert_ptr_null(signer);
    }
}
END_TEST

START_TEST(other_public_keys_are_refused)
{
    static const struct {
        const char *command;
        enum serin_error expected;
    } cases[] = {
        {ECPARAM "-noout | openssl ec -pubout -conv_form compressed -out p 2>/dev/null",
         SERIN_ERR_FORMAT},
        /* another algorithm's name in front of a good point of the right curve */
        {ECPARAM "-noout | openssl ec -pubout -outform DER -out d 2>/dev/null; "
                 "{ echo -----BEGIN PUBLIC KEY-----; "
                 "{ head -c 12 d; printf '\\002'; tail -c +14 d; } | base64; "
                 "echo -----END PUBLIC KEY-----; } > p",
         SERIN_ERR_FORMAT},
        {ECPARAM "-noout | openssl ec -pubout -conv_form hybrid -out p 2>/dev/null",
         SERIN_ERR_FORMAT},
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:P-384 | openssl pkey -pubout -out p",
         SERIN_ERR_UNSUPPORTED},
        {GENPKEY "EC -pkeyopt ec_paramgen_curve:secp256k1 | openssl pkey -pubout -out p",
         SERIN_ERR_UNSUPPORTED},
        {GENPKEY "RSA -pkeyopt rsa_keygen_bits:1024 | openssl pkey -pubout -out p",
         SERIN_ERR_UNSUPPORTED},
        {ECPARAM "-noout -out p", SERIN_ERR_FORMAT},
        {"echo hello > p", SERIN_ERR_FORMAT},
        {"rm p", SERIN_ERR_NOT_FOUND},
    };
    uint8_t key[SERIN_P256_PUBLIC_SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        shell(cases[i].command);
        enum serin_error error = serin_key_read_public("p", key, &why);
        ck_assert_msg(error == cases[i].expected, "%s gives %s: %s", cases[i].command,
                      serin_error_name(error), why.text);
    }
    /* A point that is not on the curve, in the right clothes. */
    memset(key, 0x11, sizeof(key));
    ck_assert_int_eq(serin_key_write_public("off.pub", key, &why), SERIN_OK);
    ck_assert_int_eq(serin_key_read_public("off.pub", key, &why), SERIN_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why.text, "not on the curve"));
}
END_TEST

START_TEST(every_cut_of_a_key_file_is_refused)
{
    char pem[1024];
    ck_assert_int_eq(serin_key_generate("a.key", "a.pub", NULL), SERIN_OK);
    size_t size = read_file("a.key", pem, sizeof(pem));
    /* The last line feed and the end of the last line carry nothing. */
    size_t needed = (size_t)(strstr(pem, "-----END") - pem) + strlen("-----END PRIVATE KEY-----");
    ck_assert_uint_le(needed, size);
    for (size_t cut = 0; cut < needed; cut++) {
        struct serin_key_signer *signer = NULL;
        write_file("cut.key", pem, cut);
        ck_assert_int_ne(serin_key_signer_open(&signer, "cut.key", &why), SERIN_OK);
        ck_assert_str_ne(why.text, "");
    }
}
END_TEST

/* A named key is the same each time, and another number is another key; what is no number of a key
 * is refused. The public half of the number 1 is the curve's base point (SEC 2, section 2.4.2). */
START_TEST(a_named_key_is_the_same_each_time)
{
    static const uint8_t base_x[4] = {0x6b, 0x17, 0xd1, 0xf2};
    uint8_t number[32] = {0}, key[SERIN_P256_PUBLIC_SIZE], again[SERIN_P256_PUBLIC_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE] = {7}, signature[SERIN_P256_SIGNATURE_SIZE];
    struct serin_key_signer *signer = NULL;
    ck_assert_int_eq(serin_key_signer_of(&signer, number), SERIN_ERR_CRYPTO);
    ck_assert_ptr_null(signer);
    for (uint8_t i = 1; i < 4; i++) {
        number[31] = i;
        for (int turn = 0; turn < 2; turn++) {
            ck_assert_int_eq(serin_key_signer_of(&signer, number), SERIN_OK);
            struct serin_signer port = serin_key_signer_port(signer);
            ck_assert_int_eq(port.ops->public_key(port.ctx, turn == 0 ? key : again), SERIN_OK);
            ck_assert_int_eq(port.ops->sign(port.ctx, digest, signature), SERIN_OK);
            const struct serin_crypto *crypto = serin_wolfcrypt();
            ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_OK);
            serin_key_signer_close(signer);
        }
        ck_assert_mem_eq(key, again, sizeof(key));
        ck_assert((memcmp(key, base_x, sizeof(base_x)) == 0) == (i == 1));
    }
    memset(number, 0xff, sizeof(number)); /* above the order */
    ck_assert_int_eq(serin_key_signer_of(&signer, number), SERIN_ERR_CRYPTO);
}
END_TEST

/* What is signed twice is the same bytes: RFC 6979, appendix A.2.5, SHA-256, message "sample". */
START_TEST(a_signature_is_the_one_of_rfc_6979)
{
    static const uint8_t number[32] = {0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16,
                                       0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
                                       0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12,
                                       0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21};
    static const uint8_t expected[SERIN_P256_SIGNATURE_SIZE] = {
        0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4,
        0x5e, 0x81, 0xd6, 0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d,
        0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16, 0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c,
        0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65, 0xf3, 0xe9, 0x00, 0xdb,
        0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8};
    uint8_t digest[SERIN_SHA256_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    struct serin_key_signer *signer = NULL;
    serin_sha256_of(serin_wolfcrypt(), "sample", 6, digest);
    ck_assert_int_eq(serin_key_signer_of(&signer, number), SERIN_OK);
    struct serin_signer port = serin_key_signer_port(signer);
    for (int turn = 0; turn < 2; turn++) {
        memset(signature, 0, sizeof(signature));
        ck_assert_int_eq(port.ops->sign(port.ctx, digest, signature), SERIN_OK);
        ck_assert_mem_eq(signature, expected, sizeof(expected));
    }
    serin_key_signer_close(signer);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_pair_is_made_and_works,
        short_numbers_are_widened,
        keys_differ,
        nothing_is_overwritten,
        private_stays_private_whatever_the_umask,
        unwritable_places_are_told,
        forms_of_openssl_are_read,
        other_private_keys_are_refused,
        other_public_keys_are_refused,
        every_cut_of_a_key_file_is_refused,
        a_named_key_is_the_same_each_time,
        a_signature_is_the_one_of_rfc_6979,
    };
    Suite *suite = suite_create("keys");
    TCase *tcase = tcase_create("keys");
    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_folder, remove_folder);
    tcase_add_checked_fixture(tcase, enter_own_folder, NULL);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
