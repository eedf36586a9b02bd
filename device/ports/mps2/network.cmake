# The network of this board: controller, lwIP, randomness, credentials; and a program that tries them.
set(SERIN_LWIP_OPTIONS ${CMAKE_CURRENT_SOURCE_DIR}/lwip)
add_subdirectory(${PROJECT_SOURCE_DIR}/device/ports/lwip ${CMAKE_BINARY_DIR}/device/ports/lwip)
set(mps2_network lan9118.c network.c random.c credentials.c)
set(mps2_network_link serin::mqtt_client serin::tls_stream serin::tcp_stream serin::seed serin_image_crypto)

mps2_program(mps2-network-probe image SOURCES vectors.c network_probe.c ${mps2_network} LINK ${mps2_network_link})

# A product with all of it.
if(NOT TARGET serin_nanopb)
  set(SERIN_NANOPB_SOURCE ${SERIN_BOARD_SOURCES}/nanopb)
  add_subdirectory(${PROJECT_SOURCE_DIR}/device/ports/nanopb ${CMAKE_BINARY_DIR}/device/ports/nanopb)
endif()
mps2_program(serin-sensor image SOURCES vectors.c sensor.c ${mps2_network}
  LINK serin::agent_link ${mps2_network_link} serin::nanopb serin::device)
# The same as releases for tests: stopped at named points, and failing as they are told to.
mps2_program(serin-sensor-faulty image SOURCES vectors.c sensor.c sensor_faulty.c ${mps2_network}
  LINK serin::agent_link ${mps2_network_link} serin::nanopb serin::device)
