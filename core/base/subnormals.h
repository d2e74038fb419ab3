#ifndef CUSP_BASE_SUBNORMALS_H
#define CUSP_BASE_SUBNORMALS_H
/*
 * Numbers too small for a normal exponent (below 1.2e-38 in float32) are zero while a plan runs, as
 * they are in JAX and TensorFlow. A processor takes a hundred times as long for them, and averages
 * that decay, as those of Adam where gradients stay zero, get there and remain.
 */

#include <stdint.h>

#ifdef __x86_64__
#include <xmmintrin.h>

#define CUSP_FLUSH 0x8040u /* MXCSR: flush to zero, denormals are zero */

/** How this thread rounds, and what it does with subnormal numbers. */
static inline uint32_t cusp_arithmetic_mode(void) { return _mm_getcsr(); }
static inline void cusp_set_arithmetic_mode(uint32_t mode) { _mm_setcsr(mode); }

#elif defined __aarch64__

#define CUSP_FLUSH (1u << 24) /* FPCR: FZ */

static inline uint32_t cusp_arithmetic_mode(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return (uint32_t)mode;
}
static inline void cusp_set_arithmetic_mode(uint32_t mode) {
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode));
}

#else

#define CUSP_FLUSH 0u

static inline uint32_t cusp_arithmetic_mode(void) { return 0; }
static inline void cusp_set_arithmetic_mode(uint32_t mode) { (void)mode; }

#endif
#endif
