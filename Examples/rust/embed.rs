//! embed: which of some captions fits an image?
//!
//!   rustc --edition 2021 -O embed.rs -L $(pkg-config --variable=libdir clipcore)
//!   ./embed MODEL IMAGE CAPTION...
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_void};
use std::mem::size_of;
use std::ptr::{null, null_mut};

#[repr(C)]
struct ImageView {
  pixels: *const u8,
  width: u32,
  height: u32,
  stride: usize,
  format: u32,
  orientation: u32,
}

/// The fields of clip.h that are used here: struct_size says where they end.
#[repr(C)]
struct ModelInfo {
  struct_size: u32,
  towers: u32,
  embedding_width: u32,
}

#[link(name = "clipcore")]
extern "C" {
  fn clip_last_error() -> *const c_char;
  fn clip_runtime_create(options: *const c_void, out: *mut *mut c_void) -> u32;
  fn clip_runtime_release(runtime: *mut c_void);
  fn clip_model_open(runtime: *mut c_void, folder: *const c_char, options: *const c_void, out: *mut *mut c_void) -> u32;
  fn clip_model_release(model: *mut c_void);
  fn clip_model_describe(model: *const c_void, info: *mut ModelInfo) -> u32;
  fn clip_image_load(runtime: *mut c_void, path: *const c_char, options: *const c_void, out: *mut *mut c_void) -> u32;
  fn clip_image_get_view(image: *const c_void, view: *mut ImageView) -> u32;
  fn clip_image_release(image: *mut c_void);
  fn clip_encode_image(model: *mut c_void, views: *const ImageView, n: usize, options: *const c_void, out: *mut f32, capacity: usize) -> u32;
  fn clip_encode_text(model: *mut c_void, texts: *const *const c_char, n: usize, options: *const c_void, out: *mut f32, capacity: usize) -> u32;
  fn clip_classify(model: *const c_void, a: *const f32, n: usize, b: *const f32, m: usize, out: *mut f32, capacity: usize) -> u32;
}

/// The library's message if a call failed.
fn need(status: u32) -> Result<(), String> {
  if status == 0 {
    return Ok(());
  }
  Err(unsafe { CStr::from_ptr(clip_last_error()) }.to_string_lossy().into_owned())
}

fn run(arguments: &[CString]) -> Result<(), String> {
  let captions: Vec<*const c_char> = arguments[2..].iter().map(|text| text.as_ptr()).collect();
  let (mut runtime, mut model, mut photo) = (null_mut(), null_mut(), null_mut());
  unsafe {
    need(clip_runtime_create(null(), &mut runtime))?;
    need(clip_model_open(runtime, arguments[0].as_ptr(), null(), &mut model))?;
    let mut info = ModelInfo { struct_size: size_of::<ModelInfo>() as u32, towers: 0, embedding_width: 0 };
    need(clip_model_describe(model, &mut info))?;
    need(clip_image_load(runtime, arguments[1].as_ptr(), null(), &mut photo))?;
    let mut view: ImageView = std::mem::zeroed();
    need(clip_image_get_view(photo, &mut view))?;

    let width = info.embedding_width as usize;
    let (mut image, mut texts) = (vec![0f32; width], vec![0f32; width * captions.len()]);
    let mut chances = vec![0f32; captions.len()];
    need(clip_encode_image(model, &view, 1, null(), image.as_mut_ptr(), image.len()))?;
    need(clip_encode_text(model, captions.as_ptr(), captions.len(), null(), texts.as_mut_ptr(), texts.len()))?;
    need(clip_classify(model, image.as_ptr(), 1, texts.as_ptr(), captions.len(), chances.as_mut_ptr(), chances.len()))?;
    for (chance, caption) in chances.iter().zip(&arguments[2..]) {
      println!("{:5.1} %  {}", 100.0 * chance, caption.to_string_lossy());
    }
    clip_image_release(photo);
    clip_model_release(model);
    clip_runtime_release(runtime);
  }
  Ok(())
}

fn main() {
  let arguments: Vec<CString> = std::env::args().skip(1).filter_map(|text| CString::new(text).ok()).collect();
  if arguments.len() < 3 {
    eprintln!("usage: embed MODEL IMAGE CAPTION...");
    std::process::exit(2);
  }
  if let Err(message) = run(&arguments) {
    eprintln!("embed: {message}");
    std::process::exit(1);
  }
}
