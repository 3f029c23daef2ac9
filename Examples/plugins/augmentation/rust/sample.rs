//! A small image augmentation, cutout (DeVries and Taylor, 2017): a square of one grey at a random place.
//! `make` builds sample.so; `clip plugins check sample.so` looks it over.
mod clip_plugin;
use clip_plugin::*;
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::{addr_of, copy_nonoverlapping, null, write_bytes};

struct Cutout {
  size: f64,
  value: u8,
}

/// The host has checked the settings against what is declared below.
unsafe extern "C" fn create(_: *const Augmentation, settings: *const Settings, instance: *mut *mut c_void, _: *mut Error) -> Status {
  let number = (*settings).number;
  let cutout = Cutout { size: number(settings, c!("size")), value: number(settings, c!("value")) as u8 };
  *instance = Box::into_raw(Box::new(cutout)).cast();
  OK
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
  drop(Box::from_raw(instance.cast::<Cutout>()))
}

/// Called from any threads at once: nothing of the instance changes, and every number comes from `random`.
unsafe extern "C" fn apply(instance: *mut c_void, view: *const View, out: *mut Sink, random: *mut Random, _: *mut Error) -> Status {
  let (cutout, view) = (&*instance.cast::<Cutout>(), &*view);
  let bytes = if view.format == PIXELS_GRAY { 1 } else { 3 };
  let mut stride = 0;
  let pixels = ((*out).allocate)(out, view.width, view.height, view.format, &mut stride);
  if pixels.is_null() {
    return PLUGIN; // the host knows why
  }
  for y in 0..view.height as usize {
    copy_nonoverlapping(view.pixels.add(y * view.stride), pixels.add(y * stride), view.width as usize * bytes);
  }
  let side = (cutout.size * f64::from(view.width.min(view.height))) as u32;
  let left = ((*random).below)(random, view.width - side + 1) as usize;
  let top = ((*random).below)(random, view.height - side + 1) as usize;
  for y in top..top + side as usize {
    write_bytes(pixels.add(y * stride + left * bytes), cutout.value, side as usize * bytes);
  }
  OK
}

static SETTINGS: [SettingInfo; 2] = [
  SettingInfo::number(c!("size"), c!("side of the square, as a share of the shorter side"), SETTING_NUMBER, 0.0, 1.0, 0.25),
  SettingInfo::number(c!("value"), c!("its grey"), SETTING_INTEGER, 0.0, 255.0, 128.0),
];
static AUGMENTATION: Augmentation = Augmentation {
  struct_size: size_of::<Augmentation>() as u32,
  formats: 1 << PIXELS_RGB | 1 << PIXELS_GRAY, // the host converts others
  id: c!("example.augment.sample"),
  op: c!("sample_op"),
  description: c!("A grey square at a random place"),
  probability: 0.5,
  settings: SETTINGS.as_ptr(),
  setting_count: 2,
  context: null(),
  create: Some(create),
  destroy: Some(destroy),
  apply_image: Some(apply),
  apply_text: None,
};
static ITEMS: [Item; 1] = [Item { kind: KIND_IMAGE_AUGMENTATION, table: addr_of!(AUGMENTATION).cast() }];
static PLUGIN_TABLE: Plugin = Plugin {
  struct_size: size_of::<Plugin>() as u32, abi_version: ABI_VERSION, id: c!("example.sample"),
  version: c!("1.0.0"), license: c!("Apache-2.0"), items: ITEMS.as_ptr(), item_count: 1,
};

#[no_mangle]
pub extern "C" fn clip_plugin_entry() -> *const Plugin {
  &PLUGIN_TABLE
}
