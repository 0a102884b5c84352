// @bp/core/extend: what authors of ops, backends and exporters use.

export { Aval, withShape, type Abstract } from './aval.ts'
export { defaultBackend, type Backend, type HostOperand, type Kernel, type Operand } from './backend.ts'
export { toDot, toMermaid } from './diagram.ts'
export { allocate, bytesPerElement, convert, dtypes, dtypeOf, isFloat, shortName } from './dtype.ts'
export { fail } from './errors.ts'
export { printGraph, runGraph, type Graph, type GraphNode, type Id } from './graph.ts'
export { bind, bindMany } from './interpreter.ts'
export { defineComposite, defineOp, type AnyRow, type Arity, type CompositeSpec, type Diff, type Fuse, type HostKernel, type Primitive, type PrimitiveSpec, type Pullback, type Pushforward, type Row, type SavedX, type SavedY, type Saves, type Tuple } from './row.ts'
export { broadcastShapes, broadcastsTo, checkShape, describe, normaliseAxes, normaliseAxis, sameShape, sizeOf, stridesOf } from './shape.ts'
export { trace, type InputSpec } from './trace.ts'
export { flatten, unflatten } from './tree.ts'
export { addRow, bindPair, broadcastToRow, fillRow, inferElementwise, mulRow, sumToRow, toTensor, type FillParams } from './vector.ts'
