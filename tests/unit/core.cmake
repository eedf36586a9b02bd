# The core. Modules that need hashing or signatures are tried with the real adapter, never with a fake.
foreach(module error bytes crc32 id states topic version piece order_guard credit)
  serin_unit_test(${module} LINK serin::core)
endforeach()
