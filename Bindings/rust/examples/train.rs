//! Trains a model for a hundred steps on images whose names are their captions: train MODEL FOLDER OUT
use clipcore::{Batch, EncodeOptions, Images, Runtime, Texts, TrainerOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
  let arguments: Vec<String> = std::env::args().skip(1).collect();
  if arguments.len() != 3 {
    return Err("usage: train MODEL FOLDER OUT".into());
  }
  let runtime = Runtime::new(Default::default())?;
  let model = runtime.open_model(&arguments[0], Default::default())?;
  let (mut photos, mut captions) = (Vec::new(), Vec::new());
  let endings = runtime.image_endings();
  for file in std::fs::read_dir(&arguments[1])? {
    let path = file?.path();
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
    if endings.contains(&ending) {
      photos.push(runtime.load_image(&path, Default::default())?);
      captions.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
  }
  let views: Vec<_> = photos.iter().map(|photo| photo.view()).collect();
  let texts: Vec<&str> = captions.iter().map(String::as_str).collect();
  let pixels = model.preprocess(&views, EncodeOptions::default())?;
  let tokens = model.tokenize(&texts, EncodeOptions::default())?;

  let mut trainer = model.trainer(&TrainerOptions { learning_rate: 1e-4, ..Default::default() })?;
  let batch = Batch { images: Images::Pixels(&pixels), texts: Texts::Tokens(&tokens.ids), options: EncodeOptions::default() };
  let first = trainer.evaluate(&batch)?.loss;
  for _ in 0..100 {
    trainer.step(&batch)?;
  }
  let last = trainer.evaluate(&batch)?;
  trainer.export(&arguments[2], None)?;
  println!("step {}: loss {first:.3} -> {:.3}", last.step, last.loss);
  Ok(())
}
