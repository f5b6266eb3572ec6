from tests.benchmarks.row import Row, alternate


def test_ratio_is_taken_of_pairs() -> None:
    """A load that slows one repetition of both sides does not move it."""
    row = Row('x', seconds=[1, 10, 1], baseline=[3, 30, 2], at_least=3)
    assert row.ratio == 3
    assert row.met
    assert str(row) == '| x | 1 s | 1 to 10 | 3 s | 3.00 | >= 3x | yes |'


def test_targets() -> None:
    assert Row('x', seconds=[2, 2], at_most=1).met is False
    assert Row('x', seconds=[2, 2], baseline=[2, 2], at_most=1.3, relative=True).met
    assert Row('x', note='needs a GPU').met is None
    assert '| 2 GiB |' in str(Row('x', seconds=[2], unit='GiB'))


def test_alternate_does_not_count_the_first_call() -> None:
    calls: list[str] = []
    seconds = alternate([lambda: calls.append('a'), lambda: calls.append('b')], 2)
    assert ''.join(calls) == 'ababab'
    assert [len(times) for times in seconds] == [2, 2]
