"""Association matrices as heat maps (Fig. 2 b)."""

import io
import textwrap
from collections.abc import Mapping

from daefr_arch.analysis.similarity import PairSimilarity

COLUMNS = 3  # heat maps in a row at most
SIDE = 4.6  # of a heat map with its labels, in inches
DOTS_PER_INCH = 200
TITLE_CHARACTERS = 36


def draw(similarities: Mapping[str, PairSimilarity]) -> bytes:
    """The mean association matrix of each pair side by side, in one colour scale, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(similarities), COLUMNS)
    rows = -(-len(similarities) // columns)
    figure = Figure(figsize=(SIDE * columns + 1, (SIDE + 0.4) * rows), layout='constrained', dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    lowest = min(float(similarity.matrix.min()) for similarity in similarities.values())
    highest = max(float(similarity.matrix.max()) for similarity in similarities.values())
    for ax, (name, similarity) in zip(axes, similarities.items(), strict=False):
        heat_map = ax.imshow(similarity.matrix.numpy(), vmin=lowest, vmax=highest, interpolation='nearest')
        ax.set_title(_title(name, similarity), fontsize=11)
        ax.set_xlabel('patch of the LQ encoder')
        ax.set_ylabel('patch of the HQ encoder')
    for ax in axes[len(similarities) :]:
        ax.set_axis_off()
    figure.colorbar(heat_map, ax=axes, label='mean cosine similarity', shrink=0.8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _title(name: str, similarity: PairSimilarity) -> str:
    shares = (similarity.agreement.hq_to_lq, similarity.agreement.lq_to_hq)
    to_lq, to_hq = (f'{share.mean().item():.0%}' for share in shares)
    name = '\n'.join(textwrap.wrap(name, TITLE_CHARACTERS))
    return f'{name}\nat their own place: HQ→LQ {to_lq}, LQ→HQ {to_hq}'
