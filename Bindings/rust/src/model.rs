use crate::callback::with_progress;
use crate::{c_path, c_text, c_texts, check, ffi, init, text_of, Error, Progress, Result, Runtime, View};
use std::ffi::{CStr, CString};
use std::ops::BitOr;
use std::path::Path;

/// Towers of a model, which `|` joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tower(pub u32);

impl Tower {
  /// All towers that there are.
  pub const ALL: Tower = Tower(0);
  pub const IMAGE: Tower = Tower(ffi::CLIP_TOWER_IMAGE);
  pub const TEXT: Tower = Tower(ffi::CLIP_TOWER_TEXT);

  pub fn contains(self, other: Tower) -> bool {
    self.0 & other.0 == other.0
  }
}

impl BitOr for Tower {
  type Output = Tower;
  fn bitor(self, other: Tower) -> Tower {
    Tower(self.0 | other.0)
  }
}

/// How weights are held in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
  #[default]
  F32,
  F16,
  Bf16,
  Int8,
  /// The memory of Int8 in less time.
  Int8Fast,
}

impl Storage {
  pub(crate) fn of(raw: u32) -> Storage {
    match raw {
      ffi::CLIP_STORAGE_F16 => Storage::F16,
      ffi::CLIP_STORAGE_BF16 => Storage::Bf16,
      ffi::CLIP_STORAGE_INT8 => Storage::Int8,
      ffi::CLIP_STORAGE_INT8_FAST => Storage::Int8Fast,
      _ => Storage::F32,
    }
  }
}

#[derive(Default)]
pub struct ModelOptions<'a> {
  pub towers: Tower,
  pub storage: Storage,
  /// Unused tensors in the file are a warning.
  pub allow_extra_tensors: bool,
  /// Hold no weights: for training, preprocessing and tokens.
  pub without_weights: bool,
  /// The image tower's input in pixels, both or neither; 0: as the folder says.
  pub image_width: u32,
  pub image_height: u32,
  /// Of loading, in elements.
  pub progress: Option<Progress<'a>>,
}

impl ModelOptions<'_> {
  fn raw(&self) -> ffi::clip_model_options {
    let mut raw = init!(clip_model_options);
    raw.towers = self.towers.0;
    raw.storage = self.storage as u32;
    raw.flags = if self.allow_extra_tensors { ffi::CLIP_OPEN_ALLOW_EXTRA_TENSORS } else { 0 };
    raw.flags |= if self.without_weights { ffi::CLIP_OPEN_WITHOUT_WEIGHTS } else { 0 };
    raw.image_width = self.image_width;
    raw.image_height = self.image_height;
    raw
  }
}

#[derive(Default)]
pub struct EncodeOptions<'a> {
  /// The tower's output, not scaled to unit length.
  pub raw: bool,
  /// Cut a text that is too long; else it is `Status::LIMIT`.
  pub truncate: bool,
  /// CLIP's tokenizer: clean texts as OpenAI's Python does.
  pub openai_cleaning: bool,
  /// Blend transparent pixels over this 0xRRGGBB; None: alpha is dropped.
  pub background: Option<u32>,
  /// The sizes that the caller's pixels and tokens were made for; 0: those the model was opened with.
  pub image_width: u32,
  pub image_height: u32,
  pub context_length: u32,
  /// The name of a prompt to put before each text; Some(""): none; None: the model's default.
  pub prompt: Option<&'a str>,
  /// Of encoding, in items.
  pub progress: Option<Progress<'a>>,
}

/// clip_encode_options, and the text that it points to.
pub(crate) struct RawEncodeOptions {
  pub raw: ffi::clip_encode_options,
  _prompt: Option<CString>,
}

impl EncodeOptions<'_> {
  pub(crate) fn raw(&self) -> Result<RawEncodeOptions> {
    let prompt = self.prompt.map(c_text).transpose()?;
    let mut raw = init!(clip_encode_options);
    raw.flags = if self.raw { ffi::CLIP_ENCODE_RAW } else { 0 };
    raw.flags |= if self.truncate { ffi::CLIP_ENCODE_TRUNCATE } else { 0 };
    raw.flags |= if self.openai_cleaning { ffi::CLIP_ENCODE_OPENAI_CLEANING } else { 0 };
    raw.flags |= if self.background.is_some() { ffi::CLIP_ENCODE_COMPOSITE_ALPHA } else { 0 };
    raw.background = self.background.unwrap_or(0);
    raw.image_width = self.image_width;
    raw.image_height = self.image_height;
    raw.context_length = self.context_length;
    raw.prompt = prompt.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    Ok(RawEncodeOptions { raw, _prompt: prompt })
  }
}

/// Facts about a model at one moment; a swap may change them.
#[derive(Clone, Debug)]
pub struct ModelInfo {
  pub towers: Tower,
  /// Elements of one embedding. No swap changes it.
  pub embedding_width: usize,
  /// Pixels of the image tower's input; 0 without that tower.
  pub image_width: u32,
  pub image_height: u32,
  /// Most tokens of a text; 0 without the text tower.
  pub context_length: u32,
  pub vocabulary_size: u32,
  pub has_logit_bias: bool,
  pub logit_scale: f32,
  pub logit_bias: f32,
  pub storage: Storage,
  /// The smaller side of an image after the resize of preprocessing; 0 if images are only cropped.
  pub resized_side: u32,
  /// "huggingface", "open_clip" or "clipcore".
  pub layout: String,
  pub image_parameters: u64,
  pub text_parameters: u64,
  pub memory_bytes: u64,
}

/// Token ids, [n, context_length], and the tokens of each row up to and including the end token, [n].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
  pub ids: Vec<i32>,
  pub lengths: Vec<u32>,
}

/// A CLIP model: an image tower, a text tower, or both. Any number of threads may use it at once.
pub struct Model {
  pub(crate) raw: *mut ffi::clip_model,
  pub(crate) opened: ModelInfo, // what sizes of 0 stand for
  pub(crate) runtime: Runtime,
}

// Calls on a model are [any-thread]; it is released when nothing refers to it.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Drop for Model {
  fn drop(&mut self) {
    unsafe { ffi::clip_model_release(self.raw) }
  }
}

fn describe(raw: *const ffi::clip_model) -> Result<ModelInfo> {
  let mut info = init!(clip_model_info);
  check(unsafe { ffi::clip_model_describe(raw, &mut info) })?;
  Ok(ModelInfo {
    towers: Tower(info.towers),
    embedding_width: info.embedding_width as usize,
    image_width: info.image_width,
    image_height: info.image_height,
    context_length: info.context_length,
    vocabulary_size: info.vocabulary_size,
    has_logit_bias: info.has_logit_bias != 0,
    logit_scale: info.logit_scale,
    logit_bias: info.logit_bias,
    storage: Storage::of(info.storage),
    resized_side: info.resized_side,
    layout: unsafe { CStr::from_ptr(info.layout) }.to_string_lossy().into_owned(),
    image_parameters: info.image_parameters,
    text_parameters: info.text_parameters,
    memory_bytes: info.memory_bytes,
  })
}

fn pixels(width: u32, height: u32) -> usize {
  (width as usize).saturating_mul(height as usize).saturating_mul(3)
}

impl ModelInfo {
  /// Elements of one image's pixels.
  pub(crate) fn pixels(&self) -> usize {
    pixels(self.image_width, self.image_height)
  }
}

/// The row of a result. A call refuses sizes that the model does not have: no memory for those, which may be huge.
fn row_for(wanted: usize, now: usize) -> usize {
  if wanted == now { wanted } else { 0 }
}

/// The number of rows of `width` elements in `values`.
pub(crate) fn rows(what: &str, length: usize, width: usize) -> Result<usize> {
  if width > 0 && length > 0 && length % width == 0 {
    return Ok(length / width);
  }
  Err(Error::invalid(format!("{what}: expected rows of {width} elements, found {length} elements")))
}

impl Runtime {
  /// Opens a model folder: Hugging Face's layout, open_clip's or clipcore's.
  pub fn open_model(&self, folder: impl AsRef<Path>, options: ModelOptions<'_>) -> Result<Model> {
    let folder = c_path(folder.as_ref())?;
    let mut options_raw = options.raw();
    let mut raw = std::ptr::null_mut();
    with_progress(options.progress, |progress| {
      options_raw.progress = progress;
      unsafe { ffi::clip_model_open(self.0.raw, folder.as_ptr(), &options_raw, &mut raw) }
    })?;
    match describe(raw) {
      Ok(opened) => Ok(Model { raw, opened, runtime: self.clone() }),
      Err(error) => {
        unsafe { ffi::clip_model_release(raw) };
        Err(error)
      }
    }
  }
}

impl Model {
  pub fn info(&self) -> Result<ModelInfo> {
    describe(self.raw)
  }

  /// Elements of one embedding.
  pub fn embedding_width(&self) -> usize {
    self.opened.embedding_width
  }

  /// The id of the plugin that built a tower, "" where that tower is not open.
  pub fn encoder(&self, tower: Tower) -> String {
    text_of(|buffer, capacity| unsafe { ffi::clip_model_encoder(self.raw, tower.0, buffer, capacity) })
  }

  /// Replaces towers while other threads use the model. `folder` None: the folder each came from; `options` None: those the
  /// tower was opened with.
  pub fn swap(&self, towers: Tower, folder: Option<&Path>, options: Option<ModelOptions<'_>>) -> Result<()> {
    let folder = folder.map(c_path).transpose()?;
    let folder = folder.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
    let options = match options {
      Some(options) => options,
      None => return check(unsafe { ffi::clip_model_swap(self.raw, towers.0, folder, std::ptr::null()) }),
    };
    let mut raw = options.raw();
    with_progress(options.progress, |progress| {
      raw.progress = progress;
      unsafe { ffi::clip_model_swap(self.raw, towers.0, folder, &raw) }
    })
  }

  fn encode(&self, n: usize, options: EncodeOptions<'_>, call: impl FnOnce(&ffi::clip_encode_options, &mut [f32]) -> u32) -> Result<Vec<f32>> {
    self.fill(n, self.opened.embedding_width, options, call)
  }

  fn fill(&self, n: usize, width: usize, options: EncodeOptions<'_>, call: impl FnOnce(&ffi::clip_encode_options, &mut [f32]) -> u32) -> Result<Vec<f32>> {
    let mut raw = options.raw()?;
    let mut values = vec![0f32; n * width];
    with_progress(options.progress, |progress| {
      raw.raw.progress = progress;
      call(&raw.raw, &mut values)
    })?;
    Ok(values)
  }

  /// Embeddings of images, [n, embedding_width], each of unit length.
  pub fn encode_images(&self, images: &[View<'_>], options: EncodeOptions<'_>) -> Result<Vec<f32>> {
    let (views, n) = (images.as_ptr().cast(), images.len());
    self.encode(n, options, |options, out| unsafe { ffi::clip_encode_image(self.raw, views, n, options, out.as_mut_ptr(), out.len()) })
  }

  /// Embeddings of texts, [n, embedding_width], each of unit length.
  pub fn encode_texts(&self, texts: &[impl AsRef<str>], options: EncodeOptions<'_>) -> Result<Vec<f32>> {
    let (_held, pointers) = c_texts(texts)?;
    let (texts, n) = (pointers.as_ptr(), pointers.len());
    self.encode(n, options, |options, out| unsafe { ffi::clip_encode_text(self.raw, texts, n, options, out.as_mut_ptr(), out.len()) })
  }

  /// The image tower's input for images: [n, 3, image_height, image_width].
  pub fn preprocess(&self, images: &[View<'_>], options: EncodeOptions<'_>) -> Result<Vec<f32>> {
    let (views, n) = (images.as_ptr().cast(), images.len());
    let width = row_for(self.pixels_of(&options), self.info()?.pixels());
    self.fill(n, width, options, |options, out| unsafe { ffi::clip_preprocess(self.raw, views, n, options, out.as_mut_ptr(), out.len()) })
  }

  /// Embeddings of preprocessed images.
  pub fn encode_pixels(&self, pixels: &[f32], options: EncodeOptions<'_>) -> Result<Vec<f32>> {
    let n = rows("pixels", pixels.len(), self.pixels_of(&options))?;
    self.encode(n, options, |options, out| unsafe { ffi::clip_encode_pixels(self.raw, pixels.as_ptr(), n, options, out.as_mut_ptr(), out.len()) })
  }

  pub fn tokenize(&self, texts: &[impl AsRef<str>], options: EncodeOptions<'_>) -> Result<Tokens> {
    let (_held, pointers) = c_texts(texts)?;
    let raw = options.raw()?;
    let n = pointers.len();
    let width = row_for(self.context_of(&options), self.info()?.context_length as usize);
    let mut tokens = Tokens { ids: vec![0; n * width], lengths: vec![0; n] };
    let (ids, lengths) = (&mut tokens.ids, &mut tokens.lengths);
    check(unsafe {
      ffi::clip_tokenize(self.raw, pointers.as_ptr(), n, &raw.raw, ids.as_mut_ptr(), ids.len(), lengths.as_mut_ptr(), n)
    })?;
    Ok(tokens)
  }

  /// Embeddings of tokenized texts, [n, context_length].
  pub fn encode_tokens(&self, ids: &[i32], options: EncodeOptions<'_>) -> Result<Vec<f32>> {
    let n = rows("tokens", ids.len(), self.context_of(&options))?;
    self.encode(n, options, |options, out| unsafe { ffi::clip_encode_tokens(self.raw, ids.as_ptr(), n, options, out.as_mut_ptr(), out.len()) })
  }

  /// Logits of each of n images against each of m texts, [n, m]: logit_scale * cosine + logit_bias.
  pub fn similarity(&self, images: &[f32], texts: &[f32]) -> Result<Vec<f32>> {
    self.score(images, texts, ffi::clip_similarity)
  }

  /// The probability of each of m texts for each of n images, [n, m].
  pub fn classify(&self, images: &[f32], texts: &[f32]) -> Result<Vec<f32>> {
    self.score(images, texts, ffi::clip_classify)
  }

  fn score(&self, images: &[f32], texts: &[f32], function: Score) -> Result<Vec<f32>> {
    let n = rows("images", images.len(), self.opened.embedding_width)?;
    let m = rows("texts", texts.len(), self.opened.embedding_width)?;
    let mut scores = vec![0f32; n * m];
    check(unsafe { function(self.raw, images.as_ptr(), n, texts.as_ptr(), m, scores.as_mut_ptr(), scores.len()) })?;
    Ok(scores)
  }

  // The elements of a row as C counts them: of the sizes that the caller names, and those as opened for each 0. They do not
  // depend on a swap at the same time, which the call finds.

  fn pixels_of(&self, options: &EncodeOptions<'_>) -> usize {
    let side = |named: u32, opened: u32| if named == 0 { opened } else { named };
    pixels(side(options.image_width, self.opened.image_width), side(options.image_height, self.opened.image_height))
  }

  fn context_of(&self, options: &EncodeOptions<'_>) -> usize {
    (if options.context_length == 0 { self.opened.context_length } else { options.context_length }) as usize
  }

  /// The handle in C, for functions of [`ffi`]; valid as long as this model.
  pub fn as_ptr(&self) -> *mut ffi::clip_model {
    self.raw
  }
}

type Score = unsafe extern "C" fn(*const ffi::clip_model, *const f32, usize, *const f32, usize, *mut f32, usize) -> ffi::clip_status;
