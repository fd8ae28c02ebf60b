"""The script that compares this project with other tools runs, and tells a kernel from twice its work."""

from bench.tests import proof


def test_every_tool_answers_in_turn_and_has_a_row():
    answers = proof.measure(1, 1, ratios=(2.0,), told=lambda *_, **__: None)
    assert [tool for tool, _ in answers] == list(proof.TOOLS)
    for (answer,) in answers.values():
        assert answer.ratio > 1  # on a busy machine it is anything
        assert answer.seconds > 0
    assert [answer.differs for (answer,) in answers.values()] == [False, True, True]  # one process has no interval
    rows = proof.table(answers).splitlines()
    assert rows[0].startswith("| tool | true ratio | called different |")
    assert rows[2].startswith("| this project | 2 | 0 of 1 |  |")
