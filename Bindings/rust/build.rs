//! Finds libclipcore: CLIPCORE_LIB_DIR is its folder, else pkg-config says where it is.
use std::process::Command;

fn main() {
  println!("cargo:rerun-if-env-changed=CLIPCORE_LIB_DIR");
  println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
  let folder = std::env::var("CLIPCORE_LIB_DIR").ok().or_else(|| {
    let found = Command::new("pkg-config").args(["--variable=libdir", "clipcore"]).output().ok()?;
    Some(String::from_utf8_lossy(&found.stdout).trim().to_owned()).filter(|folder| found.status.success() && !folder.is_empty())
  });
  match folder {
    Some(folder) => println!("cargo:rustc-link-search=native={folder}"),
    None => println!("cargo:warning=pkg-config knows no clipcore; set PKG_CONFIG_PATH or CLIPCORE_LIB_DIR if linking fails"),
  }
  println!("cargo:rustc-link-lib=dylib=clipcore");
  println!("cargo:rustc-link-lib=dylib=clipindex");
}
