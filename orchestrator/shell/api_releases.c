/* The API's bundles, releases, stable releases and trust records. */
#include "api.h"
#include "releases.h"
#include "text.h"

#include <string.h>

void serind_put_bundle(struct serind_call *call)
{
    struct serin_release_record record;
    char why[SERIND_WHY_MAX] = "";
    enum serin_error error = serind_releases_take(call->serind, call->request->body_file,
                                                  call->request->body_file_size, &record, why);
    if (error == SERIN_OK || error == SERIN_ERR_EXISTS) {
        serind_answer(call, error == SERIN_OK ? 201 : 200, serind_release_json(&record));
    } else {
        serind_fail(call, error, "%s", why);
    }
}

static bool list_release(void *arg, const struct serin_release_record *record)
{
    serin_json_add(arg, serind_release_json(record));
    return true;
}

void serind_get_releases(struct serind_call *call)
{
    const struct serin_store *store = &call->serind->store;
    if (!serind_read_begin(call)) {
        return;
    }
    struct serin_json *array = serin_json_array();
    enum serin_error error = store->ops->each_release(store->ctx, list_release, array);
    serind_read_end(call);
    if (error != SERIN_OK) {
        serin_json_free(array);
        serind_fail(call, error, "the releases cannot be read: %s", serin_error_text(error));
        return;
    }
    struct serin_json *object = serin_json_object();
    serin_json_put(object, "releases", array);
    serind_answer(call, 200, object);
}

/* ---- stable ---- */

struct listing {
    struct serind *serind;
    struct serin_json *array;
};

static bool list_stable(void *arg, const struct serin_stable_record *record)
{
    struct listing *listing = arg;
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "product", record->product);
    serin_json_put_text(object, "channel", record->channel);
    serin_json_put(
        object, "offers",
        serind_offers_json(listing->serind, record->release.offers, record->release.offer_count));
    serin_json_add(listing->array, object);
    return true;
}

void serind_get_stable(struct serind_call *call)
{
    const struct serin_store *store = &call->serind->store;
    if (!serind_read_begin(call)) {
        return;
    }
    struct listing listing = {.serind = call->serind, .array = serin_json_array()};
    enum serin_error error = store->ops->each_stable(store->ctx, list_stable, &listing);
    serind_read_end(call);
    if (error != SERIN_OK) {
        serin_json_free(listing.array);
        serind_fail(call, error, "the stable releases cannot be read: %s", serin_error_text(error));
        return;
    }
    struct serin_json *object = serin_json_object();
    serin_json_put(object, "stable", listing.array);
    serind_answer(call, 200, object);
}

/* ---- trust ---- */

static struct serin_json *trust_json(const struct serin_trust *trust)
{
    struct serin_json *keys = serin_json_array();
    for (size_t i = 0; i < trust->key_count; i++) {
        char id[2 * SERIN_KEY_ID_SIZE + 1];
        serin_hex_encode(trust->keys[i].key_id, SERIN_KEY_ID_SIZE, id);
        struct serin_json *key = serin_json_object();
        serin_json_put_text(key, "role",
                            trust->keys[i].role == SERIN_KEY_ROLE_RELEASE ? "release" : "director");
        serin_json_put_text(key, "key_id", id);
        serin_json_add(keys, key);
    }
    struct serin_json *object = serin_json_object();
    serin_json_put_text(object, "product", trust->product);
    serin_json_put_number(object, "version", trust->version);
    serin_json_put(object, "keys", keys);
    return object;
}

void serind_get_trust(struct serind_call *call)
{
    const struct serind_trusts *trusts = &call->serind->trusts;
    struct serin_json *array = serin_json_array();
    for (size_t i = 0; i < trusts->count; i++) {
        serin_json_add(array, trust_json(&trusts->list[i]->trust));
    }
    struct serin_json *object = serin_json_object();
    serin_json_put(object, "trust", array);
    serind_answer(call, 200, object);
}

void serind_put_trust(struct serind_call *call)
{
    const struct serin_http_request *request = call->request;
    struct serin_trust trust;
    char why[SERIND_WHY_MAX] = "";
    uint8_t record[SERIN_TRUST_MAX];
    if (request->body_size > sizeof record) {
        serind_fail(call, SERIN_ERR_TOO_LARGE, "a trust record has at most %u bytes",
                    SERIN_TRUST_MAX);
        return;
    }
    memcpy(record, request->body, request->body_size);
    enum serin_error error = serind_trusts_take(call->serind, record, request->body_size,
                                                "operator", &trust, why, sizeof why);
    if (error == SERIN_OK || error == SERIN_ERR_EXISTS) {
        serind_answer(call, error == SERIN_OK ? 201 : 200, trust_json(&trust));
        return;
    }
    serind_audit(call->serind, &(struct serind_audit_line){.actor = "operator", .what = "refused"},
                 "trust: %s", why);
    serind_fail(call, error, "%s", why);
}
