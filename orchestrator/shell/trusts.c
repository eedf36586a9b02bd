/* Trust records (trusts.h). */
#include "trusts.h"

#include "pass.h"
#include "serind.h"

#include <serin/adapters/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct serind_trust *find(const struct serind *serind, const char *product)
{
    for (size_t i = 0; i < serind->trusts.count; i++) {
        if (strcmp(serind->trusts.list[i]->trust.product, product) == 0) {
            return serind->trusts.list[i];
        }
    }
    return NULL;
}

const struct serind_trust *serind_trusts_find(const struct serind *serind, const char *product)
{
    return find(serind, product);
}

const struct serind_trust *serind_trusts_of_release_key(const struct serind *serind,
                                                        const uint8_t key_id[SERIN_KEY_ID_SIZE])
{
    for (size_t i = 0; i < serind->trusts.count; i++) {
        if (serin_trust_find(&serind->trusts.list[i]->trust, SERIN_KEY_ROLE_RELEASE, key_id) !=
            NULL) {
            return serind->trusts.list[i];
        }
    }
    return NULL;
}

void serind_trusts_free(struct serind *serind)
{
    for (size_t i = 0; i < serind->trusts.count; i++) {
        free(serind->trusts.list[i]);
    }
    serind->trusts.count = 0;
}

/* Opens a record with whichever root key made it. */
static enum serin_error open_record(const struct serind *serind, const uint8_t *record, size_t size,
                                    struct serin_trust *trust)
{
    enum serin_error error = SERIN_ERR_KEY;
    for (size_t i = 0; i < serind->root_count && error == SERIN_ERR_KEY; i++) {
        error = serin_trust_open(serind->crypto, serind->roots[i], record, size, trust);
    }
    return error;
}

enum serin_error serind_trusts_verify(const struct serind *serind, const uint8_t *record,
                                      size_t size, struct serin_trust *trust, char *why,
                                      size_t why_size)
{
    enum serin_error error = open_record(serind, record, size, trust);
    if (error == SERIN_ERR_KEY) {
        (void)snprintf(why, why_size,
                       "the trust record is signed by none of the root keys in root_keys");
        return error;
    }
    if (error != SERIN_OK) {
        (void)snprintf(why, why_size, "the trust record cannot be taken: %s",
                       serin_error_text(error));
        return error;
    }
    if (serin_trust_find(trust, SERIN_KEY_ROLE_DIRECTOR, serind->director_key_id) == NULL) {
        char key[2 * SERIN_KEY_ID_SIZE + 1];
        serin_hex_encode(serind->director_key_id, SERIN_KEY_ID_SIZE, key);
        (void)snprintf(why, why_size,
                       "the trust record of product %s (version %u) does not list this serind's "
                       "director key %s as a director: its devices would refuse every directive",
                       trust->product, trust->version, key);
        return SERIN_ERR_KEY;
    }
    return SERIN_OK;
}

/* Keeps a verified record in memory, in place of the one of its product. */
static enum serin_error keep(struct serind *serind, const struct serin_trust *trust,
                             const uint8_t *record, size_t size)
{
    struct serind_trust *held = find(serind, trust->product);
    if (held == NULL) {
        if (serind->trusts.count == SERIND_TRUSTS_MAX) {
            return SERIN_ERR_NO_SPACE;
        }
        held = calloc(1, sizeof *held);
        if (held == NULL) {
            return SERIN_ERR_MEMORY;
        }
        serind->trusts.list[serind->trusts.count++] = held;
    }
    held->trust = *trust;
    memcpy(held->record, record, size);
    held->record_size = size;
    return SERIN_OK;
}

static enum serin_error store(struct serind *serind, const struct serin_trust *trust,
                              const uint8_t *record, size_t size, const char *actor)
{
    enum serin_error error = serind_pass_begin(serind);
    if (error != SERIN_OK) {
        return error;
    }
    (void)serind_pass_check(
        serind, serind->store.ops->put_trust(serind->store.ctx, trust->product, record, size));
    serind_audit(serind, &(struct serind_audit_line){.actor = actor, .what = "trust"},
                 "trust record of %s, version %u, with %zu keys is in force", trust->product,
                 trust->version, trust->key_count);
    return serind_pass_end(serind);
}

enum serin_error serind_trusts_take(struct serind *serind, const uint8_t *record, size_t size,
                                    const char *actor, struct serin_trust *trust, char *why,
                                    size_t why_size)
{
    if (size > SERIN_TRUST_MAX) {
        (void)snprintf(why, why_size, "a trust record has at most %u bytes", SERIN_TRUST_MAX);
        return SERIN_ERR_TOO_LARGE;
    }
    enum serin_error error = serind_trusts_verify(serind, record, size, trust, why, why_size);
    if (error != SERIN_OK) {
        return error;
    }
    const struct serind_trust *held = find(serind, trust->product);
    if (held != NULL && held->record_size == size && memcmp(held->record, record, size) == 0) {
        return SERIN_ERR_EXISTS;
    }
    if (held != NULL && trust->version <= held->trust.version) {
        (void)snprintf(why, why_size,
                       "version %u of the trust record of %s is not higher than version %u, which "
                       "is in force: sign the new one with a higher version",
                       trust->version, trust->product, held->trust.version);
        return SERIN_ERR_STALE;
    }
    error = store(serind, trust, record, size, actor);
    if (error != SERIN_OK) {
        (void)snprintf(why, why_size, "the trust record could not be stored: %s",
                       serin_error_text(error));
        return error;
    }
    error = keep(serind, trust, record, size);
    if (error == SERIN_OK) {
        serind_alarm_clear(serind, "trust:stored");
        serind_publisher_trust(serind, trust->product, record, size);
    }
    return error;
}

/* ---- loading ---- */

struct loading {
    struct serind *serind;
    enum serin_error error;
};

static bool load(void *arg, const uint8_t *record, size_t size)
{
    struct loading *loading = arg;
    struct serin_trust trust;
    char why[512];
    if (serind_trusts_verify(loading->serind, record, size, &trust, why, sizeof why) != SERIN_OK) {
        /* A root or director key was changed in the configuration: its files must then bring a
         * record that fits. Until then the product has none, and nothing is published for it. */
        serind_alarm_raise(loading->serind, "trust:stored", "a stored trust record is not used: %s",
                           why);
        return true;
    }
    loading->error = keep(loading->serind, &trust, record, size);
    if (loading->error == SERIN_OK) {
        serind_publisher_trust(loading->serind, trust.product, record, size);
    }
    return loading->error == SERIN_OK;
}

enum serin_error serind_trusts_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    enum serin_error error = serind->store.ops->each_trust(serind->store.ctx, load, &loading);
    return error != SERIN_OK ? error : loading.error;
}
