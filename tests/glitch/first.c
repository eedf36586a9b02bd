/* What the linker places before the code under test. */
#include "glitch.h"

void glitch_first(void)
{
}
