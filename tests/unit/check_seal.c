/*
 * Sealing directives and trust records: what is sealed opens on a device, and nothing else does.
 */
#include "check_main.h"
#include "test_keys.h"
#include "wire_values.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <string.h>

static uint8_t payload[SERIN_DIRECTIVE_MAX];
static size_t payload_size;
static struct serin_directive directive, opened;
static struct serin_trust trust;

static void directive_fill(void)
{
    wire_large_channel_directive(&directive);
    strcpy(directive.product, "lamp");
    test_trust(&trust, "lamp");
}

static enum serin_error seal(enum test_key_name key, const char **field)
{
    return serin_directive_seal(serin_wolfcrypt(), serin_protobufc(), &test_keys[key].signer,
                                &directive, payload, &payload_size, field);
}

static enum serin_error open_sealed(void)
{
    return serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, payload, payload_size,
                                &opened);
}

START_TEST(a_sealed_directive_opens)
{
    directive_fill();
    ck_assert_int_eq(seal(TEST_DIRECTOR, NULL), SERIN_OK);
    ck_assert_int_eq(open_sealed(), SERIN_OK);
    ck_assert_str_eq(opened.product, "lamp");
    ck_assert_uint_eq(opened.order.sequence, directive.order.sequence);
    ck_assert_mem_eq(opened.salt, directive.salt, sizeof(opened.salt));
}
END_TEST

START_TEST(the_longest_directives_fit)
{
    wire_large_channel_directive(&directive);
    ck_assert_int_eq(seal(TEST_DIRECTOR, NULL), SERIN_OK);
    ck_assert_uint_le(payload_size, SERIN_DIRECTIVE_MAX);
    wire_kind_named("directive")->large(&directive);
    ck_assert_int_eq(seal(TEST_DIRECTOR, NULL), SERIN_OK);
    ck_assert_uint_le(payload_size, SERIN_DIRECTIVE_MAX);
}
END_TEST

START_TEST(only_the_director_directs)
{
    static const enum test_key_name others[] = {TEST_RELEASE, TEST_ROOT, TEST_STRANGER};
    directive_fill();
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_int_eq(seal(others[i], NULL), SERIN_OK);
        ck_assert_int_eq(open_sealed(), SERIN_ERR_KEY);
    }
    test_trust(&trust, "toaster");
    ck_assert_int_eq(seal(TEST_DIRECTOR, NULL), SERIN_OK);
    ck_assert_int_eq(open_sealed(), SERIN_ERR_PRODUCT);
}
END_TEST

/* Puts a signature over another domain, or of another key, into the sealed envelope. */
static void sign_again(enum test_key_name key, enum serin_signed_kind kind)
{
    struct serin_envelope envelope;
    uint8_t body[SERIN_DIRECTIVE_MAX], digest[SERIN_SHA256_SIZE];
    const struct serin_signer *signer = &test_keys[key].signer;
    ck_assert_int_eq(serin_protobufc()->decode_envelope(payload, payload_size, &envelope),
                     SERIN_OK);
    memcpy(body, envelope.body, envelope.body_size);
    envelope.body = body;
    serin_signed_digest(serin_wolfcrypt(), kind, body, envelope.body_size, digest);
    ck_assert_int_eq(signer->ops->sign(signer->ctx, digest, envelope.signature), SERIN_OK);
    ck_assert_int_eq(
        serin_protobufc()->encode_envelope(&envelope, payload, sizeof(payload), &payload_size),
        SERIN_OK);
}

START_TEST(other_domains_and_borrowed_names_do_not_open)
{
    static const struct {
        enum test_key_name key;
        enum serin_signed_kind kind;
        enum serin_error expected;
    } cases[] = {
        {TEST_DIRECTOR, SERIN_SIGNED_DIRECTIVE, SERIN_OK},
        {TEST_DIRECTOR, SERIN_SIGNED_MANIFEST, SERIN_ERR_SIGNATURE},
        {TEST_DIRECTOR, SERIN_SIGNED_TRUST, SERIN_ERR_SIGNATURE},
        {TEST_STRANGER, SERIN_SIGNED_DIRECTIVE, SERIN_ERR_SIGNATURE},
        {TEST_RELEASE, SERIN_SIGNED_DIRECTIVE, SERIN_ERR_SIGNATURE},
    };
    directive_fill();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(seal(TEST_DIRECTOR, NULL), SERIN_OK);
        sign_again(cases[i].key, cases[i].kind);
        ck_assert_int_eq(open_sealed(), cases[i].expected);
    }
}
END_TEST

START_TEST(a_wrong_directive_is_not_sealed)
{
    const char *field = NULL;
    directive_fill();
    directive.lease_s = 1;
    ck_assert_int_eq(seal(TEST_DIRECTOR, &field), SERIN_ERR_INVALID);
    ck_assert_str_eq(field, "lease_s");
    directive_fill();
    directive.required_features = 1;
    ck_assert_int_eq(seal(TEST_DIRECTOR, &field), SERIN_ERR_FEATURE);
    ck_assert_str_eq(field, "required_features");
}
END_TEST

/* ---- trust ---- */

static uint8_t record[SERIN_TRUST_SIZE_P256];

static enum serin_error trust_seal(enum test_key_name key)
{
    return serin_trust_seal(serin_wolfcrypt(), &test_keys[key].signer, &trust, record);
}

START_TEST(a_sealed_trust_record_opens_with_its_root_only)
{
    struct serin_trust read;
    test_trust(&trust, "lamp");
    ck_assert_int_eq(trust_seal(TEST_ROOT), SERIN_OK);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), test_keys[TEST_ROOT].public_key, record,
                                      sizeof(record), &read),
                     SERIN_OK);
    ck_assert_str_eq(read.product, "lamp");
    ck_assert_uint_eq(read.key_count, 2);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), test_keys[TEST_STRANGER].public_key,
                                      record, sizeof(record), &read),
                     SERIN_ERR_KEY);
    for (size_t i = 0; i < sizeof(record); i += 3) {
        record[i] ^= 0x10;
        ck_assert_int_ne(serin_trust_open(serin_wolfcrypt(), test_keys[TEST_ROOT].public_key,
                                          record, sizeof(record), &read),
                         SERIN_OK);
        record[i] ^= 0x10;
    }
}
END_TEST

START_TEST(a_wrong_trust_record_is_not_sealed)
{
    test_trust(&trust, "lamp");
    ck_assert_int_eq(trust_seal(TEST_RELEASE), SERIN_ERR_KEY); /* it would have two roles */
    memcpy(trust.keys[1].public_key, trust.keys[0].public_key, SERIN_P256_PUBLIC_SIZE);
    memcpy(trust.keys[1].key_id, trust.keys[0].key_id, SERIN_KEY_ID_SIZE);
    ck_assert_int_eq(trust_seal(TEST_ROOT), SERIN_ERR_KEY);
    test_trust(&trust, "lamp");
    trust.keys[1].key_id[0] ^= 1;
    ck_assert_int_eq(trust_seal(TEST_ROOT), SERIN_ERR_FORMAT);
    test_trust(&trust, "lamp");
    trust.version = 0;
    ck_assert_int_eq(trust_seal(TEST_ROOT), SERIN_ERR_INVALID);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_sealed_directive_opens,           the_longest_directives_fit,
        only_the_director_directs,          other_domains_and_borrowed_names_do_not_open,
        a_wrong_directive_is_not_sealed,    a_sealed_trust_record_opens_with_its_root_only,
        a_wrong_trust_record_is_not_sealed, NULL,
    };
    test_keys_open();
    int result = check_run("seal", tests);
    test_keys_close();
    return result;
}
