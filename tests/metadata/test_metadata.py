"""What photos carry: each field from each format that has it, into each that is written, is kept or named as lost."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin, PngImagePlugin

from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.metadata.exif import resized_exif, upright_exif
from daefr_arch.metadata.exif_structure import ExifStructure
from daefr_arch.metadata.png_chunks import chunk
from daefr_arch.metadata.reading import read_metadata

OUTPUTS = ['png', 'jpg', 'webp']
ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
MAKER_NOTE = b'Maker\0' + bytes(range(256))
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:t="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" t:Orientation="%d" '
    b'exif:PixelXDimension="%d" dc:title="a title"><t:ImageLength>%d</t:ImageLength></rdf:Description></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)
IPTC = b'\x1c\x02\x78\x00\x07caption'
RESOURCES = b'8BIM\x04\x04\0\0' + struct.pack('>I', len(IPTC)) + IPTC
THUMBNAIL = b'8BIM\x04\x0c\0\0' + struct.pack('>I', 4) + b'old!'


@pytest.fixture(scope='module')
def rgb():
    """An upright photo (64, 48, 3)."""
    y, x = np.mgrid[:64, :48]
    return np.dstack((y * 3, x * 4, (x + y) * 2)).astype(np.uint8)


def exif_block(order='>', orientation=6, width=64, height=48):
    """A camera's: the number 5 as its maker, a maker's note that points into the block, a thumbnail at the end."""
    ifd = struct.Struct(f'{order}HHI4s')

    def number(value):
        return struct.pack(f'{order}I', value)

    def short(value):
        return struct.pack(f'{order}Hxx', value)

    exif_at, note_at, density_at = 120, 200, 100
    thumbnail_at = note_at + len(MAKER_NOTE)
    data_at = thumbnail_at + 30
    first = struct.pack(f'{order}H', 5) + b''.join(
        (
            ifd.pack(271, RATIONAL, 1, number(density_at)),
            ifd.pack(274, SHORT, 1, short(orientation)),
            ifd.pack(282, RATIONAL, 1, number(density_at)),
            ifd.pack(283, RATIONAL, 1, number(density_at)),
            ifd.pack(0x8769, LONG, 1, number(exif_at)),
        )
    )
    details = struct.pack(f'{order}H', 3) + b''.join(
        (
            ifd.pack(0x927C, UNDEFINED, len(MAKER_NOTE), number(note_at)),
            ifd.pack(0xA002, SHORT, 1, short(width)),
            ifd.pack(0xA003, SHORT, 1, short(height)),
        )
    )
    thumbnail = struct.pack(f'{order}H', 2) + b''.join(
        (ifd.pack(513, LONG, 1, number(data_at)), ifd.pack(514, LONG, 1, number(9)))
    )
    block = (b'II' if order == '<' else b'MM') + struct.pack(f'{order}HI', 42, 8) + first + number(thumbnail_at)
    block = block.ljust(density_at, b'\0') + struct.pack(f'{order}II', 300, 1)
    block = block.ljust(exif_at, b'\0') + details + bytes(4)
    block = block.ljust(note_at, b'\0') + MAKER_NOTE + thumbnail
    return block.ljust(data_at, b'\0') + b'thumbnail'


def jpeg(rgb, *segments, **options):
    """A JPEG file with segments (marker, content) of its own."""
    path = cv2.imencode('.jpg', np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()
    parts = b''.join(struct.pack('>BBH', 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    return path[:20] + parts + path[20:]


def png(rgb, *chunks):
    """A PNG file with chunks (kind, content) of its own."""
    data = cv2.imencode('.png', np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()
    return data[:33] + b''.join(chunk(*one) for one in chunks) + data[33:]


def webp(tmp_path, rgb, **options):
    Image.fromarray(rgb).save(tmp_path / 'source.webp', lossless=True, **options)
    return (tmp_path / 'source.webp').read_bytes()


def tiff(tmp_path, rgb, *tags):
    tifffile.imwrite(tmp_path / 'source.tif', rgb, photometric='rgb', extratags=tags, metadata=None)
    return (tmp_path / 'source.tif').read_bytes()


def doubled(tmp_path, data, extension):
    """What Pillow finds in the result of twice the size, its bytes, and all warnings."""
    (tmp_path / 'source').write_bytes(data)
    photo = read_image(tmp_path / 'source')
    path = tmp_path / f'result.{extension}'
    lost = write_image(path, photo.with_pixels(cv2.resize(photo.pixels, None, fx=2, fy=2)))
    with Image.open(path) as image:
        image.load()
        return image, path.read_bytes(), photo.warnings + lost


def raw_profile(name, data):
    return b'zTXt', b'Raw profile type %s\0\0' % name + zlib.compress(
        b'\n%s\n%8d\n%s\n' % (name, len(data), data.hex().encode())
    )


@pytest.mark.parametrize('extension', OUTPUTS)
@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('source', ['jpeg', 'png', 'png text', 'webp'])
def test_exif_keeps_every_byte_that_is_still_true(tmp_path, rgb, source, order, extension):
    block = exif_block(order)
    lying = np.ascontiguousarray(np.rot90(rgb))
    data = {
        'jpeg': lambda: jpeg(lying, (0xE1, b'Exif\0\0' + block)),
        'png': lambda: png(lying, (b'eXIf', block)),
        'png text': lambda: png(lying, raw_profile(b'exif', b'Exif\0\0' + block)),
        'webp': lambda: webp(tmp_path, lying, exif=block),
    }[source]()
    image, _, warnings = doubled(tmp_path, data, extension)
    assert warnings == ()
    assert image.size == (96, 128)
    kept = image.info['exif'].removeprefix(b'Exif\0\0')
    assert kept == resized_exif(upright_exif(block), width=96, height=128)
    structure = ExifStructure(kept)
    assert structure.number(structure.first, 274) == 1
    assert structure.first.entries[271].type == RATIONAL
    details = structure.below(structure.first, 0x8769)
    assert (structure.number(details, 0xA002), structure.number(details, 0xA003)) == (96, 128)
    assert kept[200 : 200 + len(MAKER_NOTE)] == MAKER_NOTE
    assert b'thumbnail' not in kept
    assert len(kept) < len(block)
    assert structure.first.next == 0


def test_exif_of_a_tiff_keeps_odd_types_and_the_maker_s_note(tmp_path, rgb):
    data = tiff(tmp_path, rgb, (271, RATIONAL, 1, (5, 1), True), (315, ASCII, 0, 'somebody', True))
    # tifffile writes no directories below the first: append one, and a tag that points to it
    structure = ExifStructure(data)
    details_at = len(data)
    note_at = details_at + 2 + 12 + 4
    data += struct.pack('<HHHIII', 1, 0x927C, UNDEFINED, len(MAKER_NOTE), note_at, 0) + MAKER_NOTE
    entries = sorted((*structure.first.entries.values(),), key=lambda entry: entry.tag)
    first = b''.join(data[entry.position : entry.position + 12] for entry in entries)
    data = data + b'\0' * (len(data) % 2)
    pointer = struct.pack('<HHII', 0x8769, LONG, 1, details_at)
    data = data[:4] + struct.pack('<I', len(data)) + data[8:] + struct.pack('<H', len(entries) + 1) + first + pointer
    image, _, warnings = doubled(tmp_path, data + bytes(4), 'png')
    assert warnings == ()
    kept = ExifStructure(image.info['exif'].removeprefix(b'Exif\0\0'))
    assert set(kept.first.entries) == {271, 282, 283, 296, 305, 315, 0x8769}
    assert kept.first.entries[271].type == RATIONAL
    assert kept.below(kept.first, 0x8769).entries[0x927C].raw == MAKER_NOTE


@pytest.mark.parametrize(
    'block',
    [b'II*\0\xff\xff\xff\xff' + b'\xff' * 40, b'XX', b'MM\0*\0\0\0\x08\xff\xff', b'II+\0\x08\0\0\0' + bytes(40)],
)
def test_damaged_exif_is_named(tmp_path, rgb, block):
    image, _, warnings = doubled(tmp_path, jpeg(rgb, (0xE1, b'Exif\0\0' + block)), 'jpg')
    assert warnings == ('the EXIF block is damaged and was dropped',)
    assert 'exif' not in image.info


@pytest.mark.parametrize('extension', OUTPUTS)
@pytest.mark.parametrize('source', ['jpeg', 'png', 'webp', 'tiff'])
def test_xmp_says_what_is_true_of_the_result(tmp_path, rgb, source, extension):
    lying = np.ascontiguousarray(np.rot90(rgb))
    packet = XMP % (6, 64, 48)
    data = {
        'jpeg': lambda: jpeg(lying, (0xE1, b'http://ns.adobe.com/xap/1.0/\0' + packet)),
        'png': lambda: png(lying, (b'iTXt', b'XML:com.adobe.xmp\0\1\0\0\0' + zlib.compress(packet))),
        'webp': lambda: webp(tmp_path, lying, xmp=packet),
        'tiff': lambda: tiff(tmp_path, rgb, (700, 1, len(packet), packet, True)),
    }[source]()
    image, _, warnings = doubled(tmp_path, data, extension)
    assert warnings == ()
    assert image.size == (96, 128)
    assert image.info['xmp'] == XMP % (1, 96, 128)


def test_extended_xmp_is_kept_where_it_has_its_place(tmp_path, rgb):
    extension = b'http://ns.adobe.com/xmp/extension/\0' + b'A' * 32 + struct.pack('>II', 9, 0) + b'<depth />'
    data = jpeg(rgb, (0xE1, b'http://ns.adobe.com/xap/1.0/\0' + XMP % (1, 48, 64)), (0xE1, extension))
    _, encoded, warnings = doubled(tmp_path, data, 'jpg')
    assert warnings == ()
    assert extension in encoded
    for name in ('png', 'webp'):
        *_, warnings = doubled(tmp_path, data, name)
        assert warnings == (f'{name.upper()} cannot hold extended XMP: it is lost',)


@pytest.mark.parametrize('extension', OUTPUTS)
@pytest.mark.parametrize('source', ['jpeg', 'png', 'png records', 'tiff records', 'tiff resources'])
def test_iptc(tmp_path, rgb, source, extension):
    data = {
        'jpeg': lambda: jpeg(
            rgb, (0xED, b'Photoshop 3.0\0' + THUMBNAIL + RESOURCES[:9]), (0xED, b'Photoshop 3.0\0' + RESOURCES[9:])
        ),
        'png': lambda: png(rgb, raw_profile(b'8bim', RESOURCES + THUMBNAIL)),
        'png records': lambda: png(rgb, raw_profile(b'iptc', IPTC)),
        'tiff records': lambda: tiff(tmp_path, rgb, (33723, UNDEFINED, len(IPTC), IPTC, True)),
        'tiff resources': lambda: tiff(tmp_path, rgb, (34377, 1, len(RESOURCES), RESOURCES, True)),
    }[source]()
    image, encoded, warnings = doubled(tmp_path, data, extension)
    assert b'old!' not in encoded
    if extension == 'webp':
        assert warnings == ('WEBP cannot hold IPTC: it is lost',)
        return
    assert warnings == ()
    if extension == 'jpg':
        assert IptcImagePlugin.getiptcinfo(image) == {(2, 120): b'caption'}
    else:
        _, name, length, digits, _ = image.text['Raw profile type iptc'].split('\n')
        assert (name, int(length), bytes.fromhex(digits)[:6]) == ('iptc', len(bytes.fromhex(digits)), RESOURCES[:6])
        assert IPTC in bytes.fromhex(digits)
    (tmp_path / 'again').write_bytes(encoded)
    assert read_image(tmp_path / 'again').metadata.photoshop == read_image(tmp_path / 'source').metadata.photoshop


@pytest.mark.parametrize('extension', OUTPUTS)
def test_png_texts(tmp_path, rgb, extension):
    chunks = [
        (b'tEXt', b'parameters\0a portrait, seed 1'),
        (b'zTXt', b'Comment\0\0' + zlib.compress(b'a comment')),
        (b'iTXt', b'Title\0\0\0de\0Titel\0\xc3\x9cberschrift'),
    ]
    image, encoded, warnings = doubled(tmp_path, png(rgb, *chunks), extension)
    if extension == 'png':
        assert warnings == ()
        assert all(chunk(*one) in encoded for one in chunks)
        return
    named = ['parameters', 'Title'] if extension == 'jpg' else ['parameters', 'Comment', 'Title']
    name = image.format
    assert warnings == tuple(f'{name} cannot hold the PNG text "{keyword}": it is lost' for keyword in named)
    assert image.info.get('comment') == (b'a comment' if extension == 'jpg' else None)


@pytest.mark.parametrize('extension', OUTPUTS)
@pytest.mark.parametrize('comment', ['plain', 'café'.encode(), b'caf\xe9'])
def test_comments(tmp_path, rgb, comment, extension):
    comment = comment if isinstance(comment, bytes) else comment.encode()
    image, _, warnings = doubled(tmp_path, jpeg(rgb, (0xFE, comment)), extension)
    if extension == 'webp':
        assert warnings == ('WEBP cannot hold a comment: it is lost',)
        return
    assert warnings == ()
    if extension == 'jpg':
        assert image.info['comment'] == comment
    else:
        assert image.text['Comment'] == ('plain' if comment == b'plain' else 'café')


@pytest.mark.parametrize('extension', OUTPUTS)
@pytest.mark.parametrize('source', ['jpeg', 'png', 'tiff', 'bmp', 'exif'])
def test_density(tmp_path, rgb, source, extension):
    with Image.fromarray(rgb) as picture:
        path = tmp_path / f'a.{source}'
        if source == 'exif':
            path.write_bytes(jpeg(rgb, (0xE1, b'Exif\0\0' + exif_block(orientation=1))))
        else:
            picture.save(path, dpi=(300, 300))
    image, _, warnings = doubled(tmp_path, path.read_bytes(), extension)
    assert warnings == ()
    if extension == 'webp':
        exif = image.getexif()
        assert (exif[282], exif[283], exif.get(296, 2)) == (300, 300, 2)
    else:
        assert np.round(image.info['dpi'], 1).tolist() == [300, 300]


@pytest.mark.parametrize('extension', OUTPUTS)
def test_density_turns_with_the_photo(tmp_path, rgb, extension):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(rgb).save(tmp_path / 'a.jpg', dpi=(200, 100), exif=exif)
    image, _, _ = doubled(tmp_path, (tmp_path / 'a.jpg').read_bytes(), extension)
    dpi = (image.getexif()[282], image.getexif()[283]) if extension == 'webp' else image.info['dpi']
    assert [round(float(value)) for value in dpi] == [100, 200]


@pytest.mark.parametrize('extension', OUTPUTS)
def test_pixels_that_are_not_square(tmp_path, rgb, extension):
    image, _, warnings = doubled(tmp_path, png(rgb, (b'pHYs', struct.pack('>IIB', 2, 1, 0))), extension)
    if extension == 'webp':
        assert warnings == ('WEBP cannot hold a density of 2 x 1 as pixel aspect: it is lost',)
    else:
        assert warnings == ()
        assert image.info['aspect' if extension == 'png' else 'jfif_density'] == (2, 1)


def test_what_is_too_long_for_jpeg_is_named(tmp_path, rgb):
    long = {'exif': exif_block().ljust(70_000, b'\1'), 'xmp': XMP % (1, 1, 1) + b' ' * 70_000}
    data = png(rgb, (b'eXIf', long['exif']), (b'iTXt', b'XML:com.adobe.xmp\0\0\0\0\0' + long['xmp']))
    *_, warnings = doubled(tmp_path, data, 'jpg')
    assert warnings == tuple(f'JPEG cannot hold {name} of more than 64 KiB: it is lost' for name in ('EXIF', 'XMP'))


def test_parts_that_may_not_fit_the_result_are_named(tmp_path, rgb):
    data = jpeg(rgb, (0xEB, b'JP\0\1jumb'), (0xE3, b'Meta\0\0'), (0xEE, b'Adobe\0' + bytes(6)))
    *_, warnings = doubled(tmp_path, data, 'jpg')
    assert warnings == tuple(
        f'left out, as it may not fit the result: JPEG segment {name}' for name in ('APP11 JP', 'APP3 Meta')
    )
    *_, warnings = doubled(tmp_path, png(rgb, (b'caBX', b'jumb'), (b'bKGD', bytes(6))), 'png')
    assert warnings == ('left out, as it may not fit the result: PNG chunk caBX',)


def test_transparency_and_depth_are_named_where_they_are_lost(tmp_path, rgb):
    deep = np.dstack((rgb, rgb[..., 0])).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / 'a.png'), deep)
    for name, thing in (('jpg', 'JPEG'), ('webp', 'WEBP')):
        *_, warnings = doubled(tmp_path, (tmp_path / 'a.png').read_bytes(), name)
        assert ('JPEG cannot hold transparency: it is lost' in warnings) == (name == 'jpg')
        assert f'{thing} holds 8 bits a channel: the 16 bits of the photo are rounded' in warnings


def test_a_bomb_of_text_is_no_metadata(rgb):
    bomb = (b'zTXt', b'Raw profile type exif\0\0' + zlib.compress(bytes(2**26 + 1)))
    with Image.open(BytesIO(png(rgb))) as image:
        metadata = read_metadata(image, png(rgb, bomb)).metadata
    assert metadata.exif is None
    assert metadata.texts == (bomb,)


def test_pixels_alone_are_marked_as_srgb(tmp_path, rgb):
    write_image(tmp_path / 'crop.png', rgb)
    with Image.open(tmp_path / 'crop.png') as image:
        assert image.info['srgb'] == 0
    info = PngImagePlugin.PngInfo()
    Image.fromarray(rgb).save(tmp_path / 'untagged.png', pnginfo=info)
    write_image(tmp_path / 'result.png', read_image(tmp_path / 'untagged.png'))
    with Image.open(tmp_path / 'result.png') as image:
        assert 'srgb' not in image.info
