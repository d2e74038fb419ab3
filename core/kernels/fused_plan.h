#ifndef CUSP_KERNELS_FUSED_PLAN_H
#define CUSP_KERNELS_FUSED_PLAN_H
/*
 * What cusp_fused_new decides once and cusp_fused_run follows. Between fused.c and fused_run.c
 * only.
 *
 * The iteration space, axes collapsed, is `rows` rows of `columns` elements in row-major order. A
 * tile is some whole rows (short rows), or a piece of one row (long rows: `by_row`). Within a tile
 * all elements are contiguous, so every step is one call of a vector function over the
 * tile. */

#include "fused.h"
#include "reduce_functions.h"

#define FUSED_REGISTERS (CUSP_FUSED_MAX_REGISTERS + 2 * CUSP_FUSED_MAX_OUTPUTS)
#define FUSED_STEPS (CUSP_FUSED_MAX_INSTRUCTIONS + 3 * CUSP_FUSED_MAX_OUTPUTS)
#define FUSED_SCRATCH_BYTES (64 * 1024) /* tile buffers of one thread, on its stack */

/** How a tile's elements of an input are reached. */
typedef enum input_kind {
  INPUT_FLAT, /* row-major over the whole space: straight from memory */
  INPUT_ONE,  /* one element for all */
  /* the same row again and again (a bias), rows short: a tile of it is made once a run */
  INPUT_REPEATED,
  INPUT_ROW,     /* by_row: contiguous within a row, straight from memory */
  INPUT_ROW_ONE, /* by_row: one element for a whole row */
  INPUT_GATHERED /* any strides: copied into a tile buffer */
} input_kind;

/** How often a register is computed: operands that vary less are read with step 0. */
typedef enum register_level {
  LEVEL_ELEMENT, /* a value for every element */
  LEVEL_TILE,    /* one value for a tile (by_row: it depends on the row alone) */
  LEVEL_RUN      /* one value for a run */
} register_level;

typedef struct fused_input {
  input_kind kind;
  int32_t size;                   /* bytes of an element */
  int64_t strides[CUSP_MAX_DIMS]; /* elements, over the collapsed axes */
  /* GATHERED: of its tile in the scratch; REPEATED: in the workspace; bytes */
  int64_t offset;
} fused_input;

/** A register whose memory is known before the tiles: its offset in the scratch, bytes. */
typedef struct fused_slot {
  int16_t reg;
  int64_t offset;
} fused_slot;

typedef struct fused_step {
  cusp_vector_fn function; /* NULL: a reduction of operand[0] into output `output` */
  int16_t result, operand[CUSP_FUSED_MAX_OPERANDS];
  int8_t step[CUSP_FUSED_MAX_OPERANDS];
  int8_t arity, joined, output;
} fused_step;

typedef struct fused_output {
  cusp_reducer_id reducer; /* NONE: stored */
  int16_t reg;
  int32_t size; /* bytes of an element of the result */
  /* stored */
  /* inputs read after `reg` is written: where one is the same memory, the tile is staged */
  uint32_t late_readers;
  int64_t staging; /* offset of the staging tile in the scratch; -1: never needed */
  /* reduced */
  cusp_dtype dtype; /* of the accumulators: float32 for the 16-bit floats */
  int32_t accumulator_size;
  int64_t count; /* accumulators */
  int64_t strides[CUSP_MAX_DIMS];
  uint64_t identity; /* its bytes */
  cusp_reduce_rows_fn reduce_rows;
  cusp_vector_fn combine;
  cusp_vector_fn finish; /* converts the accumulators into the result; NULL: they are the result */
  int64_t workspace;     /* offset of the accumulators there; -1: they are the result's memory */
} fused_output;

/** What threads share out. */
typedef enum fused_split {
  SPLIT_TILES,   /* nothing is reduced across tiles */
  SPLIT_ENTRIES, /* entries of axis 0, which is kept: each has accumulators of its own */
  /* axis 0 is reduced: a fixed number of chunks, each with a copy of the accumulators, combined in
     order */
  SPLIT_CHUNKS
} fused_split;

struct cusp_fused {
  int ndim;
  int64_t size[CUSP_MAX_DIMS];
  int64_t total, rows, columns;
  bool by_row;
  int64_t tile_rows;     /* rows of a tile (1 if by_row) */
  int64_t piece, pieces; /* columns of a tile; tiles of a row */
  /* by_row: tiles follow one another down the rows, as some input lies transposed */
  bool down_columns;
  int n_inputs, n_outputs, n_steps, n_run_steps, n_tile_steps;
  fused_input inputs[CUSP_FUSED_MAX_INPUTS];
  fused_output outputs[CUSP_FUSED_MAX_OUTPUTS];
  /* in this order: once a run, once a tile, for every element */
  fused_step steps[FUSED_STEPS];
  int n_slots;
  fused_slot slots[FUSED_REGISTERS];
  int64_t fold_offset; /* scratch for summing the rows of a tile pairwise; -1: not needed */
  uint32_t moving;     /* inputs whose tile has a new address or content each time */
  uint32_t repeated;
  bool may_alias; /* some output has late readers */
  fused_split split;
  int64_t split_count, grain, n_chunks, entry_rows;
  /* workspace offset of the chunks' accumulators, in order of chunk and output */
  int64_t partials;
  size_t partial_bytes; /* of one chunk */
  int64_t partial_offset[CUSP_FUSED_MAX_OUTPUTS];
  size_t workspace_bytes;
  int8_t level[FUSED_REGISTERS];
};

#endif
