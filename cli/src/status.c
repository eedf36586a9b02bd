/*
 * `serin status`: how serind is.
 */
#include "api.h"
#include "commands.h"

/* Devices that wait for an operator, and what to do about them. */
static void print_waiting(const struct serin_cli *cli, uint64_t count)
{
    serin_cli_print(cli, "%-17s %llu%s\n", "waiting", (unsigned long long)count,
                    count > 0 ? " for 'serin device approve'; "
                                "'serin device list --enrolment pending' names them"
                              : "");
}

enum serin_cli_exit serin_cli_run_status(struct serin_cli *cli)
{
    static const struct {
        const char *title, *key;
    } lines[] = {{"version", "version"},
                 {"connected", "connected"},
                 {"time", "time"},
                 {"devices", "devices"},
                 {"online", "online"},
                 {"gateways", "gateways"},
                 {"active rollouts", "rollouts_active"}};
    struct serin_cli_answer answer;

    enum serin_cli_exit exit = serin_cli_get(cli, "/v1/status", &answer);
    if (exit == SERIN_CLI_DONE && !serin_cli_printed(cli, &answer)) {
        const struct serin_json *order = serin_json_get(answer.json, "order");
        const struct serin_json *alarms = serin_json_get(answer.json, "alarms");
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            serin_cli_print_member(cli, lines[i].title, answer.json, lines[i].key);
        }
        print_waiting(cli, serin_cli_count(answer.json, "pending"));
        serin_cli_print(cli, "%-17s epoch %llu, sequence %llu\n", "last order",
                        (unsigned long long)serin_cli_count(order, "epoch"),
                        (unsigned long long)serin_cli_count(order, "sequence"));
        for (size_t i = 0; i < serin_json_count(alarms); i++) {
            const char *text = serin_json_as_text(serin_json_at(alarms, i));
            serin_cli_print(cli, "%sALARM%s             ", serin_cli_colour(cli, SERIN_CLI_BAD),
                            serin_cli_colour(cli, SERIN_CLI_PLAIN));
            serin_cli_print_foreign(cli, text != NULL ? text : "?", 0);
            serin_cli_print(cli, "\n");
        }
    }
    serin_cli_answer_close(&answer);
    return exit;
}
