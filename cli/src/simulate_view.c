/*
 * The outcome of a simulation for people: what became of the rollout and why, each stage with its
 * times, the devices, the bytes, and on what settings all that rests.
 */
#include "format.h"
#include "simulate.h"

#include <serin/cli/table.h>

#include <string.h>

#define TIME_SIZE SERIN_CLI_SHORT_SIZE
#define DAY_MS    UINT64_C(86400000)

/* "2d 3h"; below a minute with its milliseconds, since a halt may take less than a second. */
static const char *span_text(uint64_t ms, char text[TIME_SIZE])
{
    if (ms < 60000) {
        (void)snprintf(text, TIME_SIZE, "%u.%03us", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
    } else {
        serin_cli_format_seconds(ms / 1000, text);
    }
    return text;
}

/* "1d 00:12" where two units would not tell one stage from the next. */
static const char *time_text(bool known, uint64_t ms, char text[TIME_SIZE])
{
    if (!known) {
        return "-";
    }
    if (ms == 0) {
        return "start";
    }
    if (ms < DAY_MS) {
        return span_text(ms, text);
    }
    (void)snprintf(text, TIME_SIZE, "%llud %02u:%02u", (unsigned long long)(ms / DAY_MS),
                   (unsigned)(ms % DAY_MS / 3600000), (unsigned)(ms % 3600000 / 60000));
    return text;
}

/* ---- what became of it ---- */

/* The state's own word stands at the beginning of most reasons. */
static const char *why_text(const struct serin_sim_result *result)
{
    const char *state = serin_rollout_state_text(result->state);
    size_t size = strlen(state);

    return strncmp(result->why, state, size) == 0 && strncmp(result->why + size, ": ", 2) == 0
               ? result->why + size + 2
               : result->why;
}

static void print_outcome(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;
    const struct serin_policy *policy = &simulation->config.policy;
    const char *state = serin_rollout_state_text(result->state);
    char time[TIME_SIZE];

    serin_cli_print(cli, "%s%s%s/%s: %s%s%s %s stage %u of %zu, after %s\n",
                    policy->name[0] != '\0' ? policy->name : "",
                    policy->name[0] != '\0' ? " on " : "", policy->product, policy->channel,
                    serin_cli_colour(cli, serin_cli_state_colour(state)), state,
                    serin_cli_colour(cli, SERIN_CLI_PLAIN), result->stage > 0 ? "in" : "before",
                    result->stage > 0 ? (unsigned)result->stage : 1u, policy->stage_count,
                    span_text(result->ended_ms, time));
    if (result->why[0] != '\0') {
        /* A rollout is completed for no reason; there is only what it leaves undone. */
        serin_cli_print(cli, result->state == SERIN_ROLLOUT_COMPLETED ? "  but " : "  because ");
        serin_cli_print_foreign(cli, why_text(result), 0);
        serin_cli_print(cli, "\n");
    }
    if (result->first_fail_ms != 0) {
        serin_cli_print(cli, "  first failure after %s", span_text(result->first_fail_ms, time));
        if (result->halted_ms >= result->first_fail_ms) {
            serin_cli_print(cli, ", halted %s later",
                            span_text(result->halted_ms - result->first_fail_ms, time));
        }
        serin_cli_print(cli, "\n");
    }
}

/* ---- stages ---- */

static void grid_number(struct serin_cli_grid *grid, bool known, uint32_t number)
{
    if (known) {
        serin_cli_grid_format(grid, "%u", (unsigned)number);
    } else {
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, "-");
    }
}

static void print_course(const struct serin_cli_simulation *simulation,
                         const struct serin_cli_course *course)
{
    static const struct serin_cli_column columns[] = {
        {.title = "STAGE", .right = true},   {.title = "SHARE", .right = true},
        {.title = "DEVICES", .right = true}, {.title = "OPENED", .right = true},
        {.title = "SOAKING", .right = true}, {.title = "ENDED", .right = true},
        {.title = "EXPOSED", .right = true}, {.title = "CONFIRMED", .right = true},
        {.title = "FAILED", .right = true}};
    const struct serin_policy *policy = &simulation->config.policy;
    struct serin_cli_grid *grid = serin_cli_grid_open(columns, 9);
    char time[TIME_SIZE];

    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *share = &policy->stages[i];
        const struct serin_cli_stage *stage = &course->stages[i];
        const bool come = stage->opened;
        serin_cli_grid_format(grid, "%zu", i + 1);
        if (share->permyriad > 0) {
            serin_cli_grid_format(grid, "%g %%", share->permyriad / 100.0);
        } else {
            serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, "count");
        }
        grid_number(grid, come, stage->target);
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN, time_text(come, stage->opened_ms, time));
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN,
                            time_text(stage->soaking_ms > 0, stage->soaking_ms, time));
        serin_cli_grid_cell(grid, SERIN_CLI_PLAIN,
                            time_text(stage->ended_ms > 0, stage->ended_ms, time));
        grid_number(grid, come, stage->exposed);
        grid_number(grid, come, stage->confirmed);
        grid_number(grid, come, stage->failed);
    }
    serin_cli_print(simulation->cli, "\n");
    serin_cli_grid_print(simulation->cli, grid);
}

/* Why a stage may have reached more devices than it is for. */
static void print_surplus(const struct serin_cli *cli, const struct serin_cli_course *course)
{
    bool surplus = false;

    for (size_t i = 0; i < course->count; i++) {
        surplus = surplus || course->stages[i].exposed > course->stages[i].target;
    }
    if (surplus) {
        serin_cli_print(cli, "  more are exposed than a stage is for: it looked behind a second "
                             "gateway, or silent ones\n  were replaced and came after all\n");
    }
}

static void print_stages(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_revert *revert = &simulation->result.revert;
    const char *state = serin_rollout_state_text(revert->state);
    char time[TIME_SIZE];

    print_course(simulation, &simulation->course);
    print_surplus(cli, &simulation->course);
    if (simulation->result.revert_why[0] != '\0') {
        serin_cli_print(cli, "\nno way back to 1.0.0: %s\n", simulation->result.revert_why);
    }
    if (revert->state == SERIN_ROLLOUT_INVALID) {
        return;
    }
    serin_cli_print(cli, "\nthe way back to 1.0.0: %s%s%s, from %s",
                    serin_cli_colour(cli, serin_cli_state_colour(state)), state,
                    serin_cli_colour(cli, SERIN_CLI_PLAIN),
                    time_text(true, revert->began_ms, time));
    if (revert->ended_ms > 0) {
        serin_cli_print(cli, " to %s", time_text(true, revert->ended_ms, time));
    }
    serin_cli_print(cli, "\n");
    print_course(simulation, &simulation->revert);
}

/* ---- figures: a name, a number, what it means ---- */

static void heading(const struct serin_cli *cli, const char *text)
{
    serin_cli_print(cli, "\n%s%s%s\n", serin_cli_colour(cli, SERIN_CLI_BOLD), text,
                    serin_cli_colour(cli, SERIN_CLI_PLAIN));
}

static void figure(const struct serin_cli *cli, const char *name, const char *value,
                   const char *meaning)
{
    serin_cli_print(cli, "  %-14s %12s%s%s\n", name, value, meaning[0] != '\0' ? "  " : "",
                    meaning);
}

static void count(const struct serin_cli *cli, const char *name, uint64_t value,
                  const char *meaning)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    figure(cli, name, text, meaning);
}

/* Where serind's books say something else: it has not heard of all, or not in time; and a rollout
 * whose place a way back took has no books any more. */
static void print_books(const struct serin_cli *cli, const struct serin_sim_result *result)
{
    const struct serin_sim_books *books = &result->books;
    const struct {
        const char *name;
        uint32_t truth, book;
    } figures[] = {
        {"exposed", result->exposed, books->exposed},
        {"confirmed", result->confirmed, books->confirmed},
        {"failed", result->failed, books->failed},
        {"rolled back", result->rolled_back, books->rolled_back},
        {"regressed", result->regressed, books->regressed},
        {"rejected", result->rejected, books->rejected},
    };
    const char *before = "  serind's books say:";

    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (figures[i].truth != figures[i].book) {
            serin_cli_print(cli, "%s %s %u", before, figures[i].name, (unsigned)figures[i].book);
            before = ",";
        }
    }
    if (before[0] == ',') {
        serin_cli_print(cli, ", of what it heard %s\n",
                        result->revert.state != SERIN_ROLLOUT_INVALID ? "before the way back"
                                                                      : "in time");
    }
}

static void print_reasons(const struct serin_cli *cli, const struct serin_sim_result *result)
{
    char name[32];

    for (int i = SERIN_REASON_INVALID + 1; i < SERIN_REASON_COUNT; i++) {
        enum serin_reason reason = (enum serin_reason)i;
        if (result->reasons[i] > 0) {
            (void)snprintf(name, sizeof(name), "  %s", serin_reason_word(reason));
            count(cli, name, result->reasons[i], serin_reason_text(reason));
        }
    }
}

static void print_devices(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;

    heading(cli, "DEVICES");
    count(cli, "in the fleet", result->devices, "");
    if (simulation->config.policy.offer_count > 0) {
        count(cli, "members", result->members, "the release is for their hardware");
    }
    count(cli, "offered", result->offered, "");
    count(cli, "exposed", result->exposed, "accepted the directive");
    count(cli, "confirmed", result->confirmed, "");
    count(cli, "failed", result->failed, "in the end, whatever way");
    print_reasons(cli, result);
    count(cli, "rolled back", result->rolled_back, "");
    count(cli, "regressed", result->regressed, "went wrong after they had confirmed");
    count(cli, "rejected", result->rejected, "refused the release");
    if (result->withdrawn > 0) {
        count(cli, "withdrawn", result->withdrawn, "stopped before they had installed it");
    }
    if (result->open > 0) {
        count(cli, "open", result->open, "came to no end");
    }
    count(cli, "unreached", result->unreached, "silent, and replaced by the next in rank");
    count(cli, "still on it", result->still_on_it, "run the new version at the end");
    print_books(cli, result);
}

static void print_bytes(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;
    char text[SERIN_CLI_SHORT_SIZE], objects[64];

    heading(cli, "PAYLOAD");
    serin_cli_format_size(result->direct_bytes, text);
    figure(cli, "direct links", text, "");
    serin_cli_format_size(result->objects_bytes, text);
    (void)snprintf(objects, sizeof(objects), "%s of it pieces of images", text);
    serin_cli_format_size(result->uplink_bytes, text);
    figure(cli, "uplinks", text, objects);
    serin_cli_format_size(result->site_bytes, text);
    figure(cli, "at sites", text, "");
    count(cli, "messages", result->messages, "");
    count(cli, "beats", result->beats, "");
    count(cli, "directives", result->publishes, "published");
}

/* ---- what befell it ---- */

/* What was asked for and struck nobody is shown as well: a share may be too small for a fleet. */
static void befell(const struct serin_cli *cli, const char *name, uint64_t times, bool asked,
                   const char *meaning)
{
    if (times > 0 || asked) {
        count(cli, name, times, times > 0 ? meaning : "asked for, and it struck nobody");
    }
}

static void print_faults(const struct serin_cli_simulation *simulation)
{
    const struct serin_sim_scenario *scenario = &simulation->config.scenario;

    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        enum serin_sim_fault fault = (enum serin_sim_fault)i;
        bool asked = false;
        for (size_t k = 0; k < scenario->behaviour_count; k++) {
            asked = asked || scenario->behaviours[k].fault == fault;
        }
        befell(simulation->cli, serin_sim_fault_text(fault), simulation->result.faults[i], asked,
               "times that an image did it");
    }
}

static void print_event(const struct serin_cli_simulation *simulation,
                        enum serin_sim_event_kind kind, uint32_t asked)
{
    const struct serin_sim_result *result = &simulation->result;
    const struct serin_sim_event_rule *rule = serin_sim_event_rule(kind);
    bool verb = kind >= SERIN_SIM_EVENT_PAUSE && kind <= SERIN_SIM_EVENT_ABORT;
    bool nobody = !verb && result->struck[kind] == 0 && result->came[kind] > 0;
    bool refused = verb && result->struck[kind] < result->came[kind];
    const char *whom = rule->gateways  ? "gateways struck"
                       : rule->devices ? "devices struck"
                       : verb          ? "done"
                                       : "times";
    char meaning[128], late[64] = "";

    if (result->came[kind] < asked) {
        (void)snprintf(late, sizeof(late), "; %u of %u events came before the end",
                       (unsigned)result->came[kind], (unsigned)asked);
    }
    (void)snprintf(meaning, sizeof(meaning), "%s%s%s%s", whom,
                   nobody ? ": nobody was in its share" : "", refused ? ", the others refused" : "",
                   late);
    count(simulation->cli, rule->word, result->struck[kind], meaning);
}

static void print_events(const struct serin_cli_simulation *simulation)
{
    const struct serin_sim_scenario *scenario = &simulation->config.scenario;

    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        uint32_t asked = 0;
        for (size_t k = 0; k < scenario->event_count; k++) {
            asked += scenario->events[k].kind == (enum serin_sim_event_kind)i ? 1u : 0u;
        }
        if (asked > 0) {
            print_event(simulation, (enum serin_sim_event_kind)i, asked);
        }
    }
}

/* Whether the scenario has anything that befalls a fleet, and not only says what it is. */
static bool befalls(const struct serin_sim_scenario *scenario)
{
    return scenario->drop > 0 || scenario->duplicate > 0 || scenario->reorder > 0 ||
           scenario->corrupt > 0 || scenario->cut > 0 || scenario->power_cuts_per_year > 0 ||
           scenario->offline > 0 || scenario->sleeping > 0 || scenario->weather_count > 0 ||
           scenario->behaviour_count > 0 || scenario->event_count > 0;
}

static void print_befallen(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;
    const struct serin_sim_scenario *scenario = &simulation->config.scenario;
    bool drop = scenario->drop > 0;
    bool offline = false;

    if (serin_cli_text(cli, "scenario") == NULL || !befalls(scenario)) {
        return;
    }
    for (size_t i = 0; i < scenario->weather_count; i++) {
        drop = drop || scenario->weather[i].drop > 0;
        offline = offline || scenario->weather[i].offline > 0;
    }
    heading(cli, "BEFALLEN");
    befell(cli, "lost", result->dropped, drop, "messages, each time that one was lost");
    befell(cli, "doubled", result->duplicated, scenario->duplicate > 0, "messages");
    befell(cli, "late", result->reordered, scenario->reorder > 0, "messages overtaken by others");
    befell(cli, "damaged", result->corrupted, scenario->corrupt > 0, "messages");
    befell(cli, "downloads cut", result->cuts, scenario->cut > 0, "");
    befell(cli, "power cuts", result->power_cuts, scenario->power_cuts_per_year > 0,
           "of a device, by chance or by an event");
    befell(cli, "offline", result->offline, scenario->offline > 0, "devices never reached");
    befell(cli, "asleep", result->sleeps, scenario->sleeping > 0,
           "times that a device fell asleep");
    befell(cli, "under weather", result->weathered, offline, "devices cut off by bad weather");
    print_faults(simulation);
    print_events(simulation);
}

/* ---- on what it rests ---- */

static void print_settings(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_config *config = &simulation->config;
    const struct serin_sim_result *result = &simulation->result;
    const char *scenario = serin_cli_text(cli, "scenario");
    char ignored[SERIN_CLI_IGNORED_SIZE];
    char image[SERIN_CLI_SHORT_SIZE], beat[SERIN_CLI_SHORT_SIZE], flash[SERIN_CLI_SHORT_SIZE];

    serin_cli_simulation_ignored(simulation, ignored);
    serin_cli_format_size(config->image_size, image);
    serin_cli_format_seconds(config->beat_interval_s, beat);
    serin_cli_format_size(result->flash_bytes, flash);
    heading(cli, "SETTINGS");
    serin_cli_print(cli, "  seed %llu, %u devices, %u gateways, image of %s, a beat every %s\n",
                    (unsigned long long)config->seed, (unsigned)config->devices,
                    (unsigned)config->gateways, image, beat);
    serin_cli_print(cli, "  scenario %s\n", scenario != NULL ? scenario : "none: all goes well");
    serin_cli_print(cli, "  the policy's releases are stood in for by 2.0.0, over 1.0.0%s%s%s\n",
                    ignored[0] != '\0' ? "; ignored of it: " : "", ignored,
                    config->raises_counter ? "; 2.0.0 raises the security counter" : "");
    serin_cli_print(cli,
                    "  flash is copied on write (%s in all); of %llu verifications %llu were "
                    "remembered\n",
                    flash, (unsigned long long)result->verifications,
                    (unsigned long long)result->remembered);
}

static void print_invariants(const struct serin_cli_simulation *simulation)
{
    const struct serin_cli *cli = simulation->cli;
    const struct serin_sim_result *result = &simulation->result;
    char replay[SERIN_CLI_REPLAY_SIZE], digest[SERIN_SHA256_HEX_SIZE];

    serin_hex_encode(result->digest, sizeof(result->digest), digest);
    serin_cli_print(cli, "  digest %s\n", digest);
    if (!simulation->config.check) {
        serin_cli_print(cli, "\ninvariants: not checked\n");
    } else if (result->broken == SERIN_SIM_SOUND) {
        serin_cli_print(cli, "\ninvariants: %s%u held%s\n", serin_cli_colour(cli, SERIN_CLI_GOOD),
                        (unsigned)SERIN_SIM_INVARIANT_COUNT - 1,
                        serin_cli_colour(cli, SERIN_CLI_PLAIN));
    } else {
        serin_cli_simulation_replay(simulation, replay);
        serin_cli_print(cli, "\ninvariants: %sBROKEN%s: %s\n  %s\n  replay: %s\n",
                        serin_cli_colour(cli, SERIN_CLI_BAD),
                        serin_cli_colour(cli, SERIN_CLI_PLAIN),
                        serin_sim_invariant_text(result->broken), result->breach, replay);
    }
}

void serin_cli_simulation_print(const struct serin_cli_simulation *simulation)
{
    print_outcome(simulation);
    print_stages(simulation);
    print_devices(simulation);
    print_bytes(simulation);
    print_befallen(simulation);
    print_settings(simulation);
    print_invariants(simulation);
}
