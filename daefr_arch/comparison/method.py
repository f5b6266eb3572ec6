"""What is compared: a network or a folder of results, from NAME=SPEC."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from daefr_arch.checkpoints import load_network, manifest, read_checkpoint
from daefr_arch.choices import FIDELITY
from daefr_arch.comparison.peer_network import PeerNetwork, load_peer
from daefr_arch.errors import DAEFRError, InputError, UsageError
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.pairing import pair_by_name
from daefr_arch.video.recognition import list_photos_and_films

INPUT, TRUTH = 'input', 'ground_truth'
CROPS, STILLS = 'cropped_faces', 'film_stills'
_FACE_NUMBER = re.compile(r'_\d+$')
_NAME = re.compile(r'\w[\w.+-]*')  # it names a folder
WITH_EVIDENCE = '+evidence'  # ends a SPEC whose faces are fused with what the photo shows
# how keys of our and of the official networks begin; `vqvae.` alone is RestoreFormer's, too
_DAEFR = ('hq_encoder.', 'lq_encoder.', 'vqvae.HQ_encoder.')


@dataclass(frozen=True)
class Method:
    """What is compared.

    Attributes:
        name: for tables and folders.
        source: a weight file, a name of the manifest, or a folder of results.
        with_evidence: fuse the network's faces with what the crops show, as `daefr restore` does; else they are bare.
    """

    name: str
    source: str
    with_evidence: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether the results were made elsewhere."""
        return Path(self.source).is_dir()


def parse_methods(texts: Sequence[str]) -> list[Method]:
    """Methods from `NAME=SPEC` or `NAME=SPEC+evidence`.

    Raises UsageError for another form, a name given twice and a SPEC that is not there.
    """
    methods: list[Method] = []
    for text in texts:
        name, equals, source = text.partition('=')
        if not equals or not source or not _NAME.fullmatch(name):
            raise UsageError(f'method: expected NAME=SPEC, NAME of letters, digits and ._+-, got {text!r}')
        if name.casefold() in {INPUT, TRUTH, CROPS, STILLS, *(method.name.casefold() for method in methods)}:
            raise UsageError(f'method: the name {name!r} is taken, choose another')
        with_evidence = source.endswith(WITH_EVIDENCE) and not Path(source).exists()
        source = source.removesuffix(WITH_EVIDENCE) if with_evidence else source
        if source not in manifest() and not Path(source).exists():
            known = ', '.join(manifest())
            raise UsageError(f'method {name}: expected a weight file, a folder or one of {known}, got {source!r}')
        if with_evidence and Path(source).is_dir():
            raise UsageError(f'method {name}: results in a folder are taken as they are, without {WITH_EVIDENCE}')
        methods.append(Method(name, source, with_evidence))
    return methods


def check_methods(
    methods: Sequence[Method],
    sources: Sequence[Path],
    *,
    aligned: bool,
    films: Sequence[Path] = (),
    fidelity: float = FIDELITY,
    offline: bool = False,
) -> None:
    """Loads every checkpoint once and looks through every folder of results, before any work.

    Args:
        sources: the images whose faces are compared.
        aligned: whether each of them is a face, so that results must pair with them. Of photos it is known only later
            how many faces there are.
        films: whose stills are compared, too, and which results may be there of.

    Raises:
        DAEFRError: what `load_method_network` or `pair_by_name` raises; the message begins with the method.
    """
    for method in methods:
        with naming(method):
            if not method.is_folder:
                load_method_network(method, fidelity=fidelity, offline=offline)
            elif aligned:
                pair_by_name(list_images(method.source), sources)
            else:
                _check_faces_of_photos(list_photos_and_films(method.source)[0], sources, films)


@contextmanager
def naming(method: Method) -> Iterator[None]:
    """Errors within begin with the method's name."""
    try:
        yield
    except DAEFRError as error:
        raise type(error)(f'method {method.name}: {error}') from error


def _check_faces_of_photos(results: Sequence[Path], sources: Sequence[Path], films: Sequence[Path]) -> None:
    photos, stills = {source.stem for source in sources}, {film.stem for film in films}
    for result in results:
        photo = _FACE_NUMBER.sub('', result.stem)
        if photo not in photos and _FACE_NUMBER.sub('', photo) not in stills:
            raise InputError(f'{result}: expected the face of a photo, PHOTO_00, PHOTO_01, ..., there is no such photo')


def load_method_network(method: Method, *, fidelity: float = FIDELITY, offline: bool = False) -> nn.Module:
    """The network of a method that is no folder: DAEFR or a peer, told apart by their weights.

    Raises WeightsError where the file is damaged or of another network.
    """
    if method.source in manifest():
        return load_network(method.source, offline=offline)
    state_dict = read_checkpoint(method.source).state_dict
    if any(key.startswith(_DAEFR) for key in state_dict):
        return load_network(method.source)
    return load_peer(state_dict, method.source, fidelity=fidelity)


def describe_network(network: nn.Module) -> str:
    """Architecture, size in parameters and resolution, for the report."""
    name = type(network).__name__
    if isinstance(network, PeerNetwork):
        name = network.architecture + (f' w={network.fidelity:g}' if network.architecture == 'CodeFormer' else '')
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return f'{name}, {parameters / 1e6:.1f} M parameters, {network.resolution} px'
