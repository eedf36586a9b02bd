/* wolfSSL's own configuration would stand here; user_settings.h does instead. */
