#include "cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const isa_names[CUSP_ISA_COUNT] = {"baseline", "avx2", "avx512", "amx"};

const char *cusp_isa_name(cusp_isa isa) {
  return (unsigned)isa < CUSP_ISA_COUNT ? isa_names[isa] : "unknown";
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* bits of leaf 7: bfloat16 on tiles, and tiles; of leaf 7.1: bfloat16 in vectors */
#define AMX_BF16 (1u << 22)
#define AMX_TILE (1u << 24)
#define AVX512_BF16 (1u << 5)
/* Linux gives the tiles' state, feature 18, to processes that ask for it. */
#define ASK_FOR_STATE 0x1023
#define TILE_DATA 18

static bool has_tiles(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
      (d & (AMX_BF16 | AMX_TILE)) != (AMX_BF16 | AMX_TILE))
    return false;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & AVX512_BF16))
    return false;
  return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0;
}

static cusp_isa detect(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4"))
    return has_tiles() ? CUSP_ISA_AMX : CUSP_ISA_AVX512;
  return __builtin_cpu_supports("x86-64-v3") ? CUSP_ISA_AVX2 : CUSP_ISA_BASELINE;
}

const char *cusp_cpu_name(void) {
  static char name[49];
  if (name[0])
    return name;
  unsigned word[4];
  char text[49] = {0};
  for (unsigned i = 0; i < 3; i++) {
    if (!__get_cpuid(0x80000002u + i, &word[0], &word[1], &word[2], &word[3]))
      return "x86-64";
    memcpy(text + 16 * i, word, 16);
  }
  size_t first = strspn(text, " "), length = strlen(text);
  while (length > first && text[length - 1] == ' ')
    text[--length] = '\0';
  memcpy(name, text + first, length - first + 1);
  return name;
}
#else
static cusp_isa detect(void) { return CUSP_ISA_BASELINE; }

const char *cusp_cpu_name(void) { return "unknown CPU"; }
#endif

cusp_isa cusp_cpu_isa(void) {
  static int cached = -1; /* the same value whoever computes it, so a race is harmless */
  int isa = __atomic_load_n(&cached, __ATOMIC_RELAXED);
  if (isa < 0) {
    isa = (int)detect();
    const char *wanted = getenv("CUSP_ISA");
    for (int i = 0; wanted && i < isa; i++)
      if (strcmp(wanted, isa_names[i]) == 0)
        isa = i;
    __atomic_store_n(&cached, isa, __ATOMIC_RELAXED);
  }
  return (cusp_isa)isa;
}
