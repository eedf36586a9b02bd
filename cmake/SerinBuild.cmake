# What every target shares: language level, warnings, sanitizers, and where results land.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Generic") # a board links to where it runs
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
# Programmer errors stop the program in release builds too, so no build type defines NDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

set(SERIN_SANITIZE "" CACHE STRING "Sanitizers for every target, such as address,undefined or thread")
option(SERIN_COVERAGE "Instrument for gcov" OFF)
option(SERIN_FUZZ "Build the libFuzzer targets (needs clang)" OFF)

add_library(serin_warnings INTERFACE)
add_library(serin::warnings ALIAS serin_warnings)
target_compile_options(serin_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wcast-qual
  -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wswitch-enum
  -Wno-error=deprecated-declarations)

add_library(serin_sanitizers INTERFACE)
add_library(serin::sanitizers ALIAS serin_sanitizers)
if(SERIN_SANITIZE)
  target_compile_options(serin_sanitizers INTERFACE
    -fsanitize=${SERIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(serin_sanitizers INTERFACE -fsanitize=${SERIN_SANITIZE})
endif()
if(SERIN_COVERAGE)
  target_compile_options(serin_sanitizers INTERFACE --coverage)
  target_link_options(serin_sanitizers INTERFACE --coverage)
endif()
if(SERIN_FUZZ)
  target_compile_options(serin_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# serin_library(<name> SOURCES ... [PUBLIC lib...] [PRIVATE lib...])
# declares the static library serin_<name>, alias serin::<name>, with <folder>/include as its public headers.
function(serin_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(serin_${name} STATIC ${ARG_SOURCES})
  add_library(serin::${name} ALIAS serin_${name})
  target_include_directories(serin_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                                           PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(serin_${name} PUBLIC ${ARG_PUBLIC}
                                      PRIVATE ${ARG_PRIVATE} serin::warnings serin::sanitizers)
  if(SERIN_FAULT_POINTS)
    target_compile_definitions(serin_${name} PRIVATE SERIN_FAULT_POINTS=1)
  endif()
endfunction()

# serin_program(<name> SOURCES ... LINK lib...) declares an executable that lands in bin/<name>.
function(serin_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} serin::warnings serin::sanitizers)
  if(SERIN_FAULT_POINTS)
    target_compile_definitions(${name} PRIVATE SERIN_FAULT_POINTS=1)
  endif()
  install(TARGETS ${name} RUNTIME)
endfunction()

# serin_unit_test(<module> LINK lib... [SOURCES extra.c...]) builds tests/unit/check_<module>.c into a Check
# program and registers it with ctest under the label "unit". Those of one area (SERIN_UNIT_AREA, set by tests/unit) are
# built by the target unit_<area>, and selected by the label unit-<area>.
function(serin_unit_test module)
  cmake_parse_arguments(ARG "" "" "LINK;SOURCES" ${ARGN})
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
  add_executable(check_${module} check_${module}.c ${ARG_SOURCES})
  target_link_libraries(check_${module} PRIVATE ${ARG_LINK} PkgConfig::CHECK serin::sanitizers)
  target_compile_definitions(check_${module} PRIVATE
    SERIN_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors/v1")
  target_compile_options(check_${module} PRIVATE -Wall -Wextra -Werror)
  add_test(NAME unit.${module} COMMAND check_${module})
  set_tests_properties(unit.${module} PROPERTIES LABELS "unit;unit-${SERIN_UNIT_AREA}" TIMEOUT 300)
  add_dependencies(unit_${SERIN_UNIT_AREA} check_${module})
endfunction()
