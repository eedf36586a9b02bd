/*
 * `serin trust`: the root-signed list of release and director keys (docs/spec/trust.md).
 */
#include "trust.h"

#include "commands.h"
#include "file.h"
#include "format.h"

#include <serin/adapters/json.h>
#include <serin/adapters/keys.h>

#include <stdlib.h>
#include <string.h>

const char *serin_cli_role_text(enum serin_key_role role)
{
    switch (role) {
    case SERIN_KEY_ROLE_RELEASE:
        return "release";
    case SERIN_KEY_ROLE_DIRECTOR:
        return "director";
    case SERIN_KEY_ROLE_ROOT:
        return "root";
    case SERIN_KEY_ROLE_INVALID:
        break;
    }
    return "invalid";
}

enum serin_cli_exit serin_cli_trust_add(const struct serin_cli *cli, struct serin_trust *trust,
                                        enum serin_key_role role, const char *path)
{
    struct serin_key_why why = {.text = ""};

    if (trust->key_count == SERIN_TRUST_KEYS_MAX) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "a trust record holds at most %u keys",
                              SERIN_TRUST_KEYS_MAX);
    }
    struct serin_trust_key *key = &trust->keys[trust->key_count];
    enum serin_error error = serin_key_read_public(path, key->public_key, &why);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    for (size_t i = 0; i < trust->key_count; i++) {
        if (memcmp(trust->keys[i].public_key, key->public_key, SERIN_P256_PUBLIC_SIZE) == 0) {
            return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                                  "%s: this key stands in the record already, as %s; one key has "
                                  "one role",
                                  path, serin_cli_role_text(trust->keys[i].role));
        }
    }
    key->role = role;
    serin_key_id(cli->crypto, key->public_key, key->key_id);
    trust->key_count++;
    return SERIN_CLI_DONE;
}

enum serin_cli_exit serin_cli_trust_write(const struct serin_cli *cli,
                                          const struct serin_trust *trust, const char *root_path,
                                          const char *path)
{
    struct serin_key_why why = {.text = ""};
    struct serin_key_signer *root = NULL;
    uint8_t record[SERIN_TRUST_SIZE_P256];

    enum serin_error error = serin_key_signer_open(&root, root_path, &why);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    struct serin_signer port = serin_key_signer_port(root);
    error = serin_trust_seal(cli->crypto, &port, trust, record);
    serin_key_signer_close(root);
    if (error == SERIN_ERR_KEY) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "the root key stands among the keys; one key has one role");
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "cannot sign the trust record: %s",
                              serin_error_text(error));
    }
    enum serin_cli_exit exit = serin_cli_write(cli, path, record, sizeof(record), false);
    if (exit == SERIN_CLI_DONE) {
        serin_cli_make_public(path);
    }
    return exit;
}

static enum serin_cli_exit add_all(const struct serin_cli *cli, struct serin_trust *trust,
                                   enum serin_key_role role, const char *option)
{
    const struct serin_cli_value *files = serin_cli_value(cli, option);
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    for (size_t i = 0; i < files->text_count && exit == SERIN_CLI_DONE; i++) {
        exit = serin_cli_trust_add(cli, trust, role, files->texts[i]);
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_trust_make(struct serin_cli *cli)
{
    struct serin_trust trust = {.version = (uint32_t)serin_cli_number(cli, "version"),
                                .created_s = cli->world->unix_time_s()};
    const char *output = serin_cli_text(cli, "output");

    (void)snprintf(trust.product, sizeof(trust.product), "%s", serin_cli_text(cli, "product"));
    enum serin_cli_exit exit = add_all(cli, &trust, SERIN_KEY_ROLE_RELEASE, "release");
    if (exit == SERIN_CLI_DONE) {
        exit = add_all(cli, &trust, SERIN_KEY_ROLE_DIRECTOR, "director");
    }
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_trust_write(cli, &trust, serin_cli_text(cli, "root"), output);
    }
    if (exit == SERIN_CLI_DONE && !cli->json) {
        serin_cli_print(cli, "%s: version %u for %s with %zu keys\n", output, trust.version,
                        trust.product, trust.key_count);
    } else if (exit == SERIN_CLI_DONE) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "file", output);
        serin_json_put_text(json, "product", trust.product);
        serin_json_put_number(json, "version", trust.version);
        serin_json_put_number(json, "keys", trust.key_count);
        serin_cli_print_json(cli, json);
    }
    return exit;
}

/* The record without a root key to verify it: decoded, no more. */
static enum serin_error decode_only(const struct serin_cli *cli, const uint8_t *data, size_t size,
                                    struct serin_trust *trust)
{
    struct serin_signature_area area;
    enum serin_error error = serin_signature_area_decode(data, size, SERIN_TRUST_BODY_SIZE, &area);

    return error == SERIN_OK ? serin_trust_decode(cli->crypto, data, SERIN_TRUST_BODY_SIZE, trust)
                             : error;
}

enum serin_cli_exit serin_cli_trust_open(const struct serin_cli *cli, const char *path,
                                         const uint8_t *data, size_t size, const char *root_path,
                                         struct serin_trust *trust)
{
    struct serin_key_why why = {.text = ""};
    uint8_t root[SERIN_P256_PUBLIC_SIZE];
    enum serin_error error = SERIN_OK;

    if (root_path != NULL) {
        error = serin_key_read_public(root_path, root, &why);
        if (error != SERIN_OK) {
            return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
        }
        error = serin_trust_open(cli->crypto, root, data, size, trust);
    } else {
        error = decode_only(cli, data, size, trust);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s: trust record refused: %s", path,
                              serin_error_text(error));
    }
    return SERIN_CLI_DONE;
}

static void print_json(const struct serin_cli *cli, const struct serin_trust *trust,
                       const char *signer)
{
    struct serin_json *json = serin_json_object();
    struct serin_json *keys = serin_json_array();
    char created[SERIN_CLI_TIME_SIZE];

    serin_cli_format_time(trust->created_s, created);
    serin_json_put_text(json, "kind", "trust record");
    serin_json_put_text(json, "product", trust->product);
    serin_json_put_number(json, "version", trust->version);
    serin_json_put_text(json, "created", created);
    serin_json_put_text(json, "signed_by", signer);
    for (size_t i = 0; i < trust->key_count; i++) {
        struct serin_json *key = serin_json_object();
        char id[SERIN_CLI_KEY_SIZE];
        serin_hex_encode(trust->keys[i].key_id, SERIN_KEY_ID_SIZE, id);
        serin_json_put_text(key, "role", serin_cli_role_text(trust->keys[i].role));
        serin_json_put_text(key, "key_id", id);
        serin_json_add(keys, key);
    }
    serin_json_put(json, "keys", keys);
    serin_cli_print_json(cli, json);
}

void serin_cli_trust_print(const struct serin_cli *cli, const struct serin_trust *trust,
                           const uint8_t signer[SERIN_KEY_ID_SIZE])
{
    char id[SERIN_CLI_KEY_SIZE];
    char created[SERIN_CLI_TIME_SIZE];

    serin_hex_encode(signer, SERIN_KEY_ID_SIZE, id);
    if (cli->json) {
        print_json(cli, trust, id);
        return;
    }
    serin_cli_format_time(trust->created_s, created);
    serin_cli_print(cli, "kind       trust record\nproduct    %s\nversion    %u\ncreated    %s\n",
                    trust->product, trust->version, created);
    serin_cli_print(cli, "signed by  %s (root)\n", id);
    for (size_t i = 0; i < trust->key_count; i++) {
        serin_hex_encode(trust->keys[i].key_id, SERIN_KEY_ID_SIZE, id);
        serin_cli_print(cli, "%-9s  %s\n", serin_cli_role_text(trust->keys[i].role), id);
    }
}

enum serin_cli_exit serin_cli_run_trust_show(struct serin_cli *cli)
{
    const char *path = cli->args.operands[0];
    struct serin_trust trust = {.version = 0};
    struct serin_signature_area area = {.key_id = {0}};
    uint8_t *data = NULL;
    size_t size = 0;

    enum serin_cli_exit exit = serin_cli_read(cli, path, SERIN_TRUST_MAX, &data, &size);
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_trust_open(cli, path, data, size, serin_cli_text(cli, "root"), &trust);
    }
    if (exit == SERIN_CLI_DONE &&
        serin_signature_area_decode(data, size, SERIN_TRUST_BODY_SIZE, &area) == SERIN_OK) {
        serin_cli_trust_print(cli, &trust, area.key_id);
        if (serin_cli_text(cli, "root") == NULL) {
            serin_cli_note(cli, "the signature is not verified; give --root to do so");
        }
    }
    free(data);
    return exit;
}
