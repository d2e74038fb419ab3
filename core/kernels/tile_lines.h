#ifndef CUSP_KERNELS_TILE_LINES_H
#define CUSP_KERNELS_TILE_LINES_H
/* The shapes of AMX's tiles, and what brings numbers into their order: masks for the ends of lines,
 * and the exchange of lines and columns. For files that are compiled where GCC knows the
 * instructions. */

#include <immintrin.h>
#include <stdint.h>

#define CUSP_WITH_TILES \
  __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define CUSP_TILES_INLINE static inline __attribute__((always_inline)) CUSP_WITH_TILES

/* Products of int8 know other instructions than CUSP_WITH_TILES, so what they share with those of
 * bfloat16 asks for fewer. */

static inline __attribute__((always_inline)) __mmask16 cusp_first_16(int64_t count) {
  return count >= 16 ? (__mmask16)0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/** As the instruction reads it. */
typedef struct cusp_tile_shape {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} cusp_tile_shape;

/** All eight tiles as large as they can be: 16 lines of 64 bytes. */
static inline cusp_tile_shape cusp_whole_tiles(void) {
  cusp_tile_shape shape = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    shape.row_bytes[i] = 64;
    shape.rows[i] = 16;
  }
  return shape;
}

/** All eight tiles whole. GCC takes the shape for unread but for its first bytes, hence the
 * barrier. */
static inline __attribute__((always_inline, target("amx-tile"))) void
cusp_configure_whole_tiles(void) {
  const cusp_tile_shape shape = cusp_whole_tiles();
  __asm__ volatile("" : : "r"(&shape) : "memory");
  _tile_loadconfig(&shape);
}

/** Exchanges rows and columns of 16 x 16 numbers of 32 bits. */
CUSP_TILES_INLINE void cusp_transpose_16(__m512i r[16]) {
  __m512i t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 16
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]);
      r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
    }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 8)
#pragma GCC unroll 16
    for (int j = 0; j < 4; j++) {
      t[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + 4 + j], 0x88);
      t[i + 4 + j] = _mm512_shuffle_i32x4(r[i + j], r[i + 4 + j], 0xdd);
    }
#pragma GCC unroll 16
  for (int j = 0; j < 8; j++) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0xdd);
  }
}

#endif
