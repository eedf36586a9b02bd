/*
 * The LAN9118, the Ethernet controller of the board, with its own PHY: frames in and out, polled.
 * Store and forward, no DMA, no interrupt. One thread.
 */
#ifndef MPS2_LAN9118_H
#define MPS2_LAN9118_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAN9118_MAC_SIZE 6u

/* What stands before each frame that is read, so that what follows its 14 bytes of header is
 * aligned. */
#define LAN9118_PAD 2u

/* Resets the controller and starts it. The MAC address is the one that its EEPROM holds, into
 * `mac`. False: there is none, or it does not answer. */
bool lan9118_start(uint8_t mac[LAN9118_MAC_SIZE]);

/* Whether the PHY has a link. */
bool lan9118_link(void);

/* Begins a frame of `size` bytes; false: there is no room, try later. Exactly `size` bytes follow
 * in one or more parts, and an end. */
bool lan9118_send_begin(size_t size);
void lan9118_send_part(const uint8_t *data, size_t size);
void lan9118_send_end(void);

/* Size of the next frame that was received whole, without pad and checksum; 0: none is there. Those
 * that came broken are dropped here. */
size_t lan9118_next(void);

/* The next frame's bytes, in parts: in all LAN9118_PAD bytes of no meaning, and its own. Each part
 * but the last is a multiple of 4 bytes, and each is aligned to 4. */
void lan9118_read(uint8_t *out, size_t size);
/* Ends it: `size` is what lan9118_next said. */
void lan9118_read_end(size_t size);
/* Instead of all that: drops the next frame unread. */
void lan9118_drop(size_t size);

#endif
