/* The silicon of the example board (hardware.h). */
#include "hardware.h"

#include <string.h>

enum serin_error hw_open(struct hardware *hw, uint64_t seed)
{
    const struct serin_flash_emulator_config part = {.size_bytes = HW_FLASH_SIZE,
                                                     .sector_size = HW_FLASH_PAGE,
                                                     .write_unit = HW_FLASH_WORD,
                                                     .erased_value = 0xFF,
                                                     .ecc = true,
                                                     .seed = seed};
    memset(hw, 0, sizeof *hw);
    return serin_flash_emulator_open(&hw->flash, &part);
}

void hw_close(struct hardware *hw)
{
    serin_flash_emulator_close(hw->flash);
}

void hw_power_on(struct hardware *hw)
{
    memset(hw->image_ram, 0xA5, sizeof hw->image_ram);
    memset(hw->retained, 0xA5, sizeof hw->retained);
    hw->reset_register = 0;
    serin_flash_emulator_power_off(hw->flash);
    serin_flash_emulator_power_on(hw->flash);
    hw_reset(hw, HW_RESET_POWER);
}

void hw_reset(struct hardware *hw, uint32_t flag)
{
    hw->reset_register |= flag;
    hw->uptime_ms = 0;
    hw->watchdog_ms = 0;
    hw->halted = true;
    hw->program = NULL;
    hw->lamp = false;
    hw->printed = NULL;
}

void hw_pass(struct hardware *hw, uint32_t ms)
{
    hw->uptime_ms += ms;
    if (hw->watchdog_ms > 0 && hw->uptime_ms >= hw->watchdog_due_ms) {
        hw_reset(hw, HW_RESET_WATCHDOG);
    }
}

int hw_flash_read(struct hardware *hw, uint32_t address, void *out, uint32_t size)
{
    const struct serin_flash *part = serin_flash_emulator_flash(hw->flash);
    return part->ops->read(part->ctx, address, out, size) == SERIN_OK ? 0 : -1;
}

int hw_flash_write(struct hardware *hw, uint32_t address, const void *words, uint32_t size)
{
    const struct serin_flash *part = serin_flash_emulator_flash(hw->flash);
    return part->ops->program(part->ctx, address, words, size) == SERIN_OK ? 0 : -1;
}

int hw_flash_erase_page(struct hardware *hw, uint32_t address)
{
    const struct serin_flash *part = serin_flash_emulator_flash(hw->flash);
    return part->ops->erase(part->ctx, address, HW_FLASH_PAGE) == SERIN_OK ? 0 : -1;
}

void hw_watchdog_start(struct hardware *hw, uint32_t period_ms)
{
    hw->watchdog_ms = period_ms;
    hw_watchdog_feed(hw);
}

void hw_print(struct hardware *hw, const char *text)
{
    hw->printed = text;
}

void hw_watchdog_feed(struct hardware *hw)
{
    hw->watchdog_due_ms = hw->uptime_ms + hw->watchdog_ms;
}
