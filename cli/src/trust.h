/*
 * Making and showing trust records, shared by `serin trust` and `serin pki`.
 */
#ifndef SERIN_CLI_TRUST_H
#define SERIN_CLI_TRUST_H

#include <serin/cli/cli.h>
#include <serin/trust.h>

struct serin_json;

/* Adds the public key of a PEM file to the record. Complains. */
enum serin_cli_exit serin_cli_trust_add(const struct serin_cli *cli, struct serin_trust *trust,
                                        enum serin_key_role role, const char *path);

/* Signs the record with the root key in `root_path` and writes it, never over another. Complains.
 */
enum serin_cli_exit serin_cli_trust_write(const struct serin_cli *cli,
                                          const struct serin_trust *trust, const char *root_path,
                                          const char *path);

/* Reads a record from bytes: verified with the root key of `root_path`, or only decoded where that
 * is NULL. Complains, naming `path`. */
enum serin_cli_exit serin_cli_trust_open(const struct serin_cli *cli, const char *path,
                                         const uint8_t *data, size_t size, const char *root_path,
                                         struct serin_trust *trust);

/* Shows a record; `signer` is the key id of its signature. */
void serin_cli_trust_print(const struct serin_cli *cli, const struct serin_trust *trust,
                           const uint8_t signer[SERIN_KEY_ID_SIZE]);

/* "release", "director". */
const char *serin_cli_role_text(enum serin_key_role role);

#endif
