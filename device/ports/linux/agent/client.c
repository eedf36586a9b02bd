/*
 * serin-agent status, confirm and unhealthy: the control socket from a shell.
 */
#include "agent.h"

#include <serin/adapters/json.h>
#include <serin/ports/linux/control.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_TIMEOUT_MS 10000 /* the agent may be busy with its flash */

/* What stands in the table of `status`, in its order. */
static const struct {
    const char *key, *label;
} status_rows[] = {
    {"device", "device"},
    {"product", "product"},
    {"channel", "channel"},
    {"hardware", "hardware"},
    {"version", "runs"},
    {"slot", "slot"},
    {"trial", "on trial"},
    {"state", "attempt"},
    {"reason", "reason"},
    {"bytes_done", "bytes done"},
    {"image_size", "of bytes"},
    {"security_counter", "security counter"},
    {"floor", "floor"},
    {"connected", "connected"},
    {"directive_seen", "heard a directive"},
    {"uptime_s", "seconds since boot"},
    {"application", "application"},
    {"crashes", "crashes"},
    {"watchdogs", "hangs"},
};

/* The socket's path from --socket, or from the configuration. */
static enum exit_code socket_find(const struct options *options,
                                  struct serin_agent_settings *settings, const char **path)
{
    struct serin_yaml_error error;
    *settings = (struct serin_agent_settings){0};
    if ((options->socket == NULL) == (options->config == NULL)) {
        return complain(EXIT_USAGE, "either --config or --socket is needed");
    }
    if (options->socket != NULL) {
        *path = options->socket;
        return EXIT_DONE;
    }
    if (serin_agent_settings_load(settings, options->config, &error) != SERIN_OK) {
        return complain(EXIT_CONFIG, "%s", error.text);
    }
    *path = settings->control_socket;
    return EXIT_DONE;
}

/* Sends `request` to the agent and gets its answer. */
static enum exit_code agent_ask(const struct options *options, const char *request,
                                char answer[SERIN_AGENT_ANSWER_MAX])
{
    struct serin_agent_settings settings;
    const char *path = NULL;
    enum exit_code code = socket_find(options, &settings, &path);
    if (code != EXIT_DONE) {
        return code;
    }
    enum serin_error result =
        serin_control_ask(path, request, answer, SERIN_AGENT_ANSWER_MAX, ANSWER_TIMEOUT_MS);
    if (result == SERIN_ERR_TOO_LARGE) {
        code = complain(EXIT_USAGE, "the text is too long; %u bytes are allowed",
                        SERIN_CONTROL_LINE_MAX - 10);
    } else if (result == SERIN_ERR_IO) {
        code = complain(EXIT_UNREACHABLE, "the agent at %s hung up, as when it resets; ask again",
                        path);
    } else if (result != SERIN_OK) {
        code = complain(EXIT_UNREACHABLE, "no agent answers at %s; start it with serin-agent run",
                        path);
    }
    serin_agent_settings_free(&settings);
    return code;
}

/* Turns "ok" and "error NAME text" into an exit code. */
static enum exit_code answer_judge(const struct options *options, const char *answer)
{
    if (strcmp(answer, "ok") == 0) {
        if (options->json) {
            (void)printf("{\"ok\":true}\n");
        }
        return EXIT_DONE;
    }
    char name[32] = "", text[160] = "";
    if (sscanf(answer, "error %31s %159[^\n]", name, text) != 2) {
        return complain(EXIT_FAILED, "the agent gave no sense: %s", answer);
    }
    if (options->json) {
        (void)printf("{\"ok\":false,\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", name, text);
    }
    return complain(strcmp(name, "STATE") == 0 || strcmp(name, "DENIED") == 0 ? EXIT_REFUSED
                                                                              : EXIT_FAILED,
                    "the agent refused: %s", text);
}

enum exit_code command_confirm(const struct options *options)
{
    char answer[SERIN_AGENT_ANSWER_MAX];
    enum exit_code code = agent_ask(options, "confirm", answer);
    return code == EXIT_DONE ? answer_judge(options, answer) : code;
}

enum exit_code command_unhealthy(const struct options *options)
{
    char request[SERIN_CONTROL_LINE_MAX + 2], answer[SERIN_AGENT_ANSWER_MAX];
    const char *text = options->operand != NULL ? options->operand : "";
    if (strchr(text, '\n') != NULL) {
        return complain(EXIT_USAGE, "the text must be one line");
    }
    (void)snprintf(request, sizeof request, "unhealthy%s%s", text[0] != '\0' ? " " : "", text);
    enum exit_code code = agent_ask(options, request, answer);
    return code == EXIT_DONE ? answer_judge(options, answer) : code;
}

static void row_print(const char *label, const struct serin_json *value)
{
    uint64_t number = 0;
    bool truth = false;
    const char *text = serin_json_as_text(value);
    if (text != NULL) {
        (void)printf("%-20s %s\n", label, text);
    } else if (serin_json_as_number(value, &number)) {
        (void)printf("%-20s %" PRIu64 "\n", label, number);
    } else if (serin_json_as_bool(value, &truth)) {
        (void)printf("%-20s %s\n", label, truth ? "yes" : "no");
    }
}

enum exit_code command_status(const struct options *options)
{
    char answer[SERIN_AGENT_ANSWER_MAX], why[128];
    enum exit_code code = agent_ask(options, "status", answer);
    if (code != EXIT_DONE) {
        return code;
    }
    if (options->json) {
        (void)printf("%s\n", answer);
        return EXIT_DONE;
    }
    struct serin_json *status = NULL;
    if (serin_json_parse(answer, strlen(answer), &status, why, sizeof why) != SERIN_OK) {
        return complain(EXIT_FAILED, "the agent gave no sense: %s", why);
    }
    for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
        row_print(status_rows[i].label, serin_json_get(status, status_rows[i].key));
    }
    serin_json_free(status);
    return EXIT_DONE;
}
