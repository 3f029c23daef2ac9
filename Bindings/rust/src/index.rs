use crate::callback::{answer, with_progress, Guarded};
use crate::model::rows;
use crate::{c_path, c_text, check, ffi, init, text_of, Error, Progress, Result, Runtime, Storage};
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::path::Path;

/// The fingerprint of a model folder: the same for a copy under another name.
pub fn fingerprint(folder: impl AsRef<Path>) -> Result<String> {
  let folder = c_path(folder.as_ref())?;
  let mut buffer = [0u8; 33];
  check(unsafe { ffi::clip_index_fingerprint(folder.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) })?;
  Ok(unsafe { CStr::from_ptr(buffer.as_ptr().cast()) }.to_string_lossy().into_owned())
}

#[derive(Clone, Debug, Default)]
pub struct IndexOptions {
  /// Make the file if it is not there.
  pub create: bool,
  pub read_only: bool,
  /// Names what made the embeddings: see [`fingerprint`]. A new file needs one; None: as the file has it.
  pub fingerprint: Option<String>,
  /// Elements of an embedding. A new file needs it; 0: as the file has it.
  pub embedding_width: u32,
  /// Of a new file: F32, F16 or Int8.
  pub storage: Storage,
  /// How long a call waits for another writer; 0: 10 seconds.
  pub wait_milliseconds: u64,
}

/// An entry that a call found.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
  /// The cosine where entries are compared, else 0.
  pub score: f32,
  pub key: Vec<u8>,
  /// Empty: none.
  pub metadata: Vec<u8>,
}

/// Whether the entry with this key and metadata may be a match.
pub type Filter<'a> = &'a mut dyn FnMut(&Entry) -> bool;

#[derive(Default)]
pub struct SearchOptions<'a> {
  /// Matches at most; 0: 10.
  pub count: u32,
  /// Only what scores at least this.
  pub threshold: Option<f32>,
  /// Must not use the index.
  pub filter: Option<Filter<'a>>,
  /// Of reading rows into memory, in rows. Must not use the index.
  pub progress: Option<Progress<'a>>,
}

#[derive(Clone, Debug)]
pub struct IndexInfo {
  pub embedding_width: usize,
  pub storage: Storage,
  pub entries: u64,
  /// Rises with each transaction that changes entries.
  pub changes: u64,
  pub file_bytes: u64,
  pub memory_bytes: u64,
}

/// An index of embeddings in one file. Any number of threads may use it at once.
pub struct Index {
  raw: *mut ffi::clip_index,
  width: usize,
  _runtime: Runtime,
}

// Calls on an index are [any-thread]; it is released when nothing refers to it.
unsafe impl Send for Index {}
unsafe impl Sync for Index {}

impl Drop for Index {
  fn drop(&mut self) {
    unsafe { ffi::clip_index_release(self.raw) }
  }
}

impl Runtime {
  pub fn open_index(&self, path: impl AsRef<Path>, options: IndexOptions) -> Result<Index> {
    let path = c_path(path.as_ref())?;
    let fingerprint = options.fingerprint.as_deref().map(c_text).transpose()?;
    let mut raw_options = init!(clip_index_options);
    raw_options.flags = if options.create { ffi::CLIP_INDEX_CREATE } else { 0 };
    raw_options.flags |= if options.read_only { ffi::CLIP_INDEX_READ_ONLY } else { 0 };
    raw_options.fingerprint = fingerprint.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    raw_options.embedding_width = options.embedding_width;
    raw_options.storage = options.storage as u32;
    raw_options.wait_milliseconds = options.wait_milliseconds;
    let mut raw = std::ptr::null_mut();
    check(unsafe { ffi::clip_index_open(self.0.raw, path.as_ptr(), &raw_options, &mut raw) })?;
    let mut index = Index { raw, width: 0, _runtime: self.clone() };
    index.width = index.info()?.embedding_width;
    Ok(index)
  }
}

fn bytes(values: &[impl AsRef<[u8]>]) -> Vec<ffi::clip_index_bytes> {
  let bytes = |value: &[u8]| ffi::clip_index_bytes { data: value.as_ptr().cast(), size: value.len() };
  values.iter().map(|value| bytes(value.as_ref())).collect()
}

unsafe fn copy(bytes: ffi::clip_index_bytes) -> Vec<u8> {
  if bytes.size == 0 { Vec::new() } else { std::slice::from_raw_parts(bytes.data.cast(), bytes.size).to_vec() }
}

unsafe fn entry(raw: *const ffi::clip_index_entry) -> Entry {
  let raw = &*raw;
  Entry { score: raw.score, key: copy(raw.key), metadata: copy(raw.metadata) }
}

unsafe extern "C" fn on_entry<F: FnMut(Entry) -> ControlFlow<()>>(user: *mut c_void, raw: *const ffi::clip_index_entry) -> c_int {
  Guarded::<F>::run(user, |visit| answer(visit(entry(raw))))
}

type Pairs = Vec<(Entry, Entry)>;

unsafe extern "C" fn on_pair(user: *mut c_void, a: *const ffi::clip_index_entry, b: *const ffi::clip_index_entry) -> c_int {
  Guarded::<Pairs>::run(user, |pairs| {
    pairs.push((entry(a), entry(b)));
    0
  })
}

type Groups = Vec<Vec<Entry>>;

unsafe extern "C" fn on_member(user: *mut c_void, group: u64, raw: *const ffi::clip_index_entry) -> c_int {
  Guarded::<Groups>::run(user, |groups| {
    if group as usize == groups.len() {
      groups.push(Vec::new());
    }
    if let Some(members) = groups.last_mut() {
      members.push(entry(raw));
    }
    0
  })
}

unsafe extern "C" fn on_filter(user: *mut c_void, raw: *const ffi::clip_index_entry) -> c_int {
  Guarded::<Option<Filter<'_>>>::run(user, |filter| filter.as_mut().map_or(1, |filter| c_int::from(filter(&entry(raw)))))
}

/// Calls `visit` for the entries that a call lists.
fn listed<F: FnMut(Entry) -> ControlFlow<()>>(visit: F, call: impl FnOnce(ffi::clip_index_entry_fn, *mut c_void) -> u32) -> Result<()> {
  let mut guarded = Guarded::new(visit);
  let status = call(Some(on_entry::<F>), guarded.user());
  guarded.finish(status)
}

impl Index {
  pub fn info(&self) -> Result<IndexInfo> {
    let mut info = init!(clip_index_info);
    check(unsafe { ffi::clip_index_describe(self.raw, &mut info) })?;
    Ok(IndexInfo {
      embedding_width: info.embedding_width as usize,
      storage: Storage::of(info.storage),
      entries: info.entries,
      changes: info.changes,
      file_bytes: info.file_bytes,
      memory_bytes: info.memory_bytes,
    })
  }

  /// The fingerprint that the index was created with.
  pub fn fingerprint(&self) -> String {
    text_of(|buffer, capacity| unsafe { ffi::clip_index_get_fingerprint(self.raw, buffer, capacity) })
  }

  /// Adds entries, and replaces those whose keys are there. `embeddings` [n, embedding_width], `metadata` [n].
  /// `embeddings` None: the entries keep theirs. `metadata` None: none.
  pub fn put<K: AsRef<[u8]>>(&self, keys: &[K], embeddings: Option<&[f32]>, metadata: Option<&[K]>) -> Result<()> {
    let n = keys.len();
    if let Some(values) = embeddings {
      if rows("embeddings", values.len(), self.width)? != n {
        return Err(Error::invalid(format!("expected {n} rows of {} elements, found {} elements", self.width, values.len())));
      }
    }
    let keys = bytes(keys);
    let metadata = metadata.map(bytes);
    if metadata.as_ref().map_or(false, |metadata| metadata.len() != n) {
      return Err(Error::invalid(format!("expected metadata for each of {n} entries")));
    }
    let embeddings = embeddings.map_or(std::ptr::null(), |values| values.as_ptr());
    let metadata = metadata.as_ref().map_or(std::ptr::null(), |values| values.as_ptr());
    check(unsafe { ffi::clip_index_put(self.raw, keys.as_ptr(), embeddings, metadata, n) })
  }

  /// Gives entries other keys: pairs of the old one and the new one.
  pub fn rename<K: AsRef<[u8]>>(&self, from: &[K], to: &[K]) -> Result<()> {
    if from.len() != to.len() {
      return Err(Error::invalid(format!("{} keys to rename, and {} new keys", from.len(), to.len())));
    }
    let (from, to) = (bytes(from), bytes(to));
    check(unsafe { ffi::clip_index_rename(self.raw, from.as_ptr(), to.as_ptr(), from.len()) })
  }

  /// Removes entries and returns how many there were.
  pub fn remove(&self, keys: &[impl AsRef<[u8]>]) -> Result<u64> {
    let keys = bytes(keys);
    let mut removed = 0;
    check(unsafe { ffi::clip_index_remove(self.raw, keys.as_ptr(), keys.len(), &mut removed) })?;
    Ok(removed)
  }

  /// The entry with this key, and its embedding; `Status::NOT_FOUND` if there is none.
  pub fn get(&self, key: impl AsRef<[u8]>) -> Result<(Entry, Vec<f32>)> {
    let key = key.as_ref();
    let mut embedding = vec![0f32; self.width];
    let mut found = Entry { score: 0.0, key: key.to_vec(), metadata: Vec::new() };
    let keep = |entry| {
      found = entry;
      ControlFlow::Continue(())
    };
    listed(keep, |visit, user| unsafe {
      ffi::clip_index_get(self.raw, key.as_ptr().cast(), key.len(), embedding.as_mut_ptr(), embedding.len(), visit, user)
    })?;
    Ok((found, embedding))
  }

  /// Lists the entries whose keys begin with `prefix`, in the order of their keys' bytes.
  pub fn visit(&self, prefix: impl AsRef<[u8]>, visit: impl FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
    let prefix = prefix.as_ref();
    listed(visit, |visit, user| unsafe { ffi::clip_index_visit(self.raw, prefix.as_ptr().cast(), prefix.len(), visit, user) })
  }

  /// The entries nearest to `query` [embedding_width], best first.
  pub fn search(&self, query: &[f32], options: SearchOptions<'_>) -> Result<Vec<Entry>> {
    if query.len() != self.width {
      return Err(Error::invalid(format!("query: expected {} elements, found {}", self.width, query.len())));
    }
    let mut raw = init!(clip_index_search_options);
    raw.count = options.count;
    raw.flags = if options.threshold.is_some() { ffi::CLIP_INDEX_THRESHOLD } else { 0 };
    raw.threshold = options.threshold.unwrap_or(0.0);
    raw.filter = if options.filter.is_some() { Some(on_filter) } else { None };
    let mut filter = Guarded::new(options.filter);
    raw.filter_user = filter.user();

    let mut found = Vec::new();
    let keep = |entry| {
      found.push(entry);
      ControlFlow::Continue(())
    };
    let searched = with_progress(options.progress, |progress| {
      raw.progress = progress;
      let mut status = ffi::CLIP_OK;
      // The visitor cannot panic, so its result is the status.
      let _ = listed(keep, |visit, user| {
        status = unsafe { ffi::clip_index_search(self.raw, query.as_ptr(), &raw, visit, user) };
        status
      });
      status
    });
    filter.finish(ffi::CLIP_OK)?;
    searched.map(|()| found)
  }

  /// Pairs of entries that score at least `threshold` (0: 0.95), best first, at most `count` (0: 10000).
  pub fn duplicates(&self, threshold: f32, count: u32, progress: Option<Progress<'_>>) -> Result<Vec<(Entry, Entry)>> {
    let mut raw = init!(clip_index_duplicates_options);
    raw.threshold = threshold;
    raw.count = count;
    let mut pairs = Guarded::new(Pairs::new());
    with_progress(progress, |progress| {
      raw.progress = progress;
      unsafe { ffi::clip_index_duplicates(self.raw, &raw, Some(on_pair), pairs.user()) }
    })?;
    Ok(pairs.into_inner())
  }

  /// Entries joined by pairs that score at least `threshold` (0: 0.95), directly or through others: groups with the nearest
  /// pair first.
  pub fn groups(&self, threshold: f32, progress: Option<Progress<'_>>) -> Result<Vec<Vec<Entry>>> {
    let mut raw = init!(clip_index_groups_options);
    raw.threshold = threshold;
    let mut groups = Guarded::new(Groups::new());
    with_progress(progress, |progress| {
      raw.progress = progress;
      unsafe { ffi::clip_index_groups(self.raw, &raw, Some(on_member), groups.user()) }
    })?;
    Ok(groups.into_inner())
  }
}
