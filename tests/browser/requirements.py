"""Which test proves which requirement: every row of S0, S1 and S3, by the id of its row.

`<file>::<test>` is below tests/; several tests prove a row together. Rows that name what stands in
the event contract are proven where the contract is tested, rows of pages in the browser.
"""

from __future__ import annotations

_B = "browser/"
_ANSWERS = f"{_B}test_answers.py::"
_LOG = f"{_B}test_log_answers.py::"
_LOGS_PAGE = f"{_B}test_logs_page.py::"
_OVERVIEW = f"{_B}test_overview.py::"
_ANALYTICS = f"{_B}test_analytics.py::"
_MODELS = f"{_B}test_model_metrics.py::"
_COST = f"{_B}test_cost.py::"
_ALERTS = f"{_B}test_alerts_page.py::"
_HABITS = f"{_B}test_habits.py::"
_FAILURES = f"{_B}test_failures.py::"
_ISOLATION = f"{_B}test_isolation.py::"

TOTALS = f"{_ANSWERS}test_a_total_is_that_of_the_events"
GROUPS = f"{_ANSWERS}test_every_group_is_that_of_the_events"
WINDOWS = f"{_ANSWERS}test_every_window_is_that_of_the_events"
EXPORTS = f"{_ANSWERS}test_an_export_has_every_group_and_exact_money"
ROWS = f"{_LOG}test_a_row_says_what_was_sent"
EVERY_CHART = f"{_MODELS}test_every_chart_is_that_of_the_events"
VIEW_BY = f"{_MODELS}test_view_by_changes_the_grouping_of_every_chart"
TABLE = f"{_ANALYTICS}test_the_table_of_models_is_that_of_the_events"
TILES = f"{_ANALYTICS}test_the_tiles_are_those_of_the_events"

PROVEN_BY: dict[str, tuple[str, ...]] = {
    "S0-1": (GROUPS, f"{_COST}test_the_price_book_is_shown"),
    "S0-2": (
        f"{_ANSWERS}test_points_before_the_watermark_are_final_and_later_ones_are_not",
        f"{_B}test_live.py::test_what_arrives_is_on_the_screen_without_a_reload",
    ),
    "S0-3": (TOTALS, EVERY_CHART),
    "S0-4": (f"{_LOG}test_pages_have_every_attempt_once_newest_first",),
    "S0-5": (TOTALS, f"{_ANALYTICS}test_usage_is_told_in_the_unit_that_bills"),
    "S0-6": (TOTALS, f"{_MODELS}test_failures_are_drawn_by_status_and_by_error_type"),
    "S0-7": (TILES, f"{_OVERVIEW}test_the_tiles_are_the_sums_of_the_events"),
    "S0-8": (WINDOWS, EVERY_CHART),
    "S0-9": (TOTALS, EVERY_CHART),
    "S0-10": (TOTALS, EVERY_CHART),
    "S0-11": (EXPORTS, f"{_COST}test_cost_is_shown_by_team_and_model"),
    "S0-12": (ROWS,),
    "S0-13": (TILES,),
    "S0-14": (GROUPS, f"{_ANALYTICS}test_usage_is_told_in_the_unit_that_bills"),
    "S0-15": (TOTALS, f"{_ANALYTICS}test_usage_is_told_in_the_unit_that_bills"),
    "S0-16": (TOTALS, f"{_ANALYTICS}test_usage_is_told_in_the_unit_that_bills"),
    "S0-17": (
        f"{_LOGS_PAGE}test_an_id_that_nobody_sent_gets_help",
        f"{_FAILURES}test_a_range_without_data_helps",
    ),
    "S1-1": (TILES, TABLE),
    "S1-2": (
        f"{_ISOLATION}test_another_workspace_is_refused",
        f"{_ISOLATION}test_workspaces_are_disjoint_and_sum_to_all",
    ),
    "S1-3": (f"{_ANALYTICS}test_a_range_is_chosen_from_presets_and_by_dates",),
    "S1-4": (f"{_ANALYTICS}test_one_or_several_models_are_chosen",),
    "S1-5": (
        f"{_ANALYTICS}test_granularity_is_chosen_and_checked_against_the_range",
        WINDOWS,
    ),
    "S1-6": (TILES,),
    "S1-7": (TILES,),
    "S1-8": (TILES,),
    "S1-9": (TILES,),
    "S1-10": (f"{_ANALYTICS}test_the_analysis_of_tokens_stacks_disjoint_kinds",),
    "S1-11": (
        f"{_OVERVIEW}test_every_figure_says_which_cost_it_is",
        f"{_COST}test_the_scope_of_cost_is_told",
        f"{_COST}test_a_bill_stands_beside_what_was_priced_for_admins_alone",
    ),
    "S1-12": (TOTALS, f"{_ANALYTICS}test_the_analysis_of_tokens_stacks_disjoint_kinds"),
    "S1-13": (f"{_B}test_oracle.py::test_images_bill_on_success_only", TOTALS),
    "S1-14": (f"{_B}test_oracle.py::test_video_bills_by_successful_seconds", TOTALS),
    "S1-15": (TOTALS, f"{_ANALYTICS}test_usage_is_told_in_the_unit_that_bills"),
    "S1-16": (TOTALS,),
    "S1-17": (TABLE, f"{_ANALYTICS}test_the_table_sorts_and_its_percentile_is_chosen"),
    "S1-18": (f"{_LOGS_PAGE}test_rows_are_the_attempts_that_were_sent",),
    "S1-19": (
        f"{_LOGS_PAGE}test_the_days_that_rows_are_kept_are_said",
        "integration/test_table_settings.py",
    ),
    "S1-20": (f"{_LOGS_PAGE}test_rows_are_the_attempts_that_were_sent",),
    "S1-21": (f"{_LOGS_PAGE}test_rows_are_filtered_by_model",),
    "S1-22": (f"{_LOGS_PAGE}test_rows_are_filtered_by_code_and_by_class",),
    "S1-23": (f"{_LOGS_PAGE}test_a_request_is_found_by_its_id",),
    "S1-24": (f"{_LOGS_PAGE}test_the_table_has_exactly_the_seven_columns",),
    "S1-25": (f"{_LOGS_PAGE}test_details_open_in_a_side_panel_as_a_list_and_as_json",),
    "S1-26": (f"{_LOGS_PAGE}test_details_open_in_a_side_panel_as_a_list_and_as_json",),
    "S1-27": (
        f"{_LOGS_PAGE}test_an_export_has_the_rows_of_the_page_and_says_its_limits",
        f"{_LOG}test_an_export_that_is_cut_says_so",
    ),
    "S1-28": (
        f"{_ALERTS}test_open_and_resolved_incidents_are_listed",
        f"{_ALERTS}test_an_incident_is_explained",
        "integration/test_delivery_over_http.py",
    ),
    "S3-1": (EVERY_CHART,),
    "S3-2": (VIEW_BY,),
    "S3-3": (EVERY_CHART, VIEW_BY),
    "S3-4": (VIEW_BY,),
    "S3-5": (VIEW_BY,),
    "S3-6": (VIEW_BY,),
    "S3-7": (VIEW_BY,),
    "S3-8": (
        f"{_MODELS}test_view_by_any_metadata_key",
        f"{_ANSWERS}test_values_and_metadata_keys_are_found_with_their_counts",
    ),
    "S3-9": (f"{_MODELS}test_the_counters_are_those_of_the_events",),
    "S3-10": (f"{_MODELS}test_the_counters_are_those_of_the_events",),
    "S3-11": (f"{_MODELS}test_the_counters_are_those_of_the_events",),
    "S3-12": (f"{_MODELS}test_the_counters_are_those_of_the_events",),
    "S3-13": (EVERY_CHART,),
    "S3-14": (EVERY_CHART,),
    "S3-15": (f"{_MODELS}test_failures_are_drawn_by_status_and_by_error_type",),
    "S3-16": (f"{_MODELS}test_failures_are_drawn_by_status_and_by_error_type",),
    "S3-17": (EVERY_CHART, f"{_MODELS}test_the_percentile_of_latencies_is_chosen"),
    "S3-18": (EVERY_CHART, f"{_MODELS}test_the_percentile_of_latencies_is_chosen"),
    "S3-19": (EVERY_CHART,),
    "S3-20": (EVERY_CHART,),
    "S3-21": (EVERY_CHART,),
    "S3-22": (EVERY_CHART,),
    "S3-23": (EVERY_CHART,),
    "S3-24": (f"{_MODELS}test_a_filter_is_made_by_hand_and_stands_as_a_tag",),
    "S3-25": (f"{_MODELS}test_a_filter_is_made_by_hand_and_stands_as_a_tag",),
    "S3-26": (f"{_HABITS}test_filters_stand_as_tags_and_go_one_by_one",),
    "S3-27": (f"{_MODELS}test_an_export_has_the_chosen_groups_and_metadata_keys",),
    "S3-28": (f"{_MODELS}test_an_export_has_the_chosen_groups_and_metadata_keys",),
    "S3-29": (f"{_MODELS}test_an_export_has_the_chosen_groups_and_metadata_keys", EXPORTS),
    "S3-30": (f"{_MODELS}test_an_export_has_the_chosen_groups_and_metadata_keys",),
    "S3-31": (f"{_ANSWERS}test_models_are_compared_in_one_table", TABLE),
    "S3-32": (
        f"{_ANSWERS}test_one_user_is_held_against_everybody",
        f"{_MODELS}test_one_user_is_drawn_against_a_baseline",
    ),
    "S3-33": (f"{_COST}test_cost_is_shown_by_team_and_model", EXPORTS),
    "S3-34": (
        f"{_ANSWERS}test_the_previous_span_stands_beside_the_answer",
        f"{_MODELS}test_a_change_of_routing_is_seen",
    ),
    "S3-35": (f"{_MODELS}test_view_by_any_metadata_key", EXPORTS),
}
"""A file alone stands for all of its tests."""
