# Third parties behind their ports: crypto, codecs, key files.
serin_unit_test(wolfcrypt LINK serin::wolfcrypt)
