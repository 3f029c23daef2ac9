//! A small image encoder: patches, a 3 x 3 convolution over them, their mean, a linear layer.
//! `make` builds sample.so; `clip plugins check sample.so` looks it over.
mod clip_plugin;
use clip_plugin::*;
use std::mem::size_of;
use std::ptr::addr_of;

unsafe extern "C" fn build(b: *mut Builder) -> Value {
  let t = &*b;
  let height = (t.need_int)(b, c!("image_height"), 8, 4096) as f64;
  let width = (t.need_int)(b, c!("image_width"), 8, 4096) as f64;
  let channels = (t.get_int)(b, c!("width"), 64) as f64;
  let features = (t.get_int)(b, c!("embed_dim"), 32) as f64;

  let patch = [(c!("features"), channels), (c!("kernel_height"), 8.0), (c!("kernel_width"), 8.0), (c!("stride"), 8.0)];
  let around = [(c!("features"), channels), (c!("kernel_height"), 3.0), (c!("kernel_width"), 3.0), (c!("padding"), 1.0), (c!("bias"), 0.0)];

  // Errors are sticky: after the first, calls do nothing, and the host reports it.
  let x = op(b, c!("pixels"), c!(""), &[], &[(c!("height"), height), (c!("width"), width)]);
  let x = op(b, c!("activate"), c!(""), &[op(b, c!("conv"), c!("patch"), &[x], &patch)], &[(c!("activation"), GELU)]);
  let y = op(b, c!("batch_norm"), c!("norm"), &[op(b, c!("conv"), c!("mix"), &[x], &around)], &[(c!("epsilon"), 1e-5)]);
  let x = op(b, c!("add"), c!(""), &[x, op(b, c!("activate"), c!(""), &[y], &[(c!("activation"), RELU)])], &[]);
  op(b, c!("linear"), c!("head"), &[op(b, c!("mean_rows"), c!(""), &[x], &[])], &[(c!("features"), features)])
}

static ENCODER: Encoder = Encoder {
  struct_size: size_of::<Encoder>() as u32,
  tower: TOWER_IMAGE,
  id: c!("example.encoder.sample"),
  description: c!("Patches, a convolution over them, their mean"),
  build,
  example: c!("{\"image_height\": 64, \"image_width\": 64}"),
  strengths: c!("small-data:1,texture:1"),
};

static ITEMS: [Item; 1] = [Item { kind: KIND_ENCODER, table: addr_of!(ENCODER).cast() }];

static PLUGIN: Plugin = Plugin {
  struct_size: size_of::<Plugin>() as u32,
  abi_version: ABI_VERSION,
  id: c!("example.sample"),
  version: c!("1.0.0"),
  license: c!("Apache-2.0"),
  items: ITEMS.as_ptr(),
  item_count: 1,
};

#[no_mangle]
pub extern "C" fn clip_plugin_entry() -> *const Plugin {
  &PLUGIN
}
