import CClip
struct CodecTable { let table: UnsafePointer<clip_image_codec> }
final class DecodedImage { var view: clip_image_view { clip_image_view() }; init(data: UnsafeRawBufferPointer, codecs: [CodecTable], maxPixels: Int, place: String) throws(ClipError) {} }
struct ImageView { init(_ v: clip_image_view, maxPixels: Int) throws(ClipError) {} }
final class PreprocessScratch {}
func preprocess(_ v: ImageView, _ c: PreprocessConfig, background: (UInt8,UInt8,UInt8)?, into: UnsafeMutablePointer<Float>, scratch: PreprocessScratch) throws(ClipError) {}
