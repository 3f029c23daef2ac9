//! Which of some labels fits an image, without training for them: labels MODEL IMAGE LABEL...
use clipcore::{EncodeOptions, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
  let arguments: Vec<String> = std::env::args().skip(1).collect();
  if arguments.len() < 4 {
    return Err("usage: labels MODEL IMAGE LABEL LABEL...".into());
  }
  let runtime = Runtime::new(Default::default())?;
  let model = runtime.open_model(&arguments[0], Default::default())?;
  let photo = runtime.load_image(&arguments[1], Default::default())?;
  let prompts: Vec<String> = arguments[2..].iter().map(|label| format!("a photo of a {label}")).collect();
  let image = model.encode_images(&[photo.view()], EncodeOptions::default())?;
  let texts = model.encode_texts(&prompts, EncodeOptions::default())?;
  let mut scored: Vec<(f32, &String)> = model.classify(&image, &texts)?.into_iter().zip(&arguments[2..]).collect();
  scored.sort_by(|a, b| b.0.total_cmp(&a.0));
  for (probability, label) in scored {
    println!("{:5.1} %  {label}", 100.0 * probability);
  }
  Ok(())
}
