#ifndef CUSP_NODE_BUILD_H
#define CUSP_NODE_BUILD_H
/*
 * Building graphs in C: gradient rules, compositions, rewriting.
 *
 * Every node these functions return is owned by the innermost open scope (cusp_scope_open) and
 * lives until it closes: rules nest calls freely and free nothing. A NULL operand gives NULL (the
 * first failure's message stays), so a rule checks once at its end: `return
 * cusp_built(g->dx[0])`. */

#include "node.h"

/** Opens a scope / closes it, releasing its nodes. Retain (cusp_node_retain) what is to outlive
 * it. */
typedef struct cusp_scope {
  size_t mark;
} cusp_scope;
cusp_scope cusp_scope_open(void);
void cusp_scope_close(cusp_scope scope);
/** Hands a reference over to the innermost scope; returns `node`. */
cusp_node *cusp_scope_adopt(cusp_node *node);

/** A node of the row called `name`, or what its composition builds; NULL on failure. For rows with
 * one output. */
cusp_node *cusp_apply(const char *name, int n_inputs, cusp_node *const *inputs, int n_attrs,
                      const cusp_attr *attrs);
/** As cusp_apply for rows of several outputs: fills outputs, returns their number, 0 on failure. */
int cusp_apply_many(cusp_node *outputs[CUSP_MAX_OUTPUTS], const char *name, int n_inputs,
                    cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs);
/** Missing trailing attributes take their defaults. CUSP_APPLY1("softmax", x, cusp_attr_int(-1)) */
#define CUSP_APPLY1(name, x, ...)                                           \
  cusp_apply(name, 1, (cusp_node *[]){x},                                   \
             (int)(sizeof((cusp_attr[]){__VA_ARGS__}) / sizeof(cusp_attr)), \
             (cusp_attr[]){__VA_ARGS__})
#define CUSP_APPLY2(name, a, b, ...)                                        \
  cusp_apply(name, 2, (cusp_node *[]){a, b},                                \
             (int)(sizeof((cusp_attr[]){__VA_ARGS__}) / sizeof(cusp_attr)), \
             (cusp_attr[]){__VA_ARGS__})
#define CUSP_APPLY3(name, a, b, c, ...)                                     \
  cusp_apply(name, 3, (cusp_node *[]){a, b, c},                             \
             (int)(sizeof((cusp_attr[]){__VA_ARGS__}) / sizeof(cusp_attr)), \
             (cusp_attr[]){__VA_ARGS__})

static inline cusp_node *cusp_apply_1(const char *name, cusp_node *x) {
  return cusp_apply(name, 1, &x, 0, NULL);
}
static inline cusp_node *cusp_apply_2(const char *name, cusp_node *a, cusp_node *b) {
  return cusp_apply(name, 2, (cusp_node *[]){a, b}, 0, NULL);
}
static inline cusp_node *cusp_apply_3(const char *name, cusp_node *a, cusp_node *b, cusp_node *c) {
  return cusp_apply(name, 3, (cusp_node *[]){a, b, c}, 0, NULL);
}

/**
 * Applies a row of any sort to promoted or unpromoted inputs: a composition is built, a row of
 * several outputs gives its picks. outputs: room for CUSP_MAX_RESULTS; filled with *n_outputs new
 * references, none on failure. What bindings call.
 */
CUSP_NODISCARD cusp_status cusp_op_apply(cusp_node **outputs, int *n_outputs, const cusp_op *op,
                                         int n_inputs, cusp_node *const *inputs, int n_attrs,
                                         const cusp_attr *attrs);

/** The head of a composition: CUSP_COMPOSE(mean) { ... return cusp_built(outputs[0] = ...); } */
#define CUSP_UNUSED __attribute__((unused))
#define CUSP_COMPOSE(name)                                                                \
  static cusp_status name(CUSP_UNUSED cusp_node *const *inputs, CUSP_UNUSED int n_inputs, \
                          CUSP_UNUSED const cusp_attr *attrs, cusp_node **outputs,        \
                          CUSP_UNUSED int *n_outputs)

/** CUSP_OK, or this thread's error when `node` is NULL. */
cusp_status cusp_built(const cusp_node *node);

/* The everyday operations by name. */
static inline cusp_node *cusp_add(cusp_node *a, cusp_node *b) { return cusp_apply_2("add", a, b); }
static inline cusp_node *cusp_subtract(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("subtract", a, b);
}
static inline cusp_node *cusp_multiply(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("multiply", a, b);
}
static inline cusp_node *cusp_divide(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("divide", a, b);
}
static inline cusp_node *cusp_negative(cusp_node *x) { return cusp_apply_1("negative", x); }
static inline cusp_node *cusp_where(cusp_node *condition, cusp_node *a, cusp_node *b) {
  return cusp_apply_3("where", condition, a, b);
}
static inline cusp_node *cusp_matmul(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("matmul", a, b);
}
static inline cusp_node *cusp_maximum(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("maximum", a, b);
}
static inline cusp_node *cusp_minimum(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("minimum", a, b);
}
static inline cusp_node *cusp_equal(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("equal", a, b);
}
static inline cusp_node *cusp_less(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("less", a, b);
}
static inline cusp_node *cusp_greater(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("greater", a, b);
}
static inline cusp_node *cusp_greater_equal(cusp_node *a, cusp_node *b) {
  return cusp_apply_2("greater_equal", a, b);
}
static inline cusp_node *cusp_square(cusp_node *x) { return cusp_apply_1("square", x); }
static inline cusp_node *cusp_absolute(cusp_node *x) { return cusp_apply_1("absolute", x); }
static inline cusp_node *cusp_exp(cusp_node *x) { return cusp_apply_1("exp", x); }
static inline cusp_node *cusp_log(cusp_node *x) { return cusp_apply_1("log", x); }
static inline cusp_node *cusp_sqrt(cusp_node *x) { return cusp_apply_1("sqrt", x); }
static inline cusp_node *cusp_sigmoid(cusp_node *x) { return cusp_apply_1("sigmoid", x); }
cusp_node *cusp_scale(cusp_node *x, double factor);   /* x * factor, in x's dtype */
cusp_node *cusp_shift(cusp_node *x, double term);     /* x + term, in x's dtype */
cusp_node *cusp_cast(cusp_node *x, cusp_dtype dtype); /* x itself where it has that dtype */
cusp_node *cusp_sum_axes(cusp_node *x, const int64_t *axes, int count, bool keepdims);
/* x itself where the shape is the same */
cusp_node *cusp_reshape(cusp_node *x, const cusp_shape *shape);
cusp_node *cusp_broadcast_to(cusp_node *x, const cusp_shape *shape);
cusp_node *cusp_transpose(cusp_node *x, const int64_t *axes); /* NULL axes: reversed */
cusp_node *cusp_expand_dims(cusp_node *x, int axis);
/** Sums the axes along which `shape` was broadcast to x's shape, giving exactly `shape`. */
cusp_node *cusp_sum_to(cusp_node *x, const cusp_shape *shape);

/** A scalar constant of the dtype of `like` (a C number takes the other operand's dtype). */
cusp_node *cusp_scalar_like(double value, const cusp_node *like);
cusp_node *cusp_scalar(double value, cusp_dtype dtype);
/** A constant of one axis, copied from C memory of `dtype`. */
cusp_node *cusp_constant_1d(cusp_dtype dtype, int64_t count, const void *data);
/**
 * The integers that `node` holds, at most `capacity` of them, computing it if need be; what decides
 * a result's shape (repeats, starts). Fails for floats, for more than `capacity` and, with
 * CUSP_ETRACED, for a traced tensor.
 */
CUSP_NODISCARD cusp_status cusp_static_ints(cusp_node *node, int64_t *values, int capacity,
                                            int *count);
/** A constant array filled with one value: a broadcast scalar, no memory. */
cusp_node *cusp_full(const cusp_shape *shape, double value, cusp_dtype dtype);
static inline cusp_node *cusp_zeros_like(cusp_node *x) {
  return x ? cusp_full(&x->type.shape, 0, x->type.dtype) : NULL;
}
static inline cusp_node *cusp_ones_like(cusp_node *x) {
  return x ? cusp_full(&x->type.shape, 1, x->type.dtype) : NULL;
}

#endif
