/* Randomness from a seed (random.h). */
#include "random.h"

#include "board.h"

#include <serin/assert.h>

static struct serin_seed seed;
static bool started;

enum serin_error board_random_start(const struct serin_crypto *crypto,
                                    const uint8_t secret[SERIN_SEED_SIZE])
{
    uint32_t boot = 0;
    enum serin_error error =
        serin_boot_count_next(&board_application_flash, BOARD_BOOT_COUNT, &boot);
    if (error == SERIN_OK) {
        serin_seed_init(&seed, crypto, secret, boot);
        started = true;
    }
    return error;
}

uint32_t board_boots(void)
{
    return started ? seed.boot : 0;
}

int board_seed(unsigned char *out, unsigned int size)
{
    if (!started) {
        return -1;
    }
    serin_seed_fill(&seed, out, size);
    return 0;
}

uint32_t board_random(void)
{
    uint8_t bytes[4];
    SERIN_ASSERT(started);
    serin_seed_fill(&seed, bytes, sizeof bytes);
    return serin_get_le32(bytes);
}
