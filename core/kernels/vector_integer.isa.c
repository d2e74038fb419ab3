/* Vector functions of the integer types. */

#include "vector_loops.h"
#include "vector_tables.h"

#define T int8_t
#define U uint8_t
#define SIGNED 1
#define TAG int8_
#define TABLE CUSP_ISA(cusp_vector_int8)
#include "vector_integer.h"

#define T int16_t
#define U uint16_t
#define SIGNED 1
#define TAG int16_
#define TABLE CUSP_ISA(cusp_vector_int16)
#include "vector_integer.h"

#define T int32_t
#define U uint32_t
#define SIGNED 1
#define TAG int32_
#define TABLE CUSP_ISA(cusp_vector_int32)
#include "vector_integer.h"

#define T int64_t
#define U uint64_t
#define SIGNED 1
#define TAG int64_
#define TABLE CUSP_ISA(cusp_vector_int64)
#include "vector_integer.h"

#define T uint8_t
#define U uint8_t
#define SIGNED 0
#define TAG uint8_
#define TABLE CUSP_ISA(cusp_vector_uint8)
#include "vector_integer.h"

#define T uint16_t
#define U uint16_t
#define SIGNED 0
#define TAG uint16_
#define TABLE CUSP_ISA(cusp_vector_uint16)
#include "vector_integer.h"

#define T uint32_t
#define U uint32_t
#define SIGNED 0
#define TAG uint32_
#define TABLE CUSP_ISA(cusp_vector_uint32)
#include "vector_integer.h"

#define T uint64_t
#define U uint64_t
#define SIGNED 0
#define TAG uint64_
#define TABLE CUSP_ISA(cusp_vector_uint64)
#include "vector_integer.h"
