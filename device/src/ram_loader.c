/* The loader port for memory that the processor addresses (serin/device/boot.h). */
#include <serin/device/boot.h>

#include <string.h>

static bool fits(const struct serin_ram_loader *ram, uint32_t offset, size_t size)
{
    return offset <= ram->size && size <= ram->size - offset;
}

static enum serin_error ram_begin(void *ctx, const struct serin_manifest *manifest)
{
    const struct serin_ram_loader *ram = ctx;
    if (manifest->load_address != 0 && manifest->load_address != ram->load_address) {
        return SERIN_ERR_UNSUPPORTED;
    }
    return manifest->image_size_bytes <= ram->size ? SERIN_OK : SERIN_ERR_NO_SPACE;
}

static enum serin_error ram_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
    const struct serin_ram_loader *ram = ctx;
    if (!fits(ram, offset, size)) {
        return SERIN_ERR_NO_SPACE;
    }
    memcpy(ram->memory + offset, data, size);
    return SERIN_OK;
}

static enum serin_error ram_end(void *ctx)
{
    (void)ctx;
    return SERIN_OK;
}

static enum serin_error ram_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct serin_ram_loader *ram = ctx;
    if (!fits(ram, offset, size)) {
        return SERIN_ERR_NO_SPACE;
    }
    memcpy(out, ram->memory + offset, size);
    return SERIN_OK;
}

const struct serin_image_loader_ops serin_ram_loader_ops = {
    .begin = ram_begin, .write = ram_write, .end = ram_end, .read = ram_read};
