#ifndef CUSP_KERNELS_ISA_H
#define CUSP_KERNELS_ISA_H
/*
 * Files named *.isa.c are compiled once for each instruction set, with CUSP_ISA_SUFFIX _baseline,
 * _avx2 or _avx512. What they export is named with CUSP_ISA, declared to others with
 * CUSP_ISA_DECLARE, and chosen with CUSP_ISA_CHOOSE.
 */

#include "../base/cpu.h"

#define CUSP_JOIN_EXPANDED(a, b) a##b
#define CUSP_JOIN(a, b) CUSP_JOIN_EXPANDED(a, b)
#define CUSP_ISA(name) CUSP_JOIN(name, CUSP_ISA_SUFFIX)

#if defined(__x86_64__)
#define CUSP_ISA_DECLARE(type, name) extern type name##_baseline, name##_avx2, name##_avx512
#define CUSP_ISA_CHOOSE(name)                         \
  (cusp_cpu_isa() >= CUSP_ISA_AVX512 ? &name##_avx512 \
   : cusp_cpu_isa() == CUSP_ISA_AVX2 ? &name##_avx2   \
                                     : &name##_baseline)
#else
#define CUSP_ISA_DECLARE(type, name) extern type name##_baseline
#define CUSP_ISA_CHOOSE(name) (&name##_baseline)
#endif

/* Tables of which there is one for float32 and one for float64, NAME_float32 and NAME_float64. */
#define CUSP_ISA_DECLARE_FLOATS(type, name) \
  CUSP_ISA_DECLARE(type, name##_float32);   \
  CUSP_ISA_DECLARE(type, name##_float64)
#define CUSP_ISA_CHOOSE_FLOAT(name, dtype) \
  ((dtype) == CUSP_FLOAT32 ? CUSP_ISA_CHOOSE(name##_float32) : CUSP_ISA_CHOOSE(name##_float64))

/* Bytes of the widest registers of the instruction set being compiled for. */
#if defined(__AVX512F__)
#define CUSP_ISA_BYTES 64
#elif defined(__AVX2__)
#define CUSP_ISA_BYTES 32
#else
#define CUSP_ISA_BYTES 16
#endif

#endif
