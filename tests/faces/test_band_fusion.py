import pytest
import torch
from torch.nn import functional as F

from daefr_arch.archs import bands
from daefr_arch.faces.band_fusion import CHROMA_SIDE, SOFTER, FusedChange, mix, tone_curve, tone_like, with_texture
from daefr_arch.io.tensors import to_tensor
from tests.data.faces import face


@pytest.fixture(scope='module')
def photo():
    return to_tensor(face(128))


@pytest.fixture(scope='module')
def network(photo):
    """Another face of the same exposure: the photo mirrored."""
    return photo.flip(3).contiguous()


def constant(luma, chroma=None):
    """Weights by band, the same everywhere."""
    chroma = luma if chroma is None else chroma
    sizes = (64, 64, 32, 16, 8, 4)
    return [
        torch.tensor((y, c)).view(1, 2, 1, 1).expand(1, 2, size, size)
        for y, c, size in zip(luma, chroma, sizes, strict=True)
    ]


def test_full_and_no_evidence_give_photo_and_network(photo, network):
    assert torch.allclose(mix(photo, network, constant([1.0] * 6)), photo, atol=1e-5)
    assert torch.allclose(mix(photo, network, constant([0.0] * 6)), network, atol=1e-5)


def test_each_band_comes_from_where_its_weight_says(photo, network):
    mixed = bands.split(bands.to_ycc(mix(photo, network, constant([0.0] * 2 + [1.0] * 4))))
    of_photo, of_network = (bands.split(bands.to_ycc(image)) for image in (photo, network))
    low = bands.join(mixed[3:])  # the bands overlap: finer ones leave a little in the coarse
    assert (low - bands.join(of_photo[3:])).abs().mean() < 0.02
    from_network, apart = ((mixed[0] - of)[:, 0].abs().mean() for of in (of_network[0], of_photo[0]))
    assert from_network < 0.2 * apart


def test_luma_and_chroma_are_weighted_apart(photo, network):
    mixed = bands.to_ycc(mix(photo, network, constant([1.0] * 6, [0.0] * 6)))
    assert torch.allclose(mixed[:, :1], bands.to_ycc(photo)[:, :1], atol=1e-5)
    colours = bands.split(bands.to_ycc(network)[:, 1:])
    fine = bands.join([*(band * 0.3 for band in colours[:2]), *colours[2:]])  # little of it, where features are known
    assert torch.allclose(mixed[:, 1:], fine, atol=1e-5)


def test_texture_brings_a_mixture_of_unlike_textures_to_their_energy():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 1, 128, 128, generator=generator).expand(-1, 3, -1, -1) * 0.1 for _ in range(2))
    weights = constant([0.5] * 6)
    mixed = mix(a, b, weights)
    plain, textured, unmixed = (
        bands.upper_half(image).square().mean() for image in (mixed, with_texture(mixed, a, b, weights), a)
    )
    assert plain < 0.6 * unmixed
    promised = (SOFTER + 1) / 2 * unmixed
    assert 0.65 * promised < textured < 1.5 * promised


def test_texture_is_raised_where_it_is_missing_and_the_next_band_says_where_it_belongs(photo, network):
    soft = bands.expand(bands.shrink(photo))
    assert torch.allclose(with_texture(photo, photo, network, constant([1.0] * 6)), photo, atol=1e-6)
    before, guessed, partly, known, of_network = (
        bands.upper_half(image).square().mean()
        for image in (
            soft,
            *(with_texture(soft, photo, network, constant([0.0, second, 1, 1, 1, 1])) for second in (0.0, 0.3, 1.0)),
            network,
        )
    )
    assert guessed == before
    assert 1.1 * before < partly < known < SOFTER * of_network
    enough = network * 2
    assert torch.allclose(with_texture(enough, photo, network, constant([0.0] * 6)), enough, atol=1e-5)


def test_a_soft_photo_gets_texture_unless_nearly_all_of_it_is_its_own(photo, network):
    soft = bands.expand(bands.shrink(photo))
    before = bands.upper_half(soft).square().mean()
    half, most = (
        bands.upper_half(with_texture(soft, soft, network, constant([share] * 6))).square().mean() / before
        for share in (0.5, 0.97)
    )
    assert half > 1.1
    assert 1 < most < 1 + (half - 1) / 2


def test_strength_scales_all_that_is_added_to_the_mixture(photo, network):
    weights = constant([0.5] * 6)
    fused = FusedChange(lambda *_: torch.full_like(photo, 0.1))
    none, half, full = (photo + fused(photo, network, torch.tensor(strength), *weights) for strength in (0.0, 0.5, 1.0))
    mixed = mix(photo, tone_like(network, tone_curve(photo)), weights)
    assert torch.allclose(none, mixed, atol=1e-5)
    assert torch.allclose(half, (mixed + full) / 2, atol=0.01)
    assert (bands.upper_half(full) - bands.upper_half(mixed)).abs().max() > 0.01


def test_weights_of_one_place_leave_the_others_alone(photo, network):
    weights = [weight.clone() for weight in constant([1.0] * 6)]
    for weight in weights[:2]:
        weight[..., : weight.shape[3] // 4] = 0
    changed = (mix(photo, network, weights) - photo).abs().amax(1)[0]
    assert changed[:, :28].max() > 0.05
    assert changed[:, 48:].max() < 1e-4


def test_tone_curves_are_the_least_squares(photo):
    """Also of faded photos, whose powers of the luma are all but alike."""
    for contrast, tolerance in ((1, 1e-5), (0.05, 1e-5), (0.01, 2e-5)):
        luma = bands.to_ycc(photo)[:, :1] * contrast + 0.4
        chroma = torch.cat((0.2 * luma.square() - 0.1 * luma, 0.05 - 0.3 * luma), 1)
        ycc = torch.cat((luma, chroma + torch.randn_like(chroma) * 0.02 * contrast), 1)
        small = F.adaptive_avg_pool2d(ycc.double(), CHROMA_SIDE).flatten(2)
        powers = torch.stack([small[:, 0] ** power for power in range(3)], 2)
        expected = powers @ torch.linalg.lstsq(powers, small[:, 1:].mT, driver='gelsd').solution
        curve = tone_curve(bands.to_rgb(ycc))
        assert torch.allclose(curve(small[:, :1].float()).mT.double(), expected, atol=tolerance)


def test_a_network_in_colour_gets_the_tones_of_a_grey_or_sepia_photo(photo, network):
    luma = bands.to_ycc(photo)[:, :1]
    grey = luma.expand(-1, 3, -1, -1)
    sepia = torch.cat((luma * 0.8 + 0.15, luma * 0.75 + 0.02, luma * 0.6 - 0.1), 1)
    noise = 0.05 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    for tone in (grey, sepia):
        toned = bands.to_ycc(tone_like(network, tone_curve(tone + noise)))
        flipped = bands.to_ycc(tone.flip(3))  # the tone of the network's own luma
        assert (toned[:, 1:] - flipped[:, 1:]).abs().max() < 0.06
        assert torch.allclose(toned[:, 0], bands.to_ycc(network)[:, 0], atol=1e-5)


def test_colours_stay_where_the_photo_has_some(photo, network):
    assert torch.equal(tone_like(network, tone_curve(photo)), network)
    assert torch.equal(tone_like(network, tone_curve(photo * 0.3 - 0.65)), network)  # an under-exposed photo
