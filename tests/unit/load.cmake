# The load tool's parts (tests/load): its flash, its queue, its figures and its command line.
if(NOT TARGET serin_load)
  return() # the adapters are not configured
endif()
serin_unit_test(load_flash LINK serin::load)
serin_unit_test(load_queue LINK serin::load)
serin_unit_test(load_options LINK serin::load)
