# The device: flash, logs, boot and agent, on the flash emulator, with real crypto and the real codec.
# The tests look into device/src where the contract has no window: tables, journal, records.
add_library(serin_device_bench STATIC device_bench.c device_release.c test_keys.c)
target_link_libraries(serin_device_bench PUBLIC serin::device serin::flash_emulator serin::host
                      serin::keys serin::wolfcrypt serin::protobufc serin::sanitizers)
target_include_directories(serin_device_bench PUBLIC ${PROJECT_SOURCE_DIR}/device/src
                           ${CMAKE_CURRENT_SOURCE_DIR})
find_package(PkgConfig REQUIRED)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
target_link_libraries(serin_device_bench PUBLIC PkgConfig::CHECK)
target_compile_options(serin_device_bench PRIVATE -Wall -Wextra -Werror)

foreach(module flash_layout flash_emulator flash_faults flash_shared flash_snapshots flash_torn reclog boot boot_copies boot_ports boot_recovery boot_torn journal agent_table agent_life agent_end
               agent_orders agent_refuse agent_slots agent_report)
  serin_unit_test(${module} LINK serin_device_bench)
endforeach()

# The log as boards have it: hosts read a record in one piece.
serin_unit_test(reclog_pieces LINK serin_device_bench
                SOURCES ${PROJECT_SOURCE_DIR}/device/src/reclog.c ${PROJECT_SOURCE_DIR}/device/src/flash_io.c)
target_compile_definitions(check_reclog_pieces PRIVATE SERIN_FLASH_PIECE=48u)

# And as a small bootloader has it, which looks for the newest record in one way alone.
foreach(module reclog_pass boot_torn_pass)
  serin_unit_test(${module} LINK serin_device_bench SOURCES ${PROJECT_SOURCE_DIR}/device/src/reclog.c)
  target_compile_definitions(check_${module} PRIVATE SERIN_RECLOG_HEADS=0u)
endforeach()

# Ports, servers and flash that do what they may and what they should not.
foreach(module boot_odd boot_glance boot_budget reclog_alone reclog_heads agent_odd agent_ports agent_fetch agent_large agent_rooms agent_suspect agent_flash
        agent_capacity agent_worn agent_glance agent_dark agent_broken agent_wear agent_directors agent_offers)
  serin_unit_test(${module} LINK serin_device_bench)
endforeach()

# The agent as the smallest class of boards has it: tests/board/budget.py weighs it.
get_target_property(device_sources serin_device SOURCES)
list(TRANSFORM device_sources PREPEND ${PROJECT_SOURCE_DIR}/device/)
serin_unit_test(agent_small LINK serin_device_bench SOURCES ${device_sources})
target_compile_definitions(check_agent_small PRIVATE SERIN_AGENT_QUIET SERIN_AGENT_NO_PEEK SERIN_AGENT_NO_COPY
  SERIN_FLASH_UNIT=8u SERIN_FLASH_SECTOR=1024u SERIN_RECLOG_HEADS=0u)

# The watchdog: the work between two feeds.
serin_unit_test(agent_work LINK serin_device_bench)

# A flash port, tried: for who writes a driver, and for the factory.
serin_unit_test(flash_probe LINK serin::flash_emulator)

# A patch, applied in flash: made by the encoder of the host.
if(TARGET serin_divsufsort)
  serin_unit_test(patching SOURCES delta_images.c LINK serin_device_bench serin::divsufsort)
endif()

# Randomness for boards without a generator.
serin_unit_test(seed LINK serin::seed serin::flash_emulator serin::wolfcrypt)

# The example of docs/porting.md: a whole port.
serin_unit_test(example_board LINK serin::example_board serin::nanopb serin_device_bench)
add_test(NAME unit.flash_layout_program_small COMMAND flash-layout 16384 2048 8)
add_test(NAME unit.flash_layout_program_use COMMAND flash-layout)
set_tests_properties(unit.flash_layout_program_small PROPERTIES LABELS unit PASS_REGULAR_EXPRESSION "too small for two slots")
set_tests_properties(unit.flash_layout_program_use PROPERTIES LABELS unit PASS_REGULAR_EXPRESSION "usage: flash-layout SIZE")

# The example of docs/emulator.md: storage code of somebody else's survives every fault that there is.
foreach(part "1" "8" "8;ecc" "512")
  string(REPLACE ";" "_" name "${part}")
  add_test(NAME unit.flash_emulator_example_${name} COMMAND flash-emulator-example ${part})
  set_tests_properties(unit.flash_emulator_example_${name} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()

serin_unit_test(flash_vectors LINK serin::flash_vectors serin::wolfcrypt)

# A board's MQTT client, on a stream that the test plays, and on a real broker.
add_library(serin_mqtt_play STATIC mqtt_play.c)
target_link_libraries(serin_mqtt_play PUBLIC serin::mqtt_client PkgConfig::CHECK serin::sanitizers)
target_include_directories(serin_mqtt_play PUBLIC ${PROJECT_SOURCE_DIR}/device/ports/mqtt/src
                           ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(serin_mqtt_play PRIVATE -Wall -Wextra -Werror)
serin_unit_test(mqtt_client LINK serin_mqtt_play)
serin_unit_test(mqtt_client_time LINK serin_mqtt_play)
serin_unit_test(mqtt_client_broker SOURCES tcp_stream.c broker.c LINK serin::mqtt_client)
target_compile_definitions(check_mqtt_client_broker PRIVATE _GNU_SOURCE)
serin_unit_test(agent_link SOURCES tcp_stream.c broker.c LINK serin::agent_link serin::nanopb serin_device_bench)
target_compile_definitions(check_agent_link PRIVATE _GNU_SOURCE)
serin_unit_test(agent_link_odd LINK serin::agent_link serin::nanopb serin_mqtt_play serin_device_bench)
target_compile_definitions(check_agent_link_odd PRIVATE _GNU_SOURCE)
