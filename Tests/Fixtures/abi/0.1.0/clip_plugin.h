/* clip_plugin.h: every header for plugins, one for each kind. plugin/entry.h has the rules. */
#ifndef CLIPCORE_CLIP_PLUGIN_H
#define CLIPCORE_CLIP_PLUGIN_H

#include "plugin/augmentation.h"
#include "plugin/builtin_ops.h"
#include "plugin/encoder.h"
#include "plugin/entry.h"
#include "plugin/image_codec.h"
#include "plugin/kernels.h"
#include "plugin/loader.h"
#include "plugin/op.h"
#include "plugin/tokenizer.h"
#include "plugin/weights.h"

#endif
