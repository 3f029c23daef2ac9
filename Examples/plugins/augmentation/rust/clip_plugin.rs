//! What an image augmentation's plugin needs of clip_plugin.h and clip.h, in Rust. Comments are in the
//! headers; the order and the types of fields are theirs.
#![allow(dead_code)]
use std::os::raw::{c_char, c_void};

/// A literal as a C string.
macro_rules! c {
  ($text:literal) => { concat!($text, "\0").as_ptr() as *const std::os::raw::c_char };
}
pub(crate) use c;

pub type Status = u32;

pub const ABI_VERSION: u32 = 2 << 16;
pub const KIND_IMAGE_AUGMENTATION: u32 = 7;
pub const OK: Status = 0;
pub const PLUGIN: Status = 9;
pub const PIXELS_RGB: u32 = 1;
pub const PIXELS_GRAY: u32 = 5;
pub const SETTING_NUMBER: u32 = 1;
pub const SETTING_INTEGER: u32 = 2;
pub const SETTING_BOOLEAN: u32 = 3;

#[repr(C)]
pub struct View {
  pub pixels: *const u8,
  pub width: u32,
  pub height: u32,
  pub stride: usize,
  pub format: u32,
}

#[repr(C)]
pub struct Random {
  pub struct_size: u32,
  pub host: *mut c_void,
  pub bits: unsafe extern "C" fn(random: *mut Random) -> u32,
  pub uniform: unsafe extern "C" fn(random: *mut Random) -> f64,
  pub below: unsafe extern "C" fn(random: *mut Random, n: u32) -> u32,
  pub normal: unsafe extern "C" fn(random: *mut Random) -> f64,
}

#[repr(C)]
pub struct Settings {
  pub struct_size: u32,
  pub host: *mut c_void,
  pub number: unsafe extern "C" fn(settings: *const Settings, name: *const c_char) -> f64,
  pub numbers: unsafe extern "C" fn(settings: *const Settings, name: *const c_char, values: *mut *const f64) -> usize,
  pub text: unsafe extern "C" fn(settings: *const Settings, name: *const c_char) -> *const c_char,
}

#[repr(C)]
pub struct Sink {
  pub struct_size: u32,
  pub host: *mut c_void,
  pub allocate: unsafe extern "C" fn(sink: *mut Sink, width: u32, height: u32, format: u32, stride: *mut usize) -> *mut u8,
  pub resize: unsafe extern "C" fn(sink: *mut Sink, view: *const View, filter: u32, width: u32, height: u32, pixels: *mut u8, stride: usize) -> i32,
}

#[repr(C)]
pub struct Error {
  pub message: *mut c_char,
  pub capacity: usize,
}

#[repr(C)]
pub struct SettingInfo {
  pub name: *const c_char,
  pub description: *const c_char,
  pub kind: u32,
  pub low: f64,
  pub high: f64,
  pub number: f64,
  pub numbers: *const f64,
  pub number_count: usize,
  pub count_low: usize,
  pub count_high: usize,
  pub text: *const c_char,
  pub choices: *const *const c_char,
  pub choice_count: usize,
}

impl SettingInfo {
  pub const fn number(name: *const c_char, description: *const c_char, kind: u32, low: f64, high: f64, number: f64) -> SettingInfo {
    let (numbers, text, choices) = (std::ptr::null(), std::ptr::null(), std::ptr::null());
    SettingInfo { name, description, kind, low, high, number, numbers, number_count: 0, count_low: 0, count_high: 0, text, choices, choice_count: 0 }
  }
}

#[repr(C)]
pub struct Augmentation {
  pub struct_size: u32,
  pub formats: u32,
  pub id: *const c_char,
  pub description: *const c_char,
  pub op: *const c_char,
  pub probability: f64,
  pub settings: *const SettingInfo,
  pub setting_count: usize,
  pub context: *const c_void,
  pub create: Option<unsafe extern "C" fn(augmentation: *const Augmentation, settings: *const Settings, instance: *mut *mut c_void, error: *mut Error) -> Status>,
  pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
  pub apply_image: Option<unsafe extern "C" fn(instance: *mut c_void, view: *const View, out: *mut Sink, random: *mut Random, error: *mut Error) -> Status>,
  pub apply_text: Option<unsafe extern "C" fn(instance: *mut c_void, text: *const c_char, size: usize, out: *mut c_void, random: *mut Random, error: *mut Error) -> Status>,
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
unsafe impl Sync for SettingInfo {}
unsafe impl Sync for Augmentation {}
unsafe impl Sync for Item {}
unsafe impl Sync for Plugin {}
