# The fleet simulator: scenarios, their file, and what runs them.
serin_unit_test(sim_scenario LINK serin::sim_scenario)
serin_unit_test(scenario_yaml LINK serin::scenario_yaml serin::yaml)
target_compile_definitions(check_scenario_yaml PRIVATE
  SCENARIO_YAML="${PROJECT_SOURCE_DIR}/configs/scenario.yaml"
  SCENARIO_MD="${PROJECT_SOURCE_DIR}/docs/spec/scenario.md")
serin_unit_test(cli_simulate SOURCES program.c LINK serin::cli)
target_compile_definitions(check_cli_simulate PRIVATE _GNU_SOURCE SERIN_PROGRAM="$<TARGET_FILE:serin>"
  SIMULATION_MD="${PROJECT_SOURCE_DIR}/docs/spec/simulation.md")
add_dependencies(check_cli_simulate serin)
# The world, tried through its private headers: its parts against plain or real ones, and devices in runs.
foreach(private sim_queue sim_flash sim_memo sim_words)
  serin_unit_test(${private}
    LINK serin::sim serin::device serin::flash_emulator serin::keys serin::wolfcrypt serin::protobufc)
  target_include_directories(check_${private} PRIVATE ${PROJECT_SOURCE_DIR}/sim/src)
endforeach()
serin_unit_test(sim_node SOURCES sim_bench.c LINK serin::sim serin::fleet_records serin::keys serin::wolfcrypt serin::protobufc)
# Server, gateways and judges, and whole runs; some are tried through the private headers.
set(sim_bench_link serin::sim serin::fleet_records serin::keys serin::wolfcrypt serin::protobufc)
serin_unit_test(sim_run SOURCES sim_bench.c LINK ${sim_bench_link})
serin_unit_test(sim_truth SOURCES sim_bench.c LINK ${sim_bench_link})
serin_unit_test(sim_back SOURCES sim_bench.c LINK ${sim_bench_link})
serin_unit_test(sim_gateway SOURCES sim_bench.c LINK ${sim_bench_link})
set(sim_server_with sim_bench.c)
set(sim_invariants_with sim_judged.c)
set(sim_pace_with sim_judged.c)
foreach(private sim_server sim_invariants sim_pace)
  serin_unit_test(${private} SOURCES ${${private}_with}
    LINK ${sim_bench_link} serin::device serin::gateway_core serin::flash_emulator)
  target_include_directories(check_${private} PRIVATE ${PROJECT_SOURCE_DIR}/sim/src)
endforeach()
target_compile_definitions(check_sim_invariants PRIVATE SIMULATION_MD="${PROJECT_SOURCE_DIR}/docs/spec/simulation.md")
