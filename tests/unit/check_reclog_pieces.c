/* The tests of the log once more, on a build that reads its records in pieces, as boards do. */
#include "check_reclog.c"
