use crate::{c_path, check, ffi, init, Error, Result, Runtime};
use std::marker::PhantomData;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PixelFormat {
  Rgb = ffi::CLIP_PIXELS_RGB,
  /// Alpha is not premultiplied.
  Rgba = ffi::CLIP_PIXELS_RGBA,
  Bgr = ffi::CLIP_PIXELS_BGR,
  Bgra = ffi::CLIP_PIXELS_BGRA,
  Gray = ffi::CLIP_PIXELS_GRAY,
}

impl PixelFormat {
  pub fn channels(self) -> usize {
    match self {
      PixelFormat::Gray => 1,
      PixelFormat::Rgb | PixelFormat::Bgr => 3,
      PixelFormat::Rgba | PixelFormat::Bgra => 4,
    }
  }

  fn of(raw: u32) -> PixelFormat {
    match raw {
      ffi::CLIP_PIXELS_RGBA => PixelFormat::Rgba,
      ffi::CLIP_PIXELS_BGR => PixelFormat::Bgr,
      ffi::CLIP_PIXELS_BGRA => PixelFormat::Bgra,
      ffi::CLIP_PIXELS_GRAY => PixelFormat::Gray,
      _ => PixelFormat::Rgb,
    }
  }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct ImageOptions {
  /// Orientation is not applied.
  pub as_stored: bool,
  /// Keep what can be decoded of a damaged file.
  pub lenient: bool,
  /// Pixels needed of the smaller side: a larger image may be decoded at 1/2, 1/4 or 1/8 of its size. 0: full size.
  pub smaller_side: u32,
}

impl ImageOptions {
  fn raw(self) -> ffi::clip_image_options {
    let mut raw = init!(clip_image_options);
    raw.flags = if self.as_stored { ffi::CLIP_IMAGE_AS_STORED } else { 0 };
    raw.flags |= if self.lenient { ffi::CLIP_IMAGE_LENIENT } else { 0 };
    raw.smaller_side = self.smaller_side;
    raw
  }
}

/// A decoded image.
pub struct Image {
  raw: *mut ffi::clip_image,
  view: ffi::clip_image_view,
  _runtime: Runtime,
}

// Nothing changes an image after it is made.
unsafe impl Send for Image {}
unsafe impl Sync for Image {}

impl Drop for Image {
  fn drop(&mut self) {
    unsafe { ffi::clip_image_release(self.raw) }
  }
}

impl Runtime {
  /// Decodes an image file: JPEG, PNG, WebP, or any format that a codec plugin recognises.
  pub fn load_image(&self, path: impl AsRef<Path>, options: ImageOptions) -> Result<Image> {
    let path = c_path(path.as_ref())?;
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_image_load(self.0.raw, path.as_ptr(), &options.raw(), &mut raw) })?;
    self.image(raw)
  }

  /// Decodes an image file that is in memory.
  pub fn decode_image(&self, data: &[u8], options: ImageOptions) -> Result<Image> {
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_image_decode(self.0.raw, data.as_ptr().cast(), data.len(), &options.raw(), &mut raw) })?;
    self.image(raw)
  }

  fn image(&self, raw: *mut ffi::clip_image) -> Result<Image> {
    let mut image = Image { raw, view: unsafe { std::mem::zeroed() }, _runtime: self.clone() };
    check(unsafe { ffi::clip_image_get_view(image.raw, &mut image.view) })?;
    Ok(image)
  }
}

impl Image {
  pub fn view(&self) -> View<'_> {
    View(self.view, PhantomData)
  }
}

/// 8-bit pixels that an image or the caller owns: rows from top to bottom, channels interleaved.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct View<'a>(pub(crate) ffi::clip_image_view, PhantomData<&'a [u8]>);

// A view is a shared reference to bytes.
unsafe impl Send for View<'_> {}
unsafe impl Sync for View<'_> {}

impl<'a> View<'a> {
  /// Pixels of the caller's, rows `stride` bytes apart; 0: no gap between rows.
  pub fn new(pixels: &'a [u8], width: u32, height: u32, stride: usize, format: PixelFormat) -> Result<View<'a>> {
    let row = (width as usize).checked_mul(format.channels());
    let step = if stride == 0 { row } else { Some(stride) };
    let size = row.zip(step).filter(|(row, step)| step >= row && width > 0 && height > 0);
    let needed = size.and_then(|(row, step)| step.checked_mul(height as usize - 1)?.checked_add(row));
    match needed {
      Some(bytes) if bytes <= pixels.len() => {}
      _ => {
        let size = format!("{width} x {height} pixels of {format:?} with stride {stride}");
        return Err(Error::invalid(format!("{size} do not fit {} bytes", pixels.len())));
      }
    }
    let pixels = pixels.as_ptr();
    let (orientation, full_width, full_height) = (0, 0, 0);
    let format = format as u32;
    Ok(View(ffi::clip_image_view { pixels, width, height, stride, format, orientation, full_width, full_height }, PhantomData))
  }

  /// The same pixels with EXIF's Orientation, 1 to 8.
  pub fn with_orientation(mut self, orientation: u32) -> View<'a> {
    self.0.orientation = orientation;
    self
  }

  /// Width in pixels, as stored.
  pub fn width(&self) -> u32 {
    self.0.width
  }

  pub fn height(&self) -> u32 {
    self.0.height
  }

  /// Bytes from one row to the next.
  pub fn stride(&self) -> usize {
    if self.0.stride == 0 { self.0.width as usize * self.format().channels() } else { self.0.stride }
  }

  pub fn format(&self) -> PixelFormat {
    PixelFormat::of(self.0.format)
  }

  /// EXIF's Orientation, 1 to 8.
  pub fn orientation(&self) -> u32 {
    self.0.orientation.max(1)
  }

  /// The rows, with the gaps between them.
  pub fn pixels(&self) -> &'a [u8] {
    let row = self.0.width as usize * self.format().channels();
    unsafe { std::slice::from_raw_parts(self.0.pixels, self.stride() * (self.0.height as usize - 1) + row) }
  }
}
