import CClip
import CSystem

/// An augmentation with the settings of a step. Keeps its plugin loaded.
final class Augmentation {
  private let table: UnsafePointer<clip_augmentation>
  private let plugin: PluginReference
  private let instance: UnsafeMutableRawPointer?
  /// The step and its op, for messages.
  private let place: String

  convenience init(
    _ loaded: LoadedAugmentation, _ settings: StepSettings, place: String
  ) throws(ClipError) {
    let table = loaded.table
    var instance: UnsafeMutableRawPointer?
    if let create = table.pointee.create {
      try callPlugin(String(cString: table.pointee.id), place) { error in
        settings.lend { create(table, $0, &instance, error) }
      }
    }
    self.init(table, loaded.plugin, instance, place)
    if let mistake = settings.mistake { throw ClipError(CLIP_PLUGIN, "\(place): \(mistake)") }
  }

  private init(
    _ table: UnsafePointer<clip_augmentation>, _ plugin: PluginReference, _ instance: UnsafeMutableRawPointer?,
    _ place: String
  ) {
    self.table = table
    self.plugin = plugin
    self.instance = instance
    self.place = place
  }

  deinit { if let instance { table.pointee.destroy?(instance) } }

  /// The image after this step; the same buffer if the step leaves it as it is.
  func apply(_ image: PixelBuffer, _ runtime: Runtime, _ random: inout RandomStream) throws(ClipError) -> PixelBuffer {
    guard let apply = table.pointee.apply_image, let format = image.view.format.nearest(in: table.pointee.formats)
    else {
      return image
    }
    let input = try image.converted(to: format, runtime)
    defer { withExtendedLifetime(input) {} }
    var view = input.view.c
    let sink = ImageSink(runtime)
    do throws(ClipError) {
      try callPlugin(String(cString: table.pointee.id), place) { error in
        sink.lend { sink in random.lend { apply(instance, &view, sink, $0, error) } }
      }
    } catch {
      throw sink.failure?.at(place) ?? error
    }
    if let failure = sink.failure { throw failure.at(place) }
    guard let result = sink.result else { return image }
    return result.view.format == format ? try result.converted(to: image.view.format, runtime) : result
  }

  /// The text after this step.
  func apply(_ text: TextBuffer, _ random: inout RandomStream) throws(ClipError) -> TextBuffer {
    guard let apply = table.pointee.apply_text else { return text }
    let result = TextBuffer()
    do throws(ClipError) {
      try callPlugin(String(cString: table.pointee.id), place) { error in
        result.lend { sink in
          text.withCharacters { characters in random.lend { apply(instance, characters, text.count, sink, $0, error) } }
        }
      }
    } catch {
      throw result.failure?.at(place) ?? error
    }
    if let failure = result.failure { throw failure.at(place) }
    if let problem = result.problem { throw ClipError(CLIP_PLUGIN, "\(place): its result: \(problem)") }
    return result
  }
}

/// Takes an image augmentation's result.
private final class ImageSink {
  private(set) var result: PixelBuffer?
  private(set) var failure: ClipError?
  private let runtime: Runtime

  init(_ runtime: Runtime) { self.runtime = runtime }

  func lend<Result>(_ body: (UnsafeMutablePointer<clip_image_sink>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_image_sink(
      struct_size: UInt32(MemoryLayout<clip_image_sink>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      allocate: { sink, width, height, format, stride in
        guard let host = sink?.pointee.host else { return nil }
        let sink = Unmanaged<ImageSink>.fromOpaque(host).takeUnretainedValue()
        return sink.allocate(width, height, format, stride)
      },
      resize: { sink, view, resample, width, height, pixels, stride in
        guard let host = sink?.pointee.host else { return 0 }
        let sink = Unmanaged<ImageSink>.fromOpaque(host).takeUnretainedValue()
        return sink.resize(view, resample, width, height, pixels, stride)
      })
    return body(&table)
  }

  private func allocate(
    _ width: UInt32, _ height: UInt32, _ format: clip_pixel_format, _ stride: UnsafeMutablePointer<Int>?
  ) -> UnsafeMutablePointer<UInt8>? {
    do throws(ClipError) {
      guard result == nil, failure == nil else { throw ClipError(CLIP_PLUGIN, "it asked for memory a second time") }
      guard let stride else { throw ClipError(CLIP_PLUGIN, "expected a place for the stride, found a null pointer") }
      guard width > 0, height > 0, let format = ImageView.Format(format) else {
        throw ClipError(
          CLIP_PLUGIN,
          "expected a result of at least 1 x 1 pixels, found \(width) x \(height) of format \(format.rawValue)")
      }
      do throws(ClipError) {
        let (buffer, pixels) = try PixelBuffer.make(format, width: Int(width), height: Int(height), runtime)
        result = buffer
        stride.pointee = buffer.view.stride
        return pixels
      } catch {
        throw error.at("its result")
      }
    } catch {
      if failure == nil { failure = error }
      return nil
    }
  }

  private func resize(
    _ view: UnsafePointer<clip_image_view>?, _ resample: clip_resample, _ width: UInt32, _ height: UInt32,
    _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int
  ) -> Int32 {
    do throws(ClipError) {
      if let failure { throw failure }
      // To the core a stride of 0 means rows without gaps; the plugin's stride is taken as it is.
      let row = Int(width) * 3
      guard stride >= row else {
        throw ClipError(
          CLIP_PLUGIN, "expected memory in rows of at least \(row) bytes, found \(UInt(bitPattern: stride))")
      }
      let status = clip_image_resize(runtime.handle, view, resample, width, height, pixels, Int.max, stride)
      guard status != CLIP_INVALID_ARGUMENT else {
        throw ClipError(CLIP_PLUGIN, "an image to resize: " + (clip_last_error().map { String(cString: $0) } ?? ""))
      }
      try call(status)
      return 1
    } catch {
      if failure == nil { failure = error }
      return 0
    }
  }
}
