/* Keys for tests of what is signed (test_keys.h). */
#include "test_keys.h"

#include <serin/adapters/wolfcrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_key test_keys[TEST_KEY_COUNT];

void test_keys_open(void)
{
    for (size_t i = 0; i < TEST_KEY_COUNT; i++) {
        struct test_key *key = &test_keys[i];
        uint8_t number[32] = {'t', 'e', 's', 't', ' ', 'k', 'e', 'y'};
        number[sizeof(number) - 1] = (uint8_t)(i + 1);
        if (serin_key_signer_of(&key->file, number) != SERIN_OK) {
            abort();
        }
        key->signer = serin_key_signer_port(key->file);
        if (key->signer.ops->public_key(key->signer.ctx, key->public_key) != SERIN_OK) {
            abort();
        }
    }
}

void test_keys_close(void)
{
    for (size_t i = 0; i < TEST_KEY_COUNT; i++) {
        serin_key_signer_close(test_keys[i].file);
    }
}

void test_trust_add(struct serin_trust *trust, enum serin_key_role role, enum test_key_name name)
{
    struct serin_trust_key *key = &trust->keys[trust->key_count++];
    key->role = role;
    memcpy(key->public_key, test_keys[name].public_key, sizeof(key->public_key));
    serin_key_id(serin_wolfcrypt(), key->public_key, key->key_id);
}

void test_trust(struct serin_trust *trust, const char *product)
{
    memset(trust, 0, sizeof(*trust));
    trust->version = 1;
    trust->created_s = 1767225600;
    snprintf(trust->product, sizeof(trust->product), "%s", product);
    test_trust_add(trust, SERIN_KEY_ROLE_RELEASE, TEST_RELEASE);
    test_trust_add(trust, SERIN_KEY_ROLE_DIRECTOR, TEST_DIRECTOR);
}
