"""The two tiers of the tests: what ``make test`` leaves to ``make test-all``, and what may be slow.

``make test`` is for every change: units, contracts and an end-to-end test for each promise of the
README. ``make test-all`` runs everything. A key names a folder, a file or a test by the end of its
path, so that it stays true where the folders above are moved; ``tests/tidy`` says when it names
nothing any more.
"""

from collections.abc import Iterable, Mapping

SLOW_S = 5.0
"""A test of ``make test`` that takes longer stands in ``SLOW``."""

LEFT_TO_ALL = {
    "tests/end_to_end": "starts, disturbs and kills real nodes; KEPT has one test for each promise",
    "test_client_node.py::test_a_node_killed_while_clients_send_gets_every_event_once": (
        "kills a real node and starts it again"
    ),
    "test_client_node.py::test_a_program_killed_in_a_loop_loses_and_doubles_nothing": (
        "kills programs at their work"
    ),
    "test_crash.py::test_kill_at_any_time_loses_and_repeats_nothing": "kills loaders at their work",
    "test_simulation.py::test_simulation_notices_a_mistake": (
        "plays each known mistake until a history shows it; the program's own histories stay"
    ),
    "test_app.py::test_requests_leave_no_memory_behind": "thousands of requests before it can tell",
    "test_portions.py::test_expanding_frames_are_loaded_within_little_memory": (
        "two gigabytes of rows through a loader of its own"
    ),
    "test_acceleration.py::test_columns_and_json_give_the_same_answers": "an oracle at length",
    "test_random_queries.py": "fills a node of its own, and an oracle at length beside it",
}
"""Folder, file or test: why ``make test`` leaves it to ``make test-all``."""

KEPT = {
    "test_kills.py::test_the_whole_tree_killed_in_a_loop_loses_and_doubles_nothing": (
        "promised: killed as a whole, a node loses and doubles nothing"
    ),
    "test_kills.py::test_a_process_killed_in_a_loop_comes_back_and_nothing_is_lost": (
        "promised: killed in part, it comes back by itself"
    ),
    "test_kills.py::test_sigterm_under_load_resets_no_request": (
        "promised: a stop answers every request that was begun"
    ),
    "test_disk_faults.py::test_a_failed_sync_is_never_acknowledged_and_the_worker_ends": (
        "promised: a disk that failed to sync is not trusted again"
    ),
    "test_node.py::test_the_ledger_balances_over_taken_and_refused_events": (
        "promised: every accepted event has one outcome"
    ),
    "test_node.py::test_events_outlive_a_restart_and_are_not_doubled": (
        "promised: an event_id is stored once, whatever is repeated"
    ),
    "test_node.py::test_projects_do_not_see_each_other": "promised: a project sees its own",
    "test_node.py::test_a_revoked_key_is_refused_by_every_worker": "promised: a revoked key ends",
    "test_query_bombs.py::test_a_bomb_ends_within_its_limits": "promised: queries have limits",
    "test_readme.py": "the README's own start",
    "test_every_dialect.py": "every way of sending, as far as SQL",
    "test_backup.py::test_backup_under_load_restores_every_acknowledged_event_once": (
        "what the README advises where it promises nothing"
    ),
}
"""What ``make test`` runs although it is in a folder of ``LEFT_TO_ALL``, and why."""

SLOW = {
    "tests/end_to_end": "a start of a node costs four seconds of processor time",
    "test_simulation.py::test_no_history_breaks_a_promise": "plays fifty histories of faults",
    "test_rules.py::test_tree_keeps_every_rule": "parses the whole tree and holds it to every rule",
    "test_crash.py::test_crash_at_every_step_changes_nothing": "a commit for each of its steps",
    "test_meter.py::test_count_is_exact_once_all_is_read": "150 drawn histories of a journal",
    "test_compaction.py::test_small_files_become_one_while_queries_go_on": "merges and queries",
    "test_pool.py::test_many_rows_are_streamed_and_not_gathered": "streams a gigabyte",
    "test_pool.py::test_ndjson_past_its_deadline_ends_with_the_error": "two deadlines of a query",
    "test_recovery.py::test_torn_tail_is_cut_at_the_last_whole_frame": "a tail torn at every byte",
    "test_crash.py::test_copies_stay_out_when_a_later_commit_dies": "a death in each of its steps",
    "test_jsontext.py": "hundreds of drawn texts, each taken apart by an oracle too",
    "test_agreement.py": "hundreds of drawn bodies beside an oracle",
    "test_memory.py": "queries that fill a worker's memory before they fail",
    "test_confinement.py": "starts an engine without its gate for each case",
}
"""Tests of ``make test`` that take more than ``SLOW_S``, and why they are worth it."""


def is_left(node_id: str) -> bool:
    """Whether ``make test`` leaves this test to ``make test-all``."""
    return covers(LEFT_TO_ALL, node_id) and not covers(KEPT, node_id)


def without_reason(durations_s: Mapping[str, float]) -> list[tuple[float, str]]:
    """The tests above ``SLOW_S`` that stand in no table, the slowest first."""
    slow = [(taken_s, node_id) for node_id, taken_s in durations_s.items() if taken_s > SLOW_S]
    return sorted(
        (each for each in slow if not (covers(SLOW, each[1]) or covers(LEFT_TO_ALL, each[1]))),
        reverse=True,
    )


def covers(keys: Iterable[str], node_id: str) -> bool:
    """Whether one of the keys names the test, its file or a folder above it."""
    place = _place(node_id.partition("[")[0])
    return any(_place(key) in place for key in keys)


def _place(text: str) -> str:
    return f"/{text.replace('::', '/')}/"
