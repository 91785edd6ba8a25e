package snowflakelab

import (
	"maps"
	"slices"
)

// defaults are the session parameters that a login answers with, as far as drivers read them:
// the JDBC driver takes some for Booleans without asking whether they are there. Results come
// as JSON, since the lab makes no Arrow.
// https://docs.snowflake.com/en/sql-reference/parameters
// https://github.com/snowflakedb/snowflake-jdbc/blob/master/src/main/java/net/snowflake/client/core/SessionUtil.java
func defaults() map[string]any {
	return map[string]any{
		"AUTOCOMMIT": true, "TIMEZONE": "America/Los_Angeles", "QUERY_TAG": "", "MULTI_STATEMENT_COUNT": 1, "QUERY_CONTEXT_CACHE_SIZE": 5,
		"DATE_OUTPUT_FORMAT": "YYYY-MM-DD", "TIME_OUTPUT_FORMAT": "HH24:MI:SS", "BINARY_OUTPUT_FORMAT": "HEX",
		"TIMESTAMP_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM", "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3",
		"TIMESTAMP_LTZ_OUTPUT_FORMAT": "", "TIMESTAMP_TZ_OUTPUT_FORMAT": "", "TIMESTAMP_DAY_IS_ALWAYS_24H": false,
		"CLIENT_DISABLE_INCIDENTS": true, "CLIENT_ENABLE_LOG_INFO_STATEMENT_PARAMETERS": false, "CLIENT_FORCE_PROTECT_ID_TOKEN": true,
		"CLIENT_HONOR_CLIENT_TZ_FOR_TIMESTAMP_NTZ": true, "CLIENT_MEMORY_LIMIT": 1536, "CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX": false,
		"CLIENT_METADATA_USE_SESSION_DATABASE": false, "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": false, "CLIENT_PREFETCH_THREADS": 4,
		"CLIENT_RESULT_CHUNK_SIZE": 160, "CLIENT_RESULT_COLUMN_CASE_INSENSITIVE": false, "CLIENT_RESULT_PREFETCH_SLOTS": 2, "CLIENT_RESULT_PREFETCH_THREADS": 1,
		"CLIENT_SESSION_CLONE": false, "CLIENT_SESSION_KEEP_ALIVE": false, "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": 3600,
		"CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 65280, "CLIENT_STORE_TEMPORARY_CREDENTIAL": false, "CLIENT_TELEMETRY_ENABLED": false,
		"CLIENT_TELEMETRY_SESSIONLESS_ENABLED": false, "CLIENT_TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_LTZ", "CLIENT_USE_V1_QUERY_API": true,
		"CLIENT_VALIDATE_DEFAULT_PARAMETERS": false, "ENABLE_STAGE_S3_PRIVATELINK_FOR_US_EAST_1": false, "SERVICE_NAME": "",
		"JDBC_ENABLE_COMBINED_DESCRIBE": false, "JDBC_ENABLE_PUT_GET": true, "JDBC_EXECUTE_RETURN_COUNT_FOR_DML": false, "JDBC_FORMAT_DATE_WITH_TIMEZONE": true,
		"JDBC_RS_COLUMN_CASE_INSENSITIVE": false, "JDBC_TREAT_DECIMAL_AS_INT": true, "JDBC_TREAT_TIMESTAMP_NTZ_AS_UTC": false,
		"JDBC_USE_JSON_PARSER": true, "JDBC_USE_SESSION_TIMEZONE": true, "JS_TREAT_INTEGER_AS_BIGINT": false,
		"GO_QUERY_RESULT_FORMAT": "JSON", "JDBC_QUERY_RESULT_FORMAT": "JSON", "ODBC_QUERY_RESULT_FORMAT": "JSON", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON",
	}
}

// listed gives parameters as answers have them.
func listed(parameters map[string]any) []map[string]any {
	var list []map[string]any
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		list = append(list, map[string]any{"name": name, "value": parameters[name]})
	}
	return list
}
