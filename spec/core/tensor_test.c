/* Tests of core/tensor: dtypes and their promotion, 16-bit floats, shapes, views, copies. */
#include "base/memory.h"
#include "base/threads.h"
#include "check.h"
#include "tensor/array.h"
#include "tensor/strings.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ dtypes */

/* Keras's result_type, a row a dtype in the order of cusp_dtype; b bool, i int, u uint, h float16,
 * z bfloat16, f float32, d float64. */
static const char *const promotion_table[CUSP_STRING] = {
    "b i1 i2 i4 i8 u1 u2 u4 u8 h z f d",  "i1 i1 i2 i4 i8 i2 i4 i8 f h z f d",
    "i2 i2 i2 i4 i8 i2 i4 i8 f h z f d",  "i4 i4 i4 i4 i8 i4 i4 i8 f h z f d",
    "i8 i8 i8 i8 i8 i8 i8 i8 f h z f d",  "u1 i2 i2 i4 i8 u1 u2 u4 u8 h z f d",
    "u2 i4 i4 i4 i8 u2 u2 u4 u8 h z f d", "u4 i8 i8 i8 i8 u4 u4 u4 u8 h z f d",
    "u8 f f f f u8 u8 u8 u8 h z f d",     "h h h h h h h h h h f f d",
    "z z z z z z z z z f z f d",          "f f f f f f f f f f f f d",
    "d d d d d d d d d d d d d",
};

static cusp_dtype dtype_of_code(const char *code) {
  static const cusp_dtype ints[] = {0, CUSP_INT8, CUSP_INT16, 0, CUSP_INT32, 0, 0, 0, CUSP_INT64};
  static const cusp_dtype uints[] = {0, CUSP_UINT8, CUSP_UINT16, 0,          CUSP_UINT32,
                                     0, 0,          0,           CUSP_UINT64};
  switch (code[0]) {
  case 'b': return CUSP_BOOL;
  case 'i': return ints[code[1] - '0'];
  case 'u': return uints[code[1] - '0'];
  case 'h': return CUSP_FLOAT16;
  case 'z': return CUSP_BFLOAT16;
  case 'f': return CUSP_FLOAT32;
  default: return CUSP_FLOAT64;
  }
}

static void test_promotion(void) {
  for (int a = 0; a < CUSP_STRING; a++) {
    const char *code = promotion_table[a];
    for (int b = 0; b < CUSP_STRING; b++) {
      CHECK(cusp_dtype_promote((cusp_dtype)a, (cusp_dtype)b) == dtype_of_code(code));
      CHECK(cusp_dtype_promote((cusp_dtype)b, (cusp_dtype)a) == dtype_of_code(code));
      code += strcspn(code, " ") + 1;
    }
  }
  CHECK(cusp_dtype_promote_weak(CUSP_UINT8, CUSP_INT32) == CUSP_UINT8);
  CHECK(cusp_dtype_promote_weak(CUSP_BOOL, CUSP_INT32) == CUSP_INT32);
  CHECK(cusp_dtype_promote_weak(CUSP_INT64, CUSP_FLOAT32) == CUSP_FLOAT32);
  CHECK(cusp_dtype_promote_weak(CUSP_FLOAT16, CUSP_FLOAT32) == CUSP_FLOAT16);
  CHECK(cusp_dtype_promote_weak(CUSP_FLOAT64, CUSP_INT32) == CUSP_FLOAT64);
  CHECK(cusp_dtype_promote_weak(CUSP_INT8, CUSP_BOOL) == CUSP_INT8);
  CHECK(cusp_dtype_to_float(CUSP_INT64) == CUSP_FLOAT32 &&
        cusp_dtype_to_float(CUSP_BFLOAT16) == CUSP_BFLOAT16);
  cusp_set_floatx(CUSP_FLOAT64);
  CHECK(cusp_dtype_to_float(CUSP_BOOL) == CUSP_FLOAT64);
  CHECK(cusp_dtype_promote_weak(CUSP_INT32, CUSP_FLOAT32) == CUSP_FLOAT64);
  cusp_set_floatx(CUSP_FLOAT32);
}

static void test_dtype_names(void) {
  cusp_dtype dtype;
  for (int i = 0; i < CUSP_DTYPE_COUNT; i++) {
    CHECK_OK(cusp_dtype_parse(&dtype, cusp_dtype_name((cusp_dtype)i)));
    CHECK(dtype == (cusp_dtype)i);
  }
  CHECK_OK(cusp_dtype_parse(&dtype, "float"));
  CHECK(dtype == CUSP_FLOAT32);
  CHECK_OK(cusp_dtype_parse(&dtype, "int"));
  CHECK(dtype == CUSP_INT32);
  CHECK_FAILS(CUSP_EDTYPE, "'float64'", cusp_dtype_parse(&dtype, "double"));
  CHECK_FAILS(CUSP_EDTYPE, "'bfloat16'", cusp_dtype_parse(&dtype, "bfloat61"));
  CHECK_FAILS(CUSP_EDTYPE, "'uint8'", cusp_dtype_parse(&dtype, "uint_8"));
  CHECK_FAILS(CUSP_EDTYPE, "unknown dtype ''", cusp_dtype_parse(&dtype, ""));
}

static uint16_t half(double x) { return cusp_float_to_float16((float)x).bits; }

static void test_float16(void) {
  int wrong = 0;
  for (int bits = 0; bits < 65536; bits++) {
    float f = cusp_float16_to_float((cusp_float16){(uint16_t)bits});
    wrong += !isnan(f) && cusp_float_to_float16(f).bits != bits;
    wrong += isnan(f) && !isnan(cusp_float16_to_float(cusp_float_to_float16(f)));
  }
  CHECK(wrong == 0);
  CHECK(half(1) == 0x3c00 && half(-2) == 0xc000 && half(65504) == 0x7bff);
  CHECK(half(65519.99) == 0x7bff && half(65520) == 0x7c00 && half(1e30) == 0x7c00 &&
        half(-INFINITY) == 0xfc00);
  CHECK(half(0x1p-24) == 1 && half(0x1p-25) == 0 && half(0x1.8p-25) == 1 && half(0x1.8p-24) == 2 &&
        half(-0.0) == 0x8000);
  CHECK(half(2049) == half(2048) && half(2051) == half(2052)); /* ties to even */
  /* a subnormal that rounds up to the smallest normal */
  CHECK(half(0x1.ff8p-15) == 0x03ff && half(0x1.ffcp-15) == 0x0400);
  CHECK(cusp_float_to_bfloat16(1.00390625f).bits == 0x3f80 &&
        cusp_float_to_bfloat16(1.01171875f).bits == 0x3f82);
  CHECK(isnan(cusp_bfloat16_to_float(cusp_float_to_bfloat16(NAN))));
}

static void test_elements(void) {
  for (int i = 0; i < CUSP_STRING; i++) {
    cusp_dtype dtype = (cusp_dtype)i;
    uint64_t element[1] = {0};
    cusp_store_double(dtype, element, 1);
    CHECK(cusp_load_double(dtype, element) == 1 && cusp_load_int(dtype, element) == 1);
    cusp_store_int(dtype, element, 0);
    CHECK(cusp_load_double(dtype, element) == 0 && cusp_load_int(dtype, element) == 0);
  }
  int64_t big;
  cusp_store_int(CUSP_INT64, &big, INT64_MAX - 1);
  CHECK(cusp_load_int(CUSP_INT64, &big) == INT64_MAX - 1);
  uint8_t byte;
  cusp_store_double(CUSP_UINT8, &byte, 257.9);
  CHECK(byte == 1);
  cusp_store_double(CUSP_UINT8, &byte, NAN);
  CHECK(byte == 0);
  uint64_t wide;
  cusp_store_double(CUSP_UINT64, &wide, 0x1p63);
  CHECK(cusp_load_double(CUSP_UINT64, &wide) == 0x1p63);
  int32_t word;
  cusp_store_double(CUSP_INT32, &word, -3.99);
  CHECK(word == -3);
  cusp_store_double(CUSP_INT64, &big, 1e300);
  CHECK(big == INT64_MAX);
}

/* ------------------------------------------------------------------ shapes and arrays */

#define SHAPE(...) \
  (&(cusp_shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})

static const cusp_shape scalar = {0};

static void test_shapes(void) {
  int64_t count;
  CHECK_OK(cusp_shape_count_checked(&count, SHAPE(2, 3, 4)));
  CHECK(count == 24 && cusp_shape_count(&scalar) == 1);
  CHECK_OK(cusp_shape_count_checked(&count, SHAPE(INT64_MAX, 4, 0)));
  CHECK(count == 0);
  CHECK_FAILS(CUSP_ESHAPE, "too many", cusp_shape_count_checked(&count, SHAPE(INT64_MAX, 2)));
  CHECK_FAILS(CUSP_ESHAPE, "[2, -1]", cusp_shape_count_checked(&count, SHAPE(2, -1)));
  CHECK(strcmp(cusp_shape_text(SHAPE(2, 3)), "[2, 3]") == 0 &&
        strcmp(cusp_shape_text(&scalar), "[]") == 0);
  CHECK(cusp_shape_equal(SHAPE(2, 3), SHAPE(2, 3)) && !cusp_shape_equal(SHAPE(2, 3), SHAPE(2)));
  cusp_shape out;
  CHECK_OK(cusp_shape_broadcast(&out, SHAPE(4, 1, 3), SHAPE(5, 1)));
  CHECK(cusp_shape_equal(&out, SHAPE(4, 5, 3)));
  CHECK_OK(cusp_shape_broadcast(&out, SHAPE(0), SHAPE(1)));
  CHECK(cusp_shape_equal(&out, SHAPE(0)));
  CHECK_FAILS(CUSP_ESHAPE, "[2, 3] and [4]", cusp_shape_broadcast(&out, SHAPE(2, 3), SHAPE(4)));
}

/** A new int32 array counting from 0. */
static cusp_array counting(const cusp_shape *shape) {
  cusp_array array;
  CHECK_OK(cusp_array_new(&array, CUSP_INT32, shape));
  for (int64_t i = 0; i < cusp_array_count(&array); i++)
    ((int32_t *)array.data)[i] = (int32_t)i;
  return array;
}

/** The element at row-major position `index` of any int32 view. */
static int32_t element_at(const cusp_array *array, int64_t index) {
  int64_t offset = 0;
  for (int i = array->shape.ndim - 1; i >= 0; i--) {
    offset += index % array->shape.size[i] * array->strides[i];
    index /= array->shape.size[i];
  }
  return ((const int32_t *)array->data)[offset];
}

static bool same_elements(const cusp_array *a, const cusp_array *b) {
  bool same = cusp_shape_equal(&a->shape, &b->shape);
  for (int64_t i = 0; same && i < cusp_array_count(a); i++)
    same = element_at(a, i) == element_at(b, i);
  return same;
}

static void test_storage(void) {
  uint64_t before = cusp_memory_live();
  cusp_array a = counting(SHAPE(2, 3, 4));
  CHECK((uintptr_t)a.data % CUSP_ALIGNMENT == 0 && a.storage->references == 1);
  CHECK(a.strides[0] == 12 && a.strides[1] == 4 && a.strides[2] == 1 &&
        cusp_array_is_contiguous(&a));
  cusp_storage_retain(a.storage);
  cusp_storage_release(a.storage);
  cusp_array_release(&a);
  CHECK(a.storage == NULL && a.data == NULL);
  cusp_array_release(&a);
  CHECK(cusp_memory_live() == before);
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_array_new(&a, CUSP_INT8, SHAPE(1LL << 60)));
  CHECK_FAILS(CUSP_EVALUE, "too large", cusp_array_new(&a, CUSP_FLOAT64, SHAPE(1LL << 62)));
  CHECK(a.storage == NULL);
}

static void test_views(void) {
  cusp_array a = counting(SHAPE(2, 3, 4)), view, flat;
  CHECK(cusp_array_reshape(&view, &a, SHAPE(6, 4)) && view.data == a.data &&
        element_at(&view, 23) == 23);
  cusp_array_transpose(&view, &a, (const int64_t[]){2, 0, 1});
  CHECK(cusp_shape_equal(&view.shape, SHAPE(4, 2, 3)) && element_at(&view, 1) == 4 &&
        element_at(&view, 3) == 12);
  CHECK(!cusp_array_is_contiguous(&view));
  CHECK(cusp_array_reshape(&flat, &view, SHAPE(4, 6)) && element_at(&flat, 7) == 5);
  CHECK(!cusp_array_reshape(&flat, &view, SHAPE(8, 3)) || element_at(&flat, 3) == 12);
  CHECK(!cusp_array_reshape(&flat, &view, SHAPE(24)));
  CHECK(cusp_array_reshape(&flat, &view, SHAPE(4, 1, 2, 3, 1)) && element_at(&flat, 3) == 12);

  cusp_array_slice(&view, &a, (const int64_t[]){1, 2, 3}, (const int64_t[]){-1, -2, -1},
                   SHAPE(2, 2, 2));
  CHECK(element_at(&view, 0) == 23 && element_at(&view, 1) == 22 && element_at(&view, 2) == 15 &&
        element_at(&view, 7) == 2);
  cusp_array_slice(&view, &a, (const int64_t[]){2, 0, 0}, (const int64_t[]){1, 1, 1},
                   SHAPE(0, 3, 4));
  CHECK(cusp_array_count(&view) == 0 && view.data == a.data && cusp_array_is_contiguous(&view));
  CHECK(cusp_array_reshape(&flat, &view, SHAPE(5, 0)));

  cusp_array row = counting(SHAPE(3, 1)), wide;
  cusp_array_broadcast(&wide, &row, SHAPE(2, 3, 4));
  CHECK(element_at(&wide, 0) == 0 && element_at(&wide, 5) == 1 && element_at(&wide, 23) == 2);
  CHECK(!cusp_array_is_contiguous(&wide));
  cusp_array one;
  CHECK_OK(cusp_array_new(&one, CUSP_INT32, &scalar));
  CHECK(cusp_array_reshape(&view, &one, SHAPE(1, 1)) && cusp_array_reshape(&view, &view, &scalar));
  cusp_array_release(&one);
  cusp_array_release(&row);
  cusp_array_release(&a);
}

/** Copies a view into a fresh array and compares; then from there back through a view of another
 * fresh array. */
static void check_copy(const cusp_array *view) {
  cusp_array copy;
  CHECK_OK(cusp_array_new(&copy, view->dtype, &view->shape));
  cusp_array_copy(&copy, view);
  CHECK(same_elements(&copy, view));
  cusp_array_release(&copy);
}

static void check_copies(const cusp_shape *shape) {
  static const int64_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 2, 1, 3},
                                      {0, 1, 3, 2}, {2, 3, 0, 1}, {1, 3, 0, 2}};
  cusp_array a = counting(shape);
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    cusp_array view, part, target, target_view;
    cusp_array_transpose(&view, &a, orders[i]);
    check_copy(&view);
    const int64_t *size = view.shape.size;
    cusp_array_slice(&part, &view, (const int64_t[]){size[0] - 1, 0, size[2] - 1, 0},
                     (const int64_t[]){-1, 2, -1, 1},
                     SHAPE(size[0], (size[1] + 1) / 2, size[2], size[3]));
    check_copy(&part);
    target = counting(shape);
    memset(target.data, 0, target.storage->bytes);
    cusp_array_transpose(&target_view, &target, orders[i]);
    cusp_array_copy(&target_view, &view);
    CHECK(same_elements(&target, &a));
    cusp_array_release(&target);
  }
  cusp_array_release(&a);
}

static void test_copies(void) {
  check_copies(SHAPE(2, 3, 4, 5));
  check_copies(SHAPE(1, 1, 1, 1));
  check_copies(SHAPE(3, 1, 70, 1));
  check_copies(SHAPE(33, 65, 7, 3));
  check_copies(SHAPE(100, 1, 300, 2));
  cusp_array row = counting(SHAPE(1, 5)), wide;
  cusp_array_broadcast(&wide, &row, SHAPE(100, 100, 5));
  check_copy(&wide);
  cusp_array_release(&row);
  cusp_array column = counting(SHAPE(500, 1));
  cusp_array_broadcast(&wide, &column, SHAPE(500, 200));
  check_copy(&wide);
  cusp_array_release(&column);
}

/** Each element size, through a transposition. */
static void test_copy_sizes(void) {
  static const cusp_dtype dtypes[] = {CUSP_UINT8, CUSP_INT16, CUSP_INT32, CUSP_INT64};
  for (size_t k = 0; k < 4; k++) {
    cusp_array a, copy, view;
    CHECK_OK(cusp_array_new(&a, dtypes[k], SHAPE(37, 41)));
    for (int i = 0; i < 37 * 41; i++)
      cusp_store_int(dtypes[k], (char *)a.data + (size_t)i * cusp_dtype_size(dtypes[k]), i % 127);
    cusp_array_transpose(&view, &a, (const int64_t[]){1, 0});
    CHECK_OK(cusp_array_new(&copy, dtypes[k], SHAPE(41, 37)));
    cusp_array_copy(&copy, &view);
    int wrong = 0;
    for (int i = 0; i < 41; i++)
      for (int j = 0; j < 37; j++)
        wrong += cusp_load_int(dtypes[k], (char *)copy.data +
                                              (size_t)(i * 37 + j) * cusp_dtype_size(dtypes[k])) !=
                 (j * 41 + i) % 127;
    CHECK(wrong == 0);
    cusp_array_release(&copy);
    cusp_array_release(&a);
  }
}

static void test_collapse(void) {
  int64_t size[CUSP_MAX_DIMS] = {2, 1, 3, 4};
  int64_t strides[2][CUSP_MAX_DIMS] = {{12, 99, 4, 1}, {12, 7, 4, 1}};
  CHECK(cusp_collapse_axes(4, size, 2, strides) == 1 && size[0] == 24 && strides[0][0] == 1 &&
        strides[1][0] == 1);
  int64_t broadcast_size[CUSP_MAX_DIMS] = {2, 3, 4};
  int64_t broadcast[2][CUSP_MAX_DIMS] = {{12, 4, 1}, {0, 0, 1}};
  CHECK(cusp_collapse_axes(3, broadcast_size, 2, broadcast) == 2);
  CHECK(broadcast_size[0] == 6 && broadcast_size[1] == 4 && broadcast[0][0] == 4 &&
        broadcast[1][0] == 0);
  int64_t none[CUSP_MAX_DIMS] = {1, 1}, none_strides[1][CUSP_MAX_DIMS] = {{5, 7}};
  CHECK(cusp_collapse_axes(2, none, 1, none_strides) == 1 && none[0] == 1);
  CHECK(cusp_collapse_axes(0, none, 1, none_strides) == 1 && none[0] == 1);
}

static void test_strings(void) {
  cusp_string moon, again, other, empty;
  CHECK_OK(cusp_string_make(&moon, "mo\0on", 5));
  CHECK_OK(cusp_string_make(&again, "mo\0on", 5));
  CHECK_OK(cusp_string_make(&other, "moon", 4));
  CHECK_OK(cusp_string_make(&empty, "", 0));
  CHECK(moon == again && moon != other && empty == 0);
  cusp_text_view view = cusp_string_view(moon);
  CHECK(view.length == 5 && memcmp(view.bytes, "mo\0on", 5) == 0);
  CHECK(cusp_string_view(123456789).length == 0 && cusp_string_view(UINT32_MAX).length == 0);
  CHECK(cusp_string_hash(moon) == cusp_bytes_hash("mo\0on", 5));
  cusp_array array;
  CHECK_OK(cusp_array_new(&array, CUSP_STRING, &(cusp_shape){.ndim = 1, .size = {3}}));
  cusp_string *held = array.data;
  CHECK(held[0] == 0 && held[2] == 0);
  held[1] = moon;
  cusp_strings_collect();
  CHECK(cusp_strings_get_stats().count == 1 && cusp_string_view(moon).length == 5);
  cusp_array_release(&array);
  cusp_strings_collect();
  CHECK(cusp_strings_get_stats().count == 0 && cusp_strings_get_stats().bytes == 0);
}

int main(void) {
  test_strings();
  test_promotion();
  test_dtype_names();
  test_float16();
  test_elements();
  test_shapes();
  test_storage();
  test_views();
  test_copies();
  CHECK_OK(cusp_set_num_threads(2));
  test_copies();
  test_copy_sizes();
  test_collapse();
  return check_summary();
}
