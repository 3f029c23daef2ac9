use crate::{c_path, c_text, check, ffi, init, text_of, Result};
use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
  Error,
  Warning,
  Info,
}

type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

#[derive(Default)]
pub struct RuntimeOptions {
  /// Threads that compute one call, the calling thread included: 1 to 256; 0 is 1.
  pub threads: u32,
  /// Plugin files, and folders of them, to load before those of CLIP_PLUGIN_PATH and of the library's own folder.
  pub plugin_paths: Vec<PathBuf>,
  /// Receives messages on any thread. It must not call the library. A panic in it is ignored.
  pub log: Option<Log>,
  /// The largest image in pixels; 0: the library's default.
  pub max_image_pixels: u64,
  /// A kernel set, such as "x86-64-v3"; None: the fastest.
  pub kernels: Option<String>,
}

/// What models share: worker threads, plugins, log. A clone is the same runtime.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
  pub raw: *mut ffi::clip_runtime,
  _log: Option<Box<Log>>, // the library has its address as long as there is a handle, and each handle keeps this
}

// Calls on a runtime are [any-thread]; it is released once, by the last user.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Drop for Shared {
  fn drop(&mut self) {
    unsafe { ffi::clip_runtime_release(self.raw) }
  }
}

unsafe extern "C" fn on_log(user: *mut c_void, level: ffi::clip_log_level, message: *const c_char) {
  let log = &*user.cast::<Log>();
  let level = match level {
    ffi::CLIP_LOG_ERROR => LogLevel::Error,
    ffi::CLIP_LOG_WARNING => LogLevel::Warning,
    _ => LogLevel::Info,
  };
  let message = CStr::from_ptr(message).to_string_lossy();
  let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log(level, &message)));
}

impl Runtime {
  pub fn new(options: RuntimeOptions) -> Result<Runtime> {
    let paths = options.plugin_paths.iter().map(|path| c_path(path)).collect::<Result<Vec<_>>>()?;
    let pointers: Vec<*const c_char> = paths.iter().map(|path| path.as_ptr()).collect();
    let kernels = options.kernels.as_deref().map(c_text).transpose()?;
    let log = options.log.map(Box::new);

    let mut raw_options = init!(clip_runtime_options);
    raw_options.threads = options.threads;
    raw_options.plugin_paths = pointers.as_ptr();
    raw_options.plugin_path_count = pointers.len();
    raw_options.max_image_pixels = options.max_image_pixels;
    raw_options.kernels = kernels.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    if let Some(log) = &log {
      raw_options.log = Some(on_log);
      raw_options.log_user = (&**log as *const Log as *mut Log).cast();
    }
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_runtime_create(&raw_options, &mut raw) })?;
    Ok(Runtime(Arc::new(Shared { raw, _log: log })))
  }

  /// Writes random initial weights into a model folder that has its configuration but no weights. The same seed makes the
  /// same file.
  pub fn initialize_model(&self, folder: impl AsRef<Path>, seed: u64) -> Result<()> {
    let folder = c_path(folder.as_ref())?;
    check(unsafe { ffi::clip_model_initialize(self.0.raw, folder.as_ptr(), seed) })
  }

  /// The name endings of the image files that can be read: "jpg", "png".
  pub fn image_endings(&self) -> Vec<String> {
    let endings = text_of(|buffer, capacity| unsafe { ffi::clip_image_endings(self.0.raw, buffer, capacity) });
    endings.split(',').filter(|ending| !ending.is_empty()).map(str::to_owned).collect()
  }

  /// Loads a plugin file, or each *.so of a folder.
  pub fn load_plugin(&self, path: impl AsRef<Path>) -> Result<()> {
    let path = c_path(path.as_ref())?;
    check(unsafe { ffi::clip_plugin_load(self.0.raw, path.as_ptr()) })
  }

  /// Unloads a plugin by its id or path; what uses it goes on.
  pub fn unload_plugin(&self, plugin: &str) -> Result<()> {
    let plugin = c_text(plugin)?;
    check(unsafe { ffi::clip_plugin_unload(self.0.raw, plugin.as_ptr()) })
  }

  /// The handle in C, for functions of [`ffi`]; valid as long as this runtime.
  pub fn as_ptr(&self) -> *mut ffi::clip_runtime {
    self.0.raw
  }
}
