/*
 * Programmer errors stop the program, in release builds too: a core that goes on after a broken
 * promise is how devices are lost. On a board the trap ends in the fault handler, and that in a
 * reset with its cause on record.
 */
#ifndef SERIN_ASSERT_H
#define SERIN_ASSERT_H

#define SERIN_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
