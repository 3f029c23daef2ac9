//! Embeds images and texts in one vector space with CLIP models: a safe interface to `libclipcore`.
//!
//! ```no_run
//! use clipcore::{EncodeOptions, Runtime};
//!
//! let runtime = Runtime::new(Default::default())?;
//! let model = runtime.open_model("Models/emoji", Default::default())?;
//! let photo = runtime.load_image("Examples/images/cat.png", Default::default())?;
//! let image = model.encode_images(&[photo.view()], EncodeOptions::default())?;
//! let texts = model.encode_texts(&["a cat", "a slice of pizza"], EncodeOptions::default())?;
//! println!("{:?}", model.classify(&image, &texts)?);
//! # Ok::<(), clipcore::Error>(())
//! ```
//!
//! Handles are released when they are dropped, in any order. A panic in a closure that the library calls ends the call and
//! goes on in the caller. What this interface does not have is in [`ffi`], which is made from the C headers.

mod callback;
#[path = "raw.rs"]
pub mod ffi;
mod image;
mod index;
mod model;
pub mod plugin;
mod runtime;
mod train;

pub use callback::Progress;
pub use image::{Image, ImageOptions, PixelFormat, View};
pub use index::{fingerprint, Entry, Filter, Index, IndexInfo, IndexOptions, SearchOptions};
pub use model::{EncodeOptions, Model, ModelInfo, ModelOptions, Storage, Tokens, Tower};
pub use runtime::{LogLevel, Runtime, RuntimeOptions};
pub use train::{Batch, Images, Metrics, Optimizer, Schedule, Texts, Trainer, TrainerOptions};

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure: one of the constants, or a value of a later library.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

impl Status {
  pub const OK: Status = Status(ffi::CLIP_OK);
  pub const INVALID_ARGUMENT: Status = Status(ffi::CLIP_INVALID_ARGUMENT);
  pub const NOT_FOUND: Status = Status(ffi::CLIP_NOT_FOUND);
  pub const IO: Status = Status(ffi::CLIP_IO);
  pub const FORMAT: Status = Status(ffi::CLIP_FORMAT);
  pub const UNSUPPORTED: Status = Status(ffi::CLIP_UNSUPPORTED);
  pub const MISMATCH: Status = Status(ffi::CLIP_MISMATCH);
  pub const LIMIT: Status = Status(ffi::CLIP_LIMIT);
  pub const OUT_OF_MEMORY: Status = Status(ffi::CLIP_OUT_OF_MEMORY);
  pub const PLUGIN: Status = Status(ffi::CLIP_PLUGIN);
  pub const NOT_FINITE: Status = Status(ffi::CLIP_NOT_FINITE);
  pub const CANCELLED: Status = Status(ffi::CLIP_CANCELLED);

  /// The name in C, such as "CLIP_FORMAT".
  pub fn name(self) -> &'static str {
    static_text(unsafe { ffi::clip_status_name(self.0) })
  }
}

impl std::fmt::Debug for Status {
  fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    f.write_str(self.name())
  }
}

/// A failed call: its status, and what was expected, what was found and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
  pub status: Status,
  pub message: String,
}

impl Error {
  pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error { status: Status::INVALID_ARGUMENT, message: message.into() }
  }
}

impl std::fmt::Display for Error {
  fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    write!(f, "{}: {}", self.status.name(), self.message)
  }
}

impl std::error::Error for Error {}

/// The version of the library, "major.minor.patch".
pub fn version() -> &'static str {
  static_text(unsafe { ffi::clip_version() })
}

/// The version of the library's interface: (major << 16) | minor.
pub fn abi_version() -> u32 {
  unsafe { ffi::clip_abi_version() }
}

pub(crate) fn check(status: u32) -> Result<()> {
  if status == ffi::CLIP_OK {
    return Ok(());
  }
  // Of the call before this one on this thread.
  let message = unsafe { CStr::from_ptr(ffi::clip_last_error()) }.to_string_lossy().into_owned();
  Err(Error { status: Status(status), message })
}

fn static_text(text: *const c_char) -> &'static str {
  unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

pub(crate) fn c_text(text: &str) -> Result<CString> {
  CString::new(text).map_err(|error| Error::invalid(format!("a text has a NUL at byte {}", error.nul_position())))
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
  CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::invalid(format!("the path {path:?} has a NUL")))
}

/// Texts as C takes them; the pointers are valid as long as the first is.
pub(crate) fn c_texts(texts: &[impl AsRef<str>]) -> Result<(Vec<CString>, Vec<*const c_char>)> {
  let held = texts.iter().map(|text| c_text(text.as_ref())).collect::<Result<Vec<_>>>()?;
  let pointers = held.iter().map(|text| text.as_ptr()).collect();
  Ok((held, pointers))
}

/// The text that a function writes as snprintf does: once for its length, until it fits.
pub(crate) fn text_of(write: impl Fn(*mut c_char, usize) -> usize) -> String {
  let mut buffer = vec![0u8; 128];
  loop {
    let length = write(buffer.as_mut_ptr().cast(), buffer.len());
    if length < buffer.len() {
      buffer.truncate(length);
      return String::from_utf8_lossy(&buffer).into_owned();
    }
    buffer.resize(length + 1, 0);
  }
}

/// A struct of C whose zeros are its defaults, with struct_size set.
macro_rules! init {
  ($type:ident) => {{
    let mut value: crate::ffi::$type = unsafe { std::mem::zeroed() };
    value.struct_size = std::mem::size_of::<crate::ffi::$type>() as u32;
    value
  }};
}
pub(crate) use init;
