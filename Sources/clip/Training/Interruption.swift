import Glibc

/// The signal that asked the run to end; 0 while there is none.
private nonisolated(unsafe) var askedBy: sig_atomic_t = 0

/// SIGINT, SIGTERM and SIGHUP ask a run to end after its step; the second one ends it at once.
enum Interruption {
  static var isAsked: Bool { askedBy != 0 }

  /// From now on.
  static func watch() {
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let before = signal(number) { number in
        askedBy = number
        signal(number, SIG_DFL)
      }
      sigaddset(&watched, number)
      // As nohup has it. A shell's background jobs ignore SIGINT too, but whoever sends it to one means it.
      if number == SIGHUP, unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
        signal(number, SIG_IGN)
      }
    }
    // A program's worker threads may have them blocked, and who is started by one inherits that.
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }
}
