/*
 * The HTTP server of the tests (api_server.h).
 */
#include "api_server.h"

#include "program.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD_MAX    8192
#define ANSWERS_MAX 64

static bool used[ANSWERS_MAX];

/* The next answer for a request: the first unused one, else the last one. */
static const struct api_answer *choose(const struct api_answer *answers, const char *request)
{
    const struct api_answer *last = NULL;

    for (size_t i = 0; answers[i].request != NULL; i++) {
        if (strcmp(answers[i].request, request) != 0) {
            continue;
        }
        last = &answers[i];
        if (!used[i]) {
            used[i] = true;
            return last;
        }
    }
    return last;
}

/* Reads up to the empty line; the size of the head, or 0. What was read behind it goes to *rest. */
static size_t read_head(int fd, char head[HEAD_MAX], size_t *rest)
{
    size_t size = 0;

    while (size < HEAD_MAX - 1) {
        ssize_t got = read(fd, head + size, HEAD_MAX - 1 - size);
        if (got <= 0) {
            return 0;
        }
        size += (size_t)got;
        head[size] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        if (end != NULL) {
            size_t head_size = (size_t)(end - head) + 4;
            *rest = size - head_size;
            return head_size;
        }
    }
    return 0;
}

static void copy_header(const char *head, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(head, name);

    out[0] = '\0';
    if (at != NULL) {
        at += strlen(name);
        snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
}

/* Reads the body (of which `rest` bytes stand behind the head) and writes it down. */
static void take_body(int fd, FILE *log, const char *start, size_t rest, size_t size)
{
    char *body = calloc(1, size + 1);
    size_t have = rest < size ? rest : size;

    memcpy(body, start, have);
    while (have < size) {
        ssize_t got = read(fd, body + have, size - have);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
    if (have <= 200) {
        fprintf(log, "body=%s\n", body);
    } else {
        fprintf(log, "body=%zu bytes\n", have);
    }
    free(body);
}

static void answer_one(int fd, FILE *log, const struct api_answer *answers)
{
    char head[HEAD_MAX];
    char request[512];
    char value[256];
    size_t rest = 0;
    size_t head_size = read_head(fd, head, &rest);

    if (head_size == 0) {
        return;
    }
    snprintf(request, sizeof(request), "%.*s", (int)strcspn(head, "\r"), head);
    char *http = strstr(request, " HTTP/");
    if (http != NULL) {
        *http = '\0';
    }
    fprintf(log, "%s\n", request);
    copy_header(head, "Authorization: Bearer ", value, sizeof(value));
    fprintf(log, "token=%s\n", value);
    copy_header(head, "Content-Type: ", value, sizeof(value));
    fprintf(log, "type=%s\n", value);
    copy_header(head, "Expect: ", value, sizeof(value));
    if (value[0] != '\0') {
        dprintf(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    copy_header(head, "Content-Length: ", value, sizeof(value));
    take_body(fd, log, head + head_size, rest, strtoul(value, NULL, 10));
    fprintf(log, "\n");
    fflush(log);
    const struct api_answer *answer = choose(answers, request);
    const char *body = answer != NULL
                           ? answer->body
                           : "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"nothing here\"}}";
    if (answer != NULL && answer->status == 0) {
        return;
    }
    dprintf(fd, "HTTP/1.1 %u X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
            answer != NULL ? answer->status : 404, strlen(body), body);
}

static void serve(int listener, const char *log_path, const struct api_answer *answers)
{
    FILE *log = fopen(log_path, "a");

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            answer_one(fd, log, answers);
            shutdown(fd, SHUT_WR);
            close(fd);
        }
    }
}

void api_server_start(struct api_server *server, const char *folder,
                      const struct api_answer *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;

    /* A server that is started again takes its old port. */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", server->port);
    snprintf(server->log, sizeof(server->log), "%s/requests", folder);
    file_write(server->log, "", 0);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        serve(listener, server->log, answers);
    }
    close(listener);
}

void api_server_stop(struct api_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

const char *api_server_log(const struct api_server *server)
{
    static char log[65536];
    size_t size = file_read(server->log, log, sizeof(log) - 1);

    log[size] = '\0';
    return log;
}
