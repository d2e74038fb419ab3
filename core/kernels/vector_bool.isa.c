/* Vector functions of bool: one byte, 0 or 1. Sums are "or", products "and", as in NumPy. */

#include "vector_loops.h"
#include "vector_tables.h"

#define UNARY(name, EXPRESSION) CUSP_MAP1(name##_, uint8_t, uint8_t, EXPRESSION)
#define BINARY(name, EXPRESSION) CUSP_MAP2(name##_, uint8_t, uint8_t, EXPRESSION)

UNARY(copy, x)
UNARY(invert, x ^ 1)
UNARY(never, x & 0)
UNARY(always, x | 1)
BINARY(and, a &b)
BINARY(or, a | b)
BINARY(xor, a ^ b)
BINARY(equal, a == b)
BINARY(less, a < b)
BINARY(less_equal, a <= b)
BINARY(greater, a > b)
BINARY(greater_equal, a >= b)
CUSP_MAP3(multiply_add_, uint8_t, uint8_t, uint8_t, (a & b) | c)
CUSP_MAP3(select_, uint8_t, uint8_t, uint8_t, a ? b : c)
CUSP_MAP3(clip_, uint8_t, uint8_t, uint8_t, (a | b) & c)

#define ENTRY(name, function) [CUSP_VECTOR_##name] = function##_
const cusp_vector_table CUSP_ISA(cusp_vector_bool) = {
    ENTRY(copy, copy),          ENTRY(absolute, copy),
    ENTRY(sign, copy),          ENTRY(square, copy),
    ENTRY(relu, copy),          ENTRY(ceil, copy),
    ENTRY(floor, copy),         ENTRY(round, copy),
    ENTRY(trunc, copy),         ENTRY(bitwise_not, invert),
    ENTRY(logical_not, invert), ENTRY(isnan, never),
    ENTRY(isinf, never),        ENTRY(isfinite, always),
    ENTRY(signbit, never),      ENTRY(add, or),
    ENTRY(multiply, and),       ENTRY(maximum, or),
    ENTRY(minimum, and),        ENTRY(fmax, or),
    ENTRY(fmin, and),           ENTRY(bitwise_and, and),
    ENTRY(bitwise_or, or),      ENTRY(bitwise_xor, xor),
    ENTRY(equal, equal),        ENTRY(not_equal, xor),
    ENTRY(less, less),          ENTRY(less_equal, less_equal),
    ENTRY(greater, greater),    ENTRY(greater_equal, greater_equal),
    ENTRY(logical_and, and),    ENTRY(logical_or, or),
    ENTRY(logical_xor, xor),    ENTRY(multiply_add, multiply_add),
    ENTRY(select, select),      ENTRY(clip, clip),
};
