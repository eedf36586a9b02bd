# The MQTT adapter and the operator's command.
serin_unit_test(mqtt SOURCES broker.c LINK serin::mqtt)
target_compile_definitions(check_mqtt PRIVATE _GNU_SOURCE)
