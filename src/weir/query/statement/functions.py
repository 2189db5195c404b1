"""The functions that a query may call, by topic: one table, read by people and by the gate.

What is not here is refused. Left out on purpose: everything that reads files, settings, the
environment, catalogs or the engine's own state, runs SQL given as text, writes logs, sleeps or
keeps state between calls. A unit test holds every name against the engine's own catalogue.
"""

from typing import Final

FUNCTIONS_BY_TOPIC: Final[dict[str, frozenset[str]]] = {
    topic: frozenset(names.split())
    for topic, names in {
        "aggregates": """
            any_value approx_count_distinct approx_quantile approx_top_k arg_max arg_max_null
            arg_min arg_min_null argmax argmin array_agg avg bit_and bit_or bit_xor bool_and
            bool_or corr count count_if count_star countif covar_pop covar_samp entropy favg
            first fsum geomean group_concat histogram histogram_exact kurtosis kurtosis_pop
            last list listagg mad max max_by mean median min min_by mode product quantile
            quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2
            regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev
            stddev_pop stddev_samp string_agg sum var_pop var_samp variance weighted_avg
        """,
        "windows": """
            row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead
            first_value last_value nth_value fill
        """,
        "special_forms": """
            coalesce ifnull nullif if try grouping grouping_id unnest percentile_cont
            percentile_disc
        """,
        "conditionals": "greatest least typeof",
        "text": """
            ascii bar base64 bit_length char_length character_length chr concat concat_ws
            contains damerau_levenshtein ends_with format format_bytes from_base64 hamming hex
            instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme len
            length length_grapheme levenshtein lower lpad ltrim md5 nfc_normalize octet_length
            ord position prefix printf regexp_escape regexp_extract regexp_extract_all
            regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace
            reverse right right_grapheme rpad rtrim sha1 sha256 split split_part starts_with
            str_split str_split_regex string_split string_split_regex string_to_array
            strip_accents strlen strpos substr substring substring_grapheme suffix to_base64
            translate trim ucase unhex unicode upper url_decode url_encode encode decode
            parse_filename parse_path
        """,
        "numbers": """
            abs acos asin atan atan2 bin bit_count cbrt ceil ceiling cos cot degrees even exp
            factorial fdiv floor fmod gamma gcd hash isfinite isinf isnan lcm lgamma ln log log10
            log2 mod pi pow power radians random round round_even sign signbit sin sqrt tan
            to_base to_binary to_hex trunc xor equi_width_bins uuid gen_random_uuid
        """,
        "time": """
            age century current_date current_localtime current_localtimestamp date_add date_diff
            date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
            dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us
            era get_current_time get_current_timestamp hour isodow isoyear julian last_day
            make_date make_time make_timestamp make_timestamp_ms make_timestamptz microsecond
            millisecond minute month monthname normalized_interval now quarter second strftime
            strptime time_bucket timezone timezone_hour timezone_minute to_centuries to_days
            to_decades to_hours to_microseconds to_milliseconds to_minutes to_months to_quarters
            to_seconds to_timestamp to_weeks to_years today transaction_timestamp try_strptime
            week weekday weekofyear year yearweek
        """,
        "json": """
            array_to_json from_json from_json_strict json json_array json_array_length
            json_contains json_exists json_extract json_extract_path json_extract_path_text
            json_extract_string json_group_array json_group_object json_keys json_merge_patch
            json_object json_pretty json_quote json_structure json_transform
            json_transform_strict json_type json_valid json_value row_to_json to_json
        """,
        "lists_maps_structs": """
            apply array_append array_apply array_concat array_contains array_distinct
            array_extract array_filter
            array_has array_has_all array_has_any array_indexof array_intersect array_length
            array_position array_prepend array_reduce array_reverse array_slice array_sort
            array_to_string
            array_transform array_unique array_value array_zip cardinality element_at filter
            flatten list_aggregate list_any_value list_append list_apply list_avg list_concat
            list_contains list_count list_distinct list_element list_extract list_filter
            list_first list_has list_has_all list_has_any list_histogram list_indexof
            list_intersect list_last list_max list_median list_min list_mode list_pack
            list_position list_prepend list_product list_reduce list_reverse list_reverse_sort
            list_select list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg
            list_sum list_transform list_unique list_value list_var_pop list_var_samp list_where
            list_zip map map_concat map_contains map_entries map_extract map_extract_value
            map_from_entries map_keys map_values reduce row struct_extract struct_insert struct_keys
            struct_pack struct_values
        """,
        "series": "range generate_series",
    }.items()
}

FUNCTIONS: Final = frozenset().union(*FUNCTIONS_BY_TOPIC.values())

TABLE_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest"})
"""The functions that may stand where a table does."""

SIZED_FUNCTIONS: Final = frozenset(
    {"range", "generate_series", "repeat", "lpad", "rpad", "bar", "to_base", "format", "printf"}
)
"""Functions whose result grows with a number among their arguments."""

_NUMERIC = """
    sum avg mean min max median mad quantile quantile_cont quantile_disc approx_quantile
    reservoir_quantile percentile_cont percentile_disc stddev stddev_pop stddev_samp var_pop
    var_samp variance sem skewness kurtosis kurtosis_pop product geomean fsum favg weighted_avg
    abs ceil ceiling floor round round_even trunc sign sqrt cbrt ln log log2 log10 exp pow power
    mod fmod fdiv
"""

NUMERIC_FIRST_ARGUMENT: Final = frozenset(_NUMERIC.split())
"""Functions that read a property given as their first argument as a number."""

NUMERIC_ARGUMENTS: Final = frozenset(
    [
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "weighted_avg",
        "to_timestamp",
        "atan2",
        "gcd",
        "lcm",
    ]
)
"""Functions that read properties in every argument as numbers."""

INTEGER_FIRST_ARGUMENT: Final = frozenset(
    [
        "epoch_ms",
        "make_timestamp",
        "make_timestamp_ms",
        "make_timestamptz",
        "bit_and",
        "bit_or",
        "bit_xor",
    ]
)
"""Functions that read a property given as their first argument as a whole number."""

BOOLEAN_FIRST_ARGUMENT: Final = frozenset(["count_if", "countif", "bool_and", "bool_or"])
"""Functions that read a property given as their first argument as a boolean."""

PASSING: Final = frozenset(
    [
        "any_value",
        "first",
        "last",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "mode",
        "arg_max",
        "arg_max_null",
        "arg_min",
        "arg_min_null",
        "argmax",
        "argmin",
        "max_by",
        "min_by",
    ]
)
"""Functions whose result is one of the values given as their first argument."""

ORDERED_SECOND_ARGUMENT: Final = frozenset(
    ["arg_max", "arg_max_null", "arg_min", "arg_min_null", "argmax", "argmin", "max_by", "min_by"]
)
"""Functions that look for the greatest or the least of their second argument."""

NUMERIC_RESULT: Final = (
    (NUMERIC_FIRST_ARGUMENT - {"min", "max"})
    | (NUMERIC_ARGUMENTS - {"to_timestamp"})
    | frozenset(
        [
            "count",
            "count_star",
            "count_if",
            "countif",
            "approx_count_distinct",
            "length",
            "len",
            "strlen",
            "epoch",
            "epoch_ms",
            "epoch_us",
            "epoch_ns",
            "date_diff",
            "datediff",
            "date_part",
            "datepart",
            "row_number",
            "rank",
            "dense_rank",
            "rank_dense",
            "percent_rank",
            "cume_dist",
            "ntile",
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
        ]
    )
)
"""Functions whose result makes the other side of a comparison a number."""

OPERATORS: Final = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "^",
        "**",
        "&",
        "|",
        "<<",
        ">>",
        "~",
        "||",
        "@",
        "^@",
        "&&",
        "@>",
        "<@",
        "->",
        "->>",
        "~~",
        "!~~",
        "~~*",
        "!~~*",
        "~~~",
    ]
)
"""The signs that the engine keeps as functions."""

WRITTEN_OTHERWISE: Final = frozenset(
    ["like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape", "overlay"]
)
"""Functions that stand for syntax: ``LIKE … ESCAPE``, ``overlay(… PLACING …)``."""
