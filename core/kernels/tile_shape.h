#ifndef CUSP_KERNELS_TILE_SHAPE_H
#define CUSP_KERNELS_TILE_SHAPE_H
/* The shapes of AMX's tiles, as its instruction for them reads them. */

#include <stdint.h>

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

#endif
