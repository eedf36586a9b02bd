/*
 * What an agent lacks where its log, or the trust region, does not read at its start: either may
 * read a moment later, and is looked for again each second before it counts as lost. What is signed
 * and heard meanwhile is kept.
 */
#include "agent_internal.h"

#include <string.h>

#define KEPT_MAX 1024u /* bytes of a directive that waits */

bool serin_agent_is_lost(const struct serin_agent_dark *dark)
{
    return dark->readings >= SERIN_AGENT_READINGS;
}

bool serin_agent_waits_for_trust(const struct serin_agent *agent)
{
    return !agent->have_trust && !serin_agent_is_lost(&agent->trust_dark);
}

bool serin_agent_lost(const struct serin_agent *agent, struct serin_agent_dark *dark)
{
    uint32_t now_ms = (uint32_t)agent->now_ms;
    bool due = dark->readings == 0 || now_ms - dark->read_ms >= SERIN_AGENT_RETRY_MS;
    if (due && !serin_agent_is_lost(dark)) {
        dark->readings++;
        dark->read_ms = now_ms;
    }
    return serin_agent_is_lost(dark);
}

/* What the agent's log holds; read once more where it seems to hold nothing. `unread`: it could not
 * be read, so that nothing need be lost. */
static bool load(const struct serin_boot *boot, struct serin_agent_record *record, bool *unread)
{
    enum serin_error error = serin_record_load(boot, record);
    if (error != SERIN_OK) {
        error = serin_record_load(boot, record);
    }
    *unread = error == SERIN_ERR_FLASH;
    return error == SERIN_OK;
}

/* A fresh store is a new life of the device: its numbers start again, under another incarnation. */
static enum serin_error begin_account(struct serin_agent *agent)
{
    const struct serin_crypto *crypto = agent->config->boot->crypto;
    struct serin_agent_record first;
    memset(&first, 0, sizeof first);
    uint8_t bytes[8];
    if (crypto->ops->random(crypto->ctx, bytes, sizeof bytes) != SERIN_OK) {
        return SERIN_ERR_CRYPTO;
    }
    first.incarnation = serin_get_le64(bytes) | 1u;
    serin_record_copy(&agent->record, &first);
    if (agent->unread) {
        (void)serin_agent_lost(agent, &agent->account_dark); /* the first reading of several */
    }
    agent->unborn = serin_record_store(agent, &first) != SERIN_OK;
    if (agent->unborn) {
        /* What runs goes on, as it is whole; until the log takes a record, nothing is begun. */
        serin_agent_log(agent, "the agent log takes no record", "trying again");
    }
    return SERIN_OK;
}

enum serin_error serin_find_account(struct serin_agent *agent)
{
    if (load(agent->config->boot, &agent->record, &agent->unread)) {
        agent->acked_stored = agent->record.acked;
        serin_record_refresh(agent);
        return SERIN_OK;
    }
    return begin_account(agent);
}

/* What was signed, and cannot be judged without a trust record, or be taken by the account as there
 * is none: it comes once in a connection. The scratch memory is used by nothing that begins without
 * them. */
static uint8_t *kept_place(const struct serin_agent *agent, enum serin_agent_source source)
{
    return agent->config->scratch + (source == SERIN_AGENT_CHANNEL ? 0 : KEPT_MAX);
}

void serin_find_keep(struct serin_agent *agent, enum serin_agent_source source,
                     const uint8_t *payload, size_t size)
{
    if (size <= KEPT_MAX) {
        memcpy(kept_place(agent, source), payload, size);
        agent->kept[source] = (uint16_t)size;
    }
}

/* Takes what was kept, now that it can be judged and stored. */
static void take_kept(struct serin_agent *agent)
{
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES; n++) {
        enum serin_agent_source source = (enum serin_agent_source)n;
        size_t size = agent->kept[source];
        agent->kept[source] = 0;
        if (size > 0) {
            (void)serin_intake_directive(agent, source, kept_place(agent, source), size);
        }
    }
}

/* The account of before. Nothing was begun without it; a directive that was heeded as it only stops
 * is judged afresh, as it may be older than what the account knows. */
static void find_account(struct serin_agent *agent, const struct serin_agent_record *found)
{
    serin_record_copy(&agent->record, found);
    agent->acked_stored = found->acked;
    agent->unread = agent->unborn = false;
    agent->unsettled = true;
    memset(agent->standing, 0, sizeof agent->standing);
    if (found->signed_time_s > serin_agent_time_s(agent)) {
        agent->time_base_s = found->signed_time_s;
        agent->time_base_ms = agent->now_ms;
    }
    if (agent->have_trust) {
        serin_intake_forget_directors(agent);
    }
    serin_agent_learn(agent);
    serin_agent_log(agent, "the agent log reads again", NULL);
}

/* Gives the agent a record, after a start without one: that of its log, where it reads by now; a
 * new one where it does not after several readings. Its stack is not needed while the trust record
 * is looked for. */
__attribute__((noinline)) static enum serin_error be_born(struct serin_agent *agent)
{
    struct serin_agent_record found;
    bool unread = false;
    if (agent->unread && load(agent->config->boot, &found, &unread)) {
        find_account(agent, &found);
    } else if (unread && !serin_agent_lost(agent, &agent->account_dark)) {
        return SERIN_ERR_FLASH;
    }
    agent->unread = false;
    return agent->unborn ? serin_record_again(agent) : SERIN_OK;
}

/* Reads the trust record again. One that is lost leaves an agent that obeys nobody. */
static enum serin_error find_trust(struct serin_agent *agent)
{
    serin_agent_keep_trust(agent, false);
    if (agent->have_trust) {
        serin_agent_learn(agent);
        serin_agent_log(agent, "the trust record reads again", NULL);
        return SERIN_OK;
    }
    return serin_agent_lost(agent, &agent->trust_dark) ? SERIN_OK : SERIN_ERR_FLASH;
}

bool serin_agent_lacks(const struct serin_agent *agent)
{
    return agent->unborn || serin_agent_waits_for_trust(agent);
}

enum serin_error serin_agent_find_lacking(struct serin_agent *agent)
{
    if (!serin_agent_lacks(agent)) {
        return SERIN_OK;
    }
    enum serin_error error = serin_agent_waits_for_trust(agent) ? find_trust(agent) : SERIN_OK;
    if (error == SERIN_OK && agent->unborn) {
        error = be_born(agent);
    }
    if (error == SERIN_OK) {
        take_kept(agent);
        serin_download_resume(agent);
    }
    return error;
}
