/*
 * serind's HTTP API (docs/spec/http-api.md): requests and their answers as JSON.
 */
#ifndef SERIN_CLI_API_H
#define SERIN_CLI_API_H

#include <serin/adapters/json.h>
#include <serin/cli/cli.h>

/* An answer of status 2xx. */
struct serin_cli_answer {
    char *text; /* as it came */
    struct serin_json *json;
};

struct serin_cli_request {
    const char *method;
    const char *path; /* encoded, with the query */
    const char *content_type;
    const void *body;
    size_t body_size;
    void (*progress)(void *ctx, uint64_t sent, uint64_t size);
    void *progress_ctx;
    const char *file; /* what an error's line is a line of; NULL: nothing the operator wrote */
    bool quiet; /* do not complain when the server cannot be reached: the caller tries again */
};

/* Asks and judges: anything but 2xx is complained about in the server's words and gives its exit
 * status. The caller closes the answer, also after an error. */
enum serin_cli_exit serin_cli_ask(struct serin_cli *cli, const struct serin_cli_request *request,
                                  struct serin_cli_answer *answer);
void serin_cli_answer_close(struct serin_cli_answer *answer);

/* Shorthand: GET of a path. */
enum serin_cli_exit serin_cli_get(struct serin_cli *cli, const char *path,
                                  struct serin_cli_answer *answer);

/* With --json prints the answer as it came; false without. */
bool serin_cli_printed(const struct serin_cli *cli, const struct serin_cli_answer *answer);

/* Appends `text` to `out`, which holds `size` bytes, percent-encoded. False: it does not fit. */
bool serin_cli_encode(char *out, size_t size, const char *text);

/* Members of an object, with a stand-in where they are missing or of another type. */
const char *serin_cli_member(const struct serin_json *object, const char *key); /* "" */
uint64_t serin_cli_count(const struct serin_json *object, const char *key);     /* 0 */
bool serin_cli_truth(const struct serin_json *object, const char *key);         /* false */
/* Prints "title  value" for a member of any plain type; "-" where it is missing or null. */
void serin_cli_print_member(const struct serin_cli *cli, const char *title,
                            const struct serin_json *object, const char *key);

#endif
