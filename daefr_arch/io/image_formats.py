"""Which image files are read, by the ends of their names, and what those need that are not."""

import threading
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

_EXPORT = 'export it as TIFF or JPEG'
_RAW = (
    '.3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 '
    '.srf .srw .x3f'
)
_importing = threading.Lock()


@dataclass(frozen=True)
class ImageFormat:
    """A format. name: Pillow's where it is read, else the one that users know.

    extensions: of its files, lower case. plugin: the module that Pillow needs to read it. remedy: what to do where
    that is not installed, or the format is not read at all.
    """

    name: str
    extensions: tuple[str, ...]
    plugin: str | None = None
    remedy: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether such files are read here and now."""
        return find_spec(self.plugin) is not None if self.plugin else self.remedy is None


FORMATS = (
    ImageFormat('AVIF', ('.avif',)),
    ImageFormat('BMP', ('.bmp',)),
    ImageFormat('GIF', ('.gif',)),
    ImageFormat('JPEG', ('.jfif', '.jpe', '.jpeg', '.jpg', '.mpo')),
    ImageFormat('JPEG2000', ('.j2c', '.j2k', '.jp2', '.jpc', '.jpf', '.jpx')),
    ImageFormat('PNG', ('.apng', '.png')),
    ImageFormat('PPM', ('.pbm', '.pgm', '.pnm', '.ppm')),
    ImageFormat('TIFF', ('.tif', '.tiff')),
    ImageFormat('WEBP', ('.webp',)),
    ImageFormat(
        'HEIF', ('.heic', '.heics', '.heif', '.heifs', '.hif'), 'pillow_heif', "pip install 'daefr_arch[heif]'"
    ),
    ImageFormat('JXL', ('.jxl',), 'pillow_jxl', "pip install 'daefr_arch[jxl]'"),
    ImageFormat('raw', tuple(_RAW.split()), remedy=_EXPORT),
    ImageFormat('Photoshop', ('.psb', '.psd'), remedy=_EXPORT),
    ImageFormat('GIMP', ('.xcf',), remedy=_EXPORT),
    ImageFormat('Krita', ('.kra',), remedy=_EXPORT),
    ImageFormat('JPEG XR', ('.hdp', '.jxr', '.wdp'), remedy=_EXPORT),
    ImageFormat('high dynamic range', ('.exr', '.hdr'), remedy=_EXPORT),
    ImageFormat('TGA, PCX or PICT', ('.icb', '.pct', '.pcx', '.pict', '.tga', '.vda'), remedy=_EXPORT),
)
_BY_EXTENSION = {extension: image_format for image_format in FORMATS for extension in image_format.extensions}


def format_of(name: str) -> ImageFormat | None:
    """The format that the end of a file name says; None for files that are no images."""
    dot = name.rfind('.')
    return _BY_EXTENSION.get(name[dot:].lower()) if dot > 0 else None


def readable_extensions() -> tuple[str, ...]:
    """The ends of the names of files that are read here and now, sorted."""
    return tuple(sorted(extension for found in FORMATS if found.is_read for extension in found.extensions))


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read here and now; their plug-ins are registered with it."""
    with _importing:
        return tuple(found.name for found in FORMATS if found.is_read and _registered(found.plugin))


def _registered(plugin: str | None) -> bool:
    if plugin == 'pillow_heif':
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif plugin == 'pillow_jxl':
        import pillow_jxl  # noqa: F401 registers itself
    return True
