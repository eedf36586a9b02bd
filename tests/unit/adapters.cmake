# Third parties behind their ports: crypto, codecs, key files.
serin_unit_test(wolfcrypt LINK serin::wolfcrypt)
serin_unit_test(codec SOURCES wire_values.c LINK serin::protobufc serin::nanopb)
serin_unit_test(codec_bounds SOURCES wire_values.c LINK serin::protobufc serin::nanopb serin::proto_c)
serin_unit_test(site_codec SOURCES site_values.c LINK serin::protobufc)
serin_unit_test(site_bounds SOURCES site_values.c LINK serin::protobufc serin::proto_c)
serin_unit_test(site_vectors SOURCES site_values.c LINK serin::protobufc serin::zlib)
serin_unit_test(zlib LINK serin::zlib)
serin_unit_test(keys LINK serin::keys serin::wolfcrypt)
serin_unit_test(wire_vectors SOURCES wire_values.c LINK serin::protobufc serin::nanopb serin::wolfcrypt)
add_test(NAME unit.wire_text
         COMMAND ${PROJECT_SOURCE_DIR}/tests/vectors/wire_text.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(unit.wire_text PROPERTIES LABELS unit TIMEOUT 120)
