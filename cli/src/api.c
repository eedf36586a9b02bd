/*
 * Talks to serind (api.h).
 */
#include "api.h"

#include "file.h"

#include <serin/adapters/http_client.h>

#include <stdlib.h>
#include <string.h>

#define TOKEN_FILE_MAX 512u

/* An option, else the environment, else NULL. */
static const char *choose(const struct serin_cli *cli, const char *option, const char *variable)
{
    const char *text = serin_cli_text(cli, option);

    if (text == NULL) {
        text = cli->world->environment(variable);
    }
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Where the token is. False: no home folder to look in. */
static bool token_path(const struct serin_cli *cli, char path[SERIN_CLI_PATH_MAX])
{
    const char *given = choose(cli, "token-file", "SERIN_TOKEN_FILE");
    const char *config = cli->world->environment("XDG_CONFIG_HOME");
    const char *home = cli->world->environment("HOME");
    int length = -1;

    if (given != NULL) {
        length = snprintf(path, SERIN_CLI_PATH_MAX, "%s", given);
    } else if (config != NULL && config[0] != '\0') {
        length = snprintf(path, SERIN_CLI_PATH_MAX, "%s/serin/token", config);
    } else if (home != NULL && home[0] != '\0') {
        length = snprintf(path, SERIN_CLI_PATH_MAX, "%s/.config/serin/token", home);
    }
    return length > 0 && (size_t)length < SERIN_CLI_PATH_MAX;
}

/* The token's file is a line; the newline is not part of the token. */
static enum serin_cli_exit read_token(const struct serin_cli *cli, char **token)
{
    char path[SERIN_CLI_PATH_MAX];
    uint8_t *data = NULL;
    size_t size = 0;

    if (!token_path(cli, path)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "where is the API's token? Give --token-file or SERIN_TOKEN_FILE");
    }
    enum serin_cli_exit exit = serin_cli_read(cli, path, TOKEN_FILE_MAX, &data, &size);
    if (exit != SERIN_CLI_DONE) {
        if (exit == SERIN_CLI_NOT_FOUND) {
            serin_cli_note(cli, "serind writes its token to the file of api.token_file; give it "
                                "with --token-file or SERIN_TOKEN_FILE");
        }
        return exit;
    }
    while (size > 0 && (data[size - 1] == '\n' || data[size - 1] == '\r')) {
        data[--size] = '\0';
    }
    *token = (char *)data;
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit open_client(struct serin_cli *cli)
{
    const char *server = choose(cli, "server", "SERIN_SERVER");
    struct serin_http_client_why why = {.text = ""};
    char *token = NULL;

    if (cli->client != NULL) {
        return SERIN_CLI_DONE;
    }
    enum serin_cli_exit exit = read_token(cli, &token);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    enum serin_error error = serin_http_client_open(
        &cli->client, server != NULL ? server : SERIN_CLI_DEFAULT_SERVER, token, &why);
    free(token);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "%s", why.text);
    }
    return SERIN_CLI_DONE;
}

/* ---- answers ---- */

static enum serin_cli_exit exit_of_status(unsigned status)
{
    static const struct {
        unsigned status;
        enum serin_cli_exit exit;
    } exits[] = {
        {400, SERIN_CLI_INPUT},     {401, SERIN_CLI_REFUSED}, {403, SERIN_CLI_REFUSED},
        {404, SERIN_CLI_NOT_FOUND}, {409, SERIN_CLI_REFUSED}, {413, SERIN_CLI_INPUT},
        {422, SERIN_CLI_REFUSED},
    };

    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        if (exits[i].status == status) {
            return exits[i].exit;
        }
    }
    return SERIN_CLI_FAILED;
}

/* What to do about it, behind the server's words, where these cannot know. */
static const char *hint_of(const char *path, unsigned status)
{
    static const struct {
        const char *path, *hint; /* of one that is not there */
    } lists[] = {
        {"/v1/rollouts/", "; 'serin rollout list' shows their numbers"},
        {"/v1/gateways/", "; 'serin gateway list' shows them"},
    };

    for (size_t i = 0; status == 404 && i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strncmp(path, lists[i].path, strlen(lists[i].path)) == 0) {
            return lists[i].hint;
        }
    }
    return status == 401 ? "; is the token that of this server?" : "";
}

/* "policy.yaml:12: message (CODE; field stages[1].percent)" */
static enum serin_cli_exit complain(const struct serin_cli *cli,
                                    const struct serin_cli_request *request, unsigned status,
                                    const struct serin_json *json)
{
    const char *file = request->file;
    const struct serin_json *error = serin_json_get(json, "error");
    const char *message = serin_cli_member(error, "message");
    const char *code = serin_cli_member(error, "code");
    const char *field = serin_cli_member(error, "field");
    uint64_t line = serin_cli_count(error, "line");
    char where[SERIN_CLI_PATH_MAX + 32] = "";

    if (file != NULL && line > 0) {
        (void)snprintf(where, sizeof(where), "%s:%llu: ", file, (unsigned long long)line);
    } else if (file != NULL) {
        (void)snprintf(where, sizeof(where), "%s: ", file);
    }
    if (message[0] == '\0') {
        return serin_cli_fail(cli, exit_of_status(status), "%sthe server answers with status %u",
                              where, status);
    }
    return serin_cli_fail(cli, exit_of_status(status), "%s%s (%s%s%s)%s", where, message,
                          code[0] != '\0' ? code : "no code", field[0] != '\0' ? "; field " : "",
                          field, hint_of(request->path, status));
}

enum serin_cli_exit serin_cli_ask(struct serin_cli *cli, const struct serin_cli_request *request,
                                  struct serin_cli_answer *answer)
{
    const struct serin_http_client_request raw = {.method = request->method,
                                                  .path = request->path,
                                                  .content_type = request->content_type,
                                                  .body = request->body,
                                                  .body_size = request->body_size,
                                                  .progress = request->progress,
                                                  .progress_ctx = request->progress_ctx};
    struct serin_http_client_why why = {.text = ""};
    struct serin_http_client_answer got;
    char reason[160] = "";

    *answer = (struct serin_cli_answer){.text = NULL};
    enum serin_cli_exit exit = open_client(cli);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    enum serin_error error = serin_http_client_ask(cli->client, &raw, &got, &why);
    if (error != SERIN_OK) {
        exit = serin_cli_exit_of(error);
        bool silent = request->quiet && exit == SERIN_CLI_UNREACHABLE;
        return silent ? exit : serin_cli_fail(cli, exit, "%s; is serind running?", why.text);
    }
    answer->text = got.body;
    error = serin_json_parse(got.body, got.body_size, &answer->json, reason, sizeof(reason));
    if (got.status < 200 || got.status > 299) {
        return complain(cli, request, got.status, answer->json);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "the server's answer is no JSON: %s", reason);
    }
    return SERIN_CLI_DONE;
}

void serin_cli_answer_close(struct serin_cli_answer *answer)
{
    free(answer->text);
    serin_json_free(answer->json);
    *answer = (struct serin_cli_answer){.text = NULL};
}

enum serin_cli_exit serin_cli_get(struct serin_cli *cli, const char *path,
                                  struct serin_cli_answer *answer)
{
    const struct serin_cli_request request = {.method = "GET", .path = path};

    return serin_cli_ask(cli, &request, answer);
}

bool serin_cli_printed(const struct serin_cli *cli, const struct serin_cli_answer *answer)
{
    if (cli->json) {
        size_t size = strlen(answer->text);
        serin_cli_print(cli, "%s%s", answer->text,
                        size > 0 && answer->text[size - 1] == '\n' ? "" : "\n");
    }
    return cli->json;
}

bool serin_cli_encode(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-_.~", byte) != NULL;
        size_t needed = plain ? 1 : 3;
        if (used + needed >= size) {
            return false;
        }
        (void)snprintf(out + used, size - used, plain ? "%c" : "%%%02X", byte);
        used += needed;
    }
    return true;
}

const char *serin_cli_member(const struct serin_json *object, const char *key)
{
    const char *text = serin_json_as_text(serin_json_get(object, key));

    return text != NULL ? text : "";
}

uint64_t serin_cli_count(const struct serin_json *object, const char *key)
{
    uint64_t number = 0;

    return serin_json_as_number(serin_json_get(object, key), &number) ? number : 0;
}

bool serin_cli_truth(const struct serin_json *object, const char *key)
{
    bool truth = false;

    return serin_json_as_bool(serin_json_get(object, key), &truth) && truth;
}

void serin_cli_print_member(const struct serin_cli *cli, const char *title,
                            const struct serin_json *object, const char *key)
{
    const struct serin_json *value = serin_json_get(object, key);
    const char *text = serin_json_as_text(value);
    uint64_t number = 0;
    bool truth = false;

    serin_cli_print(cli, "%-17s ", title);
    if (text != NULL && text[0] != '\0') {
        serin_cli_print_foreign(cli, text, 0);
    } else if (serin_json_as_number(value, &number)) {
        serin_cli_print(cli, "%llu", (unsigned long long)number);
    } else if (serin_json_as_bool(value, &truth)) {
        serin_cli_print(cli, "%s", truth ? "yes" : "no");
    } else {
        serin_cli_print(cli, "-");
    }
    serin_cli_print(cli, "\n");
}
