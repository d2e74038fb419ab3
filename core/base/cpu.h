#ifndef CUSP_BASE_CPU_H
#define CUSP_BASE_CPU_H
/* What the processor can do; which of the kernels compiled for several instruction sets to use. */

typedef enum cusp_isa {
  CUSP_ISA_BASELINE = 0, /* x86-64 with SSE2, or whatever the compiler targets elsewhere */
  CUSP_ISA_AVX2,         /* AVX2 and FMA (x86-64-v3) */
  CUSP_ISA_AVX512,       /* AVX-512 F, BW, CD, DQ, VL (x86-64-v4) */
  CUSP_ISA_AMX,          /* and bfloat16 in vectors and tiles: matrix products alone differ */
  CUSP_ISA_COUNT
} cusp_isa;

/** The best set this CPU has; CUSP_ISA=baseline|avx2|avx512|amx in the environment may lower it. */
cusp_isa cusp_cpu_isa(void);
const char *cusp_isa_name(cusp_isa isa);
/** The CPU's own name, for benchmark tables. */
const char *cusp_cpu_name(void);

#endif
