/* Answering requests for blocks (docs/spec/blocks.md): in the cloud straight from the depot, which
 * holds whole objects alone. site.c answers those of a site. */
#include "site.h"

#include <serin/adapters/fault.h>
#include <serin/crc32.h>

/* What an encoded block has around its data. */
#define BLOCK_OVERHEAD (SERIN_BLOCK_MAX - SERIN_BLOCK_DATA_MAX)

void serve_block(const struct request *request, const struct serin_block *block)
{
    struct shell *shell = request->shell;
    struct serin_block addressed = *block;
    addressed.token = request->get->token;
    size_t capacity = block->data_size + BLOCK_OVERHEAD;
    size_t size = 0;
    uint8_t *payload = shell_payload_new(capacity);
    if (payload == NULL) {
        shell_log_client(shell, "no memory for a block to %s", request->id);
        return;
    }
    enum serin_error error = shell->ports.codec->encode_block(&addressed, payload, capacity, &size);
    if (error != SERIN_OK) {
        shell_log_client(shell, "cannot encode a block to %s: %s", request->id,
                         serin_error_text(error));
        shell_payload_free(payload);
        return;
    }
    shell_send(request->id, request->topic, payload, size);
}

void serve_status(const struct request *request, enum serin_block_status status,
                  uint32_t object_size, uint32_t retry_ms)
{
    const struct serin_block block = {.status = status,
                                      .offset = request->get->offset,
                                      .object_size = object_size,
                                      .retry_ms = retry_ms};
    serve_block(request, &block);
}

/* The window that was granted, block by block. False: the depot failed on the way. */
static bool send_window(const struct request *request, const struct serin_grant *grant,
                        uint32_t object_size)
{
    struct shell *shell = request->shell;
    uint32_t offset = grant->offset;
    while (offset < grant->end) {
        uint32_t left = grant->end - offset;
        uint32_t size = left < request->get->block_size ? left : request->get->block_size;
        enum serin_error error =
            serin_depot_read(shell->depot, request->get->object, offset, shell->block, size);
        if (error != SERIN_OK) {
            return false;
        }
        const struct serin_block block = {.status = SERIN_BLOCK_DATA,
                                          .offset = offset,
                                          .object_size = object_size,
                                          .window_end = grant->end,
                                          .crc32 = serin_crc32(0, shell->block, size),
                                          .data = shell->block,
                                          .data_size = size};
        serve_block(request, &block);
        SERIN_FAULT_POINT("plugin.block.sent");
        offset += size;
    }
    return true;
}

/* Whether the object can be served whole. A file of another size than a signed manifest says is
 * damaged; what else may be wrong with it shows at the device, piece by piece. */
static bool find_object(const struct request *request, uint32_t expected_size, uint32_t *size)
{
    struct shell *shell = request->shell;
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(request->get->object, SERIN_SHA256_SIZE, hex);
    enum serin_error error = serin_depot_size(shell->depot, request->get->object, size);
    if (error == SERIN_ERR_NOT_FOUND) {
        return false;
    }
    if (error != SERIN_OK) {
        shell_log_client(shell, "cannot read the object %s in %s: %s", hex, shell->options.depot,
                         serin_error_text(error));
        return false;
    }
    if (expected_size != 0 && *size != expected_size) {
        shell_log_client(shell, "the depot's object %s is damaged: %u bytes, the manifest says %u",
                         hex, *size, expected_size);
        return false;
    }
    return true;
}

static void answer(const struct request *request, uint64_t now_ms)
{
    struct shell *shell = request->shell;
    const struct serin_get *get = request->get;
    uint32_t retry_ms = serin_supply_retry_ms(&shell->supply, request->session);
    uint32_t size = 0;
    struct serin_guard_ruling ruling =
        serin_guard_rule(&shell->guard, request->id, get->object, now_ms);
    if (ruling.refused) {
        serin_supply_settle(&shell->supply, request->session, get->done_token);
        serve_status(request, SERIN_BLOCK_REFUSED, 0, 0);
        return;
    }
    if (!find_object(request, ruling.expected_size, &size)) {
        serin_supply_settle(&shell->supply, request->session, get->done_token);
        serve_status(request, SERIN_BLOCK_NOT_FOUND, 0, retry_ms);
        return;
    }
    struct serin_grant grant =
        serin_supply_grant(&shell->supply, request->session, get, size, now_ms);
    SERIN_FAULT_POINT("plugin.get.granted");
    if (grant.status != SERIN_BLOCK_DATA) {
        serve_status(request, grant.status, size, grant.retry_ms);
    } else if (!send_window(request, &grant, size)) {
        serin_supply_release(&shell->supply, request->session);
        serve_status(request, SERIN_BLOCK_NOT_FOUND, 0, retry_ms);
    }
}

void shell_serve(struct shell *shell, uint32_t session, const struct serin_topic *topic,
                 const struct serin_get *get, uint64_t now_ms)
{
    struct request request = {
        .shell = shell, .session = session, .id = shell->slots[session].id, .get = get};
    serin_topic_device(topic->kind == SERIN_TOPIC_GW_GET ? SERIN_TOPIC_GW_BLOCK
                                                         : SERIN_TOPIC_DEV_BLOCK,
                       request.id, request.topic);
    if (shell->site != NULL) {
        site_forget(shell, session); /* this request takes the place of one that is parked */
    }
    switch (serin_supply_admit(&shell->supply, session, now_ms)) {
    case SERIN_ADMIT:
        if (shell->site != NULL) {
            site_answer(&request, now_ms);
        } else {
            answer(&request, now_ms);
        }
        break;
    case SERIN_ADMIT_BUSY:
        shell_log_client(shell, "%s asks too often and is told to wait", request.id);
        serve_status(&request, SERIN_BLOCK_BUSY, 0, serin_supply_retry_ms(&shell->supply, session));
        break;
    case SERIN_ADMIT_DROP:
        break;
    }
}

void shell_release(struct shell *shell, uint32_t session)
{
    serin_supply_release(&shell->supply, session);
    if (shell->site != NULL) {
        site_forget(shell, session);
    }
}

void shell_tick(struct shell *shell, uint64_t now_ms)
{
    serin_supply_expire(&shell->supply, now_ms);
    if (shell->site != NULL) {
        site_tick(shell, now_ms);
    }
}
