/*
 * serin-agent provision: the factory. The flash is made in a temporary file beside its place and
 * renamed when it is whole and durable, so that a factory that loses its power leaves either no
 * device or a complete one.
 */
#define _GNU_SOURCE /* renameat2 */
#include "agent.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/host/bundle.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file in memory. */
struct mapped {
    const uint8_t *data;
    size_t size;
};

static enum exit_code file_map(struct mapped *file, const char *path)
{
    *file = (struct mapped){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        enum exit_code code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CONFIG;
        (void)complain(code, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return code;
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        (void)close(fd);
        return complain(EXIT_CONFIG, "%s: it is empty, or no plain file", path);
    }
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (data == MAP_FAILED) {
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    file->data = data;
    file->size = (size_t)status.st_size;
    return EXIT_DONE;
}

static void file_unmap(const struct mapped *file)
{
    if (file->data != NULL) {
        (void)munmap((void *)(uintptr_t)file->data, file->size);
    }
}

/* Verifies both files and that they are for this device, so that each refusal names its file and
 * its reason. */
static enum exit_code input_verify(const struct device *device, const struct options *options,
                                   const struct mapped *trust_file,
                                   const struct mapped *bundle_file, struct serin_bundle *bundle)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    struct serin_trust trust;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    const char *what = NULL;
    enum serin_error result =
        serin_trust_open(crypto, device->root_key, trust_file->data, trust_file->size, &trust);
    if (result != SERIN_OK) {
        return complain(exit_code_of(result), "%s: the trust record is refused: %s", options->trust,
                        serin_error_text(result));
    }
    result = serin_bundle_split(bundle_file->data, bundle_file->size, bundle);
    if (result == SERIN_OK) {
        result = serin_bundle_verify(crypto, &trust, bundle, &manifest, id, &what);
    }
    if (result != SERIN_OK) {
        return complain(exit_code_of(result), "%s: the bundle is refused: %s%s%s", options->bundle,
                        serin_error_text(result), what != NULL ? ": " : "",
                        what != NULL ? what : "");
    }
    result = serin_manifest_suits(&manifest, &device->settings.identity, 0);
    if (result == SERIN_OK && (manifest.slot_mask & SERIN_SLOT_MASK_A) == 0) {
        return complain(EXIT_REFUSED, "%s: the image does not run in slot A", options->bundle);
    }
    if (result != SERIN_OK) {
        return complain(exit_code_of(result), "%s: not for this device: %s", options->bundle,
                        serin_error_text(result));
    }
    return EXIT_DONE;
}

static enum serin_error image_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct serin_bundle *bundle = ctx;
    if (size > bundle->image_size || offset > bundle->image_size - size) {
        return SERIN_ERR_TRUNCATED;
    }
    (void)memcpy(out, bundle->image + offset, size);
    return SERIN_OK;
}

/* Makes the name of `path` durable: its folder is synchronised. */
static bool folder_sync(const char *path)
{
    char folder[2048];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL || slash == path ? 1 : (int)(slash - path);
    (void)snprintf(folder, sizeof folder, "%.*s", size, slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}

/* Fills the fresh flash and gives it its name. */
static enum exit_code flash_fill(struct device *device, const struct options *options,
                                 const struct mapped *trust_file, struct serin_bundle *bundle,
                                 const char *temporary)
{
    struct serin_factory_image image = {
        .manifest = bundle->manifest,
        .manifest_size = bundle->manifest_size,
        .read = image_read,
        .ctx = bundle,
    };
    enum serin_error result =
        serin_boot_provision(&device->boot, trust_file->data, trust_file->size, &image);
    if (result == SERIN_OK) {
        result = serin_file_flash_settle(device->flash);
    }
    if (result != SERIN_OK) {
        return complain(exit_code_of(result), "%s: cannot be put into the flash: %s",
                        options->bundle, serin_error_text(result));
    }
    SERIN_FAULT_POINT("provision.flash.filled");
    const char *place = device->settings.flash.file;
    unsigned how = options->force ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, place, how) != 0 || !folder_sync(place)) {
        return complain(EXIT_FAILED, "%s: %s", place, strerror(errno));
    }
    return EXIT_DONE;
}

/* Refuses to take the place of a flash that exists, and with --force of one that an agent uses. */
static enum exit_code place_check(struct device *device, const struct options *options)
{
    const char *place = device->settings.flash.file;
    if (access(place, F_OK) != 0) {
        return EXIT_DONE;
    }
    if (!options->force) {
        return complain(EXIT_REFUSED,
                        "%s: it exists; --force makes the device anew and forgets all it knows",
                        place);
    }
    struct serin_file_flash_geometry geometry = device_geometry(device);
    struct serin_file_flash *old = NULL;
    char why[SERIN_FILE_FLASH_WHY_SIZE];
    enum serin_error result =
        serin_file_flash_open(&old, place, SERIN_FILE_FLASH_WRITE, &geometry, why);
    serin_file_flash_close(old);
    return result == SERIN_ERR_BUSY ? complain(EXIT_REFUSED, "%s", why) : EXIT_DONE;
}

static enum exit_code flash_make(struct device *device, const struct options *options,
                                 const struct mapped *trust_file, struct serin_bundle *bundle)
{
    char temporary[1100], why[SERIN_FILE_FLASH_WHY_SIZE];
    (void)snprintf(temporary, sizeof temporary, "%s.making", device->settings.flash.file);
    (void)unlink(temporary); /* of a factory that lost its power */
    struct serin_file_flash_geometry geometry = device_geometry(device);
    struct serin_file_flash *flash = NULL;
    enum serin_error result = serin_file_flash_create(&flash, temporary, &geometry, why);
    if (result != SERIN_OK) {
        return complain(EXIT_FAILED, "%s", why);
    }
    enum exit_code code = device_flash_take(device, flash);
    if (code == EXIT_DONE) {
        code = flash_fill(device, options, trust_file, bundle, temporary);
    }
    if (code != EXIT_DONE) {
        (void)unlink(temporary);
    }
    return code;
}

enum exit_code command_provision(const struct options *options)
{
    struct device device;
    struct mapped trust_file = {0}, bundle_file = {0};
    struct serin_bundle bundle;
    enum exit_code code = device_load(&device, options->config);
    if (code == EXIT_DONE) {
        code = place_check(&device, options);
    }
    if (code == EXIT_DONE) {
        code = file_map(&trust_file, options->trust);
    }
    if (code == EXIT_DONE) {
        code = file_map(&bundle_file, options->bundle);
    }
    if (code == EXIT_DONE) {
        code = input_verify(&device, options, &trust_file, &bundle_file, &bundle);
    }
    if (code == EXIT_DONE) {
        code = flash_make(&device, options, &trust_file, &bundle);
    }
    if (code == EXIT_DONE) {
        (void)printf("%s is provisioned in %s\n", device.settings.identity.device_id,
                     device.settings.flash.file);
    }
    file_unmap(&bundle_file);
    file_unmap(&trust_file);
    device_close(&device);
    return code;
}
