import ArgumentParser
import Glibc

@main
struct Clip: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "clip",
      abstract: "Compare images and sentences with a CLIP model.",
      discussion: """
        A model is a folder as downloaded, Hugging Face's or open_clip's. To see what one knows about an \
        image:

          clip classify --model Models/emoji photo.jpg --label "a cat" "a dog"

        Exit codes: 0 done, 1 the work failed (or an image was skipped), 2 the command line was wrong.
        """,
      version: "clip \(libraryVersion)",
      subcommands: [
        Embed.self, Classify.self, Index.self, Search.self, Duplicates.self, Tokenize.self, Augment.self, Analyze.self,
        Gap.self, Train.self,
        Eval.self, Export.self, Info.self, Plugins.self, Bench.self,
      ])
  }

  static func main() {
    // Without SIGPIPE, a closed pipe is an error of write(2), and unfinished files are removed.
    signal(SIGPIPE, SIG_IGN)
    // Likewise a file that exceeds the shell's size limit.
    signal(SIGXFSZ, SIG_IGN)
    Glibc.exit(status())
  }

  /// Runs the command line and returns the exit code.
  private static func status() -> Int32 {
    guard CommandLine.argc > 0 else {
      Console.shared.error("cannot read the command line from /proc/self/cmdline")
      return 1
    }
    do {
      var command = try parseAsRoot(RawArguments.encoded())
      try command.run()
      return 0
    } catch let error as CLIPError {
      report(error)
      return 1
    } catch let skipped as ExitCode {
      return skipped.rawValue
    } catch {
      return explain(error)
    }
  }

  /// Reports an error on standard error and, with --json, on standard output.
  private static func report(_ error: CLIPError) {
    Console.shared.error(error.message)
    guard RawArguments.encoded().contains("--json") else { return }
    // Standard output may be what failed.
    try? StandardOutput.write([
      "error": ["status": .string(error.status.description), "message": .string(error.message)]
    ])
  }

  /// Shows help, the version, or the error in the command line.
  private static func explain(_ error: any Error) -> Int32 {
    let text = RawArguments.readable(fullMessage(for: error))
    guard exitCode(for: error).isSuccess else {
      Console.shared.line(text)
      return 2
    }
    do {
      try StandardOutput.write(text.hasSuffix("\n") ? text : text + "\n")
      return 0
    } catch {
      Console.shared.error(error.message)
      return 1
    }
  }
}
