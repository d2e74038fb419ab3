#ifndef CUSP_KERNELS_VECTOR_SLEEF_H
#define CUSP_KERNELS_VECTOR_SLEEF_H
/* SLEEF's function names for the widest registers of the instruction set being compiled for. */

#include <sleef.h>

#if defined(__AVX512F__)
#define CUSP_SLEEF_FLOAT(name, accuracy) Sleef_##name##f16_##accuracy##avx512f
#define CUSP_SLEEF_DOUBLE(name, accuracy) Sleef_##name##d8_##accuracy##avx512f
#elif defined(__AVX2__)
#define CUSP_SLEEF_FLOAT(name, accuracy) Sleef_##name##f8_##accuracy##avx2
#define CUSP_SLEEF_DOUBLE(name, accuracy) Sleef_##name##d4_##accuracy##avx2
#elif defined(__SSE2__)
#define CUSP_SLEEF_FLOAT(name, accuracy) Sleef_##name##f4_##accuracy##sse2
#define CUSP_SLEEF_DOUBLE(name, accuracy) Sleef_##name##d2_##accuracy##sse2
#else /* 16-byte registers: SLEEF's own choice for the machine (NEON, VSX, ...) */
#define CUSP_SLEEF_FLOAT(name, accuracy) Sleef_##name##f4_##accuracy
#define CUSP_SLEEF_DOUBLE(name, accuracy) Sleef_##name##d2_##accuracy
#endif

#endif
