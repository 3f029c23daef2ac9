//! CLIPCORE_TEST_ROOT: the repository, whose small model and images these tests use.
use clipcore::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;

fn root() -> PathBuf {
  std::env::var_os("CLIPCORE_TEST_ROOT").expect("CLIPCORE_TEST_ROOT is not set").into()
}

fn open() -> (Runtime, Model) {
  let runtime = Runtime::new(RuntimeOptions { threads: 2, ..Default::default() }).unwrap();
  let model = runtime.open_model(root().join("Models/emoji"), Default::default()).unwrap();
  (runtime, model)
}

fn cat(runtime: &Runtime) -> Image {
  runtime.load_image(root().join("Examples/images/cat.png"), Default::default()).unwrap()
}

/// An empty folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
  fn new(name: &str) -> Folder {
    let path = std::env::temp_dir().join(format!("clipcore-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
  }
}

impl Drop for Folder {
  fn drop(&mut self) {
    let _ = std::fs::remove_dir_all(&self.0);
  }
}

#[test]
fn encodes_alike_by_each_way() {
  let (runtime, model) = open();
  let info = model.info().unwrap();
  assert_eq!(info.embedding_width, model.embedding_width());
  assert!(info.towers.contains(Tower::IMAGE | Tower::TEXT) && info.layout == "open_clip" && info.image_parameters > 0);
  assert_eq!(model.encoder(Tower::IMAGE), "clipcore.encoder.clip-vit");
  let photo = cat(&runtime);
  let image = model.encode_images(&[photo.view(), photo.view()], EncodeOptions::default()).unwrap();
  assert_eq!(image[..info.embedding_width], image[info.embedding_width..]);
  let bytes = std::fs::read(root().join("Examples/images/cat.png")).unwrap();
  let decoded = runtime.decode_image(&bytes, Default::default()).unwrap();
  let view = decoded.view();
  let own = View::new(view.pixels(), view.width(), view.height(), view.stride(), view.format()).unwrap();
  let pixels = model.preprocess(&[own], EncodeOptions::default()).unwrap();
  let by_pixels = model.encode_pixels(&pixels, EncodeOptions::default()).unwrap();
  assert_eq!(by_pixels, image[..info.embedding_width]);

  let texts = ["a cat", "a slice of pizza"];
  let embeddings = model.encode_texts(&texts, EncodeOptions::default()).unwrap();
  let tokens = model.tokenize(&texts, EncodeOptions::default()).unwrap();
  assert_eq!(tokens.ids.len(), 2 * info.context_length as usize);
  assert!(tokens.lengths[0] >= 3);
  assert_eq!(model.encode_tokens(&tokens.ids, EncodeOptions::default()).unwrap(), embeddings);
  let logits = model.similarity(&by_pixels, &embeddings).unwrap();
  let chances = model.classify(&by_pixels, &embeddings).unwrap();
  assert!(logits[0] > logits[1] && chances[0] > 0.9 && (chances[0] + chances[1] - 1.0).abs() < 1e-6);
  assert!(runtime.image_endings().contains(&"png".to_owned()));
  assert!(version().split('.').count() == 3 && abi_version() >> 16 == 2);
}

#[test]
fn errors_have_status_and_message() {
  let (runtime, model) = open();
  let error = runtime.open_model("/no/such/folder", Default::default()).err().unwrap();
  assert_eq!(error.status, Status::NOT_FOUND);
  assert!(error.message.contains("/no/such/folder"), "{error}");
  assert_eq!(format!("{:?}", error.status), "CLIP_NOT_FOUND");
  for text in ["a\0b", &"word ".repeat(500)] {
    let error = model.encode_texts(&[text], EncodeOptions::default()).unwrap_err();
    assert!(error.status == Status::INVALID_ARGUMENT || error.status == Status::LIMIT, "{error}");
  }
  assert!(model.encode_texts(&["word ".repeat(500)], EncodeOptions { truncate: true, ..Default::default() }).is_ok());
  assert!(model.encode_texts(&[] as &[&str], EncodeOptions::default()).is_err());
  assert!(model.encode_images(&[], EncodeOptions::default()).is_err());
  assert!(model.encode_pixels(&[0.0; 7], EncodeOptions::default()).is_err());
  assert!(model.encode_tokens(&[1; 7], EncodeOptions::default()).is_err());
  assert!(model.classify(&[0.0; 3], &[0.0; 3]).is_err());
  let prompted = model.encode_texts(&["a cat"], EncodeOptions { prompt: Some("none such"), ..Default::default() });
  assert_eq!(prompted.unwrap_err().status, Status::NOT_FOUND);
  let odd = EncodeOptions { image_width: u32::MAX, image_height: u32::MAX, ..Default::default() };
  assert_eq!(model.preprocess(&[cat(&runtime).view()], odd).unwrap_err().status, Status::MISMATCH);
  assert!(View::new(&[0; 11], 2, 2, 0, PixelFormat::Rgb).is_err());
  assert!(View::new(&[0; 12], u32::MAX, u32::MAX, usize::MAX, PixelFormat::Rgba).is_err());
  assert!(View::new(&[0; 12], 0, 0, 0, PixelFormat::Rgb).is_err());
  assert_eq!(runtime.decode_image(b"no image", Default::default()).err().unwrap().status, Status::FORMAT);
}

#[test]
fn rows_have_the_sizes_that_the_caller_names() {
  let runtime = Runtime::new(Default::default()).unwrap();
  let model = runtime.open_model(root().join("build/models/small-32"), Default::default()).unwrap();
  let (side, length) = (model.info().unwrap().image_width, model.info().unwrap().context_length);
  let large = || EncodeOptions { image_width: 2 * side, image_height: 2 * side, ..Default::default() };
  let (small_row, large_row) = (vec![0.5; 3 * (side * side) as usize], vec![0.5; 12 * (side * side) as usize]);
  assert_eq!(model.encode_pixels(&large_row, large()).unwrap_err().status, Status::MISMATCH);
  assert_eq!(model.encode_pixels(&small_row, large()).unwrap_err().status, Status::INVALID_ARGUMENT);
  let longer = || EncodeOptions { context_length: 2 * length, ..Default::default() };
  assert_eq!(model.encode_tokens(&vec![1; length as usize], longer()).unwrap_err().status, Status::INVALID_ARGUMENT);
  assert_eq!(model.tokenize(&["a"], longer()).unwrap_err().status, Status::MISMATCH);
  let odd = || EncodeOptions { image_width: u32::MAX, image_height: u32::MAX, ..Default::default() };
  assert_eq!(model.encode_pixels(&small_row, odd()).unwrap_err().status, Status::INVALID_ARGUMENT);

  let options = ModelOptions { image_width: 2 * side, image_height: 2 * side, ..Default::default() };
  model.swap(Tower::IMAGE, None, Some(options)).unwrap();
  assert_eq!(model.encode_pixels(&large_row, large()).unwrap().len(), model.embedding_width());
  assert_eq!(model.encode_pixels(&small_row, EncodeOptions::default()).unwrap_err().status, Status::MISMATCH);
  assert_eq!(model.preprocess(&[cat(&runtime).view()], EncodeOptions::default()).unwrap_err().status, Status::MISMATCH);
  assert_eq!(model.preprocess(&[cat(&runtime).view()], large()).unwrap().len(), large_row.len());
  model.swap(Tower::IMAGE, None, Some(Default::default())).unwrap();
  let mut trainer = model.trainer(&Default::default()).unwrap();
  let tokens = model.tokenize(&["a"], EncodeOptions::default()).unwrap().ids;
  let batch = |pixels| Batch { images: Images::Pixels(pixels), texts: Texts::Tokens(&tokens), options: Default::default() };
  trainer.evaluate(&batch(&small_row)).unwrap();
  assert!(trainer.evaluate(&batch(&large_row)).is_err());
}

#[test]
fn panics_and_cancellation_in_callbacks() {
  let (runtime, model) = open();
  let photo = cat(&runtime);
  let (mut calls, views) = (0, [photo.view(); 4]);
  let mut count = |done: u64, total: u64| {
    assert!(done <= total && total == 4);
    calls += 1;
    ControlFlow::Continue(())
  };
  model.encode_images(&views, EncodeOptions { progress: Some(&mut count), ..Default::default() }).unwrap();
  assert!(calls > 0);
  let mut stop = |_, _| ControlFlow::Break(());
  let stopped = model.encode_images(&views, EncodeOptions { progress: Some(&mut stop), ..Default::default() });
  assert_eq!(stopped.unwrap_err().status, Status::CANCELLED);

  std::panic::set_hook(Box::new(|_| {}));
  let mut fail = |_, _| panic!("in progress");
  let options = EncodeOptions { progress: Some(&mut fail), ..Default::default() };
  let panicked = catch_unwind(AssertUnwindSafe(|| model.encode_images(&views, options)));
  assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"in progress"));
  let mut fail = |_, _| panic!("while opening");
  let options = ModelOptions { progress: Some(&mut fail), ..Default::default() };
  assert!(catch_unwind(AssertUnwindSafe(|| runtime.open_model(root().join("Models/emoji"), options))).is_err());
  let options = RuntimeOptions { plugin_paths: vec!["/no/plugin.so".into()], log: Some(Box::new(|_, _| panic!("in log"))), ..Default::default() };
  Runtime::new(options).unwrap();

  let folder = Folder::new("panics");
  let options = IndexOptions { create: true, fingerprint: Some("f".into()), embedding_width: 2, ..Default::default() };
  let index = runtime.open_index(folder.0.join("a.index"), options).unwrap();
  index.put(&["a", "b"], Some(&[1.0, 0.0, 0.0, 1.0]), None).unwrap();
  let mut fail = |_: &Entry| panic!("in filter");
  let options = SearchOptions { filter: Some(&mut fail), ..Default::default() };
  assert!(catch_unwind(AssertUnwindSafe(|| index.search(&[1.0, 0.0], options))).is_err());
  assert!(catch_unwind(AssertUnwindSafe(|| index.visit("", |_| panic!("in visit")))).is_err());
  let _ = std::panic::take_hook();
  model.encode_images(&views, EncodeOptions::default()).unwrap();
}

#[test]
fn index_keeps_entries() {
  let (runtime, _model) = open();
  let folder = Folder::new("index");
  let path = folder.0.join("a.index");
  let print = fingerprint(root().join("Models/emoji")).unwrap();
  assert_eq!(runtime.open_index(&path, Default::default()).err().unwrap().status, Status::NOT_FOUND);
  let options = IndexOptions { create: true, fingerprint: Some(print.clone()), embedding_width: 3, ..Default::default() };
  let index = runtime.open_index(&path, options).unwrap();
  assert_eq!(index.fingerprint(), print);
  index.put(&["a", "b", "c"], Some(&[1.0, 0.0, 0.0, 2.0, 0.1, 0.0, 0.0, 0.0, 1.0]), Some(&["first", "", "third"])).unwrap();
  assert!(index.put(&["d"], Some(&[1.0; 4]), None).is_err() && index.put(&["d"], Some(&[0.0; 3]), None).is_err());
  let (entry, embedding) = index.get("a").unwrap();
  assert_eq!((entry.metadata, embedding), (b"first".to_vec(), vec![1.0, 0.0, 0.0]));
  assert_eq!(index.get("z").unwrap_err().status, Status::NOT_FOUND);
  let keys = |found: Vec<Entry>| found.into_iter().map(|entry| String::from_utf8(entry.key).unwrap()).collect::<Vec<_>>();
  assert_eq!(keys(index.search(&[1.0, 0.0, 0.0], Default::default()).unwrap()), ["a", "b", "c"]);
  let mut only = |entry: &Entry| entry.key != b"a";
  let options = SearchOptions { threshold: Some(0.5), filter: Some(&mut only), ..Default::default() };
  assert_eq!(keys(index.search(&[1.0, 0.0, 0.0], options).unwrap()), ["b"]);
  let pairs = index.duplicates(0.9, 0, None).unwrap();
  assert!(pairs.len() == 1 && pairs[0].0.key == b"a" && pairs[0].1.key == b"b");
  let groups = index.groups(0.9, None).unwrap();
  assert_eq!(groups.into_iter().map(keys).collect::<Vec<_>>(), [["a", "b"]]);
  index.rename(&["c"], &["d"]).unwrap();
  assert_eq!(index.remove(&["b", "nothing"]).unwrap(), 1);
  let mut listed = Vec::new();
  index
    .visit("", |entry| {
      listed.push(entry);
      ControlFlow::Continue(())
    })
    .unwrap();
  assert_eq!(keys(listed), ["a", "d"]);
  let info = index.info().unwrap();
  assert!(info.entries == 2 && info.embedding_width == 3 && info.storage == Storage::F32);
}

#[test]
fn trains_saves_and_updates() {
  let runtime = Runtime::new(Default::default()).unwrap();
  let model = runtime.open_model(root().join("build/models/small-32"), Default::default()).unwrap();
  let views = [cat(&runtime), runtime.load_image(root().join("Examples/images/pizza.png"), Default::default()).unwrap()];
  let views = [views[0].view(), views[1].view()];
  let batch = Batch { images: Images::Views(&views), texts: Texts::Texts(&["a cat", "pizza"]), options: Default::default() };
  let options = TrainerOptions { learning_rate: 1e-2, ..Default::default() };
  let mut trainer = model.trainer(&options).unwrap();
  let first = trainer.evaluate(&batch).unwrap();
  let folder = Folder::new("train");
  for _ in 0..5 {
    trainer.step(&batch).unwrap();
  }
  trainer.save(&folder.0, 1, "a note").unwrap();
  let last = trainer.evaluate(&batch).unwrap();
  assert!(last.loss < first.loss && last.step == 5);
  let mut resumed = model.trainer(&options).unwrap();
  resumed.resume(&folder.0).unwrap();
  assert_eq!((resumed.note(), resumed.evaluate(&batch).unwrap().loss), ("a note".to_owned(), last.loss));
  resumed.set_learning_rate(1e-3).unwrap();
  assert!(resumed.set_learning_rate(-1.0).is_err());
  let odd = Batch { images: Images::Views(&views[..1]), texts: Texts::Texts(&["a", "b"]), options: Default::default() };
  assert!(resumed.step(&odd).is_err());
  let before = model.encode_texts(&["a cat"], EncodeOptions::default()).unwrap();
  resumed.update_model(&model).unwrap();
  let after = model.encode_texts(&["a cat"], EncodeOptions::default()).unwrap();
  assert_ne!(before, after);
  let exported = folder.0.join("model");
  resumed.export(&exported, None).unwrap();
  let again = runtime.open_model(&exported, ModelOptions { storage: Storage::Int8Fast, ..Default::default() }).unwrap();
  assert_eq!(again.info().unwrap().storage, Storage::Int8Fast);
  model.swap(Tower::ALL, Some(&root().join("build/models/small-32")), Some(Default::default())).unwrap();
  assert_eq!(model.encode_texts(&["a cat"], EncodeOptions::default()).unwrap(), before);
  for file in std::fs::read_dir(&exported).unwrap().flatten() {
    if file.path().extension().map_or(false, |ending| ending == "safetensors") {
      std::fs::remove_file(file.path()).unwrap();
    }
  }
  runtime.initialize_model(&exported, 1).unwrap();
  runtime.open_model(&exported, Default::default()).unwrap();
}

struct Broken;
impl plugin::ImageCodec for Broken {
  const ID: &'static str = "test.codec.broken\0";
  const DESCRIPTION: &'static str = "panics\0";
  const EXTENSIONS: &'static str = "broken\0";
  fn recognises(data: &[u8]) -> bool {
    data.starts_with(b"BROKEN")
  }
  fn read_header(data: &[u8]) -> std::result::Result<plugin::Header, String> {
    match data.get(6) {
      Some(b'p') => panic!("in a codec"),
      Some(b'd') => Ok(plugin::Header { width: 2, height: 1, format: PixelFormat::Gray }),
      _ => Err("é".repeat(5000)),
    }
  }
  fn decode(data: &[u8], _: &plugin::Header, pixels: &mut [u8], _: usize) -> std::result::Result<(), String> {
    pixels.copy_from_slice(&data[7..]);
    Ok(())
  }
}
clipcore::image_codec_plugin!("test.broken", "1.0.0", "Apache-2.0", Broken);

struct Unended<const TEXT: usize>;
impl<const TEXT: usize> plugin::ImageCodec for Unended<TEXT> {
  const ID: &'static str = ["test.codec.unended", "id\0", "id\0"][TEXT];
  const DESCRIPTION: &'static str = ["one line\0", "", "one line\0"][TEXT];
  const EXTENSIONS: &'static str = ["end\0", "end\0", "\0end"][TEXT];
  fn recognises(_: &[u8]) -> bool {
    false
  }
  fn read_header(_: &[u8]) -> std::result::Result<plugin::Header, String> {
    Err(String::new())
  }
  fn decode(_: &[u8], _: &plugin::Header, _: &mut [u8], _: usize) -> std::result::Result<(), String> {
    Ok(())
  }
}

#[test]
fn texts_of_codecs_end_in_nul() {
  plugin::codec_table::<Broken>();
  assert!(catch_unwind(|| plugin::codec_table::<Unended<0>>()).is_err());
  assert!(catch_unwind(|| plugin::codec_table::<Unended<1>>()).is_err());
  assert!(catch_unwind(|| plugin::codec_table::<Unended<2>>()).is_err());
}

#[test]
fn plugins_in_rust() {
  let runtime = Runtime::new(Default::default()).unwrap();
  unsafe { runtime.register_plugin(clip_plugin_entry) }.unwrap();
  assert!(unsafe { runtime.register_plugin(clip_plugin_entry) }.is_err());
  assert_eq!(runtime.decode_image(b"BROKENdab", Default::default()).unwrap().view().pixels(), b"ab");
  for (bytes, message) in [(&b"BROKENp"[..], "panicked"), (b"BROKENd", "panicked"), (b"BROKEN", "é")] {
    let error = runtime.decode_image(bytes, Default::default()).err().unwrap();
    assert!(error.status == Status::FORMAT && error.message.contains(message), "{error}");
  }
  runtime.unload_plugin("test.broken").unwrap();
  assert!(runtime.decode_image(b"BROKENdab", Default::default()).is_err());
  if let Some(path) = std::env::var_os("CLIPCORE_TEST_PLUGIN") {
    runtime.load_plugin(path).unwrap();
    let image = runtime.decode_image(b"P6\n1 2\n255\nabcdef", Default::default()).unwrap();
    assert_eq!((image.view().width(), image.view().height(), image.view().pixels()), (1, 2, &b"abcdef"[..]));
  }
}
