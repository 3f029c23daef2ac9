/* What depends on the processor: vectors whose operations Swift has no fast form of, processor features, hints. */
#ifndef CLIPCORE_CSYSTEM_PROCESSOR_H
#define CLIPCORE_CSYSTEM_PROCESSOR_H

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* The bits of CLIP_CPU_* that the processor and the operating system support. */
static inline unsigned csystem_cpu_features(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d, low, high, found = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 0;
  unsigned leaf1 = c;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 6u) != 6u || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (b & (1u << 5)) found |= 1u;       /* AVX2 */
  if (leaf1 & (1u << 12)) found |= 2u;  /* FMA */
  if (leaf1 & (1u << 29)) found |= 4u;  /* F16C */
  unsigned avx512 = (1u << 16) | (1u << 17) | (1u << 28) | (1u << 30) | (1u << 31); /* F DQ CD BW VL */
  if ((low & 0xe0u) == 0xe0u && (b & avx512) == avx512) found |= 8u;
  if ((found & 8u) && (c & (1u << 11))) found |= 16u; /* AVX512_VNNI */
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (found & 8u) && (a & (1u << 5))) found |= 32u; /* AVX512_BF16 */
  return found;
#elif defined(__aarch64__)
  return getauxval(AT_HWCAP) & (1u << 20) ? 64u : 0; /* ASIMDDP */
#else
  return 0;
#endif
}

/* A hint that the thread is in a spin loop. */
static inline void csystem_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/* Prefetches the cache line at `address`, which may be any address, into the L2 cache. */
static inline void csystem_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/* Calls `body` with `work` and an uninitialised array on the stack, which Swift has no form of. */
enum { csystem_stack_floats = 72 * 128 };
static inline void csystem_with_stack(const void *work, void (*body)(const void *work, float *stack)) {
  _Alignas(64) float stack[csystem_stack_floats];
  body(work, stack);
}

/* Loads of 16-bit elements, widened to 32 bits; Swift converts them lane by lane. `source` may be unaligned.
 * _brain: bfloat16 to float. _by_machine: half to float by the processor's instruction. _by_bits: the same for
 * processors without one: the bits make a float whose exponent is 112 too low, which a multiplication corrects,
 * for subnormal halves too. */
#define CSYSTEM_WIDEN(lanes)                                                                      \
  typedef float csystem_float##lanes __attribute__((ext_vector_type(lanes)));                     \
  typedef int csystem_int##lanes __attribute__((ext_vector_type(lanes)));                         \
  typedef unsigned short csystem_short##lanes __attribute__((ext_vector_type(lanes)));            \
  typedef _Float16 csystem_half##lanes __attribute__((ext_vector_type(lanes)));                   \
  static inline csystem_int##lanes csystem_widen##lanes(const void *source) {                     \
    csystem_short##lanes narrow;                                                                  \
    memcpy(&narrow, source, sizeof narrow);                                                       \
    return __builtin_convertvector(narrow, csystem_int##lanes);                                   \
  }                                                                                               \
  static inline csystem_float##lanes csystem_brain##lanes(const void *source) {                   \
    return (csystem_float##lanes)(csystem_widen##lanes(source) << 16);                            \
  }                                                                                               \
  static inline csystem_float##lanes csystem_half##lanes##_by_bits(const void *source) {          \
    csystem_int##lanes half = csystem_widen##lanes(source), size = half & 0x7fff;                 \
    csystem_float##lanes scaled = (csystem_float##lanes)(size << 13) * 0x1p112f;                  \
    csystem_int##lanes infinite = (size > 0x7bff) & 0x7f800000;                                   \
    return (csystem_float##lanes)((csystem_int##lanes)scaled | infinite | (half & 0x8000) << 16); \
  }                                                                                               \
  static inline csystem_float##lanes csystem_half##lanes##_by_machine(const void *source) {       \
    csystem_half##lanes half;                                                                     \
    memcpy(&half, source, sizeof half);                                                           \
    return __builtin_convertvector(half, csystem_float##lanes);                                   \
  }
CSYSTEM_WIDEN(4)
CSYSTEM_WIDEN(8)
CSYSTEM_WIDEN(16)

/* Float arithmetic. Swift's SIMD operators are inlined lane by lane, which made the kernels compile four times as long.
 * _multiply_add: sum + a * b, rounded once. _select: `other` where a < b, else `value`. _power_of_2: 2^n for n in
 * [-127, 128], which the low bits of the float hold. */
#define CSYSTEM_ARITHMETIC(lanes)                                                                 \
  static inline csystem_float##lanes csystem_add##lanes(                                          \
      csystem_float##lanes a, csystem_float##lanes b) {                                           \
    return a + b;                                                                                 \
  }                                                                                               \
  static inline csystem_float##lanes csystem_subtract##lanes(                                     \
      csystem_float##lanes a, csystem_float##lanes b) {                                           \
    return a - b;                                                                                 \
  }                                                                                               \
  static inline csystem_float##lanes csystem_multiply##lanes(                                     \
      csystem_float##lanes a, csystem_float##lanes b) {                                           \
    return a * b;                                                                                 \
  }                                                                                               \
  static inline csystem_float##lanes csystem_divide##lanes(                                       \
      csystem_float##lanes a, csystem_float##lanes b) {                                           \
    return a / b;                                                                                 \
  }                                                                                               \
  static inline csystem_float##lanes csystem_multiply_add##lanes(                                 \
      csystem_float##lanes sum, csystem_float##lanes a, csystem_float##lanes b) {                 \
    return __builtin_elementwise_fma(a, b, sum);                                                  \
  }                                                                                               \
  static inline csystem_float##lanes csystem_select##lanes(                                       \
      csystem_float##lanes value, csystem_float##lanes other, csystem_float##lanes a, csystem_float##lanes b) { \
    csystem_int##lanes below = a < b;                                                             \
    return (csystem_float##lanes)((below & (csystem_int##lanes)other) | (~below & (csystem_int##lanes)value)); \
  }                                                                                               \
  static inline csystem_float##lanes csystem_power_of_2_##lanes(csystem_float##lanes bits) {      \
    unsigned __attribute__((ext_vector_type(lanes))) n;                                           \
    memcpy(&n, &bits, sizeof n);                                                                  \
    n = (n + 127) << 23;                                                                          \
    return (csystem_float##lanes)n;                                                               \
  }
CSYSTEM_ARITHMETIC(4)
CSYSTEM_ARITHMETIC(8)
CSYSTEM_ARITHMETIC(16)

/* Integer operations on the bits of float vectors. A pair is two 16-bit integers in one 32-bit lane.
 * _load_pairs: widens 2 * lanes signed bytes to pairs.
 * _add_pairs: adds to each 32-bit lane of `sum` the dot product of a pair of `a` and a pair of `b`: one instruction
 * and an addition on x86.
 * _from_integers: converts 32-bit integers to float.
 * _largest_bits: in each lane the larger magnitude, compared as integers, so that NaN is above infinity.
 * _store_low16, _store_low8: write the low bits of each lane.
 * _add_pairs is one instruction with AVX512_VNNI. */
#if defined(__AVX512VNNI__)
#define CSYSTEM_ADD_DOT16(sum, a, b) (csystem_int16)__builtin_ia32_vpdpwssd512((csystem_int16)(sum), (csystem_int16)(a), (csystem_int16)(b))
#endif
#if defined(__AVX512BW__)
#define CSYSTEM_DOT16(a, b) __builtin_ia32_pmaddwd512(a, b)
#endif
#if defined(__AVX2__)
#define CSYSTEM_DOT8(a, b) __builtin_ia32_pmaddwd256(a, b)
#endif
#if defined(__SSE2__)
#define CSYSTEM_DOT4(a, b) __builtin_ia32_pmaddwd128(a, b)
#endif
#define CSYSTEM_DOT_BY_LANES(lanes, a, b)                                                         \
  ((((csystem_int##lanes)(a) << 16 >> 16) * ((csystem_int##lanes)(b) << 16 >> 16)) +              \
   (((csystem_int##lanes)(a) >> 16) * ((csystem_int##lanes)(b) >> 16)))
#if !defined(CSYSTEM_DOT16)
#define CSYSTEM_DOT16(a, b) CSYSTEM_DOT_BY_LANES(16, a, b)
#endif
#if !defined(CSYSTEM_DOT8)
#define CSYSTEM_DOT8(a, b) CSYSTEM_DOT_BY_LANES(8, a, b)
#endif
#if !defined(CSYSTEM_DOT4)
#define CSYSTEM_DOT4(a, b) CSYSTEM_DOT_BY_LANES(4, a, b)
#endif
#define CSYSTEM_ADD_DOT(lanes, sum, a, b) \
  ((sum) + (csystem_int##lanes)CSYSTEM_DOT##lanes((csystem_pairs##lanes)(a), (csystem_pairs##lanes)(b)))
#if !defined(CSYSTEM_ADD_DOT16)
#define CSYSTEM_ADD_DOT16(sum, a, b) CSYSTEM_ADD_DOT(16, sum, a, b)
#endif
#define CSYSTEM_ADD_DOT8(sum, a, b) CSYSTEM_ADD_DOT(8, sum, a, b)
#define CSYSTEM_ADD_DOT4(sum, a, b) CSYSTEM_ADD_DOT(4, sum, a, b)
#define CSYSTEM_PAIRS(lanes)                                                                      \
  typedef short csystem_pairs##lanes __attribute__((vector_size(4 * lanes)));                     \
  static inline csystem_float##lanes csystem_load_pairs##lanes(const void *source) {              \
    signed char __attribute__((vector_size(2 * lanes))) bytes;                                    \
    memcpy(&bytes, source, sizeof bytes);                                                         \
    return (csystem_float##lanes)__builtin_convertvector(bytes, csystem_pairs##lanes);            \
  }                                                                                               \
  static inline csystem_float##lanes csystem_add_pairs##lanes(                                    \
      csystem_float##lanes sum, csystem_float##lanes a, csystem_float##lanes b) {                 \
    return (csystem_float##lanes)CSYSTEM_ADD_DOT##lanes((csystem_int##lanes)sum, a, b);           \
  }                                                                                               \
  static inline csystem_float##lanes csystem_from_integers##lanes(csystem_float##lanes bits) {    \
    return __builtin_convertvector((csystem_int##lanes)bits, csystem_float##lanes);               \
  }                                                                                               \
  static inline csystem_float##lanes csystem_largest_bits##lanes(csystem_float##lanes a,          \
                                                                 csystem_float##lanes b) {        \
    return (csystem_float##lanes)__builtin_elementwise_max((csystem_int##lanes)a & 0x7fffffff,    \
                                                           (csystem_int##lanes)b & 0x7fffffff);   \
  }                                                                                               \
  static inline void csystem_store_low16_##lanes(void *target, csystem_float##lanes bits) {       \
    csystem_short##lanes low = __builtin_convertvector((csystem_int##lanes)bits, csystem_short##lanes); \
    memcpy(target, &low, sizeof low);                                                             \
  }                                                                                               \
  static inline void csystem_store_low8_##lanes(void *target, csystem_float##lanes bits) {        \
    typedef unsigned char __attribute__((ext_vector_type(lanes))) narrow;                         \
    narrow low = __builtin_convertvector((csystem_int##lanes)bits, narrow);                       \
    memcpy(target, &low, sizeof low);                                                             \
  }                                                                                               \
  static inline unsigned csystem_lanes_beyond##lanes(csystem_float##lanes a, float limit) {       \
    csystem_int##lanes beyond = __builtin_elementwise_abs(a) > (csystem_float##lanes)limit;       \
    unsigned bits = 0;                                                                            \
    for (int lane = 0; lane < lanes; lane++) bits |= (unsigned)(beyond[lane] & 1) << lane;        \
    return bits;                                                                                  \
  }
CSYSTEM_PAIRS(4)
CSYSTEM_PAIRS(8)
CSYSTEM_PAIRS(16)

#if defined(__aarch64__)
/* Adds to each lane of `sum` the dot product of the pair at `a` and a pair of `b`: two instructions for one row, since b's
 * halves are taken apart once for all rows. */
static inline csystem_float4 csystem_add_pair4(csystem_float4 sum, const void *a, csystem_float4 b) {
  typedef short __attribute__((ext_vector_type(2))) pair;
  typedef short __attribute__((ext_vector_type(8))) pairs;
  typedef short __attribute__((ext_vector_type(4))) halves;
  pair x;
  memcpy(&x, a, sizeof x);
  pairs y = (pairs)b;
  halves first = __builtin_shufflevector(y, y, 0, 2, 4, 6), second = __builtin_shufflevector(y, y, 1, 3, 5, 7);
  halves x0 = __builtin_shufflevector(x, x, 0, 0, 0, 0), x1 = __builtin_shufflevector(x, x, 1, 1, 1, 1);
  return (csystem_float4)((csystem_int4)sum +
                          __builtin_convertvector(x0, csystem_int4) * __builtin_convertvector(first, csystem_int4) +
                          __builtin_convertvector(x1, csystem_int4) * __builtin_convertvector(second, csystem_int4));
}
#endif

/* Rows of unsigned bytes times signed bytes. A quad is four bytes in a 32-bit lane; the two quads at `a` are for all lanes.
 * _add_quads: adds to each lane of `sum` the dot products of the first quad with a quad of the first vector at `weights`,
 * and of the second with one of the second. With AVX512_VNNI and arm64's DotProd two instructions. With AVX2 four products at a time add up in
 * 16 bits: a row's bytes are at most 127, and the weights' magnitudes at most csystem_byte_sum_limit() and 2 of rounding
 * (127 * 258 < 2^15). Elsewhere in pairs of 16 bits.
 * _times_integer: the integers at `source` times the integer in the bits of `factor`.
 * _byte_of_quads: a byte of each quad, as float. */
#if defined(__AVX512VNNI__)
#define CSYSTEM_QUADS16(sum, a, b, w, v)                                                          \
  __builtin_ia32_vpdpbusd512(__builtin_ia32_vpdpbusd512(sum, a, w), b, v)
#elif defined(__AVX512BW__)
#define CSYSTEM_QUADS16(sum, a, b, w, v)                                                          \
  ((sum) + (csystem_int16)__builtin_ia32_pmaddwd512(                                              \
      (csystem_pairs16)(__builtin_ia32_pmaddubsw512((csystem_bytes16)(a), (csystem_bytes16)(w)) + \
                        __builtin_ia32_pmaddubsw512((csystem_bytes16)(b), (csystem_bytes16)(v))), \
      (csystem_pairs16)((csystem_int16)0x10001)))
#endif
#if defined(__AVX2__)
#define CSYSTEM_QUADS8(sum, a, b, w, v)                                                           \
  ((sum) + (csystem_int8)__builtin_ia32_pmaddwd256(                                               \
      (csystem_pairs8)(__builtin_ia32_pmaddubsw256((csystem_bytes8)(a), (csystem_bytes8)(w)) +    \
                       __builtin_ia32_pmaddubsw256((csystem_bytes8)(b), (csystem_bytes8)(v))),    \
      (csystem_pairs8)((csystem_int8)0x10001)))
#endif
#if defined(__aarch64__)
typedef signed char csystem_neon16 __attribute__((neon_vector_type(16)));
typedef signed char csystem_neon8 __attribute__((neon_vector_type(8)));
static inline csystem_int4 csystem_add_quad4(csystem_int4 sum, csystem_int4 a, csystem_int4 w) {
#if defined(__ARM_FEATURE_DOTPROD)
  return (csystem_int4)__builtin_neon_vdotq_s32((csystem_neon16)sum, (csystem_neon16)a, (csystem_neon16)w, 34);
#else /* two products of 128 * 127 add up below 2^15 */
  csystem_neon16 low = (csystem_neon16)__builtin_neon_vmull_v((csystem_neon8)a.lo, (csystem_neon8)w.lo, 33);
  csystem_neon16 high = (csystem_neon16)__builtin_neon_vmull_v((csystem_neon8)a.hi, (csystem_neon8)w.hi, 33);
  csystem_neon16 pairs = (csystem_neon16)__builtin_neon_vpaddq_v(low, high, 33);
  return (csystem_int4)__builtin_neon_vpadalq_v((csystem_neon16)sum, pairs, 34);
#endif
}
#define CSYSTEM_QUADS4(sum, a, b, w, v) csystem_add_quad4(csystem_add_quad4(sum, a, w), b, v)
#endif
/* What a row's bytes begin with: arm64 multiplies signed ones. */
static inline float csystem_least_row_byte(void) {
#if defined(__aarch64__)
  return -128;
#else
  return 0;
#endif
}
static inline float csystem_byte_row_steps(void) {
#if defined(__AVX2__) && !defined(__AVX512VNNI__)
  return 125;
#else
  return 253;
#endif
}
static inline float csystem_byte_sum_limit(void) { return csystem_byte_row_steps() == 125 ? 256 : 0; }
#define CSYSTEM_QUAD_BY_PAIRS(lanes, a, w)                                                        \
  ((csystem_int##lanes)CSYSTEM_DOT##lanes((csystem_pairs##lanes)((a) & 0xff00ff),                 \
                                          (csystem_pairs##lanes)(w) << 8 >> 8) +                  \
   (csystem_int##lanes)CSYSTEM_DOT##lanes((csystem_pairs##lanes)((a) >> 8 & 0xff00ff), (csystem_pairs##lanes)(w) >> 8))
#define CSYSTEM_QUADS_BY_PAIRS(lanes, sum, a, b, w, v) \
  ((sum) + CSYSTEM_QUAD_BY_PAIRS(lanes, a, w) + CSYSTEM_QUAD_BY_PAIRS(lanes, b, v))
#if !defined(CSYSTEM_QUADS16)
#define CSYSTEM_QUADS16(sum, a, b, w, v) CSYSTEM_QUADS_BY_PAIRS(16, sum, a, b, w, v)
#endif
#if !defined(CSYSTEM_QUADS8)
#define CSYSTEM_QUADS8(sum, a, b, w, v) CSYSTEM_QUADS_BY_PAIRS(8, sum, a, b, w, v)
#endif
#if !defined(CSYSTEM_QUADS4)
#define CSYSTEM_QUADS4(sum, a, b, w, v) CSYSTEM_QUADS_BY_PAIRS(4, sum, a, b, w, v)
#endif
#define CSYSTEM_QUADS(lanes)                                                                      \
  typedef char csystem_bytes##lanes __attribute__((vector_size(4 * lanes)));                      \
  static inline csystem_float##lanes csystem_add_quads##lanes(csystem_float##lanes sum,           \
                                                              const void *a, const void *weights) { \
    int quads[2];                                                                                 \
    csystem_int##lanes w, v;                                                                      \
    memcpy(quads, a, sizeof quads);                                                               \
    memcpy(&w, weights, sizeof w), memcpy(&v, (const char *)weights + sizeof w, sizeof v);        \
    csystem_int##lanes first = quads[0], second = quads[1];                                       \
    return (csystem_float##lanes)(CSYSTEM_QUADS##lanes((csystem_int##lanes)sum, first, second, w, v)); \
  }                                                                                               \
  static inline csystem_float##lanes csystem_times_integer##lanes(const void *source, float factor) { \
    int number;                                                                                   \
    csystem_int##lanes integers;                                                                  \
    memcpy(&number, &factor, sizeof number), memcpy(&integers, source, sizeof integers);          \
    return (csystem_float##lanes)(integers * number);                                             \
  }                                                                                               \
  static inline csystem_float##lanes csystem_byte_of_quads##lanes(const void *source, int index) { \
    csystem_int##lanes quads;                                                                     \
    memcpy(&quads, source, sizeof quads);                                                         \
    return __builtin_convertvector(quads << (24 - 8 * index) >> 24, csystem_float##lanes);        \
  }
CSYSTEM_QUADS(4)
CSYSTEM_QUADS(8)
CSYSTEM_QUADS(16)

/* Pairs of bfloat16, where the processor multiplies them: AVX512_BF16.
 * _add_brain_pairs: adds to each lane of `sum` both products of a pair of `a` and a pair at `weights`.
 * _store_brain: writes the lanes as bfloat16, rounded to nearest. */
static inline _Bool csystem_multiplies_brain(void) {
#if defined(__AVX512BF16__)
  return 1;
#else
  return 0;
#endif
}
#if defined(__AVX512BF16__)
typedef __bf16 csystem_brain_pairs16 __attribute__((vector_size(64)));
static inline csystem_float16 csystem_add_brain_pairs16(csystem_float16 sum, csystem_float16 a, const void *weights) {
  csystem_float16 w;
  memcpy(&w, weights, sizeof w);
  return __builtin_ia32_dpbf16ps_512(sum, (csystem_brain_pairs16)a, (csystem_brain_pairs16)w);
}
static inline void csystem_store_brain16(void *target, csystem_float16 a) {
  typedef __bf16 narrow __attribute__((vector_size(32)));
  narrow none = {0}, low = __builtin_ia32_cvtneps2bf16_512_mask(a, none, (unsigned short)-1);
  memcpy(target, &low, sizeof low);
}
#define CSYSTEM_NO_BRAIN(lanes)
#else
#define CSYSTEM_NO_BRAIN(lanes) CSYSTEM_WITHOUT_BRAIN(lanes)
#endif
#define CSYSTEM_WITHOUT_BRAIN(lanes)                                                              \
  static inline csystem_float##lanes csystem_add_brain_pairs##lanes(csystem_float##lanes sum, csystem_float##lanes a, \
                                                                    const void *weights) {        \
    return sum;                                                                                   \
  }                                                                                               \
  static inline void csystem_store_brain##lanes(void *target, csystem_float##lanes a) {}
CSYSTEM_WITHOUT_BRAIN(4)
CSYSTEM_WITHOUT_BRAIN(8)
CSYSTEM_NO_BRAIN(16)

/* Image resize, with pairs and 32-bit sums in the bits of float vectors.
 * _pixel_pairs: reads four pixels of four bytes; pairs the equal channels of pixels 0 and 1, then of 2 and 3.
 * _row_pairs: reads eight bytes of each of two rows; pairs the bytes of equal columns.
 * _repeat_pairs: reads two pairs of weights; the first in lanes 0 to 3, the second in 4 to 7.
 * _repeat_pair: reads one pair of weights, for all lanes.
 * _resampled8: the bytes of eight sums low + (high << 15) with 22 fractional bits, rounded and clamped.
 * _resampled4: the same for four sums, each the total of lanes i and i + 4. */
#define CSYSTEM_LANES(type, lanes) type __attribute__((ext_vector_type(lanes)))
static inline csystem_float8 csystem_pixel_pairs8(const void *source) {
  CSYSTEM_LANES(unsigned char, 16) pixels;
  memcpy(&pixels, source, sizeof pixels);
  pixels = __builtin_shufflevector(pixels, pixels, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  return (csystem_float8)__builtin_convertvector(pixels, CSYSTEM_LANES(short, 16));
}
static inline csystem_float8 csystem_row_pairs8(const void *first, const void *second) {
  CSYSTEM_LANES(unsigned char, 8) a, b;
  memcpy(&a, first, sizeof a), memcpy(&b, second, sizeof b);
  CSYSTEM_LANES(unsigned char, 16) pairs =
      __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  return (csystem_float8)__builtin_convertvector(pairs, CSYSTEM_LANES(short, 16));
}
static inline csystem_float8 csystem_repeat_pairs8(const void *weights) {
  CSYSTEM_LANES(int, 2) pairs;
  memcpy(&pairs, weights, sizeof pairs);
  return (csystem_float8)__builtin_shufflevector(pairs, pairs, 0, 0, 0, 0, 1, 1, 1, 1);
}
static inline csystem_float8 csystem_repeat_pair8(const void *weights) {
  int pair;
  memcpy(&pair, weights, sizeof pair);
  return (csystem_float8)(csystem_int8)pair;
}
static inline uint32_t csystem_resampled4(csystem_float8 low, csystem_float8 high) {
  CSYSTEM_LANES(unsigned, 8) sums = (CSYSTEM_LANES(unsigned, 8))low + ((CSYSTEM_LANES(unsigned, 8))high << 15);
  csystem_int4 whole = (csystem_int4)(sums.lo + sums.hi + (1u << 21)) >> 22;
  whole = __builtin_elementwise_min(__builtin_elementwise_max(whole, (csystem_int4)0), (csystem_int4)255);
  CSYSTEM_LANES(unsigned char, 4) cut = __builtin_convertvector(whole, CSYSTEM_LANES(unsigned char, 4));
  uint32_t bytes;
  memcpy(&bytes, &cut, sizeof bytes);
  return bytes;
}
static inline uint64_t csystem_resampled8(csystem_float8 low, csystem_float8 high) {
  CSYSTEM_LANES(unsigned, 8) sums = (CSYSTEM_LANES(unsigned, 8))low + ((CSYSTEM_LANES(unsigned, 8))high << 15);
  csystem_int8 whole = (csystem_int8)(sums + (1u << 21)) >> 22;
  whole = __builtin_elementwise_min(__builtin_elementwise_max(whole, (csystem_int8)0), (csystem_int8)255);
  CSYSTEM_LANES(unsigned char, 8) cut = __builtin_convertvector(whole, CSYSTEM_LANES(unsigned char, 8));
  uint64_t bytes;
  memcpy(&bytes, &cut, sizeof bytes);
  return bytes;
}

/* Conversions, truncating, and square roots. Swift computes them lane by lane. */
static inline csystem_int8 csystem_truncated8(csystem_float8 a) { return __builtin_convertvector(a, csystem_int8); }
static inline csystem_float8 csystem_floats8(csystem_int8 a) { return __builtin_convertvector(a, csystem_float8); }
static inline csystem_float8 csystem_square_roots8(csystem_float8 a) { return __builtin_elementwise_sqrt(a); }

/* Eight RGB pixels of three bytes.
 * _load_pixels: one pixel in the low 24 bits of each lane; reads 25 bytes, since the top byte of a lane is the first of
 * the next pixel.
 * _channel: the byte of each pixel at bit `shift`, as float.
 * _store_pixels: writes 24 bytes from values in [0, 256), truncated. It packs pairs of pixels, since clang computes
 * lanes that are extracted one by one in scalar code. */
static inline csystem_int8 csystem_load_pixels8(const void *source) {
  int pixels[8];
  for (int lane = 0; lane < 8; lane++) memcpy(pixels + lane, (const char *)source + 3 * lane, 4);
  return (csystem_int8){pixels[0], pixels[1], pixels[2], pixels[3], pixels[4], pixels[5], pixels[6], pixels[7]};
}
static inline csystem_float8 csystem_channel8(csystem_int8 pixels, int shift) {
  return __builtin_convertvector((pixels >> shift) & 255, csystem_float8);
}
static inline void csystem_store_pixels8(void *target, csystem_float8 red, csystem_float8 green, csystem_float8 blue) {
  CSYSTEM_LANES(uint64_t, 4) pairs = (CSYSTEM_LANES(uint64_t, 4))(
      csystem_truncated8(red) | csystem_truncated8(green) << 8 | csystem_truncated8(blue) << 16);
  pairs = (pairs & 0xffffff) | (pairs >> 8 & 0xffffff000000);
  uint64_t bytes[3] = {pairs[0] | pairs[1] << 48, pairs[1] >> 16 | pairs[2] << 32, pairs[2] >> 32 | pairs[3] << 16};
  memcpy(target, bytes, sizeof bytes);
}

#endif
