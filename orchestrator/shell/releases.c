/* Releases (releases.h). */
#define _POSIX_C_SOURCE 200809L
#include "releases.h"

#include "pass.h"
#include "serind.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/host/bundle.h>

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

static enum serin_error refuse(char why[SERIND_WHY_MAX], enum serin_error error, const char *format,
                               ...) __attribute__((format(printf, 3, 4)));

static enum serin_error refuse(char why[SERIND_WHY_MAX], enum serin_error error, const char *format,
                               ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, SERIND_WHY_MAX, format, arguments);
    va_end(arguments);
    return error;
}

/* The trust record under which the bundle's key may sign releases. The key id is read from the
 * signature area, outside the signed body. */
static enum serin_error find_trust(const struct serind *serind, const struct serin_bundle *bundle,
                                   const struct serind_trust **trust, char why[SERIND_WHY_MAX])
{
    struct serin_signature_area area;
    enum serin_error error = serin_signature_area_decode(bundle->manifest, bundle->manifest_size,
                                                         SERIN_MANIFEST_BODY_SIZE, &area);
    if (error != SERIN_OK) {
        return refuse(why, error, "the bundle's manifest has no sound signature area: %s",
                      serin_error_text(error));
    }
    *trust = serind_trusts_of_release_key(serind, area.key_id);
    if (*trust == NULL) {
        char key[2 * SERIN_KEY_ID_SIZE + 1];
        serin_hex_encode(area.key_id, SERIN_KEY_ID_SIZE, key);
        return refuse(why, SERIN_ERR_KEY,
                      "the bundle is signed by key %s, which no trust record here lists as a "
                      "release key: sign it with a release key, or publish a trust record that "
                      "lists this one",
                      key);
    }
    return SERIN_OK;
}

static enum serin_error verify(const struct serind *serind, const struct serin_bundle *bundle,
                               struct serin_release_record *record, char why[SERIND_WHY_MAX])
{
    const struct serind_trust *trust = NULL;
    enum serin_error error = find_trust(serind, bundle, &trust, why);
    if (error != SERIN_OK) {
        return error;
    }
    const char *what = "";
    error = serin_bundle_verify(serind->crypto, &trust->trust, bundle, &record->manifest,
                                record->manifest_id, &what);
    if (error != SERIN_OK) {
        return refuse(why, error, "the bundle does not verify (%s): %s", what,
                      serin_error_text(error));
    }
    return SERIN_OK;
}

/* Objects first, the manifest last: what the depot holds a manifest of, it holds whole. */
static enum serin_error put_objects(struct serind *serind, const struct serin_bundle *bundle,
                                    const struct serin_release_record *record,
                                    char why[SERIND_WHY_MAX])
{
    enum serin_error error = serin_depot_put(serind->depot, record->manifest.image_sha256,
                                             bundle->image, bundle->image_size);
    if (error == SERIN_OK) {
        error = serin_depot_put(serind->depot, record->manifest.pieces_sha256, bundle->pieces,
                                bundle->pieces_size);
    }
    if (error == SERIN_OK) {
        error = serin_depot_put_manifest(serind->depot, record->manifest_id, bundle->manifest,
                                         bundle->manifest_size);
    }
    if (error != SERIN_OK) {
        return refuse(why, error, "the depot %s cannot take the bundle: %s",
                      serind->config->depot_dir, serin_error_text(error));
    }
    SERIN_FAULT_POINT("serind.bundle.stored");
    return SERIN_OK;
}

static enum serin_error put_record(struct serind *serind, struct serin_release_record *record,
                                   char why[SERIND_WHY_MAX])
{
    const struct serin_manifest *manifest = &record->manifest;
    enum serin_error error = serind_pass_begin(serind);
    if (error != SERIN_OK) {
        return refuse(why, error, "the store failed: %s", serin_error_text(error));
    }
    struct serin_release_record known;
    error = serind->store.ops->get_release(serind->store.ctx, record->manifest_id, &known);
    if (error == SERIN_OK) {
        serind_pass_cancel(serind);
        *record = known;
        return SERIN_ERR_EXISTS;
    }
    record->published_s = serind_now_s(serind);
    record->last_attempt = 0;
    if (serind_pass_check(serind, error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error)) {
        (void)serind_pass_check(serind, serind->store.ops->put_release(serind->store.ctx, record));
    }
    char version[SERIN_VERSION_TEXT_SIZE];
    char id[SERIN_SHA256_HEX_SIZE];
    serin_version_format(manifest->version, version);
    serin_hex_encode(record->manifest_id, SERIN_SHA256_SIZE, id);
    serind_audit(serind, &(struct serind_audit_line){.actor = "operator", .what = "release"},
                 "%s %s published, manifest %s, %u bytes", manifest->product, version, id,
                 manifest->image_size_bytes);
    error = serind_pass_end(serind);
    return error == SERIN_OK ? error
                             : refuse(why, error, "the store failed: %s", serin_error_text(error));
}

static enum serin_error take(struct serind *serind, const uint8_t *data, size_t size,
                             struct serin_release_record *record, char why[SERIND_WHY_MAX])
{
    struct serin_bundle bundle;
    enum serin_error error = serin_bundle_split(data, size, &bundle);
    if (error != SERIN_OK) {
        return refuse(why, error, "the file is no sound bundle: %s", serin_error_text(error));
    }
    error = verify(serind, &bundle, record, why);
    if (error == SERIN_OK) {
        error = put_objects(serind, &bundle, record, why);
    }
    return error == SERIN_OK ? put_record(serind, record, why) : error;
}

enum serin_error serind_releases_take(struct serind *serind, int file, uint64_t size,
                                      struct serin_release_record *record, char why[SERIND_WHY_MAX])
{
    *record = (struct serin_release_record){.published_s = 0};
    if (size == 0 || size > SERIND_BUNDLE_MAX) {
        return refuse(why, size == 0 ? SERIN_ERR_TRUNCATED : SERIN_ERR_TOO_LARGE,
                      size == 0 ? "the bundle is empty" : "the bundle is too large");
    }
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
        return refuse(why, SERIN_ERR_MEMORY, "the upload cannot be read back");
    }
    enum serin_error error = take(serind, data, (size_t)size, record, why);
    (void)munmap(data, (size_t)size);
    if (error != SERIN_OK && error != SERIN_ERR_EXISTS) {
        serin_log(SERIN_LOG_WARN, "bundle refused: %s", why);
        serind_audit(serind, &(struct serind_audit_line){.actor = "operator", .what = "refused"},
                     "bundle: %s", why);
    }
    return error;
}

/* ---- attempts ---- */

enum serin_error serind_releases_attempted(struct serind *serind,
                                           const uint8_t manifest_id[SERIN_SHA256_SIZE],
                                           uint32_t attempt, uint32_t leap_max)
{
    const struct serin_store_ops *ops = serind->store.ops;
    struct serin_release_record record;
    enum serin_error error = ops->get_release(serind->store.ctx, manifest_id, &record);
    if (error != SERIN_OK || attempt <= record.last_attempt ||
        attempt - record.last_attempt > leap_max) {
        return error;
    }
    record.last_attempt = attempt;
    return ops->put_release(serind->store.ctx, &record);
}

/* ---- finding ---- */

struct search {
    const char *product;
    const struct serin_policy_release *wanted;
    size_t found;
    struct serin_release_record *record;
};

static bool fits(const struct search *search, const struct serin_release_record *record)
{
    if (strcmp(record->manifest.product, search->product) != 0) {
        return false;
    }
    if (search->wanted->manifest[0] == '\0') {
        return serin_version_compare(record->manifest.version, search->wanted->version) == 0;
    }
    char id[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(record->manifest_id, SERIN_SHA256_SIZE, id);
    return strncmp(id, search->wanted->manifest, strlen(search->wanted->manifest)) == 0;
}

static bool look(void *arg, const struct serin_release_record *record)
{
    struct search *search = arg;
    if (fits(search, record)) {
        *search->record = *record;
        search->found++;
    }
    return true;
}

enum serin_error serind_releases_find(struct serind *serind, const char *product,
                                      const struct serin_policy_release *wanted,
                                      struct serin_release_record *record, char why[SERIND_WHY_MAX])
{
    struct search search = {.product = product, .wanted = wanted, .record = record};
    enum serin_error error = serind->store.ops->each_release(serind->store.ctx, look, &search);
    if (error != SERIN_OK) {
        return refuse(why, error, "the releases cannot be read: %s", serin_error_text(error));
    }
    char version[SERIN_VERSION_TEXT_SIZE] = "";
    serin_version_format(wanted->version, version);
    const char *name = wanted->manifest[0] != '\0' ? wanted->manifest : version;
    if (search.found == 0) {
        return refuse(why, SERIN_ERR_NOT_FOUND,
                      "no release %s of product %s is published here: publish its bundle first",
                      name, product);
    }
    if (search.found > 1) {
        return refuse(why, SERIN_ERR_INVALID,
                      "%zu releases of product %s fit %s: name one by its manifest id",
                      search.found, product, name);
    }
    return SERIN_OK;
}
