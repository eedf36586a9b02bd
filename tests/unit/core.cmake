# The core. What needs hashing, signatures or a codec is tried with the real adapters, never with a fake.
foreach(module error bytes crc32 id states topic version piece order_guard credit nearest proof route)
  serin_unit_test(${module} LINK serin::core)
endforeach()

if(TARGET serin_wolfcrypt AND TARGET serin_protobufc)
  add_subdirectory(${PROJECT_SOURCE_DIR}/tests/vectors ${CMAKE_BINARY_DIR}/tests/vectors)
  foreach(module signed signature_area manifest trust cohort directive core_vectors)
    serin_unit_test(${module} LINK serin::vectors serin::wolfcrypt serin::protobufc)
  endforeach()
endif()

# The delta codec, as its encoder and its decoder are held against each other.
if(TARGET serin_divsufsort)
  foreach(module delta delta_walk)
    serin_unit_test(${module} SOURCES delta_images.c LINK serin::divsufsort)
  endforeach()
endif()
