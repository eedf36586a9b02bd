# A Cortex-M3 without an operating system or a C library, for tests/lint/mcu.sh: clang compiles for it on any host.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET thumbv7m-none-eabi)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m3 -ffreestanding -ffunction-sections -isystem ${CMAKE_CURRENT_LIST_DIR}/include")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
