//! A small image encoder: patches, a 3 x 3 convolution over them, their mean, a linear layer.
//! `make` builds sample.so; `clip plugins check sample.so` looks it over.
mod clip_plugin;
use clip_plugin::*;
use std::mem::size_of;
use std::ptr::addr_of;

unsafe extern "C" fn build(b: *mut Builder) -> Value {
  let t = &*b;
  let height = (t.need_int)(b, c"image_height".as_ptr(), 8, 4096) as u32;
  let width = (t.need_int)(b, c"image_width".as_ptr(), 8, 4096) as u32;
  let channels = (t.get_int)(b, c"width".as_ptr(), 64) as u32;
  let features = (t.get_int)(b, c"embed_dim".as_ptr(), 32) as u32;

  let size = size_of::<Window>() as u32;
  let patch = Window { struct_size: size, kernel_height: 8, kernel_width: 8, stride: 8, ..Default::default() };
  let around = Window { struct_size: size, kernel_height: 3, kernel_width: 3, padding: 1, ..Default::default() };

  // Errors are sticky: after the first, calls do nothing, and the host reports it.
  let x = (t.pixels)(b, height, width);
  let x = (t.activate)(b, (t.conv)(b, x, c"patch".as_ptr(), channels, &patch, 0), GELU);
  let y = (t.conv)(b, x, c"mix".as_ptr(), channels, &around, NO_BIAS);
  let y = (t.batch_norm)(b, y, c"norm".as_ptr(), 1e-5);
  let x = (t.add)(b, x, (t.activate)(b, y, RELU));
  (t.linear)(b, (t.mean_rows)(b, x), c"head".as_ptr(), features, 0)
}

static ENCODER: Encoder = Encoder {
  struct_size: size_of::<Encoder>() as u32,
  tower: TOWER_IMAGE,
  id: c"example.encoder.sample".as_ptr(),
  description: c"Patches, a convolution over them, their mean".as_ptr(),
  build,
  example: c"{\"image_height\": 64, \"image_width\": 64}".as_ptr(),
  strengths: c"small-data:1,texture:1".as_ptr(),
};

static ITEMS: [Item; 1] = [Item { kind: KIND_ENCODER, reserved: 0, table: addr_of!(ENCODER).cast() }];

static PLUGIN: Plugin = Plugin {
  struct_size: size_of::<Plugin>() as u32,
  abi_version: ABI_VERSION,
  id: c"example.sample".as_ptr(),
  version: c"1.0.0".as_ptr(),
  license: c"Apache-2.0".as_ptr(),
  items: ITEMS.as_ptr(),
  item_count: 1,
};

#[no_mangle]
pub extern "C" fn clip_plugin_entry() -> *const Plugin {
  &PLUGIN
}
