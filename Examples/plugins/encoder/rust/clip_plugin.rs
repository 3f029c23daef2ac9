//! What an encoder plugin needs of clip_plugin.h, in Rust. Comments are in the header; the order and
//! the types of fields are its own. Structs grow at the end, so a shorter view of one is still right.
#![allow(dead_code)]
use std::ffi::{c_char, c_void};

pub type Value = i32;

pub const ABI_VERSION: u32 = 1 << 16;
pub const KIND_ENCODER: u32 = 1;
pub const TOWER_IMAGE: u32 = 1;
pub const TOWER_TEXT: u32 = 2;
pub const RELU: u32 = 1;
pub const GELU: u32 = 2;
pub const NO_BIAS: u32 = 1;

#[repr(C)]
#[derive(Default)]
pub struct Window {
  pub struct_size: u32,
  pub kernel_height: u32,
  pub kernel_width: u32,
  pub stride: u32,
  pub padding: u32,
  pub dilation: u32,
  pub groups: u32,
}

#[repr(C)]
pub struct Transformer {
  pub struct_size: u32,
  pub layers: u32,
  pub heads: u32,
  pub mlp_width: u32,
  pub activation: u32,
  pub flags: u32,
  pub epsilon: f32,
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
  pub pixels: unsafe extern "C" fn(b: *mut Builder, height: u32, width: u32) -> Value,
  pub tokens: unsafe extern "C" fn(b: *mut Builder, vocabulary: u32, context_length: u32, rule: u32, end_token: i32) -> Value,
  pub row_parameter: unsafe extern "C" fn(b: *mut Builder, name: *const c_char, width: u32) -> Value,
  pub linear: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char, features: u32, flags: u32) -> Value,
  pub embedding: unsafe extern "C" fn(b: *mut Builder, tokens: Value, name: *const c_char, width: u32) -> Value,
  pub positions: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char) -> Value,
  pub layer_norm: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char, epsilon: f32) -> Value,
  pub batch_norm: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char, epsilon: f32) -> Value,
  pub activate: unsafe extern "C" fn(b: *mut Builder, x: Value, activation: u32) -> Value,
  pub add: unsafe extern "C" fn(b: *mut Builder, x: Value, y: Value) -> Value,
  pub attention: unsafe extern "C" fn(b: *mut Builder, q: Value, k: Value, v: Value, heads: u32, flags: u32) -> Value,
  pub prepend: unsafe extern "C" fn(b: *mut Builder, x: Value, row: Value) -> Value,
  pub first_row: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub end_row: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub mean_rows: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub conv: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char, features: u32, window: *const Window, flags: u32) -> Value,
  pub avg_pool: unsafe extern "C" fn(b: *mut Builder, x: Value, window: *const Window) -> Value,
  pub max_pool: unsafe extern "C" fn(b: *mut Builder, x: Value, window: *const Window) -> Value,
  pub transformer: unsafe extern "C" fn(b: *mut Builder, x: Value, options: *const Transformer) -> Value,
  pub width_of: unsafe extern "C" fn(b: *mut Builder, x: Value) -> u32,
  pub rows_of: unsafe extern "C" fn(b: *mut Builder, x: Value) -> u32,
  pub grid_height_of: unsafe extern "C" fn(b: *mut Builder, x: Value) -> u32,
  pub grid_width_of: unsafe extern "C" fn(b: *mut Builder, x: Value) -> u32,
  pub encoder: unsafe extern "C" fn(b: *mut Builder, id: *const c_char, scope: *const c_char, key: *const c_char) -> Value,
  pub publish: unsafe extern "C" fn(b: *mut Builder, name: *const c_char, x: Value),
  pub published: unsafe extern "C" fn(b: *mut Builder, name: *const c_char) -> Value,
  pub table_row: unsafe extern "C" fn(b: *mut Builder, name: *const c_char, rows: u32, row: u32, width: u32) -> Value,
  pub position_table: unsafe extern "C" fn(b: *mut Builder, x: Value, name: *const c_char, rows: u32) -> Value,
  pub multiply: unsafe extern "C" fn(b: *mut Builder, x: Value, y: Value) -> Value,
  pub concat: unsafe extern "C" fn(b: *mut Builder, x: Value, y: Value) -> Value,
  pub dropout: unsafe extern "C" fn(b: *mut Builder, x: Value, probability: f32) -> Value,
  pub mix: unsafe extern "C" fn(b: *mut Builder, values: *const Value, count: usize, name: *const c_char) -> Value,
  pub max_rows: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub mean_columns: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub max_columns: unsafe extern "C" fn(b: *mut Builder, x: Value) -> Value,
  pub resize: unsafe extern "C" fn(b: *mut Builder, x: Value, height: u32, width: u32, mode: u32) -> Value,
  pub feature_pyramid: unsafe extern "C" fn(b: *mut Builder, levels: *const Value, count: usize, features: u32) -> Value,
  pub channel_attention: unsafe extern "C" fn(b: *mut Builder, x: Value, reduction: u32) -> Value,
  pub spatial_attention: unsafe extern "C" fn(b: *mut Builder, x: Value, kernel: u32) -> Value,
  pub scale_attention: unsafe extern "C" fn(b: *mut Builder, x: Value, kernels: *const u32, count: usize) -> Value,
  pub custom: unsafe extern "C" fn(b: *mut Builder, id: *const c_char, name: *const c_char, values: *const Value, count: usize, settings: *const f64, setting_count: usize) -> Value,
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
  pub reserved: u32,
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
