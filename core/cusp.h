#ifndef CUSP_H
#define CUSP_H
/* The engine's public face: everything that bindings, or a C program, may use. */

#include "base/cpu.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "graph/function.h"
#include "graph/node.h"
#include "graph/variable.h"
#include "io/digits.h"
#include "io/idx.h"
#include "ops/build.h"
#include "ops/op.h"
#include "tensor/array.h"
#include "tensor/dtype.h"

#endif
