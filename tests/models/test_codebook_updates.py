import torch

from daefr_arch.archs.quantizer import VectorQuantizer
from daefr_arch.models.codebook_updates import CodebookUpdates, code_counts, codebook_statistics
from tests.golden_parameters import golden


def _map(vectors):
    """(n, d) -> a feature map (1, d, 1, n)."""
    return vectors.t()[None, :, None]


def test_statistics_equal_the_reference():
    reference = golden()
    counts = code_counts(torch.from_numpy(reference['stage1_code_index']), 1024)
    statistics = codebook_statistics(counts)
    assert abs(statistics.perplexity.item() / reference['stage1_perplexity'] - 1) < 1e-5
    assert statistics.use.item() == len(set(reference['stage1_code_index'].flatten().tolist())) / 1024


def test_everything_off_changes_nothing():
    quantizer = VectorQuantizer(8, 4)
    before = quantizer.embedding.weight.detach().clone()
    updates = CodebookUpdates(quantizer)
    feature = torch.randn(2, 4, 3, 3)
    assert not updates.must_start
    updates.update(feature, quantizer.nearest(feature))
    assert torch.equal(quantizer.embedding.weight, before)
    assert quantizer.embedding.weight.requires_grad


def test_kmeans_finds_the_clusters_once():
    torch.manual_seed(0)
    centres = torch.eye(4) * 10
    quantizer = VectorQuantizer(4, 4)
    updates = CodebookUpdates(quantizer, kmeans_iterations=20)
    vectors = centres.repeat(50, 1) + 0.01 * torch.randn(200, 4)
    assert updates.must_start
    # a draw can put two centres into one cluster: restarted here with every cluster drawn
    while True:
        updates.start(_map(vectors))
        if quantizer.nearest(_map(centres)).unique().numel() == 4:
            break
    assert not updates.must_start
    found = quantizer.embedding.weight[quantizer.nearest(_map(centres))[0]]
    torch.testing.assert_close(found, centres, atol=0.02, rtol=0)


def test_moving_average_by_hand():
    quantizer = VectorQuantizer(2, 1)
    quantizer.embedding.weight.data.copy_(torch.tensor([[0.0], [10.0]]))
    updates = CodebookUpdates(quantizer, moving_average=0.75)
    assert not quantizer.embedding.weight.requires_grad
    feature = _map(torch.tensor([[2.0], [4.0], [12.0]]))
    updates.update(feature, quantizer.nearest(feature))
    # sizes 0.75 + 0.25 * (2, 1); sums 0.75 * (0, 10) + 0.25 * (6, 12)
    torch.testing.assert_close(updates.cluster_size, torch.tensor([1.25, 1.0]))
    torch.testing.assert_close(quantizer.embedding.weight, torch.tensor([[1.5 / 1.25], [10.5]]))


def test_dead_codes_restart_at_features():
    quantizer = VectorQuantizer(3, 1)
    quantizer.embedding.weight.data.copy_(torch.tensor([[1.0], [100.0], [-100.0]]))
    updates = CodebookUpdates(quantizer, restart_below=0.5)
    feature = _map(torch.tensor([[0.9], [1.1], [1.3]]))
    for _ in range(100):  # the running count of an unused code decays from 1 to 0.5 in 69 steps
        updates.update(feature, quantizer.nearest(feature))
    assert quantizer.embedding.weight[0].item() == 1
    assert set(quantizer.embedding.weight[1:].flatten().tolist()) <= set(feature.flatten().tolist())


def test_state_goes_on_where_it_was():
    torch.manual_seed(0)
    first, second = VectorQuantizer(8, 4), VectorQuantizer(8, 4)
    a = CodebookUpdates(first, kmeans_iterations=2, moving_average=0.9)
    feature = torch.randn(2, 4, 3, 3)
    a.start(feature)
    a.update(feature, first.nearest(feature))
    b = CodebookUpdates(second, kmeans_iterations=2, moving_average=0.9)
    b.load_state_dict(a.state_dict())
    second.load_state_dict(first.state_dict())
    assert not b.must_start
    for updates, quantizer in ((a, first), (b, second)):
        updates.update(feature, quantizer.nearest(feature))
    assert torch.equal(first.embedding.weight, second.embedding.weight)
