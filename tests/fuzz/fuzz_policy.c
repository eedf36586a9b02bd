/*
 * A policy's YAML: what loads is sound by the engine's own rules, once releases stand in it, and a
 * complaint names something.
 */
#include "fuzz.h"

#include <serin/adapters/policy.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct serin_policy_file file;
    static struct serin_yaml_error error;
    if (size > 16384) {
        return 0; /* a libyaml of long documents is slow, and not ours */
    }
    if (serin_policy_file_open(&file, "fuzz.yaml", data, size, &error) != SERIN_OK) {
        SERIN_ASSERT(file.document == NULL && error.text[0] != '\0');
        return 0;
    }
    struct serin_policy policy = file.policy;
    SERIN_ASSERT(policy.offer_count == 0 && file.release_count > 0);
    policy.offer_count = 1;
    policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 1, .manifest_id = {1}};
    SERIN_ASSERT(serin_policy_check(&policy, NULL) == SERIN_OK);
    serin_policy_file_close(&file);
    return 0;
}
