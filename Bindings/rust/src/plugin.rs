//! Image codecs in Rust, as a plugin file (a `cdylib`) or registered with a runtime of the same program.
//!
//! ```
//! use clipcore::plugin::{Header, ImageCodec};
//!
//! struct Dot;
//! impl ImageCodec for Dot {
//!   const ID: &'static str = "mine.codec.dot\0";
//!   const DESCRIPTION: &'static str = "one pixel\0";
//!   const EXTENSIONS: &'static str = "dot\0";
//!   fn recognises(data: &[u8]) -> bool {
//!     data.starts_with(b"DOT")
//!   }
//!   fn read_header(_: &[u8]) -> Result<Header, String> {
//!     Ok(Header { width: 1, height: 1, format: clipcore::PixelFormat::Gray })
//!   }
//!   fn decode(data: &[u8], _: &Header, pixels: &mut [u8], _stride: usize) -> Result<(), String> {
//!     pixels[0] = *data.get(3).ok_or("the file is truncated")?;
//!     Ok(())
//!   }
//! }
//! clipcore::image_codec_plugin!("mine.dot", "1.0.0", "Apache-2.0", Dot);
//! # fn main() {}
//! ```
use crate::{check, ffi, PixelFormat, Result, Runtime};
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// What the file holds: size in pixels, and the format that `decode` will write (RGB, RGBA or gray).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
  pub width: u32,
  pub height: u32,
  pub format: PixelFormat,
}

/// A decoder. Called from any threads at once, with bytes that are not trusted. A panic is an error of the file.
pub trait ImageCodec: 'static {
  /// "<vendor>.codec.<name>", ending in "\0".
  const ID: &'static str;
  /// One line, ending in "\0".
  const DESCRIPTION: &'static str;
  /// Name endings in lower case with commas between them, ending in "\0".
  const EXTENSIONS: &'static str;

  /// Whether the first bytes are of this format.
  fn recognises(data: &[u8]) -> bool;
  /// Reads only the header.
  fn read_header(data: &[u8]) -> std::result::Result<Header, String>;
  /// Writes every pixel, rows `stride` bytes apart.
  fn decode(data: &[u8], header: &Header, pixels: &mut [u8], stride: usize) -> std::result::Result<(), String>;
}

unsafe fn slice<'a>(data: *const u8, size: usize) -> &'a [u8] {
  if size == 0 { &[] } else { std::slice::from_raw_parts(data, size) }
}

/// Runs a step of a codec; its message, or that of its panic, goes to the host.
unsafe fn step(error: *mut ffi::clip_plugin_error, work: impl FnOnce() -> std::result::Result<(), String>) -> ffi::clip_status {
  let message = match catch_unwind(AssertUnwindSafe(work)) {
    Ok(Ok(())) => return ffi::CLIP_OK,
    Ok(Err(message)) => message,
    Err(_) => "the codec panicked".to_owned(),
  };
  if let Some(error) = error.as_mut().filter(|error| error.capacity > 0) {
    let mut length = message.len().min(error.capacity - 1);
    while !message.is_char_boundary(length) {
      length -= 1;
    }
    std::ptr::copy_nonoverlapping(message.as_ptr(), error.message.cast(), length);
    *error.message.add(length) = 0;
  }
  ffi::CLIP_FORMAT
}

unsafe extern "C" fn recognises<C: ImageCodec>(data: *const u8, size: usize) -> c_int {
  c_int::from(catch_unwind(|| C::recognises(slice(data, size))).unwrap_or(false))
}

unsafe extern "C" fn read_header<C: ImageCodec>(data: *const u8, size: usize, header: *mut ffi::clip_codec_header, error: *mut ffi::clip_plugin_error) -> ffi::clip_status {
  step(error, || {
    let found = C::read_header(slice(data, size))?;
    ((*header).width, (*header).height, (*header).format) = (found.width, found.height, found.format as u32);
    Ok(())
  })
}

unsafe extern "C" fn decode<C: ImageCodec>(data: *const u8, size: usize, header: *const ffi::clip_codec_header, pixels: *mut u8, stride: usize, error: *mut ffi::clip_plugin_error) -> ffi::clip_status {
  step(error, || {
    let header = &*header;
    let format = match header.format {
      ffi::CLIP_PIXELS_RGB => PixelFormat::Rgb,
      ffi::CLIP_PIXELS_RGBA => PixelFormat::Rgba,
      ffi::CLIP_PIXELS_GRAY => PixelFormat::Gray,
      other => return Err(format!("unknown pixel format {other}")),
    };
    let row = header.width as usize * format.channels();
    let pixels = std::slice::from_raw_parts_mut(pixels, stride * (header.height as usize - 1) + row);
    C::decode(slice(data, size), &Header { width: header.width, height: header.height, format }, pixels, stride)
  })
}

const fn ends_in_nul(text: &str) -> bool {
  !text.is_empty() && text.as_bytes()[text.len() - 1] == 0
}

/// The tables of a codec's plugin.
#[doc(hidden)]
#[repr(transparent)]
pub struct Table<T>(pub T);
unsafe impl<T> Sync for Table<T> {} // constant, and what it points to is static

/// Fails where a text does not end in NUL: when it is compiled, in a static.
#[doc(hidden)]
pub const fn codec_table<C: ImageCodec>() -> Table<ffi::clip_image_codec> {
  assert!(ends_in_nul(C::ID), "ID has to end in \\0");
  assert!(ends_in_nul(C::DESCRIPTION), "DESCRIPTION has to end in \\0");
  assert!(ends_in_nul(C::EXTENSIONS), "EXTENSIONS has to end in \\0");
  Table(ffi::clip_image_codec {
    struct_size: std::mem::size_of::<ffi::clip_image_codec>() as u32,
    id: C::ID.as_ptr() as *const c_char,
    description: C::DESCRIPTION.as_ptr() as *const c_char,
    extensions: C::EXTENSIONS.as_ptr() as *const c_char,
    recognises: Some(recognises::<C>),
    read_header: Some(read_header::<C>),
    decode: Some(decode::<C>),
  })
}

/// Defines `clip_plugin_entry` for a plugin with one image codec: id, version and license of the plugin, and the type.
#[macro_export]
macro_rules! image_codec_plugin {
  ($id:literal, $version:literal, $license:literal, $codec:ty) => {
    #[no_mangle]
    pub extern "C" fn clip_plugin_entry() -> *const $crate::ffi::clip_plugin {
      use $crate::plugin::Table;
      static CODEC: Table<$crate::ffi::clip_image_codec> = $crate::plugin::codec_table::<$codec>();
      static ITEMS: Table<$crate::ffi::clip_plugin_item> = Table($crate::ffi::clip_plugin_item {
        kind: $crate::ffi::CLIP_KIND_IMAGE_CODEC,
        table: &CODEC as *const Table<$crate::ffi::clip_image_codec> as *const _,
      });
      static PLUGIN: Table<$crate::ffi::clip_plugin> = Table($crate::ffi::clip_plugin {
        struct_size: std::mem::size_of::<$crate::ffi::clip_plugin>() as u32,
        abi_version: 2 << 16,
        id: concat!($id, "\0").as_ptr() as *const _,
        version: concat!($version, "\0").as_ptr() as *const _,
        license: concat!($license, "\0").as_ptr() as *const _,
        items: &ITEMS as *const Table<$crate::ffi::clip_plugin_item> as *const _,
        item_count: 1,
      });
      &PLUGIN.0
    }
  };
}

impl Runtime {
  /// Adds a plugin of this program by its entry function, such as that of `image_codec_plugin!`.
  ///
  /// # Safety
  /// The tables that `entry` returns are valid as plugin/entry.h says, and stay until the process ends.
  pub unsafe fn register_plugin(&self, entry: extern "C" fn() -> *const ffi::clip_plugin) -> Result<()> {
    let entry: unsafe extern "C" fn() -> *const ffi::clip_plugin = entry;
    check(ffi::clip_plugin_register(self.0.raw, Some(entry)))
  }
}
