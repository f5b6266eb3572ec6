"""Sections from signatures and docstrings, and the reference of all of them."""

from daefr_arch.archs.codebook_arch import DAEFRCodebook, autoencoder_options
from daefr_arch.data.degradation import DegradationRanges
from daefr_arch.options import reference
from daefr_arch.options.section import expected
from daefr_arch.options.signature import argument_words, signature_section


def test_a_signature_is_a_section():
    fields = signature_section(DAEFRCodebook).model_fields
    assert expected(fields['ch']) == 'integer above 0, a multiple of 32'
    assert expected(fields['attn_resolutions']) == 'list of integers above 0'
    assert fields['codebook_size'].default == 1024
    assert fields['codebook_size'].description == 'number N of codes.'


def test_words_of_arguments_go_over_lines_and_names():
    def function(a, b, c=1):
        """Title.

        Args:
            a, b: what both
                are for.
            c (int): another: with a colon.

        Raises:
            ValueError: not a word of c.
        """

    words = argument_words(function)
    assert words == {'a': 'what both are for.', 'b': 'what both are for.', 'c': 'another: with a colon.'}


def test_sizes_that_networks_share_are_those_of_the_signature():
    options = {'type': 'DAEFR', 'ch': 32, 'fusion': 'linear', 'codebook_size': 8}
    assert autoencoder_options(options) == {'type': 'DAEFRCodebook', 'ch': 32, 'codebook_size': 8}


def test_ranges_are_a_section_too():
    assert DegradationRanges.read({'blur_kernel_size': 41}).blur_kernel_size == (41,)


def test_the_reference_has_every_key_with_its_words():
    sections = reference()
    places = {section.place for section in sections}
    assert places >= {
        '',
        'path',
        'train',
        'train.optim_<label>',
        'val',
        'logger',
        'network_<label>',
        'train.<name>_opt',
    }
    for section in sections:
        assert section.words
        assert section.keys, section.name
        for key in section.keys:
            assert key.type
            places_of_names = ('val.metrics.<name>', 'datasets.<phase>.probabilities')  # whose names say it
            assert key.words or section.place in places_of_names, (section.name, key.name)
    (logger,) = (section for section in sections if section.place == 'logger')
    frequency = next(key for key in logger.keys if key.name == 'print_freq')
    assert (frequency.type, frequency.default, frequency.required) == ('integer above 0', '', True)
    (adam,) = (section for section in sections if section.name == 'Adam')
    assert {key.name: key.default for key in adam.keys}['betas'] == '[0.9, 0.999]'
