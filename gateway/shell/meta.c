/* The store's record of the gateway itself: incarnation, numbers, signed time, counters. */
#include "gateway.h"

#include <serin/adapters/log.h>

#define WRITE_DELAY_MS 60000u

static enum serin_error meta_put(struct gateway *gateway)
{
    const struct serin_gateway_store *store = &gateway->store;
    enum serin_error error = store->ops->begin(store->ctx, true);
    if (error != SERIN_OK) {
        return error;
    }
    error = store->ops->put_meta(store->ctx, &gateway->meta);
    if (error != SERIN_OK) {
        store->ops->abort(store->ctx);
        return error;
    }
    return store->ops->commit(store->ctx);
}

/* A new incarnation: batches and reports are numbered from the start again. */
static enum serin_error meta_make(struct gateway *gateway)
{
    gateway->meta = (struct serin_gateway_meta){0};
    while (gateway->meta.incarnation == 0) {
        enum serin_error error = gateway->crypto->ops->random(
            gateway->crypto->ctx, &gateway->meta.incarnation, sizeof gateway->meta.incarnation);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return meta_put(gateway);
}

enum serin_error gateway_meta_load(struct gateway *gateway)
{
    const struct serin_gateway_store *store = &gateway->store;
    enum serin_error error = store->ops->begin(store->ctx, false);
    if (error == SERIN_OK) {
        error = store->ops->get_meta(store->ctx, &gateway->meta);
        store->ops->abort(store->ctx);
    }
    if (error == SERIN_ERR_FORMAT) {
        serin_log(SERIN_LOG_WARN,
                  "the store's own record is damaged: a new incarnation begins, its counters at 0");
    }
    if (error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_FORMAT) {
        error = meta_make(gateway);
    }
    return error == SERIN_OK ? error
                             : gateway_fail(gateway, error, "data: the store in %s: %s",
                                            gateway->config->data_dir, serin_error_text(error));
}

void gateway_meta_changed(struct gateway *gateway)
{
    if (gateway->meta_write_ms == 0) {
        gateway->meta_write_ms = gateway->mono_ms + WRITE_DELAY_MS;
    }
}

void gateway_meta_tick(struct gateway *gateway, bool now)
{
    if (gateway->meta_write_ms == 0 || (!now && gateway->mono_ms < gateway->meta_write_ms)) {
        return;
    }
    enum serin_error error = meta_put(gateway);
    gateway->meta_write_ms = 0;
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "counters were not stored: %s", serin_error_text(error));
        gateway_meta_changed(gateway);
    }
}
