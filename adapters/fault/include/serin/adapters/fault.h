/*
 * Fault points: named places where a test can kill the process (SIGKILL, as a power cut would).
 *
 * SERIN_FAULT="agent.piece.journaled:37,serind.commit.before:1" kills at the 37th and at the first
 * passage. Compiled in by the CMake option SERIN_FAULT_POINTS (presets dev, asan, tsan); in a
 * release build the macro is nothing. docs/testing.md lists the points.
 */
#ifndef SERIN_ADAPTERS_FAULT_H
#define SERIN_ADAPTERS_FAULT_H

#ifdef SERIN_FAULT_POINTS
void serin_fault_point(const char *name);
#define SERIN_FAULT_POINT(name) serin_fault_point(name)
#else
#define SERIN_FAULT_POINT(name) ((void)0)
#endif

#endif
