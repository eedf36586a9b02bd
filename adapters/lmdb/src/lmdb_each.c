/* The walks of the port: each gives the visitor its own type of record. */
#include "lmdb_internal.h"

struct device_visit {
    bool (*visit)(void *arg, const struct serin_device_record *record);
    void *arg;
};

static bool visit_device(void *ctx, const union record_value *value)
{
    const struct device_visit *to = ctx;
    return to->visit(to->arg, &value->device);
}

enum serin_error serin_lmdb_each_device(void *ctx, const char *after,
                                        bool (*visit)(void *arg,
                                                      const struct serin_device_record *record),
                                        void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_DEVICES, .kind = RECORD_DEVICE};
    struct device_visit to = {.visit = visit, .arg = arg};
    if (after != NULL) {
        range.after = serin_lmdb_text_key(after);
    }
    return serin_lmdb_walk(ctx, &range, visit_device, &to);
}

enum serin_error
serin_lmdb_each_fleet_device(void *ctx, const char *product, const char *channel, const char *after,
                             bool (*visit)(void *arg, const struct serin_device_record *record),
                             void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_FLEET,
                                     .kind = RECORD_DEVICE,
                                     .prefix = serin_lmdb_fleet_key(product, channel, "")};
    struct device_visit to = {.visit = visit, .arg = arg};
    if (after != NULL) {
        range.after = serin_lmdb_fleet_key(product, channel, after);
    }
    return serin_lmdb_walk_fleet(ctx, &range, visit_device, &to);
}

struct attempt_visit {
    bool (*visit)(void *arg, const struct serin_attempt_record *record);
    void *arg;
};

static bool visit_attempt(void *ctx, const union record_value *value)
{
    const struct attempt_visit *to = ctx;
    return to->visit(to->arg, &value->attempt);
}

enum serin_error serin_lmdb_each_attempt(void *ctx, const char *device_id,
                                         bool (*visit)(void *arg,
                                                       const struct serin_attempt_record *record),
                                         void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_ATTEMPTS,
                                     .kind = RECORD_ATTEMPT,
                                     .prefix = serin_lmdb_attempts_prefix(device_id)};
    struct attempt_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_attempt, &to);
}

struct release_visit {
    bool (*visit)(void *arg, const struct serin_release_record *record);
    void *arg;
};

static bool visit_release(void *ctx, const union record_value *value)
{
    const struct release_visit *to = ctx;
    return to->visit(to->arg, &value->release);
}

enum serin_error serin_lmdb_each_release(
    void *ctx, bool (*visit)(void *arg, const struct serin_release_record *record), void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_RELEASES, .kind = RECORD_RELEASE};
    struct release_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_release, &to);
}

struct rollout_visit {
    bool (*visit)(void *arg, const struct serin_rollout *rollout);
    void *arg;
};

static bool visit_rollout(void *ctx, const union record_value *value)
{
    const struct rollout_visit *to = ctx;
    return to->visit(to->arg, &value->rollout);
}

enum serin_error
serin_lmdb_each_rollout(void *ctx, bool (*visit)(void *arg, const struct serin_rollout *rollout),
                        void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_ROLLOUTS, .kind = RECORD_ROLLOUT};
    struct rollout_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_rollout, &to);
}

struct member_visit {
    bool (*visit)(void *arg, const struct serin_member_record *record);
    void *arg;
};

static bool visit_member(void *ctx, const union record_value *value)
{
    const struct member_visit *to = ctx;
    return to->visit(to->arg, &value->member);
}

enum serin_error serin_lmdb_each_member(void *ctx, uint64_t rollout_id,
                                        bool (*visit)(void *arg,
                                                      const struct serin_member_record *record),
                                        void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_MEMBERS,
                                     .kind = RECORD_MEMBER,
                                     .prefix = serin_lmdb_rollout_key(rollout_id)};
    struct member_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_member, &to);
}

struct stable_visit {
    bool (*visit)(void *arg, const struct serin_stable_record *record);
    void *arg;
};

static bool visit_stable(void *ctx, const union record_value *value)
{
    const struct stable_visit *to = ctx;
    return to->visit(to->arg, &value->stable);
}

enum serin_error serin_lmdb_each_stable(
    void *ctx, bool (*visit)(void *arg, const struct serin_stable_record *record), void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_STABLE, .kind = RECORD_STABLE};
    struct stable_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_stable, &to);
}

struct gateway_visit {
    bool (*visit)(void *arg, const struct serin_gateway_record *record);
    void *arg;
};

static bool visit_gateway(void *ctx, const union record_value *value)
{
    const struct gateway_visit *to = ctx;
    return to->visit(to->arg, &value->gateway);
}

enum serin_error serin_lmdb_each_gateway(
    void *ctx, bool (*visit)(void *arg, const struct serin_gateway_record *record), void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_GATEWAYS, .kind = RECORD_GATEWAY};
    struct gateway_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_gateway, &to);
}

struct directive_visit {
    bool (*visit)(void *arg, const struct serin_directive_record *record);
    void *arg;
};

static bool visit_directive(void *ctx, const union record_value *value)
{
    const struct directive_visit *to = ctx;
    return to->visit(to->arg, &value->directive);
}

enum serin_error serin_lmdb_each_directive(
    void *ctx, bool (*visit)(void *arg, const struct serin_directive_record *record), void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_DIRECTIVES, .kind = RECORD_DIRECTIVE};
    struct directive_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_directive, &to);
}

struct trust_visit {
    bool (*visit)(void *arg, const uint8_t *record, size_t size);
    void *arg;
};

static bool visit_trust(void *ctx, const union record_value *value)
{
    const struct trust_visit *to = ctx;
    return to->visit(to->arg, value->trust.bytes, value->trust.size);
}

enum serin_error serin_lmdb_each_trust(void *ctx,
                                       bool (*visit)(void *arg, const uint8_t *record, size_t size),
                                       void *arg)
{
    struct serin_lmdb_range range = {.table = TABLE_TRUST, .kind = RECORD_TRUST};
    struct trust_visit to = {.visit = visit, .arg = arg};
    return serin_lmdb_walk(ctx, &range, visit_trust, &to);
}
