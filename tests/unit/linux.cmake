# serin-agent's parts: the loader of its configuration, the log and the fault points, and the port
# to Linux.
if(NOT TARGET serin_device_linux)
  return() # the adapters are not configured
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(CYAML_OF_TESTS REQUIRED IMPORTED_TARGET libcyaml)

# The test of the loader makes schemas with the macros that the loaders use.
serin_unit_test(yaml LINK serin::yaml PkgConfig::CYAML_OF_TESTS)
target_include_directories(check_yaml PRIVATE ${PROJECT_SOURCE_DIR}/adapters/yaml/src)
serin_unit_test(agent_config LINK serin::agent_config serin::yaml)
target_compile_definitions(check_agent_config PRIVATE
  AGENT_YAML="${PROJECT_SOURCE_DIR}/configs/agent.yaml")

find_package(Threads REQUIRED)
serin_unit_test(log_fault LINK serin::log serin::fault Threads::Threads)
serin_unit_test(file_flash LINK serin::device_linux serin::log)
serin_unit_test(supervisor LINK serin::device_linux)
serin_unit_test(control LINK serin::device_linux Threads::Threads)
serin_unit_test(launcher LINK serin::device_linux serin::wolfcrypt serin::log)
target_compile_definitions(check_launcher PRIVATE APPS="${CMAKE_BINARY_DIR}/bin/apps")
add_dependencies(check_launcher app_v3)

# The program as a whole, with the applications of tests/apps and a real broker. It takes a minute:
# most of it is devices that wait for their windows to end. Apart: what goes from a boot to the next.
foreach(test serin_agent serin_agent_boots)
  serin_unit_test(${test}
    SOURCES agent_bench.c broker.c test_keys.c
    LINK serin::device serin::host serin::keys serin::wolfcrypt serin::protobufc serin::mqtt)
  target_compile_definitions(check_${test} PRIVATE
    _GNU_SOURCE APPS="${CMAKE_BINARY_DIR}/bin/apps" AGENT="$<TARGET_FILE:serin-agent>")
  add_dependencies(check_${test} serin-agent app_v1 app_v2 app_v3 app_v4 app_v5 app_v6 app_v7)
  set_tests_properties(unit.${test} PROPERTIES TIMEOUT 400 COST 200)
endforeach()
if(SERIN_FAULT_POINTS)
  target_compile_definitions(check_serin_agent PRIVATE SERIN_FAULT_POINTS=1)
endif()

# TLS for boards, on the host's wolfSSL.
pkg_check_modules(WOLFSSL REQUIRED IMPORTED_TARGET wolfssl)
serin_unit_test(tls_stream SOURCES program.c LINK serin::tls_stream serin::x509 PkgConfig::WOLFSSL)
target_compile_definitions(check_tls_stream PRIVATE _GNU_SOURCE)
