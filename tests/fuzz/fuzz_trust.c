/* The trust record: what decodes encodes back to the same bytes, and no key has two roles. */
#include "fuzz.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/trust.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serin_trust trust;
    if (serin_trust_decode(serin_wolfcrypt(), data, size, &trust) != SERIN_OK) {
        return 0;
    }
    uint8_t body[SERIN_TRUST_BODY_SIZE];
    SERIN_ASSERT(serin_trust_encode(&trust, body) == SERIN_OK);
    SERIN_ASSERT(memcmp(body, data, sizeof body) == 0);
    for (size_t i = 0; i < trust.key_count; i++) {
        const struct serin_trust_key *key = &trust.keys[i];
        enum serin_key_role other =
            key->role == SERIN_KEY_ROLE_RELEASE ? SERIN_KEY_ROLE_DIRECTOR : SERIN_KEY_ROLE_RELEASE;
        SERIN_ASSERT(serin_trust_find(&trust, key->role, key->key_id) == key);
        SERIN_ASSERT(serin_trust_find(&trust, other, key->key_id) == NULL);
    }
    return 0;
}
