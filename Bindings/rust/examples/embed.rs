//! Embeds an image and captions, and prints the cosine of each caption: embed MODEL IMAGE CAPTION...
use clipcore::{EncodeOptions, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
  let arguments: Vec<String> = std::env::args().skip(1).collect();
  if arguments.len() < 3 {
    return Err("usage: embed MODEL IMAGE CAPTION...".into());
  }
  let captions = &arguments[2..];
  let runtime = Runtime::new(Default::default())?;
  let model = runtime.open_model(&arguments[0], Default::default())?;
  let photo = runtime.load_image(&arguments[1], Default::default())?;
  let image = model.encode_images(&[photo.view()], EncodeOptions::default())?;
  let texts = model.encode_texts(captions, EncodeOptions::default())?;
  for (caption, text) in captions.iter().zip(texts.chunks(model.embedding_width())) {
    let cosine: f32 = image.iter().zip(text).map(|(a, b)| a * b).sum();
    println!("{cosine:.3}  {caption}");
  }
  Ok(())
}
