# The orchestrator's core and its store.
serin_unit_test(engine SOURCES engine_bench.c LINK serin::orchestrator_core)
serin_unit_test(engine_fleet SOURCES engine_bench.c LINK serin::orchestrator_core)
serin_unit_test(ledger LINK serin::orchestrator_core)
serin_unit_test(policy LINK serin::orchestrator_core)
