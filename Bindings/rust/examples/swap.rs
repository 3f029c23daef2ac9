//! Replaces the encoders of a model while threads use it: swap MODEL IMAGE
use clipcore::{EncodeOptions, Runtime, Tower};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn main() -> Result<(), Box<dyn std::error::Error>> {
  let arguments: Vec<String> = std::env::args().skip(1).collect();
  if arguments.len() != 2 {
    return Err("usage: swap MODEL IMAGE".into());
  }
  let runtime = Runtime::new(Default::default())?;
  let model = runtime.open_model(&arguments[0], Default::default())?;
  let photo = runtime.load_image(&arguments[1], Default::default())?;
  let before = model.encode_images(&[photo.view()], EncodeOptions::default())?;
  let (done, embeddings) = (AtomicBool::new(false), AtomicUsize::new(0));
  std::thread::scope(|scope| {
    let embed = || -> clipcore::Result<bool> {
      while !done.load(Ordering::Relaxed) {
        if model.encode_images(&[photo.view()], EncodeOptions::default())? != before {
          return Ok(false);
        }
        embeddings.fetch_add(1, Ordering::Relaxed);
      }
      Ok(true)
    };
    let threads = [scope.spawn(embed), scope.spawn(embed)];
    let swapped = (0..10).try_for_each(|_| model.swap(Tower::ALL, None, None));
    done.store(true, Ordering::Relaxed);
    swapped?;
    for thread in threads {
      if !thread.join().map_err(|_| "a thread panicked")?? {
        return Err("an embedding changed".into());
      }
    }
    println!("10 swaps, {} embeddings, all the same", embeddings.load(Ordering::Relaxed));
    Ok(())
  })
}
