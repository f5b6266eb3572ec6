"""The table of films: how steady and how true restored faces are, frame by frame and steadied.

python -m tests.benchmarks.film_table [--frames 32] [--steadiness 0.65 1] [--embedder MobileFaceNet.onnx]

For each clip of `film_clips`, over the face: warping error (Lai et al., ECCV 2018, times 1000; the source's flow),
jitter of landmarks (mean second difference less the truth's, in % of the eyes' distance), jitter of identity (mean of
1 - cosine from frame to frame, times 1000), the cosine to the true face, PSNR, and sharpness: the variance of the
Laplacian over the true frames'.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from daefr_arch.faces.aligner import estimate_alignment
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.metrics.face_embedding import FaceEmbedder, build_embedder
from daefr_arch.metrics.film_steadiness import EMBEDDED_SIDE, embeddings_of, identity_jitter, warping_error
from daefr_arch.metrics.psnr_metric import daefr_psnr
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.restore_video import restore_video
from tests.benchmarks.film_clips import RATE, SIDE, Clip, clips
from tests.benchmarks.film_metrics import landmark_jitter, landmarks_of

EDGE = 51  # pixels of the mask's border that the result fades in over, and more
HEADER = (
    '| clip | film | warping error | landmarks, % | identity jitter | identity | PSNR | sharpness |\n'
    '|---|---|---|---|---|---|---|---|'
)


class ClipMeter:
    """Measures films of a clip against its truth. detector: finds the landmarks; embedder: knows identities."""

    def __init__(self, clip: Clip, detector: FaceDetector, embedder: FaceEmbedder) -> None:
        self.clip = clip
        self.detector = detector
        self.embedder = embedder
        self.landmarks = landmarks_of(clip.truth, detector)
        self.alignments = [estimate_alignment(points, EMBEDDED_SIDE) for points in self.landmarks]
        whole = np.ones((EMBEDDED_SIDE, EMBEDDED_SIDE), np.uint8)
        self.masks = [
            cv2.warpAffine(whole, cv2.invertAffineTransform(matrix), (SIDE, SIDE)) > 0 for matrix in self.alignments
        ]
        self.identities = embeddings_of(clip.truth, self.alignments, embedder)

    def row(self, name: str, film: Sequence[np.ndarray]) -> str:
        """A line of the table."""
        embeddings = embeddings_of(film, self.alignments, self.embedder)
        values = (
            f'{warping_error(film, self.clip.film, self.masks):.3f}',
            f'{landmark_jitter(landmarks_of(film, self.detector), self.landmarks):.2f}',
            f'{identity_jitter(embeddings):.1f}',
            f'{(embeddings * self.identities).sum(axis=1).mean():.4f}',
            f'{np.mean([self._psnr(*frames) for frames in zip(film, self.clip.truth, self.masks, strict=True)]):.2f}',
            f'{self._texture(film) / self._texture(self.clip.truth):.2f}',
        )
        return f'| {self.clip.name} | {name} | {" | ".join(values)} |'

    def _psnr(self, frame: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
        return daefr_psnr(frame[mask][:, None], truth[mask][:, None])

    def _texture(self, film: Sequence[np.ndarray]) -> float:
        """Variance of the Laplacian inside of the face, EDGE pixels from its border."""
        inside = [cv2.erode(mask.astype(np.uint8), np.ones((EDGE, EDGE), np.uint8)) > 0 for mask in self.masks]
        greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in film]
        return float(np.mean([cv2.Laplacian(g, cv2.CV_32F)[mask].var() for g, mask in zip(greys, inside, strict=True)]))


def main() -> None:
    """Prints the table, a clip after the other."""
    parser = argparse.ArgumentParser(prog='python -m tests.benchmarks.film_table', description=__doc__)
    parser.add_argument('--frames', type=int, default=32)
    parser.add_argument('--steadiness', type=float, nargs='+', default=[FilmOptions().steadiness])
    parser.add_argument('--embedder', default='dlib')
    args = parser.parse_args()
    restorer = DAEFRRestorer(upscale=1, offline=True)
    embedder = build_embedder(args.embedder)
    print(HEADER)
    for clip in clips(args.frames):
        meter = ClipMeter(clip, restorer.detector, embedder)
        print(meter.row('source', clip.film), flush=True)
        for steadiness in (0.0, *args.steadiness):
            name = f'steadiness {steadiness:g}' if steadiness else 'frame by frame'
            print(meter.row(name, _restored(clip, restorer, steadiness)), flush=True)


def _restored(clip: Clip, restorer: DAEFRRestorer, steadiness: float) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = write_clip(Path(folder) / 'film.mkv', clip.film), Path(folder) / 'out.mkv'
        restore_video(source, out, restorer, options=FilmOptions(steadiness=steadiness, codec='ffv1'))
        with av.open(str(out)) as container:
            return [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)]


def write_clip(path: Path, frames: Sequence[np.ndarray]) -> Path:
    """Writes frames of a clip without loss."""
    with av.open(str(path), 'w') as container:
        film = container.add_stream('ffv1', rate=RATE)
        film.width, film.height, film.pix_fmt = SIDE, SIDE, 'gbrp10le'
        for frame in frames:
            container.mux(film.encode(av.VideoFrame.from_ndarray(frame, format='bgr24')))
        container.mux(film.encode(None))
    return path


if __name__ == '__main__':
    main()
