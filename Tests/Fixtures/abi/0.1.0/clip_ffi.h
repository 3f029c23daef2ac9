/* clip_ffi.h: C functions made at run time. Part of libcliptools (-lcliptools -lclipcore). Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_FFI_H
#define CLIPCORE_CLIP_FFI_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Any C function; cast it to its own type. */
typedef void (*clip_function)(void);

/* A C function made at run time. */
typedef struct clip_closure clip_closure;

/* Makes a C function of the given signature that calls `callback` with `user` before its own arguments, and returns
 * what `callback` returns: for languages whose callbacks carry no data, and for plugin functions without a user
 * pointer. `signature` names the result and up to 31 arguments: void, int8 to int64, uint8 to uint64, int, uint,
 * long, ulong, size_t, float, double, pointer. An enum such as clip_status is "int":
 *
 *   int wide(void *limit, const uint8_t *data, size_t size);
 *   clip_closure_create("int(pointer,size_t)", (clip_function)wide, &limit, &closure);
 *   codec.recognises = (int (*)(const uint8_t *, size_t))clip_closure_function(closure);
 *
 * A signature that does not match the callback is undefined behaviour, as a wrong cast is. Needs
 * libffi (libffi.so.8), which is loaded by the first call: CLIP_UNSUPPORTED without it. *out is owned
 * by the caller: clip_closure_release. [any-thread] */
CLIP_API clip_status clip_closure_create(const char *signature, clip_function callback, void *user,
                                         clip_closure **out);

/* The function, to be called from any thread until clip_closure_release. NULL for NULL. [any-thread] */
CLIP_API clip_function clip_closure_function(const clip_closure *closure);

/* The function must not be called any more. NULL does nothing. [owner-thread] */
CLIP_API void clip_closure_release(clip_closure *closure);

#ifdef __cplusplus
}
#endif

#endif
