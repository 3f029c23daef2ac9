use crate::callback::with_progress;
use crate::model::{rows, RawEncodeOptions};
use crate::{c_path, c_text, c_texts, check, ffi, init, text_of, EncodeOptions, Error, Model, Progress, Result, Runtime, View};
use std::marker::PhantomData;
use std::path::Path;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optimizer {
  #[default]
  AdamW,
  Sgd,
}

/// The learning rate after a linear warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
  #[default]
  Constant,
  Cosine,
  Linear,
}

/// Zeros are defaults, which clip_train.h names.
#[derive(Clone, Debug, Default)]
pub struct TrainerOptions {
  /// Keep few activations and compute the others again: less memory, more time.
  pub recompute: bool,
  pub seed: u64,
  pub optimizer: Optimizer,
  pub learning_rate: f32,
  pub beta1: f32,
  pub beta2: f32,
  pub epsilon: f32,
  pub weight_decay: f32,
  pub gradient_clip: f32,
  pub schedule: Schedule,
  pub final_rate: f32,
  pub warmup_steps: u64,
  pub total_steps: u64,
  pub average_decay: f32,
  /// Items computed at a time; 0: all.
  pub chunk: u32,
}

pub enum Images<'a> {
  Views(&'a [View<'a>]),
  /// Preprocessed: [n, 3, image_height, image_width].
  Pixels(&'a [f32]),
}

pub enum Texts<'a> {
  Texts(&'a [&'a str]),
  /// [n, context_length]
  Tokens(&'a [i32]),
}

/// n pairs: image i belongs to text i.
pub struct Batch<'a> {
  pub images: Images<'a>,
  pub texts: Texts<'a>,
  /// For views and texts. Its progress is not called.
  pub options: EncodeOptions<'a>,
}

#[derive(Clone, Copy, Debug)]
pub struct Metrics {
  /// The share of images and texts that rank their own partner first.
  pub accuracy: f32,
  pub loss: f64,
  /// The factor of cosines, after the update.
  pub temperature: f64,
  pub gradient_norm: f64,
  pub learning_rate: f64,
  /// Updates made so far.
  pub step: u64,
}

/// A model's weights in training. One thread at a time may use it.
pub struct Trainer {
  raw: *mut ffi::clip_trainer,
  pixels: usize,
  context: usize,
  _runtime: Runtime,
  _one_thread: PhantomData<std::cell::Cell<()>>, // Send, not Sync: calls are [owner-thread]
}

unsafe impl Send for Trainer {}

impl Drop for Trainer {
  fn drop(&mut self) {
    unsafe { ffi::clip_trainer_release(self.raw) }
  }
}

impl Model {
  /// Prepares the weights of this model's folder for training.
  pub fn trainer(&self, options: &TrainerOptions) -> Result<Trainer> {
    let mut raw_options = init!(clip_trainer_options);
    raw_options.flags = if options.recompute { ffi::CLIP_TRAIN_RECOMPUTE } else { 0 };
    raw_options.seed = options.seed;
    raw_options.optimizer = options.optimizer as u32;
    raw_options.learning_rate = options.learning_rate;
    raw_options.beta1 = options.beta1;
    raw_options.beta2 = options.beta2;
    raw_options.epsilon = options.epsilon;
    raw_options.weight_decay = options.weight_decay;
    raw_options.gradient_clip = options.gradient_clip;
    raw_options.schedule = options.schedule as u32;
    raw_options.final_rate = options.final_rate;
    raw_options.warmup_steps = options.warmup_steps;
    raw_options.total_steps = options.total_steps;
    raw_options.average_decay = options.average_decay;
    raw_options.chunk = options.chunk;
    // Of one moment, so that the sizes are the trainer's whatever a swap does.
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_model_snapshot(self.raw, &mut raw) })?;
    let model = Model { raw, opened: self.opened.clone(), runtime: self.runtime.clone() };
    let info = model.info()?;
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_trainer_create(model.raw, &raw_options, &mut raw) })?;
    let context = info.context_length as usize;
    Ok(Trainer { raw, pixels: info.pixels(), context, _runtime: self.runtime.clone(), _one_thread: PhantomData })
  }
}

type Step = unsafe extern "C" fn(*mut ffi::clip_trainer, *const ffi::clip_train_batch, *mut ffi::clip_train_metrics) -> ffi::clip_status;

impl Trainer {
  /// Makes one update from one batch.
  pub fn step(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
    self.run(batch, ffi::clip_train_step)
  }

  /// Loss and accuracy of a batch, without an update.
  pub fn evaluate(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
    self.run(batch, ffi::clip_trainer_evaluate)
  }

  fn run(&mut self, batch: &Batch<'_>, function: Step) -> Result<Metrics> {
    let options: RawEncodeOptions = batch.options.raw()?;
    let mut raw = init!(clip_train_batch);
    raw.options = &options.raw;
    let images = match batch.images {
      Images::Views(views) => {
        raw.images = views.as_ptr().cast();
        views.len()
      }
      Images::Pixels(pixels) => {
        raw.pixels = pixels.as_ptr();
        rows("pixels", pixels.len(), self.pixels)?
      }
    };
    let held;
    raw.n = match batch.texts {
      Texts::Texts(texts) => {
        held = c_texts(texts)?;
        raw.texts = held.1.as_ptr();
        texts.len()
      }
      Texts::Tokens(tokens) => {
        raw.tokens = tokens.as_ptr();
        rows("tokens", tokens.len(), self.context)?
      }
    };
    if images != raw.n {
      return Err(Error::invalid(format!("a batch of {images} images and {} texts", raw.n)));
    }
    let mut metrics = init!(clip_train_metrics);
    check(unsafe { function(self.raw, &raw, &mut metrics) })?;
    Ok(Metrics {
      accuracy: metrics.accuracy,
      loss: metrics.loss,
      temperature: metrics.temperature,
      gradient_norm: metrics.gradient_norm,
      learning_rate: metrics.learning_rate,
      step: metrics.step,
    })
  }

  pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
    check(unsafe { ffi::clip_trainer_set_learning_rate(self.raw, rate) })
  }

  /// Writes a checkpoint, and removes all but the last `keep` (0: none is removed).
  pub fn save(&self, folder: impl AsRef<Path>, keep: u32, note: &str) -> Result<()> {
    let (folder, note) = (c_path(folder.as_ref())?, c_text(note)?);
    check(unsafe { ffi::clip_trainer_save(self.raw, folder.as_ptr(), keep, note.as_ptr()) })
  }

  /// Continues from a checkpoint, or from the last one of a folder.
  pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
    let path = c_path(path.as_ref())?;
    check(unsafe { ffi::clip_trainer_resume(self.raw, path.as_ptr()) })
  }

  /// The note of the checkpoint last resumed from.
  pub fn note(&self) -> String {
    text_of(|buffer, capacity| unsafe { ffi::clip_trainer_note(self.raw, buffer, capacity) })
  }

  /// Writes a model folder in the layout that the model was opened in.
  pub fn export(&self, folder: impl AsRef<Path>, progress: Option<Progress<'_>>) -> Result<()> {
    let folder = c_path(folder.as_ref())?;
    let mut options = init!(clip_export_options);
    with_progress(progress, |progress| {
      options.progress = progress;
      unsafe { ffi::clip_trainer_export(self.raw, folder.as_ptr(), &options) }
    })
  }

  /// Gives an open model these weights while other threads use it.
  pub fn update_model(&self, model: &Model) -> Result<()> {
    check(unsafe { ffi::clip_trainer_update_model(self.raw, model.raw, 0) })
  }
}
