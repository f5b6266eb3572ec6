from tests.benchmarks.paste_benchmark import rows


def test_pasting_is_faster_than_facexlib() -> None:
    """A photo of two megapixels keeps the suite short; the gap grows with the photo and the number of faces."""
    (row,) = rows(width=1600, height=1200, faces=4, upscales=(2,))
    assert row.speedup > 4
