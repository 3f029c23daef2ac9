"""Writes Tests/Fixtures/photos: one photograph in every format and orientation. Run from the repository's root in an
environment with Pillow, with heif-enc (libheif-examples) and cjxl (libjxl-tools) beside it."""
import pathlib, struct, subprocess
from PIL import Image

ROOT = pathlib.Path("Tests/Fixtures/photos")
ROOT.mkdir(exist_ok=True)
T = Image.Transpose
BACK = {1: None, 2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_90, 7: T.TRANSVERSE,
        8: T.ROTATE_270}
photo = Image.open("Tests/Fixtures/images/chelsea.png").convert("RGB")
small = photo.resize((66, 44))
small.save(ROOT / "upright.png")
compressions = ["raw", "tiff_lzw", "tiff_deflate", "packbits", "raw", "tiff_lzw", "raw", "tiff_deflate"]
for orientation, back in BACK.items():
    stored = small if back is None else small.transpose(back)
    exif = Image.Exif()
    exif[0x112] = orientation
    stored.save(ROOT / f"o{orientation}.png", exif=exif)
    stored.save(ROOT / f"o{orientation}.webp", exif=exif, lossless=True)
    stored.save(ROOT / f"o{orientation}.jpg", exif=exif, quality=95, subsampling=0)
    stored.save(ROOT / f"o{orientation}.tiff", tiffinfo={0x112: orientation}, compression=compressions[orientation - 1])
small.save(ROOT / "rgb.bmp")
small.convert("RGBA").save(ROOT / "rgba.bmp")
palette = small.quantize(256)
palette.save(ROOT / "palette.bmp")
palette.save(ROOT / "palette.gif")
small.convert("RGBA").save(ROOT / "rgba.tiff")
small.save(ROOT / "jpeg.tiff", compression="jpeg", quality=95)
small.convert("CMYK").save(ROOT / "cmyk.tiff")
small.save(ROOT / "photo.avif", quality=95)
subprocess.run(["heif-enc", "-q", "95", ROOT / "upright.png", "-o", ROOT / "photo.heic"], check=True, capture_output=True)
subprocess.run(["cjxl", ROOT / "upright.png", ROOT / "photo.jxl", "-d", "0.5"], check=True, capture_output=True)


def boxes(data, start, end):
    """(kind, start, content, end) of the boxes in data[start:end] (ISO/IEC 14496-12)."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind.decode(), start, start + 8, start + size
        start += size


def turn(path, rotation, mirror):
    """Adds irot and imir to the primary image of a HEIC (ISO/IEC 23008-12, 6.5.10 and 6.5.12)."""
    data = bytearray(path.read_bytes())
    top = {kind: (at, content, end) for kind, at, content, end in boxes(data, 0, len(data))}
    meta = top["meta"]
    inner = {kind: (at, content, end) for kind, at, content, end in boxes(data, meta[1] + 4, meta[2])}
    iprp = inner["iprp"]
    parts = {kind: (at, content, end) for kind, at, content, end in boxes(data, iprp[1], iprp[2])}
    ipco, ipma = parts["ipco"], parts["ipma"]
    primary = struct.unpack_from(">H", data, inner["pitm"][1] + 4)[0]
    count = len(list(boxes(data, ipco[1], ipco[2])))
    properties, places = b"", []
    for kind, value in ((b"irot", rotation), (b"imir", mirror)):
        if value is not None:
            properties += struct.pack(">I4sB", 9, kind, value)
            count += 1
            places.append(0x80 | count)  # essential
    # The association of the primary image is where the new places go.
    at = ipma[1] + 8
    for _ in range(struct.unpack_from(">I", data, ipma[1] + 4)[0]):
        item, associations = struct.unpack_from(">HB", data, at)
        if item == primary:
            data[at + 2] += len(places)
            data[at + 3 + associations:at + 3 + associations] = bytes(places)
            break
        at += 3 + associations
    data[ipco[2]:ipco[2]] = properties
    grown = len(properties) + len(places)
    for start, more in ((ipco[0], len(properties)), (ipma[0] + len(properties), len(places)), (iprp[0], grown), (meta[0], grown)):
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + more)
    # Offsets into the file move (iloc, version 1, as libheif writes it).
    at = inner["iloc"][1] + 4
    sizes, index, items = data[at] , data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
    assert data[at - 4] == 1 and sizes >> 4 == 4 and sizes & 15 == 4 and index >> 4 in (0, 4) and index & 15 == 0
    at += 4
    for _ in range(items):
        method = data[at + 3] & 15
        base = index >> 4
        extents = struct.unpack_from(">H", data, at + 6 + base)[0]
        if base and method == 0:
            struct.pack_into(">I", data, at + 6, struct.unpack_from(">I", data, at + 6)[0] + grown)
        for extent in range(extents):
            place = at + 8 + base + 8 * extent
            if not base and method == 0:
                struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + grown)
        at += 8 + base + 8 * extents
    path.write_bytes(data)


# Rotation in quarters to the left, then mirroring: 0 exchanges top and bottom, 1 left and right.
for orientation, rotation, mirror in ((2, None, 1), (3, 2, None), (4, None, 0), (5, 1, 0), (6, 3, None), (7, 1, 1), (8, 1, None)):
    path = ROOT / f"o{orientation}.heic"
    small.transpose(BACK[orientation]).save(ROOT / "stored.png")
    subprocess.run(["heif-enc", "-q", "95", ROOT / "stored.png", "-o", path], check=True, capture_output=True)
    (ROOT / "stored.png").unlink()
    turn(path, rotation, mirror)
large = photo.resize((902, 601), Image.BICUBIC)
large.save(ROOT / "large.jpg", quality=85)
large.save(ROOT / "large.webp", quality=80)


def bitmap(name, bits, compression, extra, pixels):
    """A BMP of the kinds that Pillow does not write."""
    offset = 14 + 40 + len(extra)
    header = struct.pack("<IiiHHIIiiII", 40, small.width, small.height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    (ROOT / name).write_bytes(b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + extra + pixels)


rows = b""
for y in reversed(range(small.height)):
    line = b"".join(struct.pack("<H", r >> 3 << 11 | g >> 2 << 5 | b >> 3) for r, g, b in
                    (small.getpixel((x, y)) for x in range(small.width)))
    rows += line + b"\0" * (-len(line) % 4)
bitmap("rgb565.bmp", 16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), rows)
colours = palette.getpalette()
colours = b"".join(bytes([colours[3 * i + 2], colours[3 * i + 1], colours[3 * i], 0]) if 3 * i + 2 < len(colours) else b"\0\0\0\0" for i in range(256))
runs = b""
for y in reversed(range(small.height)):
    line = [palette.getpixel((x, y)) for x in range(small.width)]
    runs += bytes([0, 20]) + bytes(line[:20])  # a literal run of 20, then runs
    x = 20
    while x < len(line):
        count = 1
        while x + count < len(line) and line[x + count] == line[x]:
            count += 1
        runs += bytes([count, line[x]])
        x += count
    runs += b"\0\0"
bitmap("runs.bmp", 8, 1, colours, runs + b"\0\1")
