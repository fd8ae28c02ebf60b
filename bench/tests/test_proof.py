"""The script that compares this project with other tools runs. What it finds is no test: the machine is shared."""

from bench.tests import proof


def test_every_tool_answers_in_turn_and_has_a_row():
    answers = proof.measure(1, 1, ratios=(2.0,), told=lambda *_, **__: None)
    assert [tool for tool, _ in answers] == list(proof.TOOLS)
    for (answer,) in answers.values():
        assert answer.ratio > 0
        assert answer.seconds > 0
    assert not answers["this project", 2.0][0].differs  # one process has no interval
    rows = proof.table(answers).splitlines()
    assert rows[0].startswith("| tool | true ratio | called different |")
    assert rows[2].startswith("| this project | 2 | 0 of 1 |  |")
