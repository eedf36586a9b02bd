/* serin-bench-rollout: how many devices a bad release reaches, and how often a good one is stopped,
 * counted over rollouts that are drawn from seeds; and how fast the engine is. */
#define _GNU_SOURCE
#include "rows.h"

#include <serin/adapters/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES     100000u
#define SEEDS       1000u
#define SEEDS_MAX   1000000u
#define JOBS_MAX    64u
#define SPEED_MUST  1e6
#define SPEED_LEAST UINT64_C(3000000)

struct options {
    uint64_t seeds, first_seed, devices, jobs;
    const char *rows; /* names between commas; NULL: all */
    bool json, speed, help;
};

static const char help[] =
    "serin-bench-rollout: how many devices a bad release reaches, and how often a good one stops\n"
    "\n"
    "  --seeds N        rollouts a row (1000)\n"
    "  --first-seed S   the first seed; the others follow it (1)\n"
    "  --devices N      of the fleet (100000)\n"
    "  --jobs N         processes (the machine's cores)\n"
    "  --row NAME,NAME  some of: always, 30, 2, 0.5, 0.5-regress, 0.1, bad-day, regress, deaf,\n"
    "                   errors, errors-both, hang, hang-night, hang-nightly, hang-long,\n"
    "                   hang-deadline, hang-window, nightly, reconnect, blinks, blinks-hang,\n"
    "                   clock-back, clock-back-hang, restarts, restarts-hourly, restarts-good,\n"
    "                   last-day, slow, change, speed\n"
    "  --json           the figures as JSON\n"
    "\n"
    "Exit status: 0 every figure is as it must be; 1 not every one; 2 usage.\n";

static int complain(const char *what, const char *value)
{
    (void)fprintf(stderr, "serin-bench-rollout: %s%s (try --help)\n", what, value);
    return 2;
}

static bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *number >= least &&
           *number <= most;
}

static int options_read(struct options *options, int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *options = (struct options){.seeds = SEEDS,
                                .first_seed = 1,
                                .devices = DEVICES,
                                .jobs = cores >= 1 && cores <= 64 ? (uint64_t)cores : 1u};
    const struct {
        const char *name;
        uint64_t least, most;
        uint64_t *number;
    } numbers[] = {
        {"--seeds", 1, SEEDS_MAX, &options->seeds},
        {"--first-seed", 0, UINT64_MAX / 2u, &options->first_seed},
        {"--devices", 1, 10u * DEVICES, &options->devices},
        {"--jobs", 1, JOBS_MAX, &options->jobs},
    };
    for (int i = 1; i < argc; i++) {
        bool found = false;
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            if (strcmp(argv[i], numbers[n].name) == 0) {
                found = true;
                if (i + 1 >= argc ||
                    !number_read(argv[++i], numbers[n].least, numbers[n].most, numbers[n].number)) {
                    return complain("not a number in range for ", numbers[n].name);
                }
                break;
            }
        }
        if (found) {
            continue;
        }
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->help = true;
        } else if (strcmp(argv[i], "--row") == 0 && i + 1 < argc) {
            options->rows = argv[++i];
        } else {
            return complain("unknown option ", argv[i]);
        }
    }
    return 0;
}

/* ---- rows ---- */

static bool wanted(const struct options *options, const char *name)
{
    size_t size = strlen(name);
    const char *at = options->rows;
    while (at != NULL && *at != '\0') {
        size_t part = strcspn(at, ",");
        if (part == size && strncmp(at, name, size) == 0) {
            return true;
        }
        at += part + (at[part] == ',' ? 1u : 0u);
    }
    return options->rows == NULL;
}

/* Draws the seeds of one process. A run that did not come to an end is said with its seed. */
static bool draw(const struct options *options, const struct rows_row *row, uint64_t job,
                 struct drawn_result *results)
{
    bool sound = true;
    for (uint64_t i = job; i < options->seeds; i += options->jobs) {
        struct drawn_config config = {.devices = (uint32_t)options->devices,
                                      .seed = options->first_seed + i};
        rows_policy(&config.policy);
        row->draw(&config);
        if (!drawn_run(&config, &results[i])) {
            (void)fprintf(stderr,
                          "serin-bench-rollout: %s; again with --row %s --devices %llu --seeds 1 "
                          "--first-seed %llu\n",
                          results[i].why, row->name, (unsigned long long)options->devices,
                          (unsigned long long)config.seed);
            sound = false;
        }
    }
    return sound;
}

/* Draws all seeds of a row, in so many processes; results land in shared memory. */
static bool draw_all(const struct options *options, const struct rows_row *row,
                     struct drawn_result *results)
{
    pid_t children[JOBS_MAX] = {0};
    bool sound = true;
    for (uint64_t job = 1; job < options->jobs; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            _exit(draw(options, row, job, results) ? 0 : 1);
        }
        if (children[job] < 0) {
            sound = draw(options, row, job, results) && sound;
        }
    }
    sound = draw(options, row, 0, results) && sound;
    for (uint64_t job = 1; job < options->jobs; job++) {
        int status = 0;
        if (children[job] > 0) {
            sound = waitpid(children[job], &status, 0) == children[job] && WIFEXITED(status) &&
                    WEXITSTATUS(status) == 0 && sound;
        }
    }
    return sound;
}

/* ---- the table ---- */

struct table {
    bool json;
    bool held; /* everything is as it must be */
    struct serin_json *list;
    const char *title; /* printed last */
};

static void put(struct table *table, const char *title, const char *figure, bool is_share,
                const struct rows_figure *must, double value)
{
    bool holds = rows_holds(must, value);
    table->held = table->held && holds;
    if (table->json) {
        struct serin_json *object = serin_json_object();
        serin_json_put_text(object, "case", title);
        serin_json_put_text(object, "figure", figure);
        serin_json_put_real(object, "value", value);
        if (must->must != ROWS_SHOWN) {
            serin_json_put_text(object, "must",
                                must->must == ROWS_AT_MOST ? "at most" : "at least");
            serin_json_put_real(object, "limit", must->limit);
        }
        serin_json_put_bool(object, "holds", holds);
        serin_json_add(table->list, object);
        return;
    }
    char shown[32];
    char limit[32] = "";
    if (is_share) {
        (void)snprintf(shown, sizeof shown, "%.2f %%", value * 100);
        (void)snprintf(limit, sizeof limit, "%.2f %%", must->limit * 100);
    } else {
        (void)snprintf(shown, sizeof shown, "%.0f", value);
        (void)snprintf(limit, sizeof limit, "%.0f", must->limit);
    }
    (void)printf("  %-46s %-28s %12s   %s%s%s\n", table->title == title ? "" : title, figure, shown,
                 must->must == ROWS_SHOWN     ? ""
                 : must->must == ROWS_AT_MOST ? "at most "
                                              : "at least ",
                 must->must == ROWS_SHOWN ? "" : limit,
                 must->must == ROWS_SHOWN ? ""
                 : holds                  ? "  ok"
                                          : "  MISSED");
    table->title = title;
    (void)fflush(stdout);
}

static void row_run(const struct options *options, const struct rows_row *row, struct table *table)
{
    size_t size = (size_t)options->seeds * sizeof(struct drawn_result);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        (void)fprintf(stderr, "serin-bench-rollout: memory is exhausted\n");
        table->held = false;
        return;
    }
    struct drawn_result *results = memory;
    table->held = draw_all(options, row, results) && table->held;
    for (size_t i = 0; i < row->figure_count; i++) {
        const struct rows_figure *figure = &row->figures[i];
        put(table, row->title, rows_text(figure->kind), rows_is_share(figure->kind), figure,
            rows_value(figure->kind, results, (size_t)options->seeds));
    }
    (void)munmap(memory, size);
}

static double mixed_speed(const struct options *options)
{
    struct serin_policy policy;
    rows_policy(&policy);
    return drawn_speed_mixed(&policy, (uint32_t)options->devices);
}

int main(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv);
    if (status != 0) {
        return status;
    }
    if (options.help) {
        (void)fputs(help, stdout);
        return 0;
    }
    struct table table = {.json = options.json, .held = true, .list = serin_json_array()};
    if (!options.json) {
        (void)printf("%llu devices, %llu seeds from %llu, stages 1-10-50-100 %%, soaks 24 h, p0 "
                     "0.5 %%, p1 2 %%, alpha 1 %%, beta 5 %%\n",
                     (unsigned long long)options.devices, (unsigned long long)options.seeds,
                     (unsigned long long)options.first_seed);
    }
    bool any = false;
    for (size_t i = 0; i < rows_count; i++) {
        if (wanted(&options, rows[i].name)) {
            any = true;
            row_run(&options, &rows[i], &table);
        }
    }
    if (wanted(&options, "speed")) {
        const struct rows_figure must = {.must = ROWS_AT_LEAST, .limit = SPEED_MUST};
        any = true;
        put(&table, "engine alone", "reports a second, one core", false, &must,
            drawn_speed((uint32_t)options.devices, SPEED_LEAST));
        put(&table, "engine, a whole rollout with beats and failures", "reports a second, one core",
            false, &(struct rows_figure){.must = ROWS_SHOWN}, mixed_speed(&options));
    }
    if (!any) {
        serin_json_free(table.list);
        return complain("no such row: ", options.rows);
    }
    if (options.json) {
        size_t size = 0;
        char *text = serin_json_print(table.list, &size);
        (void)puts(text);
        free(text);
    }
    serin_json_free(table.list);
    return table.held ? 0 : 1;
}
