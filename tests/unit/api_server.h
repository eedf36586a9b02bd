/*
 * A tiny HTTP server for tests of clients: a child process that answers from a list, one connection
 * after the other, and writes down what it was asked.
 */
#ifndef SERIN_TESTS_API_SERVER_H
#define SERIN_TESTS_API_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Answers the next request for this method and path with query. An answer is used once, in the
 * order of the list; the last one for a request stays. Anything else is answered 404. */
struct api_answer {
    const char *request; /* "GET /v1/status" */
    unsigned status;     /* 0: closes the connection without an answer */
    const char *body;
};

struct api_server {
    pid_t pid;
    uint16_t port;
    char url[64];
    char log[128]; /* the file of requests */
};

/* Starts the server; `answers` ends with a NULL request. Its log is in `folder`. */
void api_server_start(struct api_server *server, const char *folder,
                      const struct api_answer *answers);
void api_server_stop(struct api_server *server);

/* What was asked so far: for each request its first line, "token=…" and "type=…" where it had such
 * headers, "body=…" (its text, or its size where it is long), and an empty line. Static storage. */
const char *api_server_log(const struct api_server *server);

#endif
