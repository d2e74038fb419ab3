/* Hash functions of strings (see hashes.h). */
#include "hashes.h"

#include <string.h>

/* ------------------------------------------------------------------ FarmHash */

#define K0 0xc3a5c85c97cb3127u
#define K1 0xb492b66fbe98f273u
#define K2 0x9ae16a3b2f90404fu

static uint64_t fetch(const char *s) {
  uint64_t word;
  memcpy(&word, s, sizeof word);
  return word;
}

static uint32_t fetch32(const char *s) {
  uint32_t word;
  memcpy(&word, s, sizeof word);
  return word;
}

static uint64_t rotate_right(uint64_t x, int by) { return x >> by | x << (64 - by); }
static uint64_t rotate_left(uint64_t x, int by) { return x << by | x >> (64 - by); }
static uint64_t shift_mix(uint64_t x) { return x ^ x >> 47; }

static uint64_t combine(uint64_t u, uint64_t v, uint64_t factor) {
  uint64_t a = shift_mix((u ^ v) * factor);
  return shift_mix((v ^ a) * factor) * factor;
}

static uint64_t up_to_16(const char *s, size_t n) {
  uint64_t factor = K2 + n * 2;
  if (n >= 8) {
    uint64_t a = fetch(s) + K2, b = fetch(s + n - 8);
    return combine(rotate_right(b, 37) * factor + a, (rotate_right(a, 25) + b) * factor, factor);
  }
  if (n >= 4)
    return combine(n + ((uint64_t)fetch32(s) << 3), fetch32(s + n - 4), factor);
  if (n == 0)
    return K2;
  const unsigned char *u = (const unsigned char *)s;
  uint32_t y = u[0] + ((uint32_t)u[n >> 1] << 8), z = (uint32_t)n + ((uint32_t)u[n - 1] << 2);
  return shift_mix(y * K2 ^ z * K0) * K2;
}

static uint64_t up_to_32(const char *s, size_t n) {
  uint64_t factor = K2 + n * 2, a = fetch(s) * K1, b = fetch(s + 8), c = fetch(s + n - 8) * factor,
           d = fetch(s + n - 16) * K2;
  return combine(rotate_right(a + b, 43) + rotate_right(c, 30) + d,
                 a + rotate_right(b + K2, 18) + c, factor);
}

static uint64_t up_to_64(const char *s, size_t n) {
  uint64_t factor = K2 + n * 2, a = fetch(s) * K2, b = fetch(s + 8), c = fetch(s + n - 8) * factor,
           d = fetch(s + n - 16) * K2, y = rotate_right(a + b, 43) + rotate_right(c, 30) + d,
           z = combine(y, a + rotate_right(b + K2, 18) + c, factor), e = fetch(s + 16) * factor,
           f = fetch(s + 24), g = (y + fetch(s + n - 32)) * factor,
           h = (z + fetch(s + n - 24)) * factor;
  return combine(rotate_right(e + f, 43) + rotate_right(g, 30) + h, e + rotate_right(f + a, 18) + g,
                 factor);
}

typedef struct pair {
  uint64_t a, b;
} pair;

static pair weak(const char *s, uint64_t a, uint64_t b) {
  uint64_t w = fetch(s), z = fetch(s + 24);
  a += w;
  b = rotate_right(b + a + z, 21);
  uint64_t c = a;
  a += fetch(s + 8) + fetch(s + 16);
  return (pair){a + z, b + rotate_right(a, 44) + c};
}

static uint64_t longer(const char *s, size_t n) {
  uint64_t x = 81, y = 81 * K1 + 113, z = shift_mix(y * K2 + 113) * K2, t;
  pair v = {0, 0}, w = {0, 0};
  x = x * K2 + fetch(s);
  const char *last = s + n - 64;
  for (const char *end = s + (n - 1) / 64 * 64; s < end; s += 64) {
    x = rotate_right(x + y + v.a + fetch(s + 8), 37) * K1;
    y = rotate_right(y + v.b + fetch(s + 48), 42) * K1;
    x ^= w.b;
    y += v.a + fetch(s + 40);
    z = rotate_right(z + w.a, 33) * K1;
    v = weak(s, v.b * K1, x + w.a);
    w = weak(s + 32, z + w.b, y + fetch(s + 16));
    t = x, x = z, z = t;
  }
  uint64_t factor = K1 + ((z & 0xff) << 1);
  s = last;
  w.a += (n - 1) & 63;
  v.a += w.a;
  w.a += v.a;
  x = rotate_right(x + y + v.a + fetch(s + 8), 37) * factor;
  y = rotate_right(y + v.b + fetch(s + 48), 42) * factor;
  x ^= w.b * 9;
  y += v.a * 9 + fetch(s + 40);
  z = rotate_right(z + w.a, 33) * factor;
  v = weak(s, v.b * factor, x + w.a);
  w = weak(s + 32, z + w.b, y + fetch(s + 16));
  return combine(combine(v.a, w.a, factor) + shift_mix(y) * K0 + x, combine(v.b, w.b, factor) + z,
                 factor);
}

uint64_t cusp_farmhash(const char *bytes, size_t length) {
  if (length <= 16)
    return up_to_16(bytes, length);
  if (length <= 32)
    return up_to_32(bytes, length);
  return length <= 64 ? up_to_64(bytes, length) : longer(bytes, length);
}

uint64_t cusp_fingerprint_join(uint64_t a, uint64_t b) {
  uint64_t factor = 0xc6a4a7935bd1e995u;
  uint64_t result = (a ^ factor) ^ shift_mix(b * factor) * factor;
  return shift_mix(shift_mix(result * factor) * factor);
}

/* ------------------------------------------------------------------ SipHash */

typedef struct sip {
  uint64_t a, b, c, d;
} sip;

static void sip_round(sip *s) {
  s->a += s->b;
  s->b = rotate_left(s->b, 13) ^ s->a;
  s->a = rotate_left(s->a, 32);
  s->c += s->d;
  s->d = rotate_left(s->d, 16) ^ s->c;
  s->a += s->d;
  s->d = rotate_left(s->d, 21) ^ s->a;
  s->c += s->b;
  s->b = rotate_left(s->b, 17) ^ s->c;
  s->c = rotate_left(s->c, 32);
}

static void sip_word(sip *s, uint64_t word) {
  s->d ^= word;
  sip_round(s);
  sip_round(s);
  s->a ^= word;
}

uint64_t cusp_siphash(const char *bytes, size_t length, const uint64_t key[2]) {
  sip s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
           key[1] ^ 0x7465646279746573u};
  uint64_t last = (uint64_t)length << 56;
  size_t whole = length / 8 * 8;
  for (size_t at = 0; at < whole; at += 8)
    sip_word(&s, fetch(bytes + at));
  for (size_t at = whole; at < length; at++)
    last |= (uint64_t)(unsigned char)bytes[at] << 8 * (at - whole);
  sip_word(&s, last);
  s.c ^= 0xff;
  for (int i = 0; i < 4; i++)
    sip_round(&s);
  return s.a ^ s.b ^ s.c ^ s.d;
}
