"""What a photo's file carries beside its pixels and their colour profile."""

from dataclasses import dataclass, replace

from daefr_arch.metadata.density import Density
from daefr_arch.metadata.exif import resized_exif, upright_exif
from daefr_arch.metadata.xmp import resized_xmp, upright_xmp


@dataclass(frozen=True)
class Metadata:
    """What is carried from a photo's file to its result, as bytes of the standards that define them.

    Attributes:
        exif: EXIF block, a TIFF structure.
        xmp: XMP packet, UTF-8.
        extended_xmp: the JPEG segments of a packet that is too long for one, as they stand in the file.
        photoshop: Photoshop's image resources, IPTC among them.
        comments: of a JPEG or GIF file.
        texts: of a PNG file, without what is in the fields above: kind and content of the chunks as they stand.
        colour: chunks of a PNG file that say what its numbers mean, but for an ICC profile.
        density: pixels an inch.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    extended_xmp: tuple[bytes, ...] = ()
    photoshop: bytes | None = None
    comments: tuple[bytes, ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    colour: tuple[tuple[bytes, bytes], ...] = ()
    density: Density | None = None

    def upright(self, orientation: int) -> 'Metadata':
        """That of the photo turned upright from an EXIF orientation.

        Raises ValueError where the EXIF block is damaged.
        """
        turned = self.density.turned() if self.density and orientation >= 5 else self.density
        exif, xmp = self.exif and upright_exif(self.exif), self.xmp and upright_xmp(self.xmp)
        return replace(self, exif=exif, xmp=xmp, density=turned)

    def resized(self, width: int, height: int) -> 'Metadata':
        """That of the photo at another size."""
        return replace(
            self,
            exif=self.exif and resized_exif(self.exif, width=width, height=height),
            xmp=self.xmp and resized_xmp(self.xmp, width=width, height=height),
        )


NOTHING = Metadata()
# of pixels that the project made: sRGB, perceptual
SRGB = Metadata(colour=((b'sRGB', b'\0'),))
