/* Child processes that filter text. */
#ifndef CLIPCORE_CSYSTEM_PROCESS_H
#define CLIPCORE_CSYSTEM_PROCESS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* Makes a pipe that is closed on exec, with both ends above 2. Returns an errno value, 0 for success. */
static inline int csystem_pipe(int ends[2]) {
  int found[2], code = 0;
  if (pipe2(found, O_CLOEXEC) != 0) return errno;
  for (int i = 0; i < 2; i++) {
    ends[i] = fcntl(found[i], F_DUPFD_CLOEXEC, 3);
    if (ends[i] < 0 && code == 0) code = errno;
  }
  close(found[0]), close(found[1]);
  for (int i = 0; code != 0 && i < 2; i++)
    if (ends[i] >= 0) close(ends[i]);
  return code;
}

/* Starts `/bin/sh -c command clipcore argument` with its standard input and output connected to pipes, standard error
 * to /dev/null and nothing else open, in a process group of its own, with the default action of every signal. *input
 * and *output are the parent's ends of the pipes, non-blocking. *input_reader is a second reading end of the input
 * pipe: as long as it is open, a write to *input raises no SIGPIPE. Returns an errno value, 0 for success. */
static inline int csystem_spawn_filter(const char *command, const char *argument, pid_t *pid, int *input,
                                       int *input_reader, int *output) {
  extern char **environ;
  char *arguments[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, (char *)"clipcore", (char *)argument, NULL};
  int in[2], out[2], code = csystem_pipe(in);
  if (code != 0) return code;
  if ((code = csystem_pipe(out)) != 0) {
    close(in[0]), close(in[1]);
    return code;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none), sigfillset(&all);
  /* The child's ends are other open files and stay blocking. */
  fcntl(in[1], F_SETFL, O_NONBLOCK), fcntl(out[0], F_SETFL, O_NONBLOCK);
  if ((code = posix_spawn_file_actions_init(&actions)) == 0) {
    if ((code = posix_spawnattr_init(&attributes)) == 0) {
      if ((code = posix_spawn_file_actions_adddup2(&actions, in[0], 0)) == 0 &&
          (code = posix_spawn_file_actions_adddup2(&actions, out[1], 1)) == 0 &&
          (code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)) == 0 &&
          (code = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
          (code = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
          (code = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
          (code = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
          (code = posix_spawnattr_setflags(
               &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)) == 0)
        code = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environ);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  close(out[1]);
  if (code != 0) close(in[0]), close(in[1]), close(out[0]);
  *input = in[1], *input_reader = in[0], *output = out[0];
  return code;
}

/* Whether the child still runs. It is not reaped, so that its process id is not reused. */
static inline int csystem_is_running(pid_t pid) {
  siginfo_t facts;
  facts.si_pid = 0;
  return waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) == 0 && facts.si_pid == 0;
}

/* Kills the child's process group and reaps the child. Does nothing if the host has reaped it already, since its
 * process id may be reused by then. */
static inline void csystem_end_group(pid_t pid) {
  siginfo_t facts;
  if (waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  kill(-pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

#endif
