# serind: its files, its decisions on repairs, its shell.
serin_unit_test(serind_config LINK serin::serind_config)
target_compile_definitions(check_serind_config PRIVATE
  SERIND_YAML="${PROJECT_SOURCE_DIR}/configs/serind.yaml")
serin_unit_test(policy_yaml LINK serin::policy_yaml)
serin_unit_test(repair LINK serin::orchestrator_core)
serin_unit_test(fleet_index SOURCES ${PROJECT_SOURCE_DIR}/orchestrator/shell/fleet_index.c
                LINK serin::core)
target_include_directories(check_fleet_index PRIVATE ${PROJECT_SOURCE_DIR}/orchestrator/shell)

find_package(Threads REQUIRED)
serin_unit_test(http LINK serin::http Threads::Threads)
serin_unit_test(json LINK serin::json)
