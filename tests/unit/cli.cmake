# The MQTT adapter, certificates, the HTTP client, and the operator's command.
serin_unit_test(mqtt SOURCES mqtt_bench.c broker.c LINK serin::mqtt)
serin_unit_test(mqtt_life SOURCES mqtt_bench.c broker.c LINK serin::mqtt)
serin_unit_test(mqtt_flood SOURCES broker.c LINK serin::mqtt)
# It drives a broker to its limit, and expects that to be its own doing alone.
set_tests_properties(unit.mqtt_flood PROPERTIES RUN_SERIAL TRUE)
serin_unit_test(mqtt_follow SOURCES mqtt_bench.c broker.c LINK serin::mqtt)
serin_unit_test(x509 SOURCES program.c LINK serin::x509)
serin_unit_test(http_client SOURCES api_server.c program.c LINK serin::http_client)
serin_unit_test(cli_args LINK serin::cli)
serin_unit_test(cli SOURCES program.c LINK serin::cli)
serin_unit_test(cli_api SOURCES api_server.c program.c LINK serin::cli)
foreach(module mqtt mqtt_life mqtt_flood mqtt_follow x509 http_client cli_args cli cli_api)
  target_compile_definitions(check_${module} PRIVATE _GNU_SOURCE)
endforeach()

# These run the program itself.
foreach(module cli cli_api)
  target_compile_definitions(check_${module} PRIVATE SERIN_PROGRAM="$<TARGET_FILE:serin>")
  add_dependencies(check_${module} serin)
endforeach()
if(SERIN_FAULT_POINTS)
  target_compile_definitions(check_cli PRIVATE SERIN_FAULT_POINTS=1)
endif()
