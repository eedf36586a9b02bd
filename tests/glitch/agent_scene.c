/* Agents that are told what they must not obey, and offered what they must not take (scene.h). */
#include "goods.h"

#include "agent_internal.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>

#define SETTLE_TICKS 64
#define TICK_MS      1000u
#define SCENE_TIME_S UINT64_C(1767225600)

/* The scene that is open. */
static struct {
    struct serin_agent agent;
    struct serin_agent_config config;
    uint8_t scratch[SERIN_PIECE_SIZE];
    uint64_t now_ms;
    struct serin_get asked;            /* the last request for blocks */
    uint8_t forged[SERIN_SHA256_SIZE]; /* the manifest that must not be taken, */
    uint32_t sequence;                 /* and the order that must not be stored; 0: it may */
    uint32_t trust_version;            /* of the good record */
    uint8_t message[SERIN_BLOCK_MAX];
    struct serin_agent_event event; /* what comes */
} all;

/* ---- ports ---- */

static enum serin_error publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                size_t size)
{
    (void)ctx;
    return kind == SERIN_TOPIC_DEV_GET ? serin_protobufc()->decode_get(payload, size, &all.asked)
                                       : SERIN_OK;
}

static void reset(void *ctx)
{
    (void)ctx;
}

static uint64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static const struct serin_link_ops link_ops = {.publish = publish};
static const struct serin_platform_ops platform_ops = {.reset = reset, .unix_time_s = no_clock};

/* ---- the device ---- */

static void say(enum serin_topic_kind topic, size_t size)
{
    all.event = (struct serin_agent_event){
        .kind = SERIN_AGENT_MESSAGE, .topic = topic, .payload = all.message, .payload_size = size};
}

static void tick(unsigned times)
{
    const struct serin_agent_event event = {.kind = SERIN_AGENT_TICK};
    for (unsigned n = 0; n < times; n++) {
        all.now_ms += TICK_MS;
        goods_must(serin_agent_step(&all.agent, all.now_ms, &event));
    }
}

/* A directive of the channel that offers `manifest_id` to everybody. */
static struct serin_directive offer(uint32_t sequence, const uint8_t manifest_id[SERIN_SHA256_SIZE])
{
    struct serin_directive directive = {
        .product = "lamp",
        .channel = "stable",
        .order = {.epoch = 1, .sequence = sequence},
        .issued_s = SCENE_TIME_S,
        .lease_s = 86400,
        .candidate_state = SERIN_CANDIDATE_NONE,
        .stable = {.offer_count = 1, .offers = {{.hw_min = 1, .hw_max = 3}}, .attempt = sequence},
    };
    memcpy(directive.stable.offers[0].manifest_id, manifest_id, SERIN_SHA256_SIZE);
    return directive;
}

static void hear(const struct serin_directive *directive)
{
    say(SERIN_TOPIC_DIRECTIVE,
        goods_directive(directive, &goods_keys.director, &goods_keys.director, all.message));
    goods_must(serin_agent_step(&all.agent, all.now_ms, &all.event));
}

/* A device whose agent is settled: connected, mirrored, told by a director to keep what runs. */
static struct scene *settled(void)
{
    struct scene *scene = goods_device();
    const struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A, .cause = SERIN_RESET_POWER};
    const struct serin_agent_event connected = {.kind = SERIN_AGENT_CONNECTED};
    memset(&all, 0, sizeof all);
    all.config = (struct serin_agent_config){.boot = &scene->boot,
                                             .codec = serin_protobufc(),
                                             .link = &link_ops,
                                             .platform = &platform_ops,
                                             .block_size = SERIN_PIECE_SIZE,
                                             .window_blocks = 1,
                                             .beat_interval_s = 3600,
                                             .report_retry_min_ms = 5000,
                                             .report_retry_max_ms = 3600000,
                                             .block_timeout_ms = 10000,
                                             .scratch = all.scratch,
                                             .scratch_size = sizeof all.scratch};
    goods_must(serin_agent_init(&all.agent, &all.config, &info, all.now_ms));
    goods_must(serin_agent_step(&all.agent, all.now_ms, &connected));
    struct serin_directive directive = offer(5, all.agent.running.manifest_id);
    hear(&directive);
    tick(SETTLE_TICKS);
    memset(all.forged, GOODS_BAD_FILL, sizeof all.forged);
    return scene;
}

/* ---- what is tried ---- */

/* Whether it follows from what stands in the agent that somebody forged or replayed is obeyed. */
static bool obeyed(void) /* with nothing of what is under test */
{
    bool breach = false;
    for (size_t source = 0; source < SERIN_AGENT_SOURCES; source++) {
        const struct serin_agent_standing *standing = &all.agent.standing[source];
        breach = breach || (standing->heard &&
                            memcmp(standing->manifest_id, all.forged, sizeof all.forged) == 0);
        breach = breach ||
                 (all.sequence != 0 && all.agent.record.order[source].sequence >= all.sequence);
    }
    return breach;
}

static enum glitch_end obeys(void *ctx)
{
    (void)ctx;
    enum serin_error error = serin_agent_step(&all.agent, all.now_ms, &all.event);
    (void)error;
    return obeyed() ? GLITCH_BREACH : GLITCH_REFUSED;
}

/* The bytes of a manifest come: beyond PENDING is a download. */
static enum glitch_end takes_manifest(void *ctx)
{
    (void)ctx;
    enum serin_error error = serin_agent_step(&all.agent, all.now_ms, &all.event);
    (void)error;
    enum serin_state state = serin_attempt_state(&all.agent);
    return all.agent.download.have_manifest || state == SERIN_STATE_DOWNLOADING ? GLITCH_BREACH
                                                                                : GLITCH_REFUSED;
}

/* A trust record comes: neither a bank nor the agent's memory may hold it. */
static enum glitch_end hears_trust(void *ctx)
{
    const struct scene *scene = ctx;
    enum serin_error error = serin_agent_step(&all.agent, all.now_ms, &all.event);
    (void)error;
    bool breach = all.agent.have_trust && all.agent.trust.version != all.trust_version;
    return breach || scene_holds_trust(scene, scene->record) ? GLITCH_BREACH : GLITCH_REFUSED;
}

/* ---- the scenes: directives ---- */

static void told(const struct vector_key *key, const struct vector_key *named,
                 const struct serin_directive *directive, enum serin_topic_kind topic)
{
    say(topic, goods_directive(directive, key, named, all.message));
}

/* A new directive that `key` signed and that names `named`. */
static struct scene *told_by(const struct vector_key *key, const struct vector_key *named)
{
    struct scene *scene = settled();
    struct serin_directive directive = offer(6, all.forged);
    all.sequence = directive.order.sequence;
    told(key, named, &directive, SERIN_TOPIC_DIRECTIVE);
    return scene;
}

static struct scene *told_rightly(void)
{
    return told_by(&goods_keys.director, &goods_keys.director);
}

static struct scene *told_with_a_wrong_signature(void)
{
    return told_by(&goods_keys.stranger, &goods_keys.director);
}

static struct scene *told_by_a_stranger(void)
{
    return told_by(&goods_keys.stranger, &goods_keys.stranger);
}

static struct scene *told_by_a_release_key(void)
{
    return told_by(&goods_keys.release, &goods_keys.release);
}

/* A director's word of yesterday. */
static struct scene *told_again(void)
{
    struct scene *scene = settled();
    struct serin_directive directive = offer(4, all.forged);
    told(&goods_keys.director, &goods_keys.director, &directive, SERIN_TOPIC_DIRECTIVE);
    return scene;
}

/* An order that was obeyed already, with other words. */
static struct scene *told_otherwise(void)
{
    struct scene *scene = settled();
    struct serin_directive directive = offer(5, all.forged);
    told(&goods_keys.director, &goods_keys.director, &directive, SERIN_TOPIC_DIRECTIVE);
    return scene;
}

/* A director's word to another device, on the topic of this one. */
static struct scene *told_to_another(void)
{
    struct scene *scene = settled();
    struct serin_directive directive = offer(6, all.forged);
    memcpy(directive.device_id, "lamp-2", sizeof "lamp-2");
    all.sequence = directive.order.sequence;
    told(&goods_keys.director, &goods_keys.director, &directive, SERIN_TOPIC_DEV_DIRECTIVE);
    return scene;
}

/* ---- manifests ---- */

/* The agent asks for the manifest, and what it asked for comes. */
static void answer(const struct goods_release *release)
{
    for (unsigned n = 0; n < SETTLE_TICKS; n++) {
        if (memcmp(all.asked.object, all.forged, sizeof all.forged) == 0) {
            break;
        }
        tick(1);
    }
    size_t size;
    const struct serin_block block = {
        .token = all.asked.token,
        .status = SERIN_BLOCK_DATA,
        .object_size = sizeof release->manifest,
        .window_end = sizeof release->manifest,
        .crc32 = serin_crc32(0, release->manifest, sizeof release->manifest),
        .data = release->manifest,
        .data_size = sizeof release->manifest};
    goods_must(serin_protobufc()->encode_block(&block, all.message, sizeof all.message, &size));
    say(SERIN_TOPIC_DEV_BLOCK, size);
}

/* A director has named a release of `key`'s, and its manifest comes. As a stable release it was
 * looked at before, to see whether it is newer. */
static struct scene *offered(const struct vector_key *key, const struct vector_key *named,
                             uint32_t counter, const char *product)
{
    struct scene *scene = settled();
    static struct goods_release release;
    goods_release(&release, GOODS_BAD_FILL, counter, product, key, named);
    serin_manifest_id(serin_wolfcrypt(), release.manifest, all.forged);
    struct serin_directive directive = offer(6, all.forged);
    hear(&directive);
    answer(&release);
    memset(&all.asked, 0, sizeof all.asked);
    goods_must(serin_agent_step(&all.agent, all.now_ms, &all.event));
    answer(&release);
    return scene;
}

static struct scene *offered_rightly(void)
{
    return offered(&goods_keys.release, &goods_keys.release, 2, "lamp");
}

static struct scene *offered_a_wrong_signature(void)
{
    return offered(&goods_keys.stranger, &goods_keys.release, 2, "lamp");
}

static struct scene *offered_by_a_stranger(void)
{
    return offered(&goods_keys.stranger, &goods_keys.stranger, 2, "lamp");
}

static struct scene *offered_by_a_director(void)
{
    return offered(&goods_keys.director, &goods_keys.director, 2, "lamp");
}

static struct scene *offered_below_the_floor(void)
{
    return offered(&goods_keys.release, &goods_keys.release, 1, "lamp");
}

static struct scene *offered_another_product(void)
{
    return offered(&goods_keys.release, &goods_keys.release, 2, "fan");
}

/* ---- trust records ---- */

static struct scene *offered_record(const struct vector_key *release, const struct vector_key *root)
{
    struct scene *scene = settled();
    size_t size;
    goods_trust(scene->record, 2, release, root);
    all.trust_version = all.agent.trust.version;
    const struct serin_trust_payload payload = {.record = scene->record,
                                                .record_size = sizeof scene->record};
    goods_must(
        serin_protobufc()->encode_trust_payload(&payload, all.message, sizeof all.message, &size));
    say(SERIN_TOPIC_TRUST, size);
    return scene;
}

static struct scene *offered_a_good_record(void)
{
    return offered_record(&goods_keys.release, &goods_keys.root);
}

static struct scene *offered_a_forged_record(void)
{
    return offered_record(&goods_keys.stranger, &goods_keys.stranger_root);
}

#define CONTROL .expected = GLITCH_BREACH, .brief = 2

const struct scene_trial agent_trials[] = {
    {told_rightly, {.name = "told-rightly", .attempt = obeys, CONTROL}},
    {offered_rightly, {.name = "offered-rightly", .attempt = takes_manifest, CONTROL}},
    {offered_a_good_record, {.name = "record-rightly", .attempt = hears_trust, CONTROL}},
    {told_with_a_wrong_signature, {.name = "told", .attempt = obeys, .brief = 2}},
    {told_by_a_stranger, {.name = "told-key", .attempt = obeys}},
    {told_by_a_release_key, {.name = "told-role", .attempt = obeys, .brief = 1}},
    {told_again, {.name = "told-again", .attempt = obeys, .brief = 2}},
    {told_otherwise, {.name = "told-otherwise", .attempt = obeys}},
    {told_to_another, {.name = "told-other", .attempt = obeys}},
    {offered_a_wrong_signature, {.name = "offered", .attempt = takes_manifest, .brief = 2}},
    {offered_by_a_stranger, {.name = "offered-key", .attempt = takes_manifest}},
    {offered_by_a_director, {.name = "offered-role", .attempt = takes_manifest, .brief = 1}},
    {offered_below_the_floor, {.name = "offered-floor", .attempt = takes_manifest, .brief = 2}},
    {offered_another_product, {.name = "offered-product", .attempt = takes_manifest}},
    {offered_a_forged_record, {.name = "record", .attempt = hears_trust, .brief = 1}},
};
const size_t agent_trial_count = sizeof agent_trials / sizeof agent_trials[0];
