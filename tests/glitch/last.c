/* What the linker places behind the code under test. */
#include "glitch.h"

void glitch_last(void)
{
}
