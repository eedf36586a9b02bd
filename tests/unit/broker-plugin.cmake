# The plugin's pure core, and the adapters that came with it.
foreach(module acl acl_page guard offers options park partial pieces session supply wants)
  serin_unit_test(plugin_${module} LINK serin::plugin_core)
endforeach()
# The specification's tables are compared with the access list.
target_compile_definitions(check_plugin_acl_page PRIVATE
  SERIN_TOPICS_PAGE="${PROJECT_SOURCE_DIR}/docs/spec/topics.md")
serin_unit_test(plugin_payload SOURCES wire_values.c
  LINK serin::plugin_core serin::protobufc serin::openssl)

serin_unit_test(depot LINK serin::depot serin::openssl)
serin_unit_test(depot_part LINK serin::depot serin::openssl)
serin_unit_test(records LINK serin::records)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBCRYPTO_OF_TESTS REQUIRED IMPORTED_TARGET libcrypto)
serin_unit_test(openssl LINK serin::openssl PkgConfig::LIBCRYPTO_OF_TESTS)
foreach(module depot depot_part records)
  target_compile_definitions(check_${module} PRIVATE _DEFAULT_SOURCE)
endforeach()

target_compile_definitions(check_depot_part PRIVATE
  $<$<BOOL:${SERIN_FAULT_POINTS}>:SERIN_FAULT_POINTS=1>)

# The client side of tests/e2e/plugin.sh and plugin-site.sh.
pkg_check_modules(LIBMOSQUITTO_OF_TESTS REQUIRED IMPORTED_TARGET libmosquitto)
set(tools ${PROJECT_SOURCE_DIR}/tests/e2e/tools)
add_executable(plugin_probe ${tools}/plugin_probe.c ${tools}/plugin_payload.c ${tools}/plugin_tool.c)
add_executable(plugin_talk ${tools}/plugin_talk.c ${tools}/plugin_tool.c)
foreach(tool plugin_probe plugin_talk)
  target_compile_definitions(${tool} PRIVATE _DEFAULT_SOURCE)
  target_link_libraries(${tool} PRIVATE serin::depot serin::openssl serin::protobufc
    PkgConfig::LIBMOSQUITTO_OF_TESTS serin::warnings serin::sanitizers)
endforeach()
