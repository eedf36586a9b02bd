/*
 * The words of the agent's control socket (serin/ports/linux/control.h).
 */
#include <serin/ports/linux/control.h>

#include <stdio.h>
#include <string.h>

/* One request and the room for its answer. */
struct request {
    const struct serin_agent_requests *requests;
    pid_t pid;
    const char *argument; /* "" where there is none */
    char *answer;
    size_t capacity;
};

static void result_tell(const struct request *request, enum serin_error result)
{
    if (result == SERIN_OK) {
        (void)snprintf(request->answer, request->capacity, "ok");
    } else {
        (void)snprintf(request->answer, request->capacity, "error %s %s", serin_error_name(result),
                       serin_error_text(result));
    }
}

static void request_alive(const struct request *request)
{
    const struct serin_agent_requests *requests = request->requests;
    result_tell(request, requests->ops->alive(requests->ctx, request->pid));
}

static void request_confirm(const struct request *request)
{
    const struct serin_agent_requests *requests = request->requests;
    result_tell(request, requests->ops->confirm(requests->ctx));
}

static void request_unhealthy(const struct request *request)
{
    const struct serin_agent_requests *requests = request->requests;
    result_tell(request, requests->ops->unhealthy(requests->ctx, request->argument));
}

/* Digits without a sign or a zero in front, or nothing: one. 0: it is no such number. */
static uint32_t errors_read(const char *text)
{
    uint32_t count = 0;
    if (*text == '\0') {
        return 1;
    }
    for (; *text >= '0' && *text <= '9' && (count > 0 || *text != '0'); text++) {
        count = count * 10u + (uint32_t)(*text - '0');
        if (count > SERIN_AGENT_ERRORS_MAX) {
            return 0;
        }
    }
    return *text == '\0' ? count : 0;
}

static void request_errors(const struct request *request)
{
    const struct serin_agent_requests *requests = request->requests;
    uint32_t count = errors_read(request->argument);
    if (count == 0) {
        (void)snprintf(request->answer, request->capacity,
                       "error INVALID errors takes a whole number from 1 to %u, or nothing for 1",
                       SERIN_AGENT_ERRORS_MAX);
        return;
    }
    result_tell(request, requests->ops->errors(requests->ctx, count));
}

static void request_status(const struct request *request)
{
    const struct serin_agent_requests *requests = request->requests;
    requests->ops->status(requests->ctx, request->answer, request->capacity);
}

static const struct {
    const char *name;
    bool takes_argument;
    void (*handle)(const struct request *request);
} words[] = {
    {"alive", false, request_alive},        {"confirm", false, request_confirm},
    {"unhealthy", true, request_unhealthy}, {"errors", true, request_errors},
    {"status", false, request_status},
};

static void control_answer(void *ctx, pid_t pid, const char *line, char *answer, size_t capacity)
{
    struct request request = {
        .requests = ctx, .pid = pid, .argument = "", .answer = answer, .capacity = capacity};
    size_t name_size = strcspn(line, " ");
    if (line[name_size] == ' ') {
        request.argument = line + name_size + 1;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].name) == name_size && memcmp(words[i].name, line, name_size) == 0 &&
            (words[i].takes_argument || line[name_size] == '\0')) {
            words[i].handle(&request);
            return;
        }
    }
    (void)snprintf(answer, capacity,
                   "error INVALID no such request; use alive, confirm, unhealthy, errors or "
                   "status");
}

static bool control_keeps(void *ctx, pid_t pid)
{
    const struct serin_agent_requests *requests = ctx;
    return requests->ops->is_application(requests->ctx, pid);
}

static const struct serin_control_ops control_ops = {
    .answer = control_answer,
    .keeps = control_keeps,
};

enum serin_error serin_agent_control_open(struct serin_control **control, const char *path,
                                          struct serin_agent_requests *requests)
{
    return serin_control_open(control, path, SERIN_AGENT_ANSWER_MAX, &control_ops, requests);
}
