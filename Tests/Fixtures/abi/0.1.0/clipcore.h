/* clipcore.h: all headers of the library except those for plugins (clip_plugin.h). */
#ifndef CLIPCORE_CLIPCORE_H
#define CLIPCORE_CLIPCORE_H

#include "clip.h"
#include "clip_analysis.h"
#include "clip_augment.h"
#include "clip_data.h"
#include "clip_extend.h"
#include "clip_ffi.h"
#include "clip_host.h"
#include "clip_images.h"
#include "clip_index.h"
#include "clip_train.h"

#endif
