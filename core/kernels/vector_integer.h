/*
 * The vector functions of one integer type. No include guard: the including file defines
 *   T (the type), U (the unsigned type of its size), SIGNED (1 or 0), TAG (a prefix for names),
 * TABLE (the table to fill). Sums and products wrap around; nothing traps: division and mod by zero
 * give 0, the least number by -1 itself.
 */

#define NAME(name) CUSP_JOIN(TAG, name)
#define UNARY(name, EXPRESSION) CUSP_MAP1(NAME(name), T, T, EXPRESSION)
#define BINARY(name, EXPRESSION) CUSP_MAP2(NAME(name), T, T, EXPRESSION)
#define TEST1(name, EXPRESSION) CUSP_MAP1(NAME(name), T, uint8_t, EXPRESSION)
#define TEST2(name, EXPRESSION) CUSP_MAP2(NAME(name), T, uint8_t, EXPRESSION)
#define BITS ((int)(8 * sizeof(T)))
#if SIGNED /* comparing unsigned numbers with 0 would be a warning */
#define NEGATIVE(x) ((x) < 0)
#else
#define NEGATIVE(x) 0
#endif

/* Wrapping arithmetic: uint64_t holds every product's low bits, whatever T promotes to. */
#define WRAP(EXPRESSION) ((T)(U)(EXPRESSION))
#define WIDE(x) ((uint64_t)(x))

static inline T NAME(quotient)(T a, T b) {
  if (b == 0)
    return 0;
#if SIGNED
  if (b == -1)
    return WRAP(0 - WIDE(a));
  const T q = (T)(a / b);
  return (T)(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
#else
  return (T)(a / b);
#endif
}

static inline T NAME(remainder)(T a, T b) {
  if (b == 0 || (SIGNED && b == (T)-1))
    return 0;
  return (T)(a % b);
}

static inline T NAME(floored_remainder)(T a, T b) {
  const T r = NAME(remainder)(a, b);
  return (T)(r != 0 && NEGATIVE(r) != NEGATIVE(b) ? r + b : r);
}

/** a^b by squaring; a negative exponent gives the whole part: 1, -1 or 0. */
static inline T NAME(integer_power)(T a, T b) {
#if SIGNED
  if (b < 0)
    return (T)(a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0);
#endif
  uint64_t result = 1, factor = WIDE(a);
  for (U left = (U)b; left != 0; left = (U)(left >> 1)) {
    if (left & 1)
      result *= factor;
    factor *= factor;
  }
  return WRAP(result);
}

static inline U NAME(magnitude)(T x) { return (U)(NEGATIVE(x) ? 0 - WIDE(x) : WIDE(x)); }

static inline T NAME(common_divisor)(T a, T b) {
  U x = NAME(magnitude)(a), y = NAME(magnitude)(b);
  while (y != 0) {
    const U rest = (U)(x % y);
    x = y;
    y = rest;
  }
  return (T)x;
}

static inline T NAME(common_multiple)(T a, T b) {
  const U divisor = (U)NAME(common_divisor)(a, b);
  return divisor == 0 ? (T)0 : WRAP(WIDE(NAME(magnitude)(a) / divisor) * NAME(magnitude)(b));
}

/* Counts outside 0 .. bits - 1, negative ones included, shift everything out. */
static inline T NAME(shifted_left)(T a, T b) { return (U)b < BITS ? WRAP(WIDE(a) << (U)b) : (T)0; }
static inline T NAME(shifted_right)(T a, T b) {
  if ((U)b < BITS)
    return (T)(a >> (U)b);
  return (T)(NEGATIVE(a) ? -1 : 0);
}

UNARY(copy, x)
UNARY(negative, WRAP(0 - WIDE(x)))
UNARY(absolute, NAME(magnitude)(x))
UNARY(sign, (x != 0) - 2 * NEGATIVE(x))
UNARY(square, WRAP(WIDE(x) * WIDE(x)))
UNARY(relu, NEGATIVE(x) ? (T)0 : x)
UNARY(bitwise_not, ~x)
TEST1(logical_not, x == 0)
TEST1(isnan, (x != x))
TEST1(isfinite, (x == x))
TEST1(signbit, (NEGATIVE(x) & (x == x)))

BINARY(add, WRAP(WIDE(a) + WIDE(b)))
BINARY(subtract, WRAP(WIDE(a) - WIDE(b)))
BINARY(multiply, WRAP(WIDE(a) * WIDE(b)))
BINARY(floor_divide, NAME(quotient)(a, b))
BINARY(mod, NAME(floored_remainder)(a, b))
BINARY(fmod, NAME(remainder)(a, b))
BINARY(power, NAME(integer_power)(a, b))
BINARY(maximum, a > b ? a : b)
BINARY(minimum, a < b ? a : b)
BINARY(gcd, NAME(common_divisor)(a, b))
BINARY(lcm, NAME(common_multiple)(a, b))
BINARY(bitwise_and, a &b)
BINARY(bitwise_or, a | b)
BINARY(bitwise_xor, a ^ b)
BINARY(left_shift, NAME(shifted_left)(a, b))
BINARY(right_shift, NAME(shifted_right)(a, b))
TEST2(equal, a == b)
TEST2(not_equal, a != b)
TEST2(less, a < b)
TEST2(less_equal, a <= b)
TEST2(greater, a > b)
TEST2(greater_equal, a >= b)
TEST2(logical_and, (a != 0) & (b != 0))
TEST2(logical_or, (a != 0) | (b != 0))
TEST2(logical_xor, (a != 0) ^ (b != 0))
BINARY(relu_gradient, !NEGATIVE(b) && b != 0 ? a : (T)0)

CUSP_MAP3(NAME(multiply_add), T, T, T, WRAP(WIDE(a) * WIDE(b) + WIDE(c)))
CUSP_MAP3(NAME(select), uint8_t, T, T, a ? b : c)
CUSP_MAP3(NAME(clip), T, T, T, (a < b ? b : a) > c ? c : (a < b ? b : a))

#define ENTRY(name) [CUSP_VECTOR_##name] = NAME(name)
const cusp_vector_table TABLE = {
    ENTRY(copy),
    ENTRY(negative),
    ENTRY(absolute),
    ENTRY(sign),
    ENTRY(square),
    ENTRY(relu),
    ENTRY(bitwise_not),
    ENTRY(logical_not),
    ENTRY(isnan),
    [CUSP_VECTOR_isinf] = NAME(isnan),
    ENTRY(isfinite),
    ENTRY(signbit),
    [CUSP_VECTOR_ceil] = NAME(copy),
    [CUSP_VECTOR_floor] = NAME(copy),
    [CUSP_VECTOR_round] = NAME(copy),
    [CUSP_VECTOR_trunc] = NAME(copy),
    ENTRY(add),
    ENTRY(subtract),
    ENTRY(multiply),
    ENTRY(floor_divide),
    ENTRY(mod),
    ENTRY(fmod),
    ENTRY(power),
    ENTRY(maximum),
    ENTRY(minimum),
    [CUSP_VECTOR_fmax] = NAME(maximum),
    [CUSP_VECTOR_fmin] = NAME(minimum),
    ENTRY(gcd),
    ENTRY(lcm),
    ENTRY(bitwise_and),
    ENTRY(bitwise_or),
    ENTRY(bitwise_xor),
    ENTRY(left_shift),
    ENTRY(right_shift),
    ENTRY(equal),
    ENTRY(not_equal),
    ENTRY(less),
    ENTRY(less_equal),
    ENTRY(greater),
    ENTRY(greater_equal),
    ENTRY(logical_and),
    ENTRY(logical_or),
    ENTRY(logical_xor),
    ENTRY(relu_gradient),
    ENTRY(multiply_add),
    ENTRY(select),
    ENTRY(clip),
};

#undef NAME
#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2
#undef BITS
#undef NEGATIVE
#undef WRAP
#undef WIDE
#undef ENTRY
#undef T
#undef U
#undef SIGNED
#undef TAG
#undef TABLE
