/* What is fetched of a device before it is needed (world.h). */
#include "world.h"

#define TRUST_USED   256u /* of a trust record: its head, and the keys that there are */
#define ATTEMPT_USED 80u  /* of an account: all but its transitions */

void sim_node_prefetch(const struct sim *sim, uint32_t index, const struct sim_message *message)
{
    const struct sim_node *node = &sim->nodes[index];
    const struct serin_agent *agent = &node->agent;
    sim_prefetch(sim->dice[index], sizeof *sim->dice);
    sim_prefetch(node, offsetof(struct sim_node, agent) + offsetof(struct serin_agent, download));
    sim_prefetch(&agent->record, offsetof(struct serin_agent_record, attempts) + ATTEMPT_USED);
    sim_prefetch(agent->standing, sizeof agent->standing);
    sim_prefetch(agent + 1, (size_t)((const uint8_t *)(node + 1) - (const uint8_t *)(agent + 1)));
    if (message != NULL) {
        sim_prefetch(&agent->trust, TRUST_USED);
    }
}

void sim_node_prefetch_state(const struct sim *sim, uint32_t index)
{
    const struct serin_agent_record *record = &sim->nodes[index].agent.record;
    if (record->attempt_count == 0) {
        return;
    }
    const struct serin_attempt_report *current = &record->attempts[record->attempt_count - 1u];
    if (current->transition_count > 0) {
        sim_prefetch(&current->transitions[current->transition_count - 1u], 1);
    }
}

void sim_node_prefetch_log(const struct sim *sim, uint32_t index)
{
    const uint8_t *flat = sim->nodes[index].flash.flat;
    if (flat != NULL) {
        sim_prefetch(flat + sim->layout.agent_log.address, sim->layout.agent_log.size);
    }
}
