"""Every experiment about servers is a test: where each one is.

Those about clients and workers are in ``tests/faults``.

Source:
    reliability.md section 4, experiments 38 to 56.
"""

import ast
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]

#: Functions of tests and scenarios, by file, of each experiment.
EXPERIMENTS: dict[int, dict[str, tuple[str, ...]]] = {
    38: {
        "local/test_killed.py": (
            "test_server_that_is_killed_keeps_what_it_acknowledged",
            "test_server_by_the_command_line_keeps_what_it_acknowledged",
            "test_server_that_loses_something_is_found_out",
        )
    },
    39: {
        "local/test_service_clocks.py": (
            "test_what_fell_due_while_down_happens_at_start_in_its_order",
            "test_tokens_given_before_a_restart_are_good_after_it",
        )
    },
    40: {
        "local/test_killed.py": (
            "test_history_that_is_not_the_one_acknowledged_is_found_out",
        ),
        "local/test_service_clocks.py": (
            "test_task_that_was_handed_out_is_not_handed_out_again",
        ),
    },
    41: {
        "local/test_server_polls.py": (
            "test_a_poll_whose_caller_goes_is_forgotten",
            "test_a_task_goes_to_a_caller_who_is_there",
        )
    },
    42: {
        "local/test_service.py": (
            "test_task_that_went_to_nobody_is_counted_and_times_out",
        ),
        "local/test_server_polls.py": (
            "test_a_task_whose_answer_nobody_read_times_out_and_is_given_again",
        ),
    },
    43: {
        "local/test_server_polls.py": ("test_10000_tasks_are_handed_out_once_each",),
        "local/engine/test_engine.py": ("test_priorities_come_before_times",),
    },
    44: {
        "local/test_storage_damage.py": (
            "test_truncated_file_is_refused",
            "test_file_with_a_spoiled_kilobyte_is_refused_or_answers_as_before",
        )
    },
    45: {
        "local/test_service_failing.py": (
            "test_full_disk_refuses_writes_and_loses_nothing",
        )
    },
    46: {
        "local/test_storage_files.py": (
            "test_second_process_is_refused_until_the_first_has_ended",
            "test_of_many_that_make_a_file_at_once_one_gets_it",
        )
    },
    47: {"local/test_storage_files.py": ("test_commits_survive_a_power_cut",)},
    48: {
        "local/test_storage_files.py": (
            "test_unknown_format_is_refused_by_both_numbers",
            "test_other_tables_are_refused",
        )
    },
    49: {
        "local/test_service_clocks.py": (
            "test_wall_clock_that_went_back_stops_no_clock_and_turns_none_back",
        )
    },
    50: {
        "local/test_server_polls.py": (
            "test_1000_polls_are_held_first_come_first_served_and_no_more",
        )
    },
    51: {
        "conformance/scenarios/limits.py": ("a_run_has_so_many_activities_and_timers",),
        "local/test_server_hostile.py": (
            "test_a_request_of_1_mb_is_read_and_one_byte_more_is_not",
        ),
    },
    52: {
        "local/test___main__.py": (
            "test_polls_are_answered_empty_and_it_exits_at_once",
            "test_what_was_acknowledged_before_the_end_is_there_after_it",
        )
    },
    53: {
        "conformance/scenarios/limits.py": ("a_history_that_is_too_long_ends_its_run",)
    },
    54: {
        "local/engine/test_engine.py": (
            "test_close_that_is_not_last_applies_nothing_and_leaves_the_token_good",
        )
    },
    55: {
        "local/engine/test_engine.py": (
            "test_complete_with_unseen_signal_is_unhandled_decision",
        )
    },
    56: {
        "local/test_simulation.py": (
            "test_all_is_well_after_the_storm",
            "test_server_that_loses_something_is_found_out",
        )
    },
}


def test_every_experiment_is_told_of() -> None:
    assert EXPERIMENTS.keys() == {*range(38, 57)}


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_every_experiment_is_a_test(number: int) -> None:
    for file, names in EXPERIMENTS[number].items():
        tree = ast.parse((_TESTS / file).read_text("utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        there = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
        assert there.issuperset(names)
