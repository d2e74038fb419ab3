/*
 * Vector functions that are one expression. No include guard: the including file defines REAL and
 * C(name) (see vector_real.h), and UNARY, BINARY, TEST1 and TEST2, given a name and an expression
 * of x, or a and b; tests give a bool.
 */

#define IS_NAN(x) ((x) != (x))
#define INFINITE ((REAL)__builtin_inf())

UNARY(copy, x)
UNARY(negative, -x)
UNARY(absolute, C(__builtin_fabs)(x))
UNARY(sign, x > 0 ? (REAL)1 : x < 0 ? (REAL)-1 : x)
UNARY(square, x *x)
UNARY(sqrt, C(__builtin_sqrt)(x))
UNARY(rsqrt, 1 / C(__builtin_sqrt)(x))
UNARY(reciprocal, 1 / x)
UNARY(relu, x <= 0 ? (REAL)0 : x)
UNARY(ceil, C(__builtin_ceil)(x))
UNARY(floor, C(__builtin_floor)(x))
UNARY(round, C(__builtin_rint)(x))
UNARY(trunc, C(__builtin_trunc)(x))
TEST1(logical_not, x == 0)
TEST1(isnan, IS_NAN(x))
TEST1(isinf, C(__builtin_fabs)(x) == INFINITE)
TEST1(isfinite, C(__builtin_fabs)(x) < INFINITE)

BINARY(add, a + b)
BINARY(subtract, a - b)
BINARY(multiply, a *b)
BINARY(divide, a / b)
BINARY(maximum, (a > b) | IS_NAN(a) ? a : b)
BINARY(minimum, (a < b) | IS_NAN(a) ? a : b)
BINARY(fmax, (a > b) | IS_NAN(b) ? a : b)
BINARY(fmin, (a < b) | IS_NAN(b) ? a : b)
BINARY(copysign, C(__builtin_copysign)(a, b))

TEST2(equal, a == b)
TEST2(not_equal, a != b)
TEST2(less, a < b)
TEST2(less_equal, a <= b)
TEST2(greater, a > b)
TEST2(greater_equal, a >= b)
TEST2(logical_and, (a != 0) & (b != 0))
TEST2(logical_or, (a != 0) | (b != 0))
TEST2(logical_xor, (a != 0) ^ (b != 0))

BINARY(relu_gradient, b > 0 ? a : (REAL)0)
BINARY(sigmoid_gradient, a *b *(1 - b))
BINARY(tanh_gradient, a *(1 - b * b))
