# Bundles and seals, with real keys and the real codec.
if(TARGET serin_keys AND TARGET serin_protobufc)
  serin_unit_test(bundle SOURCES test_keys.c LINK serin::host serin::keys serin::wolfcrypt)
  serin_unit_test(seal SOURCES test_keys.c wire_values.c
                  LINK serin::host serin::keys serin::wolfcrypt serin::protobufc)
endif()

# The chain of the audit log.
if(TARGET serin_wolfcrypt)
  serin_unit_test(audit_chain LINK serin::host serin::wolfcrypt)
endif()
