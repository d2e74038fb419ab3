#ifndef CUSP_BASE_PHILOX_H
#define CUSP_BASE_PHILOX_H
/*
 * Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3" (SC11): element i of a draw depends on (seed, draw, i) alone, so any number of threads
 * gives the same numbers.
 */

#include <stdint.h>

typedef struct cusp_philox_block {
  uint32_t word[4];
} cusp_philox_block;

/** Four random words for block `index` of draw `draw` under `seed`. */
static inline cusp_philox_block cusp_philox(uint64_t seed, uint64_t draw, uint64_t index) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)draw,
           c3 = (uint32_t)(draw >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (cusp_philox_block){{c0, c1, c2, c3}};
}

/** A word as a float in [0, 1): 24 bits, exact. */
static inline float cusp_philox_float(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/** Two words as a double in [0, 1): 53 bits, exact. */
static inline double cusp_philox_double(uint32_t high, uint32_t low) {
  return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

#endif
