/*
 * serin-load: a fleet of devices in one process and one thread.
 */
#include "fleet.h"
#include "result.h"

int main(int argc, char **argv)
{
    struct load_options options;
    struct load_factory factory = {0};
    struct load_fleet *fleet = NULL;
    enum load_exit code = load_options_read(&options, argc, argv);
    if (code == LOAD_EXIT_DONE && options.help) {
        load_options_help();
        return LOAD_EXIT_DONE;
    }
    if (code == LOAD_EXIT_DONE) {
        code = load_factory_open(&factory, &options);
    }
    if (code == LOAD_EXIT_DONE) {
        code = load_fleet_open(&fleet, &options, &factory);
    }
    if (code == LOAD_EXIT_DONE) {
        code = load_fleet_run(fleet);
        if (load_result_print(fleet, options.json) != SERIN_OK) {
            code = load_complain(LOAD_EXIT_FAILED, "the result cannot be printed");
        }
    }
    load_fleet_close(fleet);
    load_factory_close(&factory);
    return (int)code;
}
