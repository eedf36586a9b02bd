/* The bytes of identity.c, for the board and for the factory's tool on a host. */
#ifndef MPS2_IDENTITY_H
#define MPS2_IDENTITY_H

#include <serin/trust.h>

#define BOARD_IDENTITY_PRODUCT  SERIN_ID_MAX
#define BOARD_IDENTITY_CHANNEL  (BOARD_IDENTITY_PRODUCT + SERIN_PRODUCT_MAX)
#define BOARD_IDENTITY_HARDWARE (BOARD_IDENTITY_CHANNEL + SERIN_CHANNEL_MAX)
#define BOARD_IDENTITY_ROOT     (BOARD_IDENTITY_HARDWARE + 4u)
#define BOARD_IDENTITY_CRC      (BOARD_IDENTITY_ROOT + SERIN_P256_PUBLIC_SIZE)
#define BOARD_IDENTITY_SIZE     (BOARD_IDENTITY_CRC + 4u)
_Static_assert(BOARD_IDENTITY_SIZE == 200, "the picture of identity.c");

#endif
