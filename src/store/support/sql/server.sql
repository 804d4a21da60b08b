select json_build_object(
    'version', version(),
    'is_standby', pg_is_in_recovery(),
    'encoding', current_setting('server_encoding'),
    'max_connections', current_setting('max_connections'),
    'database_bytes', pg_database_size(current_database())
)
