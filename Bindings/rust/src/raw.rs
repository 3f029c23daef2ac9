// Made by Bindings/rust/generate from the headers, which have the comments. Do not edit.
#![allow(non_camel_case_types, dead_code)]
use std::os::raw::{c_char, c_int, c_void};
pub type clip_status = u32;
pub const CLIP_OK: u32 = 0;
pub const CLIP_INVALID_ARGUMENT: u32 = 1;
pub const CLIP_NOT_FOUND: u32 = 2;
pub const CLIP_IO: u32 = 3;
pub const CLIP_FORMAT: u32 = 4;
pub const CLIP_UNSUPPORTED: u32 = 5;
pub const CLIP_MISMATCH: u32 = 6;
pub const CLIP_LIMIT: u32 = 7;
pub const CLIP_OUT_OF_MEMORY: u32 = 8;
pub const CLIP_PLUGIN: u32 = 9;
pub const CLIP_NOT_FINITE: u32 = 10;
pub const CLIP_CANCELLED: u32 = 11;
pub type clip_pixel_format = u32;
pub const CLIP_PIXELS_RGB: u32 = 1;
pub const CLIP_PIXELS_RGBA: u32 = 2;
pub const CLIP_PIXELS_BGR: u32 = 3;
pub const CLIP_PIXELS_BGRA: u32 = 4;
pub const CLIP_PIXELS_GRAY: u32 = 5;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_image_view {
  pub pixels: *const u8,
  pub width: u32,
  pub height: u32,
  pub stride: usize,
  pub format: clip_pixel_format,
  pub orientation: u32,
  pub full_width: u32,
  pub full_height: u32,
}
pub type clip_progress_fn = Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> c_int>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_progress {
  pub r#fn: clip_progress_fn,
  pub user: *mut c_void,
}
pub type clip_log_level = u32;
pub const CLIP_LOG_ERROR: u32 = 0;
pub const CLIP_LOG_WARNING: u32 = 1;
pub const CLIP_LOG_INFO: u32 = 2;
pub type clip_log_fn = Option<unsafe extern "C" fn(user: *mut c_void, level: clip_log_level, message: *const c_char)>;
pub type clip_task_fn = Option<unsafe extern "C" fn(context: *mut c_void, index: usize)>;
pub type clip_parallel_for_fn = Option<unsafe extern "C" fn(user: *mut c_void, count: usize, task: clip_task_fn, context: *mut c_void)>;
pub type clip_plugin_entry_fn = Option<unsafe extern "C" fn() -> *const clip_plugin>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_runtime_options {
  pub struct_size: u32,
  pub threads: u32,
  pub plugin_paths: *const *const c_char,
  pub plugin_path_count: usize,
  pub log: clip_log_fn,
  pub log_user: *mut c_void,
  pub parallel_for: clip_parallel_for_fn,
  pub parallel_user: *mut c_void,
  pub max_image_pixels: u64,
  pub kernels: *const c_char,
  pub plugin_entries: *const clip_plugin_entry_fn,
  pub plugin_entry_count: usize,
}
pub const CLIP_TOWER_IMAGE: u32 = 1;
pub const CLIP_TOWER_TEXT: u32 = 2;
pub type clip_storage = u32;
pub const CLIP_STORAGE_F32: u32 = 0;
pub const CLIP_STORAGE_F16: u32 = 1;
pub const CLIP_STORAGE_BF16: u32 = 2;
pub const CLIP_STORAGE_INT8: u32 = 3;
pub const CLIP_STORAGE_INT8_FAST: u32 = 4;
pub const CLIP_OPEN_ALLOW_EXTRA_TENSORS: u32 = 1;
pub const CLIP_OPEN_WITHOUT_WEIGHTS: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_model_options {
  pub struct_size: u32,
  pub towers: u32,
  pub storage: clip_storage,
  pub flags: u32,
  pub progress: clip_progress,
  pub image_width: u32,
  pub image_height: u32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_model_info {
  pub struct_size: u32,
  pub towers: u32,
  pub embedding_width: u32,
  pub image_width: u32,
  pub image_height: u32,
  pub context_length: u32,
  pub vocabulary_size: u32,
  pub has_logit_bias: u32,
  pub logit_scale: f32,
  pub logit_bias: f32,
  pub storage: clip_storage,
  pub resized_side: u32,
  pub layout: *const c_char,
  pub image_parameters: u64,
  pub text_parameters: u64,
  pub memory_bytes: u64,
}
pub const CLIP_IMAGE_AS_STORED: u32 = 1;
pub const CLIP_IMAGE_LENIENT: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_image_options {
  pub struct_size: u32,
  pub flags: u32,
  pub smaller_side: u32,
}
pub const CLIP_ENCODE_RAW: u32 = 1;
pub const CLIP_ENCODE_TRUNCATE: u32 = 2;
pub const CLIP_ENCODE_OPENAI_CLEANING: u32 = 4;
pub const CLIP_ENCODE_COMPOSITE_ALPHA: u32 = 8;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_encode_options {
  pub struct_size: u32,
  pub flags: u32,
  pub background: u32,
  pub image_width: u32,
  pub image_height: u32,
  pub context_length: u32,
  pub progress: clip_progress,
  pub prompt: *const c_char,
}
pub type clip_resample = u32;
pub const CLIP_RESAMPLE_NEAREST: u32 = 0;
pub const CLIP_RESAMPLE_BILINEAR: u32 = 1;
pub const CLIP_RESAMPLE_BICUBIC: u32 = 2;
pub const CLIP_RESAMPLE_LANCZOS: u32 = 3;
pub type clip_plugin_table_fn = Option<unsafe extern "C" fn(user: *mut c_void, id: *const c_char, table: *const c_void) -> c_int>;
pub type clip_plugin_kind = u32;
pub const CLIP_KIND_ENCODER: u32 = 1;
pub const CLIP_KIND_IMAGE_CODEC: u32 = 2;
pub const CLIP_KIND_KERNELS: u32 = 3;
pub const CLIP_KIND_TOKENIZER: u32 = 4;
pub const CLIP_KIND_LOADER: u32 = 5;
pub const CLIP_KIND_OP: u32 = 6;
pub const CLIP_KIND_IMAGE_AUGMENTATION: u32 = 7;
pub const CLIP_KIND_TEXT_AUGMENTATION: u32 = 8;
pub const CLIP_KIND_WEIGHTS: u32 = 9;
pub const CLIP_KIND_NEIGHBOURS: u32 = 10;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_plugin_info {
  pub struct_size: u32,
  pub kind: clip_plugin_kind,
  pub active: u32,
  pub id: *const c_char,
  pub description: *const c_char,
  pub version: *const c_char,
  pub license: *const c_char,
  pub path: *const c_char,
  pub plugin: *const c_char,
}
pub type clip_plugin_fn = Option<unsafe extern "C" fn(user: *mut c_void, info: *const clip_plugin_info) -> c_int>;
pub type clip_plugin_changed_fn = Option<unsafe extern "C" fn(user: *mut c_void, plugin: *const c_char, path: *const c_char, status: clip_status, message: *const c_char)>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_encoder_info {
  pub struct_size: u32,
  pub tower: u32,
  pub features: u32,
  pub image_width: u32,
  pub image_height: u32,
  pub context_length: u32,
  pub vocabulary_size: u32,
  pub end_rule: u32,
  pub end_token: i32,
  pub parameters: u64,
  pub multiply_adds: u64,
}
pub type clip_tensor_fn = Option<unsafe extern "C" fn(user: *mut c_void, name: *const c_char, shape: *const u64, rank: usize) -> c_int>;
pub const CLIP_RECOMMEND_MEASURE: u32 = 1;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_recommend_options {
  pub struct_size: u32,
  pub tower: u32,
  pub flags: u32,
  pub needs: *const c_char,
  pub max_parameters: u64,
  pub max_milliseconds: f64,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_recommendation {
  pub struct_size: u32,
  pub score: f32,
  pub id: *const c_char,
  pub reasons: *const c_char,
  pub parameters: u64,
  pub multiply_adds: u64,
  pub milliseconds: f64,
}
pub type clip_recommendation_fn = Option<unsafe extern "C" fn(user: *mut c_void, recommendation: *const clip_recommendation) -> c_int>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_bytes {
  pub data: *const c_void,
  pub size: usize,
}
pub const CLIP_INDEX_CREATE: u32 = 1;
pub const CLIP_INDEX_READ_ONLY: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_options {
  pub struct_size: u32,
  pub flags: u32,
  pub fingerprint: *const c_char,
  pub embedding_width: u32,
  pub storage: clip_storage,
  pub wait_milliseconds: u64,
  pub neighbours: *const c_char,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_info {
  pub struct_size: u32,
  pub embedding_width: u32,
  pub storage: clip_storage,
  pub entries: u64,
  pub changes: u64,
  pub file_bytes: u64,
  pub memory_bytes: u64,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_entry {
  pub struct_size: u32,
  pub score: f32,
  pub key: clip_index_bytes,
  pub metadata: clip_index_bytes,
}
pub type clip_index_entry_fn = Option<unsafe extern "C" fn(user: *mut c_void, entry: *const clip_index_entry) -> c_int>;
pub const CLIP_INDEX_THRESHOLD: u32 = 1;
pub type clip_index_filter_fn = Option<unsafe extern "C" fn(user: *mut c_void, entry: *const clip_index_entry) -> c_int>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_search_options {
  pub struct_size: u32,
  pub flags: u32,
  pub count: u32,
  pub threshold: f32,
  pub filter: clip_index_filter_fn,
  pub filter_user: *mut c_void,
  pub progress: clip_progress,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_duplicates_options {
  pub struct_size: u32,
  pub count: u32,
  pub threshold: f32,
  pub progress: clip_progress,
}
pub type clip_index_pair_fn = Option<unsafe extern "C" fn(user: *mut c_void, a: *const clip_index_entry, b: *const clip_index_entry) -> c_int>;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_index_groups_options {
  pub struct_size: u32,
  pub threshold: f32,
  pub progress: clip_progress,
}
pub type clip_index_member_fn = Option<unsafe extern "C" fn(user: *mut c_void, group: u64, entry: *const clip_index_entry) -> c_int>;
pub type clip_loss = u32;
pub const CLIP_LOSS_CONTRASTIVE: u32 = 0;
pub const CLIP_LOSS_SIGMOID: u32 = 1;
pub const CLIP_LOSS_DISTILLATION: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_loss_term {
  pub kind: clip_loss,
  pub weight: f32,
  pub label_smoothing: f32,
}
pub type clip_optimizer = u32;
pub const CLIP_OPTIMIZER_ADAMW: u32 = 0;
pub const CLIP_OPTIMIZER_SGD: u32 = 1;
pub type clip_schedule = u32;
pub const CLIP_SCHEDULE_CONSTANT: u32 = 0;
pub const CLIP_SCHEDULE_COSINE: u32 = 1;
pub const CLIP_SCHEDULE_LINEAR: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_tensor_group {
  pub pattern: *const c_char,
  pub rate: f32,
}
pub const CLIP_TRAIN_RECOMPUTE: u32 = 1;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_trainer_options {
  pub struct_size: u32,
  pub flags: u32,
  pub seed: u64,
  pub losses: *const clip_loss_term,
  pub loss_count: usize,
  pub optimizer: clip_optimizer,
  pub learning_rate: f32,
  pub beta1: f32,
  pub beta2: f32,
  pub epsilon: f32,
  pub weight_decay: f32,
  pub gradient_clip: f32,
  pub schedule: clip_schedule,
  pub final_rate: f32,
  pub warmup_steps: u64,
  pub total_steps: u64,
  pub average_decay: f32,
  pub chunk: u32,
  pub groups: *const clip_tensor_group,
  pub group_count: usize,
  pub low_rank: u32,
  pub low_rank_scale: f32,
  pub low_rank_patterns: *const *const c_char,
  pub low_rank_pattern_count: usize,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_train_batch {
  pub struct_size: u32,
  pub teacher_width: u32,
  pub teacher_scale: f32,
  pub n: usize,
  pub pixels: *const f32,
  pub images: *const clip_image_view,
  pub tokens: *const i32,
  pub texts: *const *const c_char,
  pub options: *const clip_encode_options,
  pub teacher_logits: *const f32,
  pub teacher_images: *const f32,
  pub teacher_texts: *const f32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_train_metrics {
  pub struct_size: u32,
  pub accuracy: f32,
  pub loss: f64,
  pub temperature: f64,
  pub gradient_norm: f64,
  pub learning_rate: f64,
  pub step: u64,
}
pub type clip_tensor_kind = u32;
pub const CLIP_TENSOR_WEIGHT: u32 = 0;
pub const CLIP_TENSOR_GRADIENT: u32 = 1;
pub const CLIP_TENSOR_AVERAGE: u32 = 2;
pub type clip_trained_tensor_fn = Option<unsafe extern "C" fn(user: *mut c_void, name: *const c_char, count: u64, rate: f64) -> c_int>;
pub const CLIP_EXPORT_AVERAGE: u32 = 1;
pub type clip_layout = u32;
pub const CLIP_LAYOUT_AS_OPENED: u32 = 0;
pub const CLIP_LAYOUT_HUGGING_FACE: u32 = 1;
pub const CLIP_LAYOUT_OPEN_CLIP: u32 = 2;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_export_options {
  pub struct_size: u32,
  pub flags: u32,
  pub layout: clip_layout,
  pub storage: clip_storage,
  pub progress: clip_progress,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_plugin_item {
  pub kind: u32,
  pub table: *const c_void,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_plugin {
  pub struct_size: u32,
  pub abi_version: u32,
  pub id: *const c_char,
  pub version: *const c_char,
  pub license: *const c_char,
  pub items: *const clip_plugin_item,
  pub item_count: usize,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_plugin_error {
  pub message: *mut c_char,
  pub capacity: usize,
}
pub const CLIP_CODEC_LENIENT: u32 = 1;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_codec_header {
  pub struct_size: u32,
  pub width: u32,
  pub height: u32,
  pub format: clip_pixel_format,
  pub orientation: u32,
  pub shrink: u32,
  pub flags: u32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct clip_image_codec {
  pub struct_size: u32,
  pub id: *const c_char,
  pub description: *const c_char,
  pub extensions: *const c_char,
  pub recognises: Option<unsafe extern "C" fn(data: *const u8, size: usize) -> c_int>,
  pub read_header: Option<unsafe extern "C" fn(data: *const u8, size: usize, header: *mut clip_codec_header, error: *mut clip_plugin_error) -> clip_status>,
  pub decode: Option<unsafe extern "C" fn(data: *const u8, size: usize, header: *const clip_codec_header, pixels: *mut u8, stride: usize, error: *mut clip_plugin_error) -> clip_status>,
}
#[repr(C)]
pub struct clip_runtime {
  _opaque: [u8; 0],
}
#[repr(C)]
pub struct clip_model {
  _opaque: [u8; 0],
}
#[repr(C)]
pub struct clip_image {
  _opaque: [u8; 0],
}
#[repr(C)]
pub struct clip_plugin_reference {
  _opaque: [u8; 0],
}
#[repr(C)]
pub struct clip_index {
  _opaque: [u8; 0],
}
#[repr(C)]
pub struct clip_trainer {
  _opaque: [u8; 0],
}
extern "C" {
  pub fn clip_abi_version() -> u32;
  pub fn clip_classify(model: *const clip_model, images: *const f32, n: usize, texts: *const f32, m: usize, probabilities: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_encode_image(model: *mut clip_model, images: *const clip_image_view, n: usize, options: *const clip_encode_options, embeddings: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_encode_pixels(model: *mut clip_model, pixels: *const f32, n: usize, options: *const clip_encode_options, embeddings: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_encode_text(model: *mut clip_model, texts: *const *const c_char, n: usize, options: *const clip_encode_options, embeddings: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_encode_tokens(model: *mut clip_model, tokens: *const i32, n: usize, options: *const clip_encode_options, embeddings: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_encoder_describe(runtime: *const clip_runtime, id: *const c_char, config: *const c_char, info: *mut clip_encoder_info, visit: clip_tensor_fn, user: *mut c_void) -> clip_status;
  pub fn clip_image_create(runtime: *mut clip_runtime, format: clip_pixel_format, width: u32, height: u32, out: *mut *mut clip_image, pixels: *mut *mut u8) -> clip_status;
  pub fn clip_image_decode(runtime: *mut clip_runtime, data: *const c_void, size: usize, options: *const clip_image_options, out: *mut *mut clip_image) -> clip_status;
  pub fn clip_image_endings(runtime: *const clip_runtime, buffer: *mut c_char, capacity: usize) -> usize;
  pub fn clip_image_get_view(image: *const clip_image, view: *mut clip_image_view) -> clip_status;
  pub fn clip_image_load(runtime: *mut clip_runtime, path: *const c_char, options: *const clip_image_options, out: *mut *mut clip_image) -> clip_status;
  pub fn clip_image_release(image: *mut clip_image);
  pub fn clip_image_resize(runtime: *mut clip_runtime, view: *const clip_image_view, resample: clip_resample, width: u32, height: u32, pixels: *mut u8, capacity: usize, stride: usize) -> clip_status;
  pub fn clip_index_describe(index: *mut clip_index, info: *mut clip_index_info) -> clip_status;
  pub fn clip_index_duplicates(index: *mut clip_index, options: *const clip_index_duplicates_options, visit: clip_index_pair_fn, user: *mut c_void) -> clip_status;
  pub fn clip_index_fingerprint(folder: *const c_char, buffer: *mut c_char, capacity: usize) -> clip_status;
  pub fn clip_index_get(index: *mut clip_index, key: *const c_void, key_size: usize, embedding: *mut f32, capacity: usize, visit: clip_index_entry_fn, user: *mut c_void) -> clip_status;
  pub fn clip_index_get_fingerprint(index: *const clip_index, buffer: *mut c_char, capacity: usize) -> usize;
  pub fn clip_index_groups(index: *mut clip_index, options: *const clip_index_groups_options, visit: clip_index_member_fn, user: *mut c_void) -> clip_status;
  pub fn clip_index_open(runtime: *mut clip_runtime, path: *const c_char, options: *const clip_index_options, out: *mut *mut clip_index) -> clip_status;
  pub fn clip_index_put(index: *mut clip_index, keys: *const clip_index_bytes, embeddings: *const f32, metadata: *const clip_index_bytes, n: usize) -> clip_status;
  pub fn clip_index_release(index: *mut clip_index);
  pub fn clip_index_remove(index: *mut clip_index, keys: *const clip_index_bytes, n: usize, removed: *mut u64) -> clip_status;
  pub fn clip_index_rename(index: *mut clip_index, from: *const clip_index_bytes, to: *const clip_index_bytes, n: usize) -> clip_status;
  pub fn clip_index_search(index: *mut clip_index, query: *const f32, options: *const clip_index_search_options, visit: clip_index_entry_fn, user: *mut c_void) -> clip_status;
  pub fn clip_index_visit(index: *mut clip_index, prefix: *const c_void, prefix_size: usize, visit: clip_index_entry_fn, user: *mut c_void) -> clip_status;
  pub fn clip_last_error() -> *const c_char;
  pub fn clip_model_describe(model: *const clip_model, info: *mut clip_model_info) -> clip_status;
  pub fn clip_model_encoder(model: *const clip_model, tower: u32, buffer: *mut c_char, capacity: usize) -> usize;
  pub fn clip_model_export(model: *const clip_model, checkpoint: *const c_char, folder: *const c_char, options: *const clip_export_options) -> clip_status;
  pub fn clip_model_initialize(runtime: *mut clip_runtime, folder: *const c_char, seed: u64) -> clip_status;
  pub fn clip_model_open(runtime: *mut clip_runtime, folder: *const c_char, options: *const clip_model_options, out: *mut *mut clip_model) -> clip_status;
  pub fn clip_model_release(model: *mut clip_model);
  pub fn clip_model_snapshot(model: *mut clip_model, out: *mut *mut clip_model) -> clip_status;
  pub fn clip_model_swap(model: *mut clip_model, towers: u32, folder: *const c_char, options: *const clip_model_options) -> clip_status;
  pub fn clip_normalize_bytes(model: *const clip_model, bytes: *const u8, n: usize, options: *const clip_encode_options, pixels: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_plugin_load(runtime: *mut clip_runtime, path: *const c_char) -> clip_status;
  pub fn clip_plugin_reference_release(reference: *mut clip_plugin_reference);
  pub fn clip_plugin_register(runtime: *mut clip_runtime, entry: clip_plugin_entry_fn) -> clip_status;
  pub fn clip_plugin_reload(runtime: *mut clip_runtime, plugin: *const c_char) -> clip_status;
  pub fn clip_plugin_table_hold(runtime: *const clip_runtime, kind: clip_plugin_kind, id: *const c_char, table: *mut *const c_void, out: *mut *mut clip_plugin_reference) -> clip_status;
  pub fn clip_plugin_tables_visit(runtime: *const clip_runtime, kind: clip_plugin_kind, visit: clip_plugin_table_fn, user: *mut c_void) -> clip_status;
  pub fn clip_plugin_unload(runtime: *mut clip_runtime, plugin: *const c_char) -> clip_status;
  pub fn clip_plugin_watch(runtime: *mut clip_runtime, changed: clip_plugin_changed_fn, user: *mut c_void) -> clip_status;
  pub fn clip_plugins_visit(runtime: *const clip_runtime, visit: clip_plugin_fn, user: *mut c_void) -> clip_status;
  pub fn clip_preprocess(model: *mut clip_model, images: *const clip_image_view, n: usize, options: *const clip_encode_options, pixels: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_preprocess_bytes(model: *const clip_model, images: *const clip_image_view, n: usize, options: *const clip_encode_options, bytes: *mut u8, capacity: usize) -> clip_status;
  pub fn clip_recommend_encoders(runtime: *const clip_runtime, options: *const clip_recommend_options, visit: clip_recommendation_fn, user: *mut c_void) -> clip_status;
  pub fn clip_runtime_create(options: *const clip_runtime_options, out: *mut *mut clip_runtime) -> clip_status;
  pub fn clip_runtime_log(runtime: *const clip_runtime, level: clip_log_level, message: *const c_char);
  pub fn clip_runtime_parallel_for(runtime: *mut clip_runtime, count: usize, task: clip_task_fn, context: *mut c_void) -> clip_status;
  pub fn clip_runtime_release(runtime: *mut clip_runtime);
  pub fn clip_runtime_retain(runtime: *mut clip_runtime) -> *mut clip_runtime;
  pub fn clip_runtime_threads(runtime: *const clip_runtime) -> u32;
  pub fn clip_set_last_error(status: clip_status, message: *const c_char) -> clip_status;
  pub fn clip_similarity(model: *const clip_model, images: *const f32, n: usize, texts: *const f32, m: usize, logits: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_status_name(status: clip_status) -> *const c_char;
  pub fn clip_tokenize(model: *mut clip_model, texts: *const *const c_char, n: usize, options: *const clip_encode_options, tokens: *mut i32, capacity: usize, lengths: *mut u32, lengths_capacity: usize) -> clip_status;
  pub fn clip_train_step(trainer: *mut clip_trainer, batch: *const clip_train_batch, metrics: *mut clip_train_metrics) -> clip_status;
  pub fn clip_trainer_create(model: *mut clip_model, options: *const clip_trainer_options, out: *mut *mut clip_trainer) -> clip_status;
  pub fn clip_trainer_evaluate(trainer: *mut clip_trainer, batch: *const clip_train_batch, metrics: *mut clip_train_metrics) -> clip_status;
  pub fn clip_trainer_export(trainer: *const clip_trainer, folder: *const c_char, options: *const clip_export_options) -> clip_status;
  pub fn clip_trainer_note(trainer: *const clip_trainer, note: *mut c_char, capacity: usize) -> usize;
  pub fn clip_trainer_read(trainer: *const clip_trainer, kind: clip_tensor_kind, name: *const c_char, values: *mut f32, capacity: usize) -> clip_status;
  pub fn clip_trainer_release(trainer: *mut clip_trainer);
  pub fn clip_trainer_resume(trainer: *mut clip_trainer, path: *const c_char) -> clip_status;
  pub fn clip_trainer_save(trainer: *const clip_trainer, folder: *const c_char, keep: u32, note: *const c_char) -> clip_status;
  pub fn clip_trainer_set_learning_rate(trainer: *mut clip_trainer, rate: f64) -> clip_status;
  pub fn clip_trainer_tensors_visit(trainer: *const clip_trainer, visit: clip_trained_tensor_fn, user: *mut c_void) -> clip_status;
  pub fn clip_trainer_update_model(trainer: *const clip_trainer, model: *mut clip_model, flags: u32) -> clip_status;
  pub fn clip_version() -> *const c_char;
}
