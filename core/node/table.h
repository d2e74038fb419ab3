#ifndef CUSP_NODE_TABLE_H
#define CUSP_NODE_TABLE_H
/* Where a row sits in the hashed table; shared by the table and the signatures kept beside it. */

#include "op.h"

/** Room of the hashed table, a power of two; at most half of it is filled. */
#define CUSP_TABLE_CAPACITY 2048

/** The place of the row called `name`, -1 if there is none. */
int cusp_op_slot(const char *name);

/** The row of that name; NULL if there is none. Hashed. */
const cusp_op *cusp_op_find(const char *name);

#endif
