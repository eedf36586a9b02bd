/*
 * Whether a scenario is for a fleet of so many gateways (serin/adapters/scenario.h): a rule for
 * nobody would be silent, and the release would look better than it is.
 */
#include <serin/adapters/scenario.h>

#include <inttypes.h>
#include <stdio.h>

#define FIELD(text) char text[SERIN_YAML_FIELD_MAX]

/* A place of a rule must have devices. */
static enum serin_error site_fits(const struct serin_scenario_file *file, const char *field,
                                  uint32_t site, uint32_t gateways, struct serin_yaml_error *error)
{
    uint32_t direct = file->scenario.direct;
    if (site > gateways) {
        return serin_yaml_fail(file->document, error, field,
                               "names a gateway that is not there: the fleet has %" PRIu32,
                               gateways);
    }
    if (site == 0 && gateways > 0 && direct == 0) {
        return serin_yaml_fail(file->document, error, field,
                               "is for direct devices: fleet.direct says that there are none");
    }
    if (site > 0 && direct == SERIN_SIM_ALL) {
        return serin_yaml_fail(file->document, error, field,
                               "names a gateway: fleet.direct says that none has devices");
    }
    return SERIN_OK;
}

static enum serin_error events_fit(const struct serin_scenario_file *file, uint32_t gateways,
                                   struct serin_yaml_error *error)
{
    const struct serin_sim_scenario *scenario = &file->scenario;
    FIELD(field);
    for (size_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        const struct serin_sim_event_rule *rule = serin_sim_event_rule(event->kind);
        if (event->site > gateways) {
            (void)snprintf(field, sizeof field, "events[%zu].gateway", i);
            return serin_yaml_fail(file->document, error, field,
                                   "names a gateway that is not there: the fleet has %" PRIu32,
                                   gateways);
        }
        if (rule->gateways && gateways == 0) {
            (void)snprintf(field, sizeof field, "events[%zu].percent", i);
            return serin_yaml_fail(file->document, error, field,
                                   "does not go with a fleet that has no gateways");
        }
    }
    return SERIN_OK;
}

enum serin_error serin_scenario_file_fits(const struct serin_scenario_file *file, uint32_t gateways,
                                          struct serin_yaml_error *error)
{
    const struct serin_sim_scenario *scenario = &file->scenario;
    FIELD(field);
    for (size_t i = 0; i < scenario->behaviour_count; i++) {
        for (size_t k = 0; k < scenario->behaviours[i].site_count; k++) {
            (void)snprintf(field, sizeof field, "image[%zu].sites[%zu]", i, k);
            enum serin_error result =
                site_fits(file, field, scenario->behaviours[i].sites[k], gateways, error);
            if (result != SERIN_OK) {
                return result;
            }
        }
    }
    return events_fit(file, gateways, error);
}
