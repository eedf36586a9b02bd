/*
 * The flash of a load tool's node: NOR flash in memory that costs what it holds.
 *
 * A fleet of thousands holds the same image thousands of times. Memory is therefore kept in pages
 * of 4096 bytes that flashes share:
 *
 *   erased   no page at all
 *   filled   a page, found by its content: one in all of the fleet, however many hold it
 *   others   a page of this flash alone
 *
 * A page counts as filled, and is looked up among the others, when its last byte is programmed. The
 * rules of NOR flash are checked: alignment, and that what is programmed is erased. Power cuts and
 * torn writes are the emulator's affair (serin/emulator/flash_emulator.h).
 *
 * One pool and its flashes belong to one thread.
 */
#ifndef SERIN_LOAD_FLASH_H
#define SERIN_LOAD_FLASH_H

#include <serin/device/flash.h>

#define LOAD_PAGE_SIZE        4096u /* also the erase sector */
#define LOAD_FLASH_WRITE_UNIT 8u

struct load_pool;  /* the filled pages; opaque */
struct load_flash; /* opaque */

/* SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error load_pool_open(struct load_pool **pool);
/* All flashes are closed; NULL is fine. */
void load_pool_close(struct load_pool *pool);
/* Pages in memory now: those of flashes, and shared ones, each once. */
size_t load_pool_pages(const struct load_pool *pool);

/* A fresh, erased flash. `size_bytes`: a multiple of LOAD_PAGE_SIZE, at most SERIN_FLASH_SIZE_MAX.
 * SERIN_ERR_MEMORY, SERIN_ERR_INVALID. */
SERIN_MUST_USE enum serin_error load_flash_open(struct load_flash **flash, struct load_pool *pool,
                                                uint32_t size_bytes);

/* A second flash with the same content, which costs no page until either is changed.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error load_flash_copy(struct load_flash **copy,
                                                const struct load_flash *flash);

void load_flash_close(struct load_flash *flash); /* NULL is fine */

/* The port; valid as long as the flash. Calls that break a rule of the port, or find no memory, are
 * SERIN_ERR_FLASH. */
const struct serin_flash *load_flash_port(const struct load_flash *flash);

#endif
