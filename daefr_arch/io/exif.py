"""What is carried over from the EXIF block of a photo to that of its restored version."""

from PIL import ExifTags, Image

ORIENTATION = int(ExifTags.Base.Orientation)
# Of the first directory only what describes the photo: the other tags of a TIFF file describe its old layout.
_DESCRIPTIVE = {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
    ExifTags.IFD.Exif,
    ExifTags.IFD.GPSInfo,
}


def kept_exif(exif: Image.Exif) -> bytes | None:
    """The block to keep, or None if nothing is left: without orientation (the pixels are upright) and thumbnail."""
    for tag in set(exif) - _DESCRIPTIVE:
        del exif[tag]
    return exif.tobytes() if len(exif) else None


def resized_exif(block: bytes, *, width: int, height: int) -> bytes:
    """The block of `kept_exif` with the pixel dimensions that it may state set to these."""
    exif = Image.Exif()
    exif.load(block)
    details = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
    for tag, size in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
        if tag in details:
            details[tag] = size
    return exif.tobytes()
