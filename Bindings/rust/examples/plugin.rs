//! A plugin: PPM images of 8 bits. `cargo build --example plugin` makes libplugin.so, which `clip plugins check` takes, and
//! `Runtime::load_plugin`.
use clipcore::plugin::{Header, ImageCodec};
use clipcore::PixelFormat;

struct Ppm;

/// "P6 width height 255", one byte of space, then RGB: the header and where the pixels begin.
fn parse(data: &[u8]) -> Result<(Header, usize), String> {
  let mut at = 2;
  let mut numbers = [0u32; 3];
  for number in &mut numbers {
    while data.get(at).map_or(false, u8::is_ascii_whitespace) {
      at += 1;
    }
    let digits = data[at.min(data.len())..].iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    let text = std::str::from_utf8(&data[at.min(data.len())..][..digits]).unwrap_or("");
    *number = text.parse().map_err(|_| format!("PPM: expected a number at byte {at}"))?;
    at += digits;
  }
  let [width, height, largest] = numbers;
  if width == 0 || height == 0 || largest != 255 {
    return Err(format!("PPM: expected a size and 255, found {width} x {height} and {largest}"));
  }
  Ok((Header { width, height, format: PixelFormat::Rgb }, at + 1))
}

impl ImageCodec for Ppm {
  const ID: &'static str = "example.codec.ppm-rust\0";
  const DESCRIPTION: &'static str = "PPM images of 8 bits\0";
  const EXTENSIONS: &'static str = "ppm\0";

  fn recognises(data: &[u8]) -> bool {
    data.starts_with(b"P6\n")
  }

  fn read_header(data: &[u8]) -> Result<Header, String> {
    parse(data).map(|(header, _)| header)
  }

  fn decode(data: &[u8], header: &Header, pixels: &mut [u8], stride: usize) -> Result<(), String> {
    let (found, start) = parse(data)?;
    let row = 3 * header.width as usize;
    let rows = data.get(start..).unwrap_or(&[]).chunks_exact(row);
    if found != *header || rows.len() < header.height as usize {
      return Err("PPM: the file is truncated".to_owned());
    }
    for (from, to) in rows.zip(pixels.chunks_mut(stride)) {
      to[..row].copy_from_slice(from);
    }
    Ok(())
  }
}

clipcore::image_codec_plugin!("example.ppm-rust", "1.0.0", "Apache-2.0", Ppm);
