"""What programs that measure have in common."""

import pytest
from benchmarks.program import portable


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("/home/somebody/packed", "packed"),
        ("--data=/home/somebody/packed", "--data=packed"),
        ("runs/packed", "runs/packed"),
        ("--data=runs/packed", "--data=runs/packed"),
        ("--record", "--record"),
        ("2", "2"),
    ],
)
def test_a_record_names_no_folder_of_the_machine(argument: str, expected: str) -> None:
    assert portable(argument) == expected
