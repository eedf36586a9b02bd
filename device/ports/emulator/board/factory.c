/* The line that makes the example board a device. */
#include "board.h"

#include <serin/device/flash_probe.h>

#include <string.h>

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct factory_input *input = ctx;
    if (size > input->image_size || offset > input->image_size - size) {
        return SERIN_ERR_TRUNCATED;
    }
    memcpy(out, input->image + offset, size);
    return SERIN_OK;
}

/* A worn part, or a driver that is not this part's, shows before the device gets anything. */
static enum serin_error check_flash(struct board *board, const struct serin_boot *boot)
{
    const struct serin_region all = {.size = BOARD_SERIN_SIZE};
    enum serin_error error = serin_layout_check(boot->flash, boot->layout, NULL);
    return error == SERIN_OK ? serin_flash_probe(boot->flash, &all, board->app.scratch, NULL, NULL)
                             : error;
}

/* Reads back what the device will work with, through its own eyes. */
static enum serin_error check_device(struct board *board)
{
    struct serin_boot boot;
    enum serin_error error = board_open(board, &boot);
    for (enum serin_slot slot = SERIN_SLOT_A; error == SERIN_OK && slot <= SERIN_SLOT_B; slot++) {
        error = serin_boot_verify_slot(&boot, slot, 0, NULL, NULL);
    }
    return error;
}

static struct serin_factory_image image_of(const struct factory_input *input)
{
    return (struct serin_factory_image){.manifest = input->manifest,
                                        .manifest_size = input->manifest_size,
                                        .read = read_image,
                                        .ctx = (void *)(uintptr_t)input};
}

enum serin_error factory_provision(struct board *board, const struct factory_input *input)
{
    struct serin_boot boot;
    const struct serin_factory_image image = image_of(input);
    enum serin_error error = board_identity_write(board, &input->burnt);
    if (error == SERIN_OK) {
        error = board_open(board, &boot);
    }
    if (error == SERIN_OK) {
        error = check_flash(board, &boot);
    }
    /* The trust record goes in last of all, and nothing boots without it: a line that is
     * interrupted begins anew. */
    if (error == SERIN_OK) {
        error = serin_boot_provision(&boot, input->trust, input->trust_size, &image);
    }
    return error == SERIN_OK ? check_device(board) : error;
}

enum serin_error factory_provision_anew(struct board *board,
                                        const struct serin_recovery_account *account,
                                        const struct factory_input *input)
{
    struct serin_boot boot;
    const struct serin_factory_image image = image_of(input);
    enum serin_error error = board_open(board, &boot);
    return error == SERIN_OK
               ? serin_boot_provision_anew(&boot, account, input->trust, input->trust_size, &image)
               : error;
}
