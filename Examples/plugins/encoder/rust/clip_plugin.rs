//! What an encoder plugin needs of clip_plugin.h, in Rust. Comments are in the header; the order and
//! the types of fields are its own. Structs grow at the end, so a shorter view of one is still right.
#![allow(dead_code)]
use std::os::raw::{c_char, c_void};

/// A literal as a C string.
macro_rules! c {
  ($text:literal) => { concat!($text, "\0").as_ptr() as *const std::os::raw::c_char };
}
pub(crate) use c;

pub type Value = i32;

pub const ABI_VERSION: u32 = 2 << 16;
pub const KIND_ENCODER: u32 = 1;
pub const TOWER_IMAGE: u32 = 1;
pub const TOWER_TEXT: u32 = 2;
pub const RELU: f64 = 1.0;
pub const GELU: f64 = 2.0;

#[repr(C)]
pub struct Shape {
  pub rows: u32,
  pub row_count: u32,
  pub width: u32,
  pub grid_height: u32,
  pub grid_width: u32,
}

#[repr(C)]
pub struct Setting {
  pub name: *const c_char,
  pub value: f64,
}

#[repr(C)]
pub struct Builder {
  pub struct_size: u32,
  pub host: *mut c_void,
  pub need_int: unsafe extern "C" fn(b: *mut Builder, key: *const c_char, low: i64, high: i64) -> i64,
  pub get_int: unsafe extern "C" fn(b: *mut Builder, key: *const c_char, fallback: i64) -> i64,
  pub get_number: unsafe extern "C" fn(b: *mut Builder, key: *const c_char, fallback: f64) -> f64,
  pub get_string: unsafe extern "C" fn(b: *mut Builder, key: *const c_char, fallback: *const c_char) -> *const c_char,
  pub get_ints: unsafe extern "C" fn(b: *mut Builder, key: *const c_char, values: *mut i64, capacity: usize) -> usize,
  pub fail: unsafe extern "C" fn(b: *mut Builder, message: *const c_char),
  pub push: unsafe extern "C" fn(b: *mut Builder, name: *const c_char),
  pub pop: unsafe extern "C" fn(b: *mut Builder),
  pub op: unsafe extern "C" fn(b: *mut Builder, op: *const c_char, name: *const c_char, inputs: *const Value, input_count: usize, settings: *const Setting, setting_count: usize) -> Value,
  pub shape: unsafe extern "C" fn(b: *mut Builder, x: Value, shape: *mut Shape),
  pub encoder: unsafe extern "C" fn(b: *mut Builder, id: *const c_char, scope: *const c_char, key: *const c_char) -> Value,
  pub set_output: unsafe extern "C" fn(b: *mut Builder, name: *const c_char, x: Value),
  pub output: unsafe extern "C" fn(b: *mut Builder, name: *const c_char) -> Value,
}

/// The ops and their settings are those of plugin/builtin_ops.h.
pub unsafe fn op(b: *mut Builder, op: *const c_char, name: *const c_char, inputs: &[Value], settings: &[(*const c_char, f64)]) -> Value {
  let settings: Vec<Setting> = settings.iter().map(|s| Setting { name: s.0, value: s.1 }).collect();
  ((*b).op)(b, op, name, inputs.as_ptr(), inputs.len(), settings.as_ptr(), settings.len())
}

#[repr(C)]
pub struct Encoder {
  pub struct_size: u32,
  pub tower: u32,
  pub id: *const c_char,
  pub description: *const c_char,
  pub build: unsafe extern "C" fn(b: *mut Builder) -> Value,
  pub example: *const c_char,
  pub strengths: *const c_char,
}

#[repr(C)]
pub struct Item {
  pub kind: u32,
  pub table: *const c_void,
}

#[repr(C)]
pub struct Plugin {
  pub struct_size: u32,
  pub abi_version: u32,
  pub id: *const c_char,
  pub version: *const c_char,
  pub license: *const c_char,
  pub items: *const Item,
  pub item_count: usize,
}

// Tables are constant and their strings static, so threads may share them.
unsafe impl Sync for Encoder {}
unsafe impl Sync for Item {}
unsafe impl Sync for Plugin {}
