/*
 * A stable release that is not newer than what runs is no attempt at all (docs/spec/states.md,
 * section 5): an account of it would take the place of that of the image which runs, and what goes
 * wrong with that one from then on would be told by nobody. A directive names manifests, not
 * versions; so the manifest is looked at first. Only one that verifies and is not newer is left
 * alone: whatever else comes of the look, the attempt is made, and tells.
 */
#include "agent_internal.h"

#include <string.h>

#ifndef SERIN_AGENT_NO_PEEK

#define PEEK_MAX_MS    60000u /* for an answer: then the attempt finds out by itself */
#define PEEK_SPREAD_MS 60000u /* manifests are small: no look waits for a longer spread */

/* Whether the version of what `standing` asks for matters, and is not known by what else it says.
 */
static bool matters(const struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    return standing->kind == SERIN_WISH_STABLE && (standing->flags & SERIN_RELEASE_REVERT) == 0 &&
           !serin_bytes_all(agent->running.manifest_id, SERIN_SHA256_SIZE, 0);
}

/* Whether an earlier look, maybe of an earlier boot, found that it is to be left alone. */
static bool known(const struct serin_agent *agent, const uint8_t *manifest_id)
{
    const struct serin_agent_record *record = &agent->record;
    return serin_bytes_equal(record->left, manifest_id, sizeof record->left) &&
           serin_bytes_equal(record->left_over, agent->running.manifest_id,
                             sizeof record->left_over);
}

enum serin_peek_verdict serin_peek_weigh(struct serin_agent *agent,
                                         const struct serin_agent_standing *standing)
{
    struct serin_agent_peek *peek = &agent->peek;
    if (!matters(agent, standing)) {
        return SERIN_PEEK_TAKE;
    }
    if (!serin_bytes_equal(peek->manifest_id, standing->manifest_id, SERIN_SHA256_SIZE)) {
        serin_peek_stop(agent);
        memcpy(peek->manifest_id, standing->manifest_id, SERIN_SHA256_SIZE);
        peek->verdict = known(agent, standing->manifest_id) ? SERIN_PEEK_LEAVE : SERIN_PEEK_LOOK;
        /* Drawn anew at each boot: who is never awake for long looks in one of them. */
        agent->wait_ms[SERIN_WAIT_PEEK] =
            serin_agent_random(agent, serin_earlier(standing->wait_ms, PEEK_SPREAD_MS));
    }
    return peek->verdict;
}

/* Remembers it, so that who wakes by resets does not look in each of them. */
static void remember(struct serin_agent *agent)
{
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    memcpy(next.left, agent->peek.manifest_id, sizeof next.left);
    memcpy(next.left_over, agent->running.manifest_id, sizeof next.left_over);
    if (serin_record_store(agent, &next) != SERIN_OK) {
        serin_agent_log(agent, "a look could not be written down", "the next boot looks again");
    }
}

static void conclude(struct serin_agent *agent, enum serin_peek_verdict verdict)
{
    serin_peek_stop(agent);
    agent->peek.verdict = verdict;
    if (verdict == SERIN_PEEK_LEAVE) {
        remember(agent);
        serin_agent_log(agent, "the stable release is not newer than what runs", NULL);
    }
}

void serin_peek_stop(struct serin_agent *agent)
{
    if (agent->download.target == SERIN_AGENT_TARGET_PEEK) {
        serin_fetch_stop(agent);
        agent->download.target = SERIN_AGENT_TARGET_NONE;
    }
}

bool serin_peek_due(const struct serin_agent *agent)
{
    return agent->peeking && agent->connected && serin_agent_over(agent, SERIN_WAIT_PEEK);
}

uint32_t serin_peek_wait_ms(const struct serin_agent *agent)
{
    if (!agent->peeking || !agent->connected) {
        return SERIN_NEVER_MS;
    }
    if (agent->download.target != SERIN_AGENT_TARGET_PEEK) {
        return agent->wait_ms[SERIN_WAIT_PEEK];
    }
    return serin_earlier(agent->wait_ms[SERIN_WAIT_FETCH], agent->wait_ms[SERIN_WAIT_PEEK_END]);
}

void serin_peek_run(struct serin_agent *agent)
{
    enum serin_reason failed;
    if (agent->download.target != SERIN_AGENT_TARGET_PEEK) {
        agent->download.target = SERIN_AGENT_TARGET_PEEK;
        agent->wait_ms[SERIN_WAIT_PEEK_END] = PEEK_MAX_MS;
        serin_fetch_start(agent, agent->peek.manifest_id, 0, 0);
    }
    serin_fetch_poll(agent, &failed);
    if (failed != SERIN_REASON_NONE || serin_agent_over(agent, SERIN_WAIT_PEEK_END)) {
        conclude(agent, SERIN_PEEK_TAKE);
    }
}

enum serin_error serin_peek_store(struct serin_agent *agent, const uint8_t *data, uint32_t size)
{
    if (agent->fetch.size > SERIN_MANIFEST_MAX) {
        conclude(agent, SERIN_PEEK_TAKE);
        return SERIN_ERR_TOO_LARGE;
    }
    memcpy(agent->config->scratch + agent->fetch.position, data, size);
    return SERIN_OK;
}

/* Whether the manifest in scratch is the one that was asked for, and not newer than what runs. Its
 * stack is not needed when something is stored. */
__attribute__((noinline)) static bool not_newer(const struct serin_agent *agent, size_t size)
{
    const struct serin_boot *boot = agent->config->boot;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    return agent->have_trust &&
           serin_manifest_open(boot->crypto, &agent->trust, agent->config->scratch, size, &manifest,
                               id) == SERIN_OK &&
           serin_bytes_equal(id, agent->peek.manifest_id, sizeof id) &&
           serin_version_compare(manifest.version, agent->running.version) <= 0;
}

void serin_peek_take(struct serin_agent *agent, size_t size)
{
    conclude(agent, not_newer(agent, size) ? SERIN_PEEK_LEAVE : SERIN_PEEK_TAKE);
}

#endif
