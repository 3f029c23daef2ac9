#include <ffi.h>

/* libffi's functions as libclipcore finds them at run time: it does not link libffi. */
typedef ffi_status (*clip_ffi_prep_cif_fn)(ffi_cif *, ffi_abi, unsigned, ffi_type *, ffi_type **);
typedef void (*clip_ffi_call_fn)(ffi_cif *, void *function, void *result, void **arguments);
typedef void *(*clip_ffi_closure_alloc_fn)(size_t, void **code);
typedef void (*clip_ffi_closure_free_fn)(void *);
typedef void (*clip_ffi_closure_body_fn)(ffi_cif *, void *result, void **arguments, void *user);
typedef ffi_status (*clip_ffi_prep_closure_loc_fn)(ffi_closure *, ffi_cif *, clip_ffi_closure_body_fn, void *user, void *code);

static const ffi_abi clip_ffi_default_abi = FFI_DEFAULT_ABI;
