import pytest

from daefr_arch.comparison.method import Method, describe_network, load_method_network, parse_methods
from daefr_arch.errors import UsageError


def test_parses_names_files_and_folders(tmp_path, tiny_model):
    methods = parse_methods(['lite=daefr-lite', f'tiny={tiny_model}', f'GPEN-512={tmp_path}'])
    assert methods == [
        Method('lite', 'daefr-lite'),
        Method('tiny', str(tiny_model)),
        Method('GPEN-512', str(tmp_path)),
    ]
    assert [method.is_folder for method in methods] == [False, False, True]


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        (['daefr-lite'], "expected NAME=SPEC.*got 'daefr-lite'"),
        (['a='], 'expected NAME=SPEC'),
        (['../a=daefr-lite'], 'expected NAME=SPEC'),
        (['Input=daefr-lite'], "'Input' is taken"),
        (['a=daefr-lite', 'A=daefr-lite'], "'A' is taken"),
        (['a=nowhere.pth'], "expected a weight file, a folder or one of .*daefr-lite.*got 'nowhere.pth'"),
    ],
)
def test_wrong_methods(texts, message):
    with pytest.raises(UsageError, match=message):
        parse_methods(texts)


def test_loads_and_describes_our_networks(tiny_model):
    network = load_method_network(Method('tiny', str(tiny_model)))
    assert describe_network(network).startswith('DAEFR, ')
    assert describe_network(network).endswith(' M parameters, 64 px')
