# Debian's gcc-arm-none-eabi, for boards without an operating system: preset `mcu`. Which processor it is, is the board's to say.
set(SERIN_BOARD_CPU cortex-m3 CACHE STRING "The board's processor, as -mcpu takes it")
find_program(SERIN_ARM_GCC arm-none-eabi-gcc NO_CMAKE_FIND_ROOT_PATH)
if(NOT SERIN_ARM_GCC)
  message(FATAL_ERROR "The board's compiler, arm-none-eabi-gcc, is not in the PATH. On Debian: "
    "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi. With another one: cmake --preset mcu --toolchain FILE.")
endif()
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=${SERIN_BOARD_CPU} -mthumb -ffunction-sections -fdata-sections")
set(CMAKE_C_FLAGS_MINSIZEREL "-Os -g")
# The linker sees all of a program at once: what one board never needs of a general function goes.
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
# A test program of CMake's own would need a linker script.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
