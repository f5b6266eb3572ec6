"""What options may be, and are by default, in the rooms and in the command's help.

It imports nothing: help must not wait for torch.
"""

PRECISIONS = ('auto', 'fp32', 'tf32', 'bf16', 'fp16')
BACKENDS = ('auto', 'torch', 'onnx')
BATCH_SIZE = 8  # faces that go through a network at once
UPSCALE = 2  # size of a restored photo over that of the photo
LARGEST_UPSCALE = 32
LAYOUTS = ('codeformer', 'gfpgan')
ONNX_PRECISIONS = ('fp32', 'mixed')  # of exported files
ONNX_LAYOUTS = ('daefr', 'codeformer')  # their names, types and sizes
FIDELITY = 0.5  # CodeFormer's default w, for comparisons
SMALLEST_FACE, COMPARED_FACE, LARGEST_SIDE = 16, 512, 16384  # sides in pixels

EMBEDDED_DETECTOR = 'retinaface_mobile0.25_onnx'
# detector -> network of facexlib; the names are facexlib's, and those of the manifest of weights
DETECTOR_NETWORKS = {
    'retinaface_resnet50': 'resnet50',
    'retinaface_mobile0.25': 'mobile0.25',
    EMBEDDED_DETECTOR: 'mobile0.25',
}
DETECTORS = ('auto', *DETECTOR_NETWORKS)
SCORE_THRESHOLD = 0.9
MIN_FACE_SIZE = 12  # pixels
# films: what they are written with and as
FILM_ENDINGS = ('.mp4', '.m4v', '.mov', '.mkv', '.webm')
CODECS = ('h264', 'h265', 'av1', 'vp9', 'ffv1', 'prores')
STEADINESS = 0.65  # of restored faces over time, in [0, 1]; more is steadier and softer
MAX_PIXELS = 150_000_000  # of an image that is read

SHARD_SIZE = 1000  # photos that are done, or not done, together on many machines

# path through encoder, codebook and decoder (Fig. 6) -> (domain of the encoder, domain of codebook and decoder)
CODEBOOK_PATHS = {'hq': ('hq', 'hq'), 'lq': ('lq', 'lq'), 'hybrid': ('lq', 'hq')}
