/* Provisioning of the fleet (factory.h). */
#include "factory.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/host/bundle.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX           (300L * 1024 * 1024) /* a bundle with the largest image, and some */
#define BOOTLOADER_VERSION 1u

struct input {
    uint8_t *data;
    size_t size;
};

/* Reads a whole file. The caller frees the data. */
static enum load_exit input_read(struct input *input, const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    *input = (struct input){0};
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
    }
    if (size > 0 && size <= FILE_MAX && fseek(file, 0, SEEK_SET) == 0) {
        input->data = malloc((size_t)size);
    }
    if (input->data != NULL) {
        input->size = fread(input->data, 1, (size_t)size, file);
    }
    int why = errno;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (input->data == NULL || input->size != (size_t)size) {
        return load_complain(LOAD_EXIT_CONFIG, "%s: %s", path,
                             file == NULL ? strerror(why) : "it cannot be read, or is too large");
    }
    return LOAD_EXIT_DONE;
}

static enum serin_error image_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct serin_bundle *bundle = ctx;
    if (size > bundle->image_size || offset > bundle->image_size - size) {
        return SERIN_ERR_TRUNCATED;
    }
    memcpy(out, bundle->image + offset, size);
    return SERIN_OK;
}

void load_factory_identity(const struct load_options *options, uint32_t number,
                           struct serin_identity *identity)
{
    *identity =
        (struct serin_identity){.hardware = options->hardware, .bootloader = BOOTLOADER_VERSION};
    (void)snprintf(identity->device_id, sizeof identity->device_id, "%s%02u", options->id_prefix,
                   number);
    (void)snprintf(identity->product, sizeof identity->product, "%s", options->product);
    (void)snprintf(identity->channel, sizeof identity->channel, "%s", options->channel);
}

/* Puts trust record and bundle into the flash; both are verified on the way. */
static enum load_exit fill(struct load_factory *factory, const struct load_options *options,
                           const struct input *trust, const struct input *bundle_file)
{
    struct serin_bundle bundle;
    struct serin_identity identity;
    struct serin_boot boot = {
        .crypto = serin_wolfcrypt(),
        .flash = load_flash_port(factory->flash),
        .layout = &factory->layout,
        .root_key = factory->root_key,
        .identity = &identity,
    };
    load_factory_identity(options, options->first, &identity);
    enum serin_error error = serin_bundle_split(bundle_file->data, bundle_file->size, &bundle);
    if (error == SERIN_OK) {
        struct serin_factory_image image = {.manifest = bundle.manifest,
                                            .manifest_size = bundle.manifest_size,
                                            .read = image_read,
                                            .ctx = &bundle};
        error = serin_boot_provision(&boot, trust->data, trust->size, &image);
    }
    if (error != SERIN_OK) {
        return load_complain(LOAD_EXIT_CONFIG, "%s cannot be provisioned: %s", options->bundle,
                             serin_error_text(error));
    }
    return LOAD_EXIT_DONE;
}

static enum load_exit flash_make(struct load_factory *factory, const struct load_options *options)
{
    const char *what = "too small for two slots";
    if (load_pool_open(&factory->pool) != SERIN_OK ||
        load_flash_open(&factory->flash, factory->pool, options->flash_size) != SERIN_OK) {
        return load_complain(LOAD_EXIT_CONFIG, "memory is exhausted");
    }
    const struct serin_flash *port = load_flash_port(factory->flash);
    if (serin_layout_default(port, &factory->layout) != SERIN_OK ||
        serin_layout_check(port, &factory->layout, &what) != SERIN_OK) {
        return load_complain(LOAD_EXIT_CONFIG, "--flash: %s", what);
    }
    return LOAD_EXIT_DONE;
}

enum load_exit load_factory_open(struct load_factory *factory, const struct load_options *options)
{
    struct input trust = {0}, bundle = {0};
    struct serin_key_why why;
    *factory = (struct load_factory){0};
    if (serin_key_read_public(options->root_key, factory->root_key, &why) != SERIN_OK) {
        return load_complain(LOAD_EXIT_CONFIG, "%s", why.text);
    }
    enum load_exit code = flash_make(factory, options);
    if (code == LOAD_EXIT_DONE) {
        code = input_read(&trust, options->trust);
    }
    if (code == LOAD_EXIT_DONE) {
        code = input_read(&bundle, options->bundle);
    }
    if (code == LOAD_EXIT_DONE) {
        code = fill(factory, options, &trust, &bundle);
    }
    free(trust.data);
    free(bundle.data);
    return code;
}

void load_factory_close(struct load_factory *factory)
{
    load_flash_close(factory->flash);
    if (factory->pool != NULL) {
        load_pool_close(factory->pool);
    }
}
