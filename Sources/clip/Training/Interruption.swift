import Glibc

/// The signal that asked the run to stop; 0 if none did.
private nonisolated(unsafe) var askedBy: sig_atomic_t = 0

/// SIGINT, SIGTERM and SIGHUP stop a run after its current step; a second signal ends it at once.
enum Interruption {
  static var isAsked: Bool { askedBy != 0 }

  /// Starts watching.
  static func watch() {
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let before = signal(number) { number in
        askedBy = number
        signal(number, SIG_DFL)
      }
      sigaddset(&watched, number)
      // Ignored as by nohup. SIGINT is watched even if ignored, as in a shell's background jobs.
      if number == SIGHUP, unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
        signal(number, SIG_IGN)
      }
    }
    // The parent process may have blocked these signals.
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }
}
