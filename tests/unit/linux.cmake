# serin-agent's parts: the loader of its configuration, the log and the fault points, and the port to Linux.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CYAML_OF_TESTS REQUIRED IMPORTED_TARGET libcyaml)

# The test of the loader makes schemas with the macros that the loaders use.
serin_unit_test(yaml LINK serin::yaml PkgConfig::CYAML_OF_TESTS)
target_include_directories(check_yaml PRIVATE ${PROJECT_SOURCE_DIR}/adapters/yaml/src)
