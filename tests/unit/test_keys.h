/*
 * Keys for tests of what is signed, in memory. They are the same in every run, and so is what they
 * sign: what fails once fails again.
 */
#ifndef SERIN_TESTS_TEST_KEYS_H
#define SERIN_TESTS_TEST_KEYS_H

#include <serin/adapters/keys.h>

enum test_key_name { TEST_ROOT, TEST_RELEASE, TEST_DIRECTOR, TEST_STRANGER, TEST_KEY_COUNT };

struct test_key {
    struct serin_key_signer *file;
    struct serin_signer signer;
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
};

extern struct test_key test_keys[TEST_KEY_COUNT];

/* Opens all keys; call it before the tests fork. */
void test_keys_open(void);
void test_keys_close(void);

/* A trust record of the release and the director key for `product`. */
void test_trust(struct serin_trust *trust, const char *product);
void test_trust_add(struct serin_trust *trust, enum serin_key_role role, enum test_key_name name);

#endif
