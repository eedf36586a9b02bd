/* The trust record: its layout, every reserved byte and length, roles, and what its keys may open.
 */
#include "check_main.h"

#include "samples.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/trust.h>

#include <string.h>

static struct vector_key root, release, director;
static struct serin_trust trust;
static uint8_t body[SERIN_TRUST_BODY_SIZE];

static void set_key(struct vector_key *key, uint8_t scalar)
{
    uint8_t private_key[32] = {0};
    private_key[31] = scalar;
    ck_assert(vector_key_set(serin_wolfcrypt(), private_key, key));
}

/* Valid keys, record and body, fresh. */
static void reset(void)
{
    set_key(&root, 1);
    set_key(&release, 2);
    set_key(&director, 3);
    memset(&trust, 0, sizeof trust);
    sample_trust(&release, &director, &trust);
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_OK);
}

static enum serin_error decode(struct serin_trust *out)
{
    return serin_trust_decode(serin_wolfcrypt(), body, sizeof body, out);
}

/* Signs whatever `body` holds. */
static size_t seal(const struct vector_key *key, uint8_t record[SERIN_TRUST_SIZE_P256])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    serin_signed_digest(serin_wolfcrypt(), SERIN_SIGNED_TRUST, body, sizeof body, digest);
    ck_assert(vector_sign_digest(key, digest, signature));
    memcpy(record, body, sizeof body);
    return serin_signature_area_encode_p256(record, sizeof body, key->key_id, signature);
}

START_TEST(the_layout_is_the_specified_one)
{
    reset();
    ck_assert_mem_eq(body, "SRNT\1\0\xc0\2\0\0\0\0\3\0\0\0lamp\0", 21);
    ck_assert_uint_eq(serin_get_le64(body + 48), trust.created_s);
    ck_assert_mem_eq(body + 56, "\2\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0", 16);
    ck_assert_mem_eq(body + 72, release.key_id, 8);
    ck_assert_mem_eq(body + 80, release.public_key, 64);
    ck_assert_mem_eq(body + 144, "\2\1\0\0\0\0\0\0", 8);
    ck_assert_mem_eq(body + 152, director.key_id, 8);
    ck_assert_mem_eq(body + 160, director.public_key, 64);
    ck_assert(serin_bytes_all(body + 224, sizeof body - 224, 0));
}
END_TEST

START_TEST(decoding_gives_back_what_was_encoded)
{
    struct serin_trust back;
    uint8_t again[SERIN_TRUST_BODY_SIZE];
    reset();
    ck_assert_int_eq(decode(&back), SERIN_OK);
    ck_assert_mem_eq(&back, &trust, sizeof back); /* both were zeroed first */
    ck_assert_int_eq(serin_trust_encode(&back, again), SERIN_OK);
    ck_assert_mem_eq(again, body, sizeof body);
}
END_TEST

START_TEST(the_smallest_record_has_one_key)
{
    struct serin_trust back;
    reset();
    trust.version = 1;
    trust.key_count = 1;
    memset(&trust.keys[1], 0, sizeof trust.keys[1]);
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_OK);
    ck_assert_int_eq(decode(&back), SERIN_OK);
    ck_assert_mem_eq(&back, &trust, sizeof back);
}
END_TEST

START_TEST(a_full_record_has_eight_keys)
{
    struct serin_trust back;
    reset();
    trust.key_count = SERIN_TRUST_KEYS_MAX;
    for (size_t i = 0; i < SERIN_TRUST_KEYS_MAX; i++) {
        struct vector_key key;
        set_key(&key, (uint8_t)(10 + i));
        trust.keys[i].role = i % 2 == 0 ? SERIN_KEY_ROLE_RELEASE : SERIN_KEY_ROLE_DIRECTOR;
        memcpy(trust.keys[i].key_id, key.key_id, sizeof key.key_id);
        memcpy(trust.keys[i].public_key, key.public_key, sizeof key.public_key);
    }
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_OK);
    ck_assert_int_eq(decode(&back), SERIN_OK);
    ck_assert_uint_eq(back.key_count, 8);
    for (size_t i = 0; i < 8; i++) {
        const struct serin_trust_key *found =
            serin_trust_find(&back, trust.keys[i].role, trust.keys[i].key_id);
        ck_assert_ptr_eq(found, &back.keys[i]);
    }
    ck_assert_ptr_null(serin_trust_find(&back, SERIN_KEY_ROLE_RELEASE, root.key_id));

    uint8_t record[SERIN_TRUST_SIZE_P256];
    size_t size = seal(&root, record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                     SERIN_OK);
}
END_TEST

START_TEST(every_shorter_length_is_truncated)
{
    struct serin_trust back;
    reset();
    for (size_t size = 0; size < sizeof body; size++) {
        ck_assert_int_eq(serin_trust_decode(serin_wolfcrypt(), body, size, &back),
                         SERIN_ERR_TRUNCATED);
    }
}
END_TEST

START_TEST(the_frame_is_exact)
{
    struct serin_trust back;
    for (int bit = 0; bit < 96; bit++) { /* magic, format, size, features */
        reset();
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum serin_error expected = bit < 32   ? SERIN_ERR_FORMAT
                                    : bit < 48 ? SERIN_ERR_VERSION
                                    : bit < 64 ? SERIN_ERR_FORMAT
                                               : SERIN_ERR_FEATURE;
        ck_assert_msg(decode(&back) == expected, "bit %d", bit);
    }
}
END_TEST

static bool is_reserved(size_t i)
{
    return (i > 56 && i < 64) || (i >= 66 && i < 72) || (i >= 146 && i < 152) || i >= 224;
}

START_TEST(every_reserved_byte_is_refused)
{
    struct serin_trust back;
    size_t count = 0;
    reset();
    for (size_t i = 0; i < sizeof body; i++) {
        if (is_reserved(i)) {
            body[i] = 0x40;
            ck_assert_msg(decode(&back) == SERIN_ERR_RESERVED, "byte %zu", i);
            body[i] = 0;
            count++;
        }
    }
    ck_assert_uint_eq(count, 7 + 6 + 6 + 480);
}
END_TEST

START_TEST(every_field_has_its_bounds)
{
    struct serin_trust back;
    for (unsigned value = 0; value < 256; value++) {
        reset();
        body[64] = (uint8_t)value; /* role */
        ck_assert_int_eq(decode(&back), value == 1 || value == 2 ? SERIN_OK : SERIN_ERR_INVALID);
        reset();
        body[65] = (uint8_t)value; /* algorithm */
        ck_assert_int_eq(decode(&back), value == 1 ? SERIN_OK : SERIN_ERR_UNSUPPORTED);
        reset();
        body[56] = (uint8_t)value; /* number of keys */
        enum serin_error expected = value == 0 || value > 8 ? SERIN_ERR_INVALID
                                    : value == 1            ? SERIN_ERR_RESERVED
                                    : value == 2            ? SERIN_OK
                                                            : SERIN_ERR_UNSUPPORTED;
        ck_assert_msg(decode(&back) == expected, "%u keys", value);
    }
    reset();
    serin_put_le32(body + 12, 0);
    ck_assert_int_eq(decode(&back), SERIN_ERR_INVALID);
    reset();
    memset(body + 16, 'p', 32);
    ck_assert_int_eq(decode(&back), SERIN_OK);
    body[20] = '/';
    ck_assert_int_eq(decode(&back), SERIN_ERR_FORMAT);
    reset();
    body[47] = 'x';
    ck_assert_int_eq(decode(&back), SERIN_ERR_RESERVED);
    for (size_t i = 72; i < 144; i++) { /* key id and key belong together */
        reset();
        body[i] ^= 1;
        ck_assert_int_eq(decode(&back), SERIN_ERR_FORMAT);
    }
}
END_TEST

START_TEST(encoding_checks_too)
{
    reset();
    trust.version = 0;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_INVALID);
    reset();
    trust.required_features = 4;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_FEATURE);
    reset();
    trust.key_count = 0;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_INVALID);
    trust.key_count = 9;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_INVALID);
    reset();
    trust.keys[0].role = SERIN_KEY_ROLE_ROOT;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_INVALID);
    reset();
    memset(trust.product, 'p', sizeof trust.product); /* not terminated */
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_INVALID);
    reset();
    trust.keys[1] = trust.keys[0];
    trust.keys[1].role = SERIN_KEY_ROLE_DIRECTOR;
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_ERR_KEY);
}
END_TEST

START_TEST(a_key_is_found_by_its_role_only)
{
    reset();
    ck_assert_ptr_eq(serin_trust_find(&trust, SERIN_KEY_ROLE_RELEASE, release.key_id),
                     &trust.keys[0]);
    ck_assert_ptr_eq(serin_trust_find(&trust, SERIN_KEY_ROLE_DIRECTOR, director.key_id),
                     &trust.keys[1]);
    ck_assert_ptr_null(serin_trust_find(&trust, SERIN_KEY_ROLE_DIRECTOR, release.key_id));
    ck_assert_ptr_null(serin_trust_find(&trust, SERIN_KEY_ROLE_RELEASE, director.key_id));
    ck_assert_ptr_null(serin_trust_find(&trust, SERIN_KEY_ROLE_RELEASE, root.key_id));
    ck_assert_ptr_null(serin_trust_find(&trust, SERIN_KEY_ROLE_INVALID, release.key_id));
}
END_TEST

START_TEST(only_root_opens_a_record)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    struct serin_trust back;
    reset();
    size_t size = seal(&root, record);
    ck_assert_uint_eq(size, sizeof record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                     SERIN_OK);
    ck_assert_uint_eq(back.version, 3);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), director.public_key, record, size, &back),
                     SERIN_ERR_KEY);

    size = seal(&release, record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                     SERIN_ERR_KEY);
    memcpy(record + sizeof body + 4, root.key_id, sizeof root.key_id); /* a false name */
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                     SERIN_ERR_SIGNATURE);
}
END_TEST

START_TEST(root_never_stands_inside)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    struct serin_trust back;
    reset();
    memcpy(trust.keys[1].key_id, root.key_id, sizeof root.key_id);
    memcpy(trust.keys[1].public_key, root.public_key, sizeof root.public_key);
    ck_assert_int_eq(serin_trust_encode(&trust, body), SERIN_OK);
    size_t size = seal(&root, record);
    ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                     SERIN_ERR_KEY);
}
END_TEST

START_TEST(nothing_is_parsed_before_the_signature_holds)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    struct serin_trust back;
    reset();
    size_t size = seal(&root, record);
    for (size_t i = 0; i < sizeof body; i += 13) { /* magic and reserved bytes among them */
        record[i] ^= 1;
        ck_assert_int_eq(serin_trust_open(serin_wolfcrypt(), root.public_key, record, size, &back),
                         SERIN_ERR_SIGNATURE);
        record[i] ^= 1;
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_layout_is_the_specified_one,
                                  decoding_gives_back_what_was_encoded,
                                  the_smallest_record_has_one_key,
                                  a_full_record_has_eight_keys,
                                  every_shorter_length_is_truncated,
                                  the_frame_is_exact,
                                  every_reserved_byte_is_refused,
                                  every_field_has_its_bounds,
                                  encoding_checks_too,
                                  a_key_is_found_by_its_role_only,
                                  only_root_opens_a_record,
                                  root_never_stands_inside,
                                  nothing_is_parsed_before_the_signature_holds,
                                  NULL};
    return check_run("trust", tests);
}
