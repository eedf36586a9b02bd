/*
 * `serin pki`: a private CA with certificates for broker, serind, gateways and devices, and
 * the three keys.
 *
 * The folder is made under another name and renamed at the end, so that a run that was cut off
 * leaves no half PKI that looks like a whole one.
 */
#include "commands.h"
#include "file.h"
#include "trust.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/json.h>
#include <serin/adapters/keys.h>
#include <serin/adapters/x509.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DAYS 7300u /* twenty years: a CA outlives the devices that trust it */

/* Makes name.pem and name.key in `folder`; signed by the CA of `root`, or by itself where that is
 * NULL. */
static enum serin_cli_exit make(const struct serin_cli *cli, const char *root, const char *folder,
                                const char *name, const struct serin_x509_subject *subject)
{
    char paths[4][SERIN_CLI_PATH_MAX];
    char file[SERIN_ID_MAX + 8];
    struct serin_x509_why why = {.text = ""};
    enum serin_error error = SERIN_OK;

    (void)snprintf(file, sizeof(file), "%.64s.pem", name);
    bool joined = serin_cli_join(cli, folder, file, paths[0]);
    (void)snprintf(file, sizeof(file), "%.64s.key", name);
    joined = joined && serin_cli_join(cli, folder, file, paths[1]) &&
             serin_cli_join(cli, root != NULL ? root : folder, "ca.pem", paths[2]) &&
             serin_cli_join(cli, root != NULL ? root : folder, "ca.key", paths[3]);
    if (!joined) {
        return SERIN_CLI_USAGE;
    }
    const struct serin_x509_files files = {.certificate = paths[0], .key = paths[1]};
    const struct serin_x509_files ca = {.certificate = paths[2], .key = paths[3]};
    if (root == NULL) {
        error = serin_x509_make_ca(&files, subject->common_name, subject->days, &why);
    } else {
        error = serin_x509_issue(&ca, subject, &files, &why);
    }
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
    }
    return SERIN_CLI_DONE;
}

/* Whoever gets certificates one by one. A gateway's OU is its role; none means device. */
struct role {
    const char *word;
    const char *folder, *other; /* where its certificates lie, and where those of the other do */
    const char *unit;
};

static const struct role device_role = {"device", "devices", "gateways", NULL};
static const struct role gateway_role = {"gateway", "gateways", "devices", "gateway"};

/* Hosts go by these names. The broker knows a client by the name in its certificate, so a device of
 * serind's name would throw serind off the broker. */
static bool reserved(const char *id)
{
    static const char *const names[] = {"serind", "broker"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(id, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the id is one that its client could not keep to itself on a broker. */
static enum serin_cli_exit check_free(const struct serin_cli *cli, const char *root,
                                      const struct role *role, const char *id)
{
    char name[SERIN_ID_MAX + 32];
    char path[SERIN_CLI_PATH_MAX];

    if (role == &gateway_role && strcmp(id, SERIN_CLI_DIRECT) == 0) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "no gateway is named '%s': in commands that word means none", id);
    }
    if (reserved(id)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE,
                              "'%s' is a host's name and cannot be a %s's; choose another id", id,
                              role->word);
    }
    (void)snprintf(name, sizeof(name), "%s/%.64s.pem", role->other, id);
    if (!serin_cli_join(cli, root, name, path)) {
        return SERIN_CLI_USAGE;
    }
    if (serin_cli_exists(path)) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s exists: a device and a gateway of one name would throw each "
                              "other off the broker; choose another id",
                              path);
    }
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit make_member(const struct serin_cli *cli, const char *root,
                                       const struct role *role, const char *id)
{
    const struct serin_x509_subject subject = {.common_name = id,
                                               .organisational_unit = role->unit,
                                               .days = (uint32_t)serin_cli_number(cli, "days")};
    char folder[SERIN_CLI_PATH_MAX];
    enum serin_cli_exit exit = check_free(cli, root, role, id);

    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    if (!serin_cli_join(cli, root, role->folder, folder)) {
        return SERIN_CLI_USAGE;
    }
    return make(cli, root, folder, id, &subject);
}

/* CA, broker and serind. The broker's OU is no role of Serin's, so its certificate is good for
 * nothing else. */
static enum serin_cli_exit make_hosts(const struct serin_cli *cli, const char *folder)
{
    const char *broker = serin_cli_text(cli, "broker-name");
    const char *names[] = {"localhost", "127.0.0.1", "::1", broker};
    uint32_t days = (uint32_t)serin_cli_number(cli, "days");
    bool more = strcmp(broker, "localhost") != 0;
    char ca_name[SERIN_X509_NAME_MAX + 1];

    (void)snprintf(ca_name, sizeof(ca_name), "Serin CA %s", serin_cli_text(cli, "product"));
    const struct serin_x509_subject ca = {.common_name = ca_name, .days = CA_DAYS};
    const struct serin_x509_subject server = {.common_name = broker,
                                              .organisational_unit = "broker",
                                              .server = true,
                                              .names = names,
                                              .name_count = more ? 4 : 3,
                                              .days = days};
    const struct serin_x509_subject serind = {
        .common_name = "serind", .organisational_unit = "serind", .days = days};

    enum serin_cli_exit exit = make(cli, NULL, folder, "ca", &ca);
    if (exit == SERIN_CLI_DONE) {
        exit = make(cli, folder, folder, "broker", &server);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = make(cli, folder, folder, "serind", &serind);
    }
    return exit;
}

static enum serin_cli_exit make_keys(const struct serin_cli *cli, const char *folder)
{
    static const char *const names[] = {"root", "release", "director"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[32];
        char private[SERIN_CLI_PATH_MAX];
        char public[SERIN_CLI_PATH_MAX];
        struct serin_key_why why = {.text = ""};
        (void)snprintf(name, sizeof(name), "keys/%s.key", names[i]);
        bool joined = serin_cli_join(cli, folder, name, private);
        (void)snprintf(name, sizeof(name), "keys/%s.pub", names[i]);
        if (!joined || !serin_cli_join(cli, folder, name, public)) {
            return SERIN_CLI_USAGE;
        }
        enum serin_error error = serin_key_generate(private, public, &why);
        if (error != SERIN_OK) {
            return serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
        }
    }
    return SERIN_CLI_DONE;
}

static enum serin_cli_exit make_trust(const struct serin_cli *cli, const char *folder)
{
    struct serin_trust trust = {.version = 1, .created_s = cli->world->unix_time_s()};
    char root[SERIN_CLI_PATH_MAX];
    char release[SERIN_CLI_PATH_MAX];
    char director[SERIN_CLI_PATH_MAX];
    char record[SERIN_CLI_PATH_MAX];

    (void)snprintf(trust.product, sizeof(trust.product), "%s", serin_cli_text(cli, "product"));
    if (!serin_cli_join(cli, folder, "keys/root.key", root) ||
        !serin_cli_join(cli, folder, "keys/release.pub", release) ||
        !serin_cli_join(cli, folder, "keys/director.pub", director) ||
        !serin_cli_join(cli, folder, "trust.bin", record)) {
        return SERIN_CLI_USAGE;
    }
    enum serin_cli_exit exit = serin_cli_trust_add(cli, &trust, SERIN_KEY_ROLE_RELEASE, release);
    if (exit == SERIN_CLI_DONE) {
        exit = serin_cli_trust_add(cli, &trust, SERIN_KEY_ROLE_DIRECTOR, director);
    }
    return exit == SERIN_CLI_DONE ? serin_cli_trust_write(cli, &trust, root, record) : exit;
}

/* ---- which devices and gateways ---- */

typedef enum serin_cli_exit take_id(const struct serin_cli *cli, void *ctx, const char *id);

/* Calls `take` for each id of the list that the option holds, in order, until one fails. */
static enum serin_cli_exit each_of(const struct serin_cli *cli, const char *option, take_id *take,
                                   void *ctx)
{
    const char *list = serin_cli_text(cli, option);
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    const char *name = NULL;
    size_t size = 0;

    while (exit == SERIN_CLI_DONE && serin_cli_next_name(&list, &name, &size)) {
        char id[SERIN_ID_MAX + 1];
        (void)snprintf(id, sizeof(id), "%.*s", (int)size, name);
        exit = take(cli, ctx, id);
    }
    return exit;
}

/* The same for each device of --devices and --device-count. */
static enum serin_cli_exit each_device(const struct serin_cli *cli, take_id *take, void *ctx)
{
    unsigned count = (unsigned)serin_cli_number(cli, "device-count");
    const char *prefix = serin_cli_text(cli, "device-prefix");
    int digits = count > 9999 ? 5 : count > 999 ? 4 : count > 99 ? 3 : 2;
    enum serin_cli_exit exit = each_of(cli, "devices", take, ctx);
    char id[SERIN_ID_MAX + 1];

    for (unsigned i = 1; i <= count && exit == SERIN_CLI_DONE; i++) {
        int length = snprintf(id, sizeof(id), "%s%0*u", prefix, digits, i);
        if (length < 0 || (size_t)length >= sizeof(id) || !serin_id_valid(id, (size_t)length)) {
            return serin_cli_fail(cli, SERIN_CLI_USAGE,
                                  "--device-prefix makes no valid device ids (1 to %u of A-Z a-z "
                                  "0-9 _ -)",
                                  SERIN_ID_MAX);
        }
        exit = take(cli, ctx, id);
    }
    return exit;
}

static enum serin_cli_exit take_device(const struct serin_cli *cli, void *ctx, const char *id)
{
    return make_member(cli, ctx, &device_role, id);
}

static enum serin_cli_exit take_gateway(const struct serin_cli *cli, void *ctx, const char *id)
{
    return make_member(cli, ctx, &gateway_role, id);
}

static enum serin_cli_exit take_name(const struct serin_cli *cli, void *ctx, const char *id)
{
    (void)cli;
    serin_json_add(ctx, serin_json_text(id));
    return SERIN_CLI_DONE;
}

/* ---- the folder ---- */

static bool folder_empty(const char *path)
{
    DIR *folder = opendir(path);
    size_t entries = 0;

    if (folder == NULL) {
        return false;
    }
    while (readdir(folder) != NULL) {
        entries++;
    }
    (void)closedir(folder);
    return entries == 2; /* "." and ".." */
}

static enum serin_cli_exit make_all(const struct serin_cli *cli, char *folder)
{
    static const char *const inside[] = {"devices", "gateways", "keys"};

    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        char path[SERIN_CLI_PATH_MAX];
        if (!serin_cli_join(cli, folder, inside[i], path)) {
            return SERIN_CLI_USAGE;
        }
        if (mkdir(path, 0700) != 0) {
            return serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: %s", path, strerror(errno));
        }
    }
    enum serin_cli_exit exit = make_hosts(cli, folder);
    SERIN_FAULT_POINT("cli.pki.hosts_made");
    if (exit == SERIN_CLI_DONE) {
        exit = make_keys(cli, folder);
    }
    SERIN_FAULT_POINT("cli.pki.keys_made");
    if (exit == SERIN_CLI_DONE) {
        exit = make_trust(cli, folder);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = each_of(cli, "gateways", take_gateway, folder);
    }
    if (exit == SERIN_CLI_DONE) {
        exit = each_device(cli, take_device, folder);
    }
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        char path[SERIN_CLI_PATH_MAX];
        if (serin_cli_join(cli, folder, inside[i], path)) {
            serin_cli_sync_folder(path);
        }
    }
    serin_cli_sync_folder(folder);
    return exit;
}

static void report(const struct serin_cli *cli, const char *folder)
{
    struct serin_json *devices = serin_json_array();
    struct serin_json *gateways = serin_json_array();

    (void)each_device(cli, take_name, devices);
    (void)each_of(cli, "gateways", take_name, gateways);
    if (cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "folder", folder);
        serin_json_put_text(json, "product", serin_cli_text(cli, "product"));
        serin_json_put_number(json, "trust_version", 1);
        serin_json_put(json, "devices", devices);
        serin_json_put(json, "gateways", gateways);
        serin_cli_print_json(cli, json);
        return;
    }
    size_t count = serin_json_count(devices);
    size_t sites = serin_json_count(gateways);
    serin_json_free(devices);
    serin_json_free(gateways);
    serin_cli_print(cli,
                    "%s holds:\n"
                    "  ca.pem                   the private CA; every host and device trusts it\n"
                    "  broker.pem, serind.pem   certificates of the hosts, each with its .key\n"
                    "  devices/                 certificates of %zu device%s\n"
                    "  gateways/                certificates of %zu gateway%s\n"
                    "  keys/                    root, release and director keys, each with its "
                    ".pub\n"
                    "  trust.bin                trust record 1 for %s\n"
                    "Take ca.key and keys/root.key off this machine and keep them offline.\n",
                    folder, count, count == 1 ? "" : "s", sites, sites == 1 ? "" : "s",
                    serin_cli_text(cli, "product"));
}

enum serin_cli_exit serin_cli_run_pki_init(struct serin_cli *cli)
{
    char target[SERIN_CLI_PATH_MAX];
    char folder[SERIN_CLI_PATH_MAX + 16];
    size_t size = strlen(cli->args.operands[0]);

    while (size > 1 && cli->args.operands[0][size - 1] == '/') {
        size--;
    }
    if (size >= sizeof(target)) {
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "the path is too long");
    }
    (void)snprintf(target, sizeof(target), "%.*s", (int)size, cli->args.operands[0]);
    if (serin_cli_exists(target) && !folder_empty(target)) {
        return serin_cli_fail(cli, SERIN_CLI_REFUSED,
                              "%s exists already; keys are not overwritten (to add devices: serin "
                              "pki device %s ID…)",
                              target, target);
    }
    (void)snprintf(folder, sizeof(folder), "%s.new-XXXXXX", target);
    if (mkdtemp(folder) == NULL) {
        return serin_cli_fail_path(cli, target);
    }
    enum serin_cli_exit exit = make_all(cli, folder);
    SERIN_FAULT_POINT("cli.pki.before_rename");
    if (exit == SERIN_CLI_DONE && rename(folder, target) != 0) {
        exit = serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: %s", target, strerror(errno));
    }
    if (exit != SERIN_CLI_DONE) {
        serin_cli_remove_folder(folder);
        return exit;
    }
    report(cli, target);
    return SERIN_CLI_DONE;
}

/* Certificates for the ids that stand behind the folder. */
static enum serin_cli_exit add(struct serin_cli *cli, const struct role *role)
{
    const char *folder = cli->args.operands[0];
    struct serin_json *made = serin_json_array();
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    for (size_t i = 1; i < cli->args.operand_count && exit == SERIN_CLI_DONE; i++) {
        const char *id = cli->args.operands[i];
        if (!serin_id_valid(id, strlen(id))) {
            exit = serin_cli_fail(cli, SERIN_CLI_USAGE,
                                  "'%s' is no %s id (1 to %u of A-Z a-z 0-9 _ -)", id, role->word,
                                  SERIN_ID_MAX);
        } else {
            exit = make_member(cli, folder, role, id);
        }
        SERIN_FAULT_POINT("cli.pki.device_made");
        if (exit == SERIN_CLI_DONE && !cli->json) {
            serin_cli_print(cli, "%s/%s/%s.pem and .key\n", folder, role->folder, id);
        }
        serin_json_add(made, serin_json_text(id));
    }
    if (exit == SERIN_CLI_DONE && cli->json) {
        struct serin_json *json = serin_json_object();
        serin_json_put_text(json, "folder", folder);
        serin_json_put(json, role->folder, made);
        serin_cli_print_json(cli, json);
    } else {
        serin_json_free(made);
    }
    return exit;
}

enum serin_cli_exit serin_cli_run_pki_device(struct serin_cli *cli)
{
    return add(cli, &device_role);
}

/* A PKI of before there were gateways has no folder for them; what is no PKI gets none. */
static enum serin_cli_exit make_gateway_folder(const struct serin_cli *cli)
{
    const char *root = cli->args.operands[0];
    char path[SERIN_CLI_PATH_MAX];

    if (!serin_cli_join(cli, root, "ca.pem", path)) {
        return SERIN_CLI_USAGE;
    }
    if (!serin_cli_exists(path)) {
        return serin_cli_fail(cli, SERIN_CLI_NOT_FOUND, "%s: %s", path, strerror(ENOENT));
    }
    if (!serin_cli_join(cli, root, gateway_role.folder, path)) {
        return SERIN_CLI_USAGE;
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: %s", path, strerror(errno));
    }
    return SERIN_CLI_DONE;
}

enum serin_cli_exit serin_cli_run_pki_gateway(struct serin_cli *cli)
{
    enum serin_cli_exit exit = make_gateway_folder(cli);

    return exit == SERIN_CLI_DONE ? add(cli, &gateway_role) : exit;
}
