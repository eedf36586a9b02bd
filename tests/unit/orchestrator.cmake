# The orchestrator's core and its store.
serin_unit_test(engine SOURCES engine_bench.c LINK serin::orchestrator_core)
serin_unit_test(engine_fleet SOURCES engine_bench.c LINK serin::orchestrator_core)
serin_unit_test(ledger LINK serin::orchestrator_core)
serin_unit_test(policy LINK serin::orchestrator_core)
if(TARGET serin_lmdb_store)
  # Its records are tried through its private header: the port shows values only.
  serin_unit_test(store_record SOURCES store_samples.c LINK serin::lmdb_store)
  target_include_directories(check_store_record PRIVATE ${PROJECT_SOURCE_DIR}/adapters/lmdb/src)
  serin_unit_test(lmdb_store SOURCES store_samples.c LINK serin::lmdb_store)
  if(SERIN_FAULT_POINTS)
    target_compile_definitions(check_lmdb_store PRIVATE SERIN_FAULT_POINTS=1)
  endif()
endif()
