# serind: its files, its decisions on repairs, its shell.
serin_unit_test(serind_config LINK serin::serind_config)
target_compile_definitions(check_serind_config PRIVATE
  SERIND_YAML="${PROJECT_SOURCE_DIR}/configs/serind.yaml")
serin_unit_test(policy_yaml LINK serin::policy_yaml)
target_compile_definitions(check_policy_yaml PRIVATE
  POLICY_YAML="${PROJECT_SOURCE_DIR}/configs/policy.yaml"
  POLICY_MD="${PROJECT_SOURCE_DIR}/docs/spec/policy.md")
serin_unit_test(policy_keys LINK serin::policy_yaml)
serin_unit_test(repair LINK serin::orchestrator_core)
serin_unit_test(fleet_index SOURCES ${PROJECT_SOURCE_DIR}/orchestrator/shell/fleet_index.c
                LINK serin::orchestrator_core)
target_include_directories(check_fleet_index PRIVATE ${PROJECT_SOURCE_DIR}/orchestrator/shell)

find_package(Threads REQUIRED)
serin_unit_test(http LINK serin::http Threads::Threads)
serin_unit_test(patches SOURCES delta_images.c LINK serin::patches serin::divsufsort serin::openssl)
target_compile_definitions(check_patches PRIVATE _GNU_SOURCE)
serin_unit_test(json LINK serin::json)

# serind's shell without its clients, its API and its loop's descriptors: tests/unit/serind_bench.c is the client.
set(shell ${PROJECT_SOURCE_DIR}/orchestrator/shell)
set(shell_sources)
foreach(name alarms attempts audit audit_begin batches beats clock command create enrol fleet fleet_index intake items learn lookups outbox pass
    policy_text publisher recall releases retry revert rollout_alarms rollouts site_alarms sites strata tend text trusts)
  list(APPEND shell_sources ${shell}/${name}.c)
endforeach()
find_package(PkgConfig REQUIRED)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
# One library, so that the shell is compiled once for all of its checks.
add_library(serin_serind_bench STATIC serind_bench.c site_bench.c test_keys.c ${shell_sources})
target_include_directories(serin_serind_bench PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/orchestrator
  ${PROJECT_SOURCE_DIR}/adapters/paho/include ${PROJECT_SOURCE_DIR}/adapters/http/include)
target_link_libraries(serin_serind_bench
  PUBLIC serin::orchestrator_core serin::host serin::depot serin::fault serin::json serin::keys serin::lmdb_store serin::log
    serin::policy_yaml serin::protobufc serin::serind_config serin::wolfcrypt serin::yaml serin::zlib
  PRIVATE serin::sanitizers PkgConfig::CHECK)
target_compile_options(serin_serind_bench PRIVATE -Wall -Wextra -Werror)
foreach(check engine_shell serind_acks serind_audit serind_batches serind_fleet serind_retry serind_revert serind_sites
    serind_stolen)
  serin_unit_test(${check} LINK serin_serind_bench)
endforeach()
serin_unit_test(serind_clock LINK serin_serind_bench serin::gateway_core)
