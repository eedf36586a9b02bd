/* Ids of devices and gateways, and the times that a simulation knows. */
#include "sim_internal.h"

static void make_id(char letter, uint32_t index, char id[SIM_ID_SIZE])
{
    id[0] = letter;
    id[SIM_ID_SIZE - 1u] = '\0';
    id[SIM_ID_SIZE - 2u] = '\0';
    for (uint32_t i = SIM_ID_SIZE - 3u; i > 0; i--) {
        id[i] = (char)('0' + index % 10u);
        index /= 10u;
    }
}

static uint32_t parse_id(char letter, const char *id, uint32_t count)
{
    uint32_t index = 0;
    if (id[0] != letter) {
        return SIM_NOBODY;
    }
    for (uint32_t i = 1; i < SIM_ID_SIZE - 2u; i++) {
        if (id[i] < '0' || id[i] > '9') {
            return SIM_NOBODY;
        }
        index = index * 10u + (uint32_t)(id[i] - '0');
    }
    return id[SIM_ID_SIZE - 2u] == '\0' && index < count ? index : SIM_NOBODY;
}

void sim_node_id(uint32_t node, char id[SIM_ID_SIZE])
{
    make_id('d', node, id);
}

void sim_gateway_id(uint32_t gateway, char id[SIM_ID_SIZE])
{
    make_id('g', gateway + 1u, id); /* scenarios count them from 1 */
}

uint32_t sim_node_index(const struct sim *sim, const char *id)
{
    return parse_id('d', id, sim->config->devices);
}

uint32_t sim_gateway_index(const struct sim *sim, const char *id)
{
    uint32_t number = parse_id('g', id, sim->config->gateways + 1u);
    return number == 0 || number == SIM_NOBODY ? SIM_NOBODY : number - 1u;
}

uint64_t sim_wall_ms(const struct sim *sim)
{
    return SIM_START_S * 1000u + sim->now_ms + (uint64_t)sim->jump_ms;
}

uint64_t sim_unix_s(const struct sim *sim)
{
    return SIM_START_S + sim->now_ms / 1000u;
}
