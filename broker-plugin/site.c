/*
 * The site role: requests are answered from what the gateway has verified so far, wait for what is
 * on its way, and are refused for what nobody offers (docs/spec/site.md, sections 3 and 4).
 */
#include "site.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

bool site_open(struct shell *shell, uint32_t sessions)
{
    struct site *site = calloc(1, sizeof *site);
    struct serin_parked *parked = calloc(sessions, sizeof *parked);
    if (site == NULL || parked == NULL) {
        shell_log(SHELL_ERROR, "no memory for the site of %s", shell->options.gateway);
        free(site);
        free(parked);
        return false;
    }
    site->parked = parked;
    serin_partial_init(&site->partial);
    serin_wants_init(&site->wants);
    serin_pieces_init(&site->pieces);
    serin_park_init(&site->park, parked, sessions, (uint32_t)shell->options.park_ms);
    shell->site = site;
    return true;
}

void site_close(struct shell *shell)
{
    struct site *site = shell->site;
    if (site == NULL) {
        return;
    }
    for (size_t i = 0; i < SITE_WHOLES; i++) {
        free(site->wholes[i].data);
    }
    free(site->parked);
    free(site);
    shell->site = NULL;
}

/* ---- to the gateway ---- */

static bool gateway_connected(const struct shell *shell)
{
    const char *id = shell->options.gateway;
    uint32_t session = serin_sessions_find(&shell->sessions, id);
    /* A device may bear the gateway's name; it is not the gateway. */
    return session != SERIN_SESSION_NONE && shell->slots[session].role == SERIN_ROLE_GATEWAY &&
           serin_sessions_connected(&shell->sessions, id);
}

static void send_want(struct shell *shell, struct serin_want *want)
{
    static const struct serin_topic topic = {.kind = SERIN_TOPIC_DEPOT_WANT};
    char text[SERIN_TOPIC_MAX];
    size_t size = 0;
    want->served_bytes = shell->site->served_bytes;
    uint8_t *payload = shell_payload_new(SERIN_WANT_MAX);
    if (payload == NULL) {
        return;
    }
    if (shell->ports.site_codec->encode_want(want, payload, SERIN_WANT_MAX, &size) != SERIN_OK) {
        shell_payload_free(payload);
        return;
    }
    serin_topic_format(&topic, text);
    shell_send(shell->options.gateway, text, payload, size);
    shell->site->served_told = want->served_bytes;
}

void site_say(struct shell *shell, enum serin_want_kind kind, const uint8_t *object,
              uint32_t object_size, uint32_t offset, uint32_t length, uint64_t now_ms)
{
    uint32_t start = offset - offset % SERIN_PIECE_SIZE;
    uint64_t bound = object_size != 0 ? object_size : SERIN_SITE_OBJECT_MAX;
    uint64_t end = (uint64_t)offset + length;
    end = end < start + shell->options.window_bytes ? end : start + shell->options.window_bytes;
    end = end < bound ? end : bound;
    if (end <= start || !gateway_connected(shell) ||
        !serin_wants_say(&shell->site->wants, kind, object, start, (uint32_t)end - start, now_ms)) {
        return;
    }
    struct serin_want want = {.kind = kind, .offset = start, .length = (uint32_t)end - start};
    memcpy(want.object, object, SERIN_SHA256_SIZE);
    send_want(shell, &want);
    SERIN_FAULT_POINT("plugin.want.said");
}

static void tell_served(struct shell *shell, uint64_t now_ms)
{
    struct site *site = shell->site;
    if (now_ms - site->served_told_ms < SITE_SERVED_MS) {
        return;
    }
    site->served_told_ms = now_ms;
    if (site->served_told != site->served_bytes && gateway_connected(shell)) {
        send_want(shell, &(struct serin_want){.kind = SERIN_WANT_SERVED});
    }
}

/* ---- answers ---- */

/* Sends [grant->offset, grant->end) in blocks: of `whole`, or of verified pieces where it is NULL.
 */
static void send_window(const struct request *request, const struct serin_grant *grant,
                        const uint8_t *whole, uint32_t object_size)
{
    struct shell *shell = request->shell;
    uint32_t offset = grant->offset;
    while (offset < grant->end) {
        uint32_t left = grant->end - offset;
        uint32_t size = left < request->get->block_size ? left : request->get->block_size;
        if (whole == NULL) {
            site_copy(shell->site, request->get->object, offset, size, shell->block);
        }
        const uint8_t *data = whole == NULL ? shell->block : whole + offset;
        const struct serin_block block = {.status = SERIN_BLOCK_DATA,
                                          .offset = offset,
                                          .object_size = object_size,
                                          .window_end = grant->end,
                                          .crc32 = serin_crc32(0, data, size),
                                          .data = data,
                                          .data_size = size};
        serve_block(request, &block);
        shell->site->served_bytes += size;
        SERIN_FAULT_POINT("plugin.block.sent");
        offset += size;
    }
}

/* The end of what one answer may cover, before the object's own end. */
static uint64_t window_limit(const struct shell *shell, const struct serin_get *get)
{
    uint64_t bytes = (uint64_t)SITE_WINDOW_PIECES * SERIN_PIECE_SIZE;
    bytes -= get->offset % SERIN_PIECE_SIZE;
    bytes = bytes < get->length ? bytes : get->length;
    bytes = bytes < shell->options.window_bytes ? bytes : shell->options.window_bytes;
    uint64_t blocks = shell->options.window_blocks * get->block_size;
    return get->offset + (bytes < blocks ? bytes : blocks);
}

/* Serves what is here of an object on offer. False: nothing of it is; the gateway was told. */
static bool serve(const struct request *request, const struct serin_guard_answer *object,
                  uint64_t now_ms)
{
    struct shell *shell = request->shell;
    struct serin_get get = *request->get;
    const struct site_ask ask = {
        .object = get.object, .offset = get.offset, .length = get.length, .now_ms = now_ms};
    const uint8_t *whole = NULL;
    uint32_t size = object->size;
    if (object->kind != SERIN_GUARD_IMAGE) {
        whole = site_whole(shell, &ask, object->kind, object->size, &size);
        if (whole == NULL) {
            return false;
        }
    }
    if (get.offset < size) {
        uint64_t limit = window_limit(shell, &get);
        uint32_t end = limit < size ? (uint32_t)limit : size;
        if (whole == NULL) {
            end = site_verify(shell, &ask, object, end);
        }
        if (end == get.offset) {
            return false;
        }
        get.length = end - get.offset;
    }
    struct serin_grant grant =
        serin_supply_grant(&shell->supply, request->session, &get, size, now_ms);
    SERIN_FAULT_POINT("plugin.get.granted");
    if (grant.status == SERIN_BLOCK_DATA) {
        send_window(request, &grant, whole, size);
    } else {
        serve_status(request, grant.status, size, grant.retry_ms);
    }
    return true;
}

/* An answer without data that needs no more knowledge of the object. */
static bool settle(const struct request *request, enum serin_block_status status, uint32_t retry_ms)
{
    serin_supply_settle(&request->shell->supply, request->session, request->get->done_token);
    serve_status(request, status, 0, retry_ms);
    return true;
}

/* Answers a request if that can be done now. False: it may wait, and has nothing in flight. */
static bool try_answer(const struct request *request, uint64_t now_ms)
{
    struct shell *shell = request->shell;
    const struct serin_get *get = request->get;
    enum serin_block_status status = SERIN_BLOCK_NOT_FOUND;
    uint32_t retry_ms = serin_supply_retry_ms(&shell->supply, request->session);
    struct serin_guard_answer object =
        serin_guard_ask(&shell->guard, request->id, get->object, now_ms);
    if (object.offer == SERIN_GUARD_NO_DIRECTIVE) {
        return settle(request, SERIN_BLOCK_NOT_FOUND, retry_ms);
    }
    if (object.offer == SERIN_GUARD_NOT_OFFERED) {
        return settle(request, SERIN_BLOCK_REFUSED, 0);
    }
    uint32_t size_max =
        object.kind == SERIN_GUARD_PIECES ? SERIN_SITE_WHOLE_MAX : SERIN_SITE_OBJECT_MAX;
    if (object.size > size_max || (object.size == 0 && get->offset >= SERIN_SITE_OBJECT_MAX)) {
        return settle(request, SERIN_BLOCK_NOT_FOUND, retry_ms); /* no gateway fills that */
    }
    uint32_t absent_ms = 0;
    if (serin_partial_absent(&shell->site->partial, get->object, now_ms, &status, &absent_ms)) {
        return settle(request, status, absent_ms);
    }
    if (!serin_supply_ready(&shell->supply, request->session, get, now_ms)) {
        serve_status(request, SERIN_BLOCK_BUSY, 0, retry_ms);
        return true;
    }
    if (object.offer == SERIN_GUARD_UNSURE) {
        if (!serin_bucket_take(&shell->site->unsure, SITE_UNSURE_PER_S, SITE_UNSURE_BURST,
                               now_ms)) {
            return settle(request, SERIN_BLOCK_NOT_FOUND, retry_ms);
        }
        site_say(shell, SERIN_WANT_MISSING, get->object, 0, get->offset, get->length, now_ms);
        /* The manifest as well: where nothing is stored, only the plugin knows that it lacks it. */
        if (!serin_bytes_all(object.lacking, sizeof object.lacking, 0)) {
            site_say(shell, SERIN_WANT_MISSING, object.lacking, 0, 0, SERIN_MANIFEST_MAX, now_ms);
        }
        return false;
    }
    return serve(request, &object, now_ms);
}

void site_answer(const struct request *request, uint64_t now_ms)
{
    if (!try_answer(request, now_ms)) {
        serin_park_put(&request->shell->site->park, request->session, request->get, now_ms);
    }
}

/* ---- what waits ---- */

void site_forget(struct shell *shell, uint32_t session)
{
    (void)serin_park_drop(&shell->site->park, session);
}

/* The request that a session has parked, which stays valid when it is dropped. */
static struct request request_of(struct shell *shell, uint32_t session, struct serin_get *get)
{
    *get = *serin_park_get(&shell->site->park, session);
    struct request request = {
        .shell = shell, .session = session, .id = shell->slots[session].id, .get = get};
    serin_topic_device(SERIN_TOPIC_DEV_BLOCK, request.id, request.topic);
    return request;
}

static void retry_one(struct shell *shell, uint32_t session, uint64_t now_ms)
{
    struct serin_get get;
    struct request request = request_of(shell, session, &get);
    if (try_answer(&request, now_ms)) {
        (void)serin_park_drop(&shell->site->park, session);
        SERIN_FAULT_POINT("plugin.park.served");
    }
}

/* Tries again what is parked for an object, or all of it where it is NULL. */
static void retry(struct shell *shell, const uint8_t *object, uint64_t now_ms)
{
    struct serin_park *park = &shell->site->park;
    uint32_t session = serin_park_next(park, object, SERIN_SESSION_NONE);
    while (session != SERIN_SESSION_NONE) {
        uint32_t next = serin_park_next(park, object, session);
        retry_one(shell, session, now_ms);
        session = next;
    }
}

/* Whether the byte at `offset` is known to be here: of a part file, or in memory. */
static bool is_here(struct site *site, const uint8_t *object, uint32_t offset)
{
    return offset < SERIN_SITE_OBJECT_MAX &&
           (serin_partial_end(&site->partial, object, offset, offset + 1) > offset ||
            serin_pieces_find(&site->pieces, object, offset / SERIN_PIECE_SIZE) != NULL);
}

/* Tries again what waits for pieces of an object that are here by now, and nothing else: these
 * words come often, and many may wait. */
static void retry_here(struct shell *shell, const uint8_t *object, uint64_t now_ms)
{
    struct site *site = shell->site;
    uint32_t session = serin_park_next(&site->park, object, SERIN_SESSION_NONE);
    while (session != SERIN_SESSION_NONE) {
        uint32_t next = serin_park_next(&site->park, object, session);
        if (is_here(site, object, serin_park_get(&site->park, session)->offset)) {
            retry_one(shell, session, now_ms);
        }
        session = next;
    }
}

/* A manifest is here and opens what it names, or a piece table its image: what waits for these is
 * tried as well. */
static void retry_opened(struct shell *shell, uint64_t now_ms)
{
    serin_guard_look_again(&shell->guard);
    retry(shell, NULL, now_ms);
}

static void hear_whole(struct shell *shell, const struct serin_have *have, uint64_t now_ms)
{
    if (serin_guard_know(&shell->guard, have->object, now_ms).kind == SERIN_GUARD_IMAGE) {
        retry(shell, have->object, now_ms);
    } else {
        retry_opened(shell, now_ms);
    }
}

static void hear_data(struct shell *shell, const struct serin_have *have, uint64_t now_ms)
{
    switch (site_take_data(shell, have, now_ms)) {
    case SITE_NEWS_PIECE:
        retry_here(shell, have->object, now_ms);
        break;
    case SITE_NEWS_OPENED:
        retry_opened(shell, now_ms);
        break;
    case SITE_NEWS_NONE:
        break;
    }
}

/* What the gateway says once is told to all who wait, for however short a time it is to hold. */
static void tell_absent(struct shell *shell, const struct serin_have *have)
{
    struct serin_park *park = &shell->site->park;
    uint32_t session = serin_park_next(park, have->object, SERIN_SESSION_NONE);
    while (session != SERIN_SESSION_NONE) {
        uint32_t next = serin_park_next(park, have->object, session);
        struct serin_get get;
        struct request request = request_of(shell, session, &get);
        serve_status(&request, have->status, 0, have->retry_ms);
        (void)serin_park_drop(park, session);
        SERIN_FAULT_POINT("plugin.park.served");
        session = next;
    }
}

void site_hear(struct shell *shell, const struct serin_have *have, uint64_t now_ms)
{
    serin_partial_hear(&shell->site->partial, have, now_ms);
    SERIN_FAULT_POINT("plugin.have.heard");
    switch (have->kind) {
    case SERIN_HAVE_PART:
        retry_here(shell, have->object, now_ms);
        break;
    case SERIN_HAVE_WHOLE:
        hear_whole(shell, have, now_ms);
        break;
    case SERIN_HAVE_DATA:
        hear_data(shell, have, now_ms);
        break;
    case SERIN_HAVE_ABSENT:
        tell_absent(shell, have);
        break;
    case SERIN_HAVE_INVALID:
        break;
    }
}

void site_orders_changed(struct shell *shell, uint64_t now_ms)
{
    retry(shell, NULL, now_ms);
}

void site_tick(struct shell *shell, uint64_t now_ms)
{
    struct site *site = shell->site;
    uint32_t session = serin_park_expired(&site->park, now_ms);
    while (session != SERIN_SESSION_NONE) {
        struct serin_get get;
        struct request request = request_of(shell, session, &get);
        serve_status(&request, SERIN_BLOCK_BUSY, 0, serin_supply_retry_ms(&shell->supply, session));
        (void)serin_park_drop(&site->park, session);
        session = serin_park_expired(&site->park, now_ms);
    }
    /* What the gateway was told may have been lost, and what it said as well. */
    if (now_ms - site->retried_ms >= SITE_RETRY_MS) {
        site->retried_ms = now_ms;
        retry(shell, NULL, now_ms);
    }
    tell_served(shell, now_ms);
}
