/* See crc32c.h. The tables and the joining of streams follow from the checksum being linear: the
 * state after more zero bytes is a 32 x 32 matrix of bits times the state, and a matrix of bits is
 * four tables of 256 words, one for each byte of the state. */
#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed */
#define SLICES 8
#define LONG_STREAM ((size_t)4096)
#define SHORT_STREAM ((size_t)256)

/* of each byte of a state: what it becomes after some number of zero bytes */
typedef uint32_t shift_table[4][256];

static uint32_t slices[SLICES][256]; /* [k][b]: the state b after k + 1 zero bytes */
static shift_table after_long, after_short;
static bool has_instruction;
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_slices(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; bit++)
      state = state & 1 ? state >> 1 ^ POLYNOMIAL : state >> 1;
    slices[0][byte] = state;
  }
  for (int k = 1; k < SLICES; k++)
    for (int byte = 0; byte < 256; byte++)
      slices[k][byte] = slices[k - 1][byte] >> 8 ^ slices[0][slices[k - 1][byte] & 255];
}

static inline uint32_t shift(const shift_table table, uint32_t state) {
  return table[0][state & 255] ^ table[1][state >> 8 & 255] ^ table[2][state >> 16 & 255] ^
         table[3][state >> 24];
}

static uint32_t state_after_zeros(uint32_t state, size_t zeros) {
  for (size_t i = 0; i < zeros; i++)
    state = state >> 8 ^ slices[0][state & 255];
  return state;
}

static void make_shift(shift_table table, size_t zeros) {
  for (int byte = 0; byte < 4; byte++) {
    for (int bit = 0; bit < 8; bit++)
      table[byte][1 << bit] = state_after_zeros((uint32_t)1 << (8 * byte + bit), zeros);
    table[byte][0] = 0;
    for (int value = 1; value < 256; value++)
      table[byte][value] = table[byte][value & (value - 1)] ^ table[byte][value & -value];
  }
}

static void make_tables(void) {
  make_slices();
#if defined(__x86_64__)
  has_instruction = __builtin_cpu_supports("sse4.2");
#endif
  if (has_instruction) {
    make_shift(after_long, LONG_STREAM);
    make_shift(after_short, SHORT_STREAM);
  }
}

static uint32_t state_from_tables(uint32_t state, const unsigned char *data, size_t bytes) {
  for (; bytes >= SLICES; data += SLICES, bytes -= SLICES)
    state = slices[7][data[0] ^ (state & 255)] ^ slices[6][data[1] ^ (state >> 8 & 255)] ^
            slices[5][data[2] ^ (state >> 16 & 255)] ^ slices[4][data[3] ^ state >> 24] ^
            slices[3][data[4]] ^ slices[2][data[5]] ^ slices[1][data[6]] ^ slices[0][data[7]];
  for (; bytes > 0; data++, bytes--)
    state = state >> 8 ^ slices[0][(state ^ *data) & 255];
  return state;
}

#if defined(__x86_64__)

#define TARGET __attribute__((target("sse4.2")))

TARGET static inline uint64_t step(uint64_t state, const unsigned char *data) {
  uint64_t word;
  memcpy(&word, data, sizeof word);
  return __builtin_ia32_crc32di(state, word);
}

/**
 * Blocks of three streams of `length` bytes, side by side: the instruction takes three cycles and
 * one can start in each. Moves *data and *bytes on.
 */
TARGET static uint64_t three_streams(uint64_t state, const unsigned char **data, size_t *bytes,
                                     size_t length, const shift_table table) {
  for (; *bytes >= 3 * length; *data += 3 * length, *bytes -= 3 * length) {
    const unsigned char *first = *data, *second = first + length, *third = second + length;
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < length; i += 8) {
      state = step(state, first + i);
      b = step(b, second + i);
      c = step(c, third + i);
    }
    state = shift(table, (uint32_t)state) ^ b;
    state = shift(table, (uint32_t)state) ^ c;
  }
  return state;
}

TARGET static uint32_t state_from_instruction(uint32_t start, const unsigned char *data,
                                              size_t bytes) {
  uint64_t state = start;
  state = three_streams(state, &data, &bytes, LONG_STREAM, after_long);
  state = three_streams(state, &data, &bytes, SHORT_STREAM, after_short);
  for (; bytes >= 8; data += 8, bytes -= 8)
    state = step(state, data);
  for (; bytes > 0; data++, bytes--)
    state = __builtin_ia32_crc32qi((uint32_t)state, *data);
  return (uint32_t)state;
}

#else

static uint32_t state_from_instruction(uint32_t start, const unsigned char *data, size_t bytes) {
  return state_from_tables(start, data, bytes);
}

#endif

uint32_t cusp_crc32c(uint32_t crc, const void *data, size_t bytes) {
  pthread_once(&made, make_tables);
  return ~(has_instruction ? state_from_instruction(~crc, data, bytes)
                           : state_from_tables(~crc, data, bytes));
}

uint32_t cusp_crc32c_portable(uint32_t crc, const void *data, size_t bytes) {
  pthread_once(&made, make_tables);
  return ~state_from_tables(~crc, data, bytes);
}

uint32_t cusp_crc32c_mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }
