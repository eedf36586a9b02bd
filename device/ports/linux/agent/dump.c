/*
 * serin-agent dump: the image bytes of a slot, verified on the way out.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        size -= put > 0 ? (size_t)put : 0;
        data += put > 0 ? put : 0;
    }
    return true;
}

static enum exit_code image_write(const struct device *device, uint32_t address, uint32_t size,
                                  int fd, const char *output)
{
    const struct serin_flash *flash = device->boot.flash;
    uint8_t chunk[16384];
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < sizeof chunk ? size - done : (uint32_t)sizeof chunk;
        enum serin_error result = flash->ops->read(flash->ctx, address + done, chunk, part);
        if (result != SERIN_OK) {
            return complain(EXIT_FAILED, "%s: %s", device->settings.flash.file,
                            serin_error_text(result));
        }
        if (!write_all(fd, chunk, part)) {
            return complain(EXIT_FAILED, "%s: %s", output, strerror(errno));
        }
        done += part;
    }
    return EXIT_DONE;
}

/* Into a new file: a mistyped name must not cost a key, or the flash of a running agent. */
static enum exit_code file_dump(const struct device *device, uint32_t address, uint32_t size,
                                const char *output)
{
    int fd = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return complain(EXIT_REFUSED, "%s exists already and is left as it is: name another file",
                        output);
    }
    if (fd < 0) {
        return complain(EXIT_FAILED, "%s: %s", output, strerror(errno));
    }
    enum exit_code code = image_write(device, address, size, fd, output);
    if (close(fd) != 0 && code == EXIT_DONE) {
        code = complain(EXIT_FAILED, "%s: %s", output, strerror(errno));
    }
    if (code != EXIT_DONE) {
        (void)unlink(output); /* half an image is no image */
    }
    return code;
}

static enum exit_code slot_dump(const struct device *device, enum serin_slot slot,
                                const char *output)
{
    struct serin_manifest manifest;
    enum serin_error result = serin_boot_verify_slot(&device->boot, slot, 0, &manifest, NULL);
    if (result != SERIN_OK) {
        return complain(exit_code_of(result), "slot %s holds no valid image: %s",
                        slot == SERIN_SLOT_A ? "a" : "b", serin_error_text(result));
    }
    struct serin_slot_map map;
    serin_slot_map(device->boot.flash, &device->layout, &map);
    uint32_t address = device->layout.slot[slot - SERIN_SLOT_A].address + map.image_offset;
    if (strcmp(output, "-") == 0) {
        return image_write(device, address, manifest.image_size_bytes, STDOUT_FILENO, output);
    }
    return file_dump(device, address, manifest.image_size_bytes, output);
}

enum exit_code command_dump(const struct options *options)
{
    bool a = strcmp(options->slot, "a") == 0 || strcmp(options->slot, "A") == 0;
    bool b = strcmp(options->slot, "b") == 0 || strcmp(options->slot, "B") == 0;
    if (!a && !b) {
        return complain(EXIT_USAGE, "--slot must be a or b, not '%s'", options->slot);
    }
    struct device device;
    enum exit_code code = device_load(&device, options->config);
    if (code == EXIT_DONE) {
        code = device_flash_open(&device, SERIN_FILE_FLASH_READ);
    }
    if (code == EXIT_DONE) {
        code = slot_dump(&device, a ? SERIN_SLOT_A : SERIN_SLOT_B, options->output);
    }
    device_close(&device);
    return code;
}
