/*
 * `serin key`: keys for root, release and director.
 */
#include "commands.h"
#include "file.h"
#include "format.h"

#include <serin/adapters/json.h>
#include <serin/adapters/keys.h>
#include <serin/signed.h>

#include <stdlib.h>
#include <string.h>

/* FILE.key has its public half in FILE.pub; any other name gets ".pub" behind it. */
static bool public_path(const struct serin_cli *cli, const char *path, char out[SERIN_CLI_PATH_MAX])
{
    size_t size = strlen(path);

    if (size > 4 && strcmp(path + size - 4, ".key") == 0) {
        size -= 4;
    }
    int length = snprintf(out, SERIN_CLI_PATH_MAX, "%.*s.pub", (int)size, path);
    if (length < 0 || (size_t)length >= SERIN_CLI_PATH_MAX) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE, "the path is too long");
        return false;
    }
    return true;
}

static void key_id_text(const struct serin_cli *cli,
                        const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                        char text[SERIN_CLI_KEY_SIZE])
{
    uint8_t key_id[SERIN_KEY_ID_SIZE];

    serin_key_id(cli->crypto, public_key, key_id);
    serin_hex_encode(key_id, sizeof(key_id), text);
}

enum serin_cli_exit serin_cli_run_key_new(struct serin_cli *cli)
{
    const char *path = cli->args.operands[0];
    struct serin_key_why why = {.text = ""};
    uint8_t key[SERIN_P256_PUBLIC_SIZE];
    char public[SERIN_CLI_PATH_MAX];
    char id[SERIN_CLI_KEY_SIZE];

    if (!public_path(cli, path, public)) {
        return SERIN_CLI_USAGE;
    }
    enum serin_error error = serin_key_generate(path, public, &why);
    if (error == SERIN_OK) {
        error = serin_key_read_public(public, key, &why);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    key_id_text(cli, key, id);
    if (cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "private", path);
        serin_json_put_text(json, "public", public);
        serin_json_put_text(json, "key_id", id);
        serin_cli_print_json(cli, json);
    } else {
        serin_cli_print(cli, "key %s: private half in %s (keep it secret), public half in %s\n", id,
                        path, public);
    }
    return SERIN_CLI_DONE;
}

/* The public half of a private key file. */
static enum serin_error read_public_half(const char *path,
                                         uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                         struct serin_key_why *why)
{
    struct serin_key_signer *signer = NULL;
    enum serin_error error = serin_key_signer_open(&signer, path, why);

    if (error == SERIN_OK) {
        struct serin_signer port = serin_key_signer_port(signer);
        error = port.ops->public_key(port.ctx, public_key);
        if (error != SERIN_OK) {
            (void)snprintf(why->text, sizeof(why->text), "%s: %s", path, serin_error_text(error));
        }
    }
    serin_key_signer_close(signer);
    return error;
}

enum serin_cli_exit serin_cli_run_key_public(struct serin_cli *cli)
{
    struct serin_key_why why = {.text = ""};
    uint8_t key[SERIN_P256_PUBLIC_SIZE];
    char pem[SERIN_KEY_PEM_MAX];
    char id[SERIN_CLI_KEY_SIZE];
    const char *output = serin_cli_text(cli, "output");

    enum serin_error error = read_public_half(cli->args.operands[0], key, &why);
    if (error == SERIN_OK && output != NULL) {
        error = serin_key_write_public(output, key, &why);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    if (serin_key_public_pem(key, pem) != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "the key cannot be written as PEM");
    }
    key_id_text(cli, key, id);
    if (cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "key_id", id);
        serin_json_put_text(json, "pem", pem);
        serin_cli_print_json(cli, json);
    } else if (output == NULL) {
        serin_cli_print(cli, "%s", pem);
    }
    return SERIN_CLI_DONE;
}
