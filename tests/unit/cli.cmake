# The MQTT adapter, certificates, the HTTP client, and the operator's command.
serin_unit_test(mqtt SOURCES broker.c LINK serin::mqtt)
serin_unit_test(cli_args LINK serin::cli)
serin_unit_test(cli SOURCES program.c LINK serin::cli)
foreach(module mqtt cli_args cli)
  target_compile_definitions(check_${module} PRIVATE _GNU_SOURCE)
endforeach()

# These run the program itself.
foreach(module cli)
  target_compile_definitions(check_${module} PRIVATE SERIN_PROGRAM="$<TARGET_FILE:serin>")
  add_dependencies(check_${module} serin)
endforeach()
