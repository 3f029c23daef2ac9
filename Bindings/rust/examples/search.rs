//! Indexes the images of a folder and searches them by text: search MODEL FOLDER INDEX QUERY
use clipcore::{EncodeOptions, IndexOptions, Runtime, SearchOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
  let arguments: Vec<String> = std::env::args().skip(1).collect();
  if arguments.len() != 4 {
    return Err("usage: search MODEL FOLDER INDEX QUERY".into());
  }
  let runtime = Runtime::new(Default::default())?;
  let model = runtime.open_model(&arguments[0], Default::default())?;
  let options = IndexOptions {
    create: true,
    fingerprint: Some(clipcore::fingerprint(&arguments[0])?),
    embedding_width: model.embedding_width() as u32,
    ..Default::default()
  };
  let index = runtime.open_index(&arguments[2], options)?;
  let endings = runtime.image_endings();
  for file in std::fs::read_dir(&arguments[1])? {
    let path = file?.path();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if ending.map_or(false, |ending| endings.contains(&ending)) {
      let photo = runtime.load_image(&path, Default::default())?;
      let embedding = model.encode_images(&[photo.view()], EncodeOptions::default())?;
      index.put(&[path.to_string_lossy().as_bytes()], Some(&embedding), None)?;
    }
  }
  let query = model.encode_texts(&arguments[3..], EncodeOptions::default())?;
  for found in index.search(&query, SearchOptions { count: 3, ..Default::default() })? {
    println!("{:.3}  {}", found.score, String::from_utf8_lossy(&found.key));
  }
  Ok(())
}
