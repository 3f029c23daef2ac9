#include <clipcore/clip_plugin.h>
