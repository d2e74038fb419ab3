/* All families of the operation table. */
#include "../node/op.h"

#define CUSP_FAMILY(name) extern const cusp_op cusp_ops_##name[];
#include "families.h"
#undef CUSP_FAMILY

const cusp_op *const cusp_op_families[] = {
#define CUSP_FAMILY(name) cusp_ops_##name,
#include "families.h"
#undef CUSP_FAMILY
    NULL};
