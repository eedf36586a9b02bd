/*
 * The scenario's YAML: what loads is sound by the simulator's own rules, and a complaint names
 * something.
 */
#include "fuzz.h"

#include <serin/adapters/scenario.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct serin_scenario_file file;
    static struct serin_yaml_error error;
    if (size > 16384) {
        return 0; /* a libyaml of long documents is slow, and not ours */
    }
    if (serin_scenario_file_open(&file, "fuzz.yaml", data, size, &error) == SERIN_OK) {
        const char *field = NULL;
        enum serin_error sound = serin_sim_scenario_check(&file.scenario, &field);
        SERIN_ASSERT(sound == SERIN_OK && field == NULL);
        if (serin_scenario_file_fits(&file, 3, &error) != SERIN_OK) {
            SERIN_ASSERT(error.field[0] != '\0');
        }
        serin_scenario_file_close(&file);
    } else {
        SERIN_ASSERT(file.document == NULL && error.text[0] != '\0');
    }
    return 0;
}
