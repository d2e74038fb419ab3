#include "kept_rows.h"

#include "../base/memory.h"

#include <string.h>

#define PAGE_BYTES ((size_t)1 << 20)
#define NONE (-1)

/* A place for one row. */
typedef struct slot {
  int64_t row;  /* NONE: empty */
  int64_t next; /* the place that was given after this one; NONE: the last */
  bool given;
} slot;

/* Where the rows of a block are: a slot or NONE. */
typedef struct places {
  int64_t count;
  int64_t slot[];
} places;

struct cusp_kept_rows {
  size_t row_bytes;
  int64_t block_rows, n_blocks;
  places **blocks; /* NULL: no row of it is kept */
  slot *slots;
  int64_t capacity, used;          /* slots that there are, and that were ever filled */
  int64_t hand;                    /* goes round to find what waits longest */
  int64_t first_given, last_given; /* a queue through the slots */
  char **pages;
  int64_t page_rows;
};

cusp_status cusp_kept_rows_new(cusp_kept_rows **out, int64_t rows, int64_t block_rows,
                               size_t row_bytes, int64_t capacity) {
  cusp_kept_rows *kept;
  *out = NULL;
  CUSP_TRY(cusp_alloc_zeroed((void **)&kept, sizeof *kept));
  kept->row_bytes = row_bytes;
  kept->block_rows = block_rows;
  kept->n_blocks = (rows + block_rows - 1) / block_rows;
  kept->first_given = kept->last_given = NONE;
  kept->page_rows = row_bytes == 0 ? 1024 : (int64_t)(PAGE_BYTES / row_bytes);
  if (kept->page_rows < 1)
    kept->page_rows = 1;
  cusp_status status = cusp_alloc_zeroed((void **)&kept->blocks,
                                         (size_t)(kept->n_blocks + 1) * sizeof *kept->blocks);
  if (status == CUSP_OK)
    status = cusp_kept_rows_grow(kept, capacity);
  if (status != CUSP_OK)
    cusp_kept_rows_free(kept);
  else
    *out = kept;
  return status;
}

static int64_t n_pages(const cusp_kept_rows *kept) {
  return (kept->capacity + kept->page_rows - 1) / kept->page_rows;
}

void cusp_kept_rows_free(cusp_kept_rows *kept) {
  if (!kept)
    return;
  for (int64_t i = 0; kept->blocks && i < kept->n_blocks; i++)
    cusp_free(kept->blocks[i]);
  for (int64_t i = 0; kept->pages && i < n_pages(kept); i++)
    cusp_free(kept->pages[i]);
  cusp_free(kept->blocks);
  cusp_free(kept->pages);
  cusp_free(kept->slots);
  cusp_free(kept);
}

/* A larger copy of a list, zeroed behind what there was. */
static cusp_status enlarged(void **out, const void *list, int64_t count, int64_t larger,
                            size_t item) {
  size_t bytes;
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)larger, item));
  CUSP_TRY(cusp_alloc_zeroed(out, bytes));
  if (count)
    memcpy(*out, list, (size_t)count * item);
  return CUSP_OK;
}

cusp_status cusp_kept_rows_grow(cusp_kept_rows *kept, int64_t capacity) {
  if (capacity <= kept->capacity)
    return CUSP_OK;
  slot *slots;
  char **pages;
  int64_t before = n_pages(kept), after = (capacity + kept->page_rows - 1) / kept->page_rows;
  CUSP_TRY(enlarged((void **)&slots, kept->slots, kept->used, capacity, sizeof *slots));
  cusp_status status = enlarged((void **)&pages, kept->pages, before, after, sizeof *pages);
  if (status != CUSP_OK) {
    cusp_free(slots);
    return status;
  }
  cusp_free(kept->slots);
  cusp_free(kept->pages);
  kept->slots = slots;
  kept->pages = pages;
  kept->capacity = capacity;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ finding */

static char *bytes_of(const cusp_kept_rows *kept, int64_t place) {
  return kept->pages[place / kept->page_rows] + (size_t)(place % kept->page_rows) * kept->row_bytes;
}

static int64_t find(const cusp_kept_rows *kept, int64_t row) {
  const places *block = kept->blocks[row / kept->block_rows];
  return block ? block->slot[row % kept->block_rows] : NONE;
}

static void queue_given(cusp_kept_rows *kept, int64_t place) {
  slot *s = &kept->slots[place];
  s->given = true;
  s->next = NONE;
  if (kept->first_given == NONE)
    kept->first_given = place;
  else
    kept->slots[kept->last_given].next = place;
  kept->last_given = place;
}

const char *cusp_kept_rows_take(cusp_kept_rows *kept, int64_t row) {
  int64_t place = find(kept, row);
  if (place == NONE)
    return NULL;
  if (!kept->slots[place].given)
    queue_given(kept, place);
  return bytes_of(kept, place);
}

/* ------------------------------------------------------------------ keeping */

static void forget(cusp_kept_rows *kept, int64_t place) {
  int64_t row = kept->slots[place].row;
  if (row == NONE)
    return;
  int64_t number = row / kept->block_rows;
  places *block = kept->blocks[number];
  kept->slots[place].row = NONE;
  block->slot[row % kept->block_rows] = NONE;
  if (--block->count == 0) {
    cusp_free(block);
    kept->blocks[number] = NULL;
  }
}

/* A place that was never filled, else the one given first, else the one that waits longest. */
static int64_t make_room(cusp_kept_rows *kept) {
  int64_t place = kept->first_given;
  if (kept->used < kept->capacity)
    return kept->used;
  if (place != NONE) {
    kept->first_given = kept->slots[place].next;
    if (kept->first_given == NONE)
      kept->last_given = NONE;
  } else {
    place = kept->hand;
    kept->hand = (kept->hand + 1) % kept->capacity;
  }
  forget(kept, place);
  return place;
}

static cusp_status ensure_page(cusp_kept_rows *kept, int64_t place) {
  char **page = &kept->pages[place / kept->page_rows];
  return *page ? CUSP_OK : cusp_alloc((void **)page, (size_t)kept->page_rows * kept->row_bytes + 1);
}

static cusp_status ensure_block(cusp_kept_rows *kept, int64_t row) {
  places **block = &kept->blocks[row / kept->block_rows];
  if (*block)
    return CUSP_OK;
  CUSP_TRY(cusp_alloc((void **)block,
                      sizeof **block + (size_t)kept->block_rows * sizeof *(*block)->slot));
  (*block)->count = 0;
  for (int64_t i = 0; i < kept->block_rows; i++)
    (*block)->slot[i] = NONE;
  return CUSP_OK;
}

cusp_status cusp_kept_rows_put(cusp_kept_rows *kept, int64_t row, const char *bytes) {
  if (kept->capacity == 0 || find(kept, row) != NONE)
    return CUSP_OK;
  int64_t place = make_room(kept);
  CUSP_TRY(ensure_page(kept, place));
  CUSP_TRY(ensure_block(kept, row));
  places *block = kept->blocks[row / kept->block_rows];
  kept->used += place == kept->used;
  kept->slots[place] = (slot){.row = row, .next = NONE};
  block->slot[row % kept->block_rows] = place;
  block->count++;
  memcpy(bytes_of(kept, place), bytes, kept->row_bytes);
  return CUSP_OK;
}
