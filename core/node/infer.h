#ifndef CUSP_NODE_INFER_H
#define CUSP_NODE_INFER_H
/* Helpers for the rows' infer functions. */

#include "op.h"

/** "softmax: " + message, as cusp_fail. */
cusp_status cusp_infer_fail(const cusp_inference *inference, cusp_status status, const char *format,
                            ...) CUSP_PRINTF(3, 4);
/** Turns -ndim <= axis < ndim into 0 <= axis; the message counts axes as Lua does (from 1). */
CUSP_NODISCARD cusp_status cusp_infer_axis(const cusp_inference *inference, int64_t axis, int ndim,
                                           int *out);
/** Normalises the axes attribute at `attr` in place: nil means all, sorted, duplicates refused. */
CUSP_NODISCARD cusp_status cusp_infer_axes(cusp_inference *inference, int attr, int ndim);
/** cusp_infer_axis without a row's name in the message, for compositions. */
CUSP_NODISCARD cusp_status cusp_axis_check(int64_t axis, int ndim, int *out);
/** A list of sizes as a shape: at most CUSP_MAX_DIMS, none negative, no overflow of their
 * product. */
CUSP_NODISCARD cusp_status cusp_shape_from_attr(cusp_shape *out, const cusp_attr *attr);
/** Fails where there are not `count` inputs, for rows that take a list. */
CUSP_NODISCARD cusp_status cusp_infer_count(const cusp_inference *inference, int count);
/** Fails where input `input`, called `name` in the message, has another dtype or shape. */
CUSP_NODISCARD cusp_status cusp_infer_expect(const cusp_inference *inference, int input,
                                             const char *name, cusp_dtype dtype, cusp_shape shape);
/** Fails where input 0 is neither float32 nor float64. */
CUSP_NODISCARD cusp_status cusp_infer_float_or_double(const cusp_inference *inference);
cusp_status cusp_infer_same(cusp_inference *inference); /* output type = input 0's */
/* shapes broadcast, dtype of the last input */
cusp_status cusp_infer_broadcast(cusp_inference *inference);
cusp_status cusp_infer_broadcast_bool(cusp_inference *inference); /* the same, dtype bool */

#endif
