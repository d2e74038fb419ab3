#include "sort.h"

#include <string.h>

/* ------------------------------------------------------------------ keys */

#define SIGN ((uint64_t)1 << 63)

/** Positive floats are ordered as their bits are, negative ones the other way round. */
static uint64_t float_key(float x) {
  uint32_t bits;
  if (x != x)
    return UINT64_MAX;
  x += 0.0f; /* -0 becomes 0 */
  memcpy(&bits, &x, sizeof bits);
  return bits >> 31 ? (uint32_t)~bits : bits | 0x80000000u;
}

static uint64_t double_key(double x) {
  uint64_t bits;
  if (x != x)
    return UINT64_MAX;
  x += 0.0;
  memcpy(&bits, &x, sizeof bits);
  return bits & SIGN ? ~bits : bits | SIGN;
}

#define HALF(NAME, ...) \
  case CUSP_##NAME: return float_key((float)cusp_load_double(dtype, element));

static uint64_t key_of(cusp_dtype dtype, const void *element) {
  switch (dtype) {
    CUSP_HALF_DTYPES(HALF)
  case CUSP_FLOAT32: return float_key(*(const float *)element);
  case CUSP_FLOAT64: return double_key(*(const double *)element);
  /* few bytes differ: fewer passes */
  case CUSP_INT32: return (uint64_t)((int64_t) * (const int32_t *)element + ((int64_t)1 << 31));
  case CUSP_UINT64: return *(const uint64_t *)element;
  default: return (uint64_t)cusp_load_int(dtype, element) ^ SIGN;
  }
}

/* ------------------------------------------------------------------ sorting records by key, then
 * index */

static bool before(const cusp_sort_record *a, const cusp_sort_record *b) {
  return a->key < b->key || (a->key == b->key && a->index < b->index);
}

static void insertion_sort(int64_t n, cusp_sort_record *records) {
  for (int64_t i = 1; i < n; i++) {
    cusp_sort_record record = records[i];
    int64_t place = i;
    for (; place > 0 && before(&record, &records[place - 1]); place--)
      records[place] = records[place - 1];
    records[place] = record;
  }
}

/**
 * Least significant byte first, which is stable; bytes that are the same in all keys (the high half
 * of 32-bit ones) are skipped. Returns where the sorted records are: `records` or
 * `other`. */
static cusp_sort_record *radix_sort(int64_t n, cusp_sort_record *records, cusp_sort_record *other) {
  uint32_t counts[8][256];
  memset(counts, 0, sizeof counts);
  for (int64_t i = 0; i < n; i++)
    for (int byte = 0; byte < 8; byte++)
      counts[byte][records[i].key >> (8 * byte) & 255]++;
  for (int byte = 0; byte < 8; byte++) {
    uint32_t place = 0;
    if (counts[byte][records[0].key >> (8 * byte) & 255] == n)
      continue;
    for (int value = 0; value < 256; value++) {
      uint32_t count = counts[byte][value];
      counts[byte][value] = place;
      place += count;
    }
    for (int64_t i = 0; i < n; i++)
      other[counts[byte][records[i].key >> (8 * byte) & 255]++] = records[i];
    cusp_sort_record *sorted = other;
    other = records;
    records = sorted;
  }
  return records;
}

/** Sorts records whose indices ascend. */
static cusp_sort_record *sort_records(int64_t n, cusp_sort_record *records,
                                      cusp_sort_record *other) {
  if (n > 128)
    return radix_sort(n, records, other);
  insertion_sort(n, records);
  return records;
}

static void load_records(cusp_dtype dtype, int64_t n, const void *x, bool descending,
                         cusp_sort_record *records) {
  size_t size = cusp_dtype_size(dtype);
  for (int64_t i = 0; i < n; i++) {
    uint64_t key = key_of(dtype, (const char *)x + (size_t)i * size);
    records[i] = (cusp_sort_record){descending ? ~key : key, (uint32_t)i};
  }
}

static void store_indices(int64_t n, const cusp_sort_record *records, int32_t *out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = (int32_t)records[i].index;
}

void cusp_argsort(cusp_dtype dtype, int64_t n, const void *x, int32_t *out,
                  cusp_sort_record *scratch) {
  load_records(dtype, n, x, false, scratch);
  store_indices(n, sort_records(n, scratch, scratch + n), out);
}

/* ------------------------------------------------------------------ the k largest */

/** Restores the heap (the record that sorts last on top) after its top was replaced. */
static void sift_down(int64_t n, cusp_sort_record *heap, int64_t place) {
  cusp_sort_record record = heap[place];
  for (;;) {
    int64_t child = 2 * place + 1;
    if (child >= n)
      break;
    if (child + 1 < n && before(&heap[child], &heap[child + 1]))
      child++;
    if (!before(&record, &heap[child]))
      break;
    heap[place] = heap[child];
    place = child;
  }
  heap[place] = record;
}

/** Keeps the k first in order in a heap; the rest are looked at once. */
static void select_first(int64_t n, int64_t k, cusp_sort_record *records) {
  for (int64_t i = k / 2 - 1; i >= 0; i--)
    sift_down(k, records, i);
  for (int64_t i = k; i < n; i++)
    if (before(&records[i], &records[0])) {
      records[0] = records[i];
      sift_down(k, records, 0);
    }
  for (int64_t last = k - 1; last > 0; last--) { /* heap sort */
    cusp_sort_record top = records[0];
    records[0] = records[last];
    records[last] = top;
    sift_down(last, records, 0);
  }
}

void cusp_top_k(cusp_dtype dtype, int64_t n, int64_t k, const void *x, int32_t *out,
                cusp_sort_record *scratch) {
  cusp_sort_record *first = scratch;
  if (k == 0)
    return;
  load_records(dtype, n, x, true, scratch);
  if (k < n / 4)
    select_first(n, k, scratch);
  else
    first = sort_records(n, scratch, scratch + n);
  store_indices(k, first, out);
}

int64_t cusp_search_sorted(cusp_dtype dtype, int64_t n, const void *x, const void *value,
                           bool or_equal) {
  size_t size = cusp_dtype_size(dtype);
  uint64_t wanted = key_of(dtype, value);
  int64_t low = 0, high = n;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    uint64_t key = key_of(dtype, (const char *)x + (size_t)middle * size);
    if (key < wanted || (or_equal && key == wanted))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}
