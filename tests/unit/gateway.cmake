# serin-gateway: its configuration, its pure core, its store and its shell.
serin_unit_test(gateway_config LINK serin::gateway_config)
target_compile_definitions(check_gateway_config PRIVATE
  GATEWAY_YAML="${PROJECT_SOURCE_DIR}/configs/gateway.yaml")

foreach(module uplink evict)
  serin_unit_test(gateway_${module} LINK serin::gateway_core)
endforeach()
serin_unit_test(gateway_fill SOURCES fill_bench.c LINK serin::gateway_core serin::openssl)

foreach(module hold relay relay_rides relay_storm sent)
  serin_unit_test(gateway_${module} LINK serin::gateway_core)
endforeach()

# The store's records are tried through their private header: the port shows values only.
serin_unit_test(gateway_store LINK serin::gateway_store serin::lmdb_store)
target_include_directories(check_gateway_store PRIVATE ${PROJECT_SOURCE_DIR}/adapters/lmdb/src)
if(SERIN_FAULT_POINTS)
  target_compile_definitions(check_gateway_store PRIVATE SERIN_FAULT_POINTS=1)
endif()

# The shell's orders on the real store, without its connections: the test is the broker.
set(gateway_shell ${PROJECT_SOURCE_DIR}/gateway/shell)
serin_unit_test(gateway_orders
  SOURCES
    program.c
    test_keys.c
    ${gateway_shell}/orders.c
    ${gateway_shell}/orders_held.c
    ${gateway_shell}/orders_show.c
    ${gateway_shell}/orders_open.c
  LINK serin::fault serin::gateway_store serin::host serin::keys serin::log serin::protobufc
    serin::wolfcrypt)
target_compile_definitions(check_gateway_orders PRIVATE _GNU_SOURCE)
target_include_directories(check_gateway_orders PRIVATE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/adapters/control/include ${PROJECT_SOURCE_DIR}/adapters/paho/include
  ${PROJECT_SOURCE_DIR}/adapters/yaml/include)
if(SERIN_FAULT_POINTS)
  target_compile_definitions(check_gateway_orders PRIVATE SERIN_FAULT_POINTS=1)
endif()

# The shell's words on the real store and codecs, between links that only remember.
file(GLOB gateway_words_sources CONFIGURE_DEPENDS ${gateway_shell}/words*.c)
foreach(check gateway_words gateway_words_acks)
  serin_unit_test(${check}
    SOURCES words_bench.c ${gateway_words_sources}
    LINK serin::fault serin::gateway_core serin::gateway_store serin::log serin::protobufc
      serin::zlib)
  target_include_directories(check_${check} PRIVATE ${PROJECT_SOURCE_DIR}/gateway
    ${PROJECT_SOURCE_DIR}/adapters/control/include ${PROJECT_SOURCE_DIR}/adapters/paho/include
    ${PROJECT_SOURCE_DIR}/adapters/yaml/include)
  if(SERIN_FAULT_POINTS)
    target_compile_definitions(check_${check} PRIVATE SERIN_FAULT_POINTS=1)
  endif()
endforeach()

# The shell's bytes on a real depot, without its connections: the test is both brokers.
serin_unit_test(gateway_bytes
  SOURCES
    gateway_bench.c
    program.c
    test_keys.c
    ${gateway_shell}/bytes.c
    ${gateway_shell}/bytes_depot.c
    ${gateway_shell}/bytes_object.c
    ${gateway_shell}/bytes_offer.c
    ${gateway_shell}/bytes_scrub.c
  LINK serin::depot serin::fault serin::gateway_core serin::host serin::keys serin::log
    serin::protobufc serin::wolfcrypt)
target_compile_definitions(check_gateway_bytes PRIVATE _GNU_SOURCE)
target_include_directories(check_gateway_bytes PRIVATE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/adapters/control/include ${PROJECT_SOURCE_DIR}/adapters/paho/include
  ${PROJECT_SOURCE_DIR}/adapters/yaml/include)
if(SERIN_FAULT_POINTS)
  target_compile_definitions(check_gateway_bytes PRIVATE SERIN_FAULT_POINTS=1)
endif()

# The program itself, between two real brokers.
if(TARGET serin-gateway)
  serin_unit_test(gateway_cli SOURCES broker.c program.c test_keys.c
    LINK serin::host serin::json serin::keys serin::mqtt serin::protobufc serin::wolfcrypt
      serin::x509)
  target_compile_definitions(check_gateway_cli PRIVATE
    _GNU_SOURCE GATEWAY="$<TARGET_FILE:serin-gateway>")
  add_dependencies(check_gateway_cli serin-gateway)
  if(SERIN_FAULT_POINTS)
    target_compile_definitions(check_gateway_cli PRIVATE SERIN_FAULT_POINTS=1)
  endif()
endif()
