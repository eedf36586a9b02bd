/* Where the factory put Serin's regions (layout.c). */
#ifndef MPS2_LAYOUT_H
#define MPS2_LAYOUT_H

#include <serin/device/flash.h>

extern const struct serin_layout board_layout;

#endif
