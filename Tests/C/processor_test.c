/* Which kernels compute on this processor, for processors that qemu imitates.
 *
 *   processor_test CHOSEN [REFUSED...]
 *
 * CHOSEN are the last part of the id of the kernels of a runtime without options. REFUSED cannot run here. */
#include <clip_host.h>
#include <string.h>

#include "check.h"

static int note_active(void *user, const clip_plugin_info *info) {
  if (info->kind == CLIP_KIND_KERNELS && info->active) snprintf(user, 64, "%s", info->id);
  return 0;
}

static void active(const clip_runtime *runtime, char *id) {
  id[0] = 0;
  CHECK(clip_plugins_visit(runtime, note_active, id) == CLIP_OK);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  char want[64], found[64];
  clip_runtime *runtime = NULL;
  snprintf(want, sizeof want, "clipcore.kernels.%s", argv[1]);
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  active(runtime, found);
  printf("chosen %s, expected %s\n", found, want);
  CHECK(strcmp(found, want) == 0);
  clip_runtime_release(runtime);

  clip_runtime_options options = {.struct_size = sizeof options, .kernels = argv[1]};
  runtime = NULL;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  active(runtime, found);
  CHECK(strcmp(found, want) == 0);
  clip_runtime_release(runtime);
  for (int i = 2; i < argc; i++) {
    options.kernels = argv[i];
    runtime = NULL;
    CHECK(clip_runtime_create(&options, &runtime) == CLIP_UNSUPPORTED && runtime == NULL);
    CHECK(strstr(clip_last_error(), "this processor cannot run") != NULL);
  }
  return checks_report();
}
