# Third parties behind their ports: crypto, codecs, key files.
serin_unit_test(wolfcrypt LINK serin::wolfcrypt)
serin_unit_test(codec SOURCES wire_values.c LINK serin::protobufc)
serin_unit_test(codec_bounds SOURCES wire_values.c LINK serin::protobufc serin::proto_c)
serin_unit_test(keys LINK serin::keys serin::wolfcrypt)
