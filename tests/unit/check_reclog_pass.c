/* These tests once more, on a build that finds a record in one pass, as a bootloader does. */
#include "check_reclog.c"
