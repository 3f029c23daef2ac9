//! Calls from threads, and what they leave in memory: a process of its own, because all of its memory counts.
//! CLIPCORE_TEST_ROOT: the repository, whose small model the test uses.
use clipcore::*;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// glibc's struct mallinfo2.
#[repr(C)]
struct Allocations {
  before: [usize; 7],
  used: usize, // bytes, of all arenas
  after: [usize; 2],
}

extern "C" {
  fn mallinfo2() -> Allocations;
}

#[test]
fn ten_thousand_calls_from_threads() {
  let root: PathBuf = std::env::var_os("CLIPCORE_TEST_ROOT").expect("CLIPCORE_TEST_ROOT is not set").into();
  let log = Box::new(|_: LogLevel, message: &str| assert!(!message.is_empty()));
  let runtime = Runtime::new(RuntimeOptions { threads: 2, log: Some(log), ..Default::default() }).unwrap();
  let model = runtime.open_model(root.join("build/models/small-32"), Default::default()).unwrap();
  let expected = model.encode_texts(&["a cat"], EncodeOptions::default()).unwrap();
  let run = |calls: usize| {
    for call in 0..calls {
      let mut go_on = |_, _| ControlFlow::Continue(());
      let options = EncodeOptions { progress: Some(&mut go_on), prompt: Some(""), ..Default::default() };
      match call % 5 {
        0 => drop(model.encode_texts(&["a", "b\0"], options).unwrap_err()),
        1 => drop(runtime.decode_image(b"none", Default::default()).err().unwrap()),
        2 => drop(runtime.open_model("/none", Default::default()).err().unwrap()),
        3 => drop(model.tokenize(&["a cat"], options).unwrap()),
        _ => assert_eq!(model.encode_texts(&["a cat"], options).unwrap(), expected),
      }
    }
    unsafe { mallinfo2() }.used
  };
  std::thread::scope(|scope| {
    for _ in 0..4 {
      scope.spawn(|| run(1250));
    }
  });
  // On one thread, because the workspaces that a model keeps are as many as calls ran at once.
  let before = run(100);
  let grown = run(5000).saturating_sub(before);
  assert!(grown < 4_000, "5000 calls left {grown} bytes");
  drop(runtime); // the model keeps it
  assert_eq!(model.encode_texts(&["a cat"], EncodeOptions::default()).unwrap(), expected);
}
