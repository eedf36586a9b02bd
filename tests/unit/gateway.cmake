# serin-gateway: its configuration, its pure core, its store and its shell.
serin_unit_test(gateway_config LINK serin::gateway_config)
target_compile_definitions(check_gateway_config PRIVATE
  GATEWAY_YAML="${PROJECT_SOURCE_DIR}/configs/gateway.yaml")

foreach(module uplink evict)
  serin_unit_test(gateway_${module} LINK serin::gateway_core)
endforeach()
