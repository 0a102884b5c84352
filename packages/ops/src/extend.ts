// @bp/ops/extend: the rows and their tables, for authors of backends, exporters and test suites.

export { composites, type CompositeName, type Composites } from './composites.ts'
export { library, type Library, type LibraryName } from './library.ts'
export { primitives, type KernelTable, type MapName, type PrimitiveName, type Primitives } from './primitives.ts'
export { conv, convInput, convSize, convWeight, dot, type ConvGeometry, type ConvInputParams, type ConvWeightParams, type DotParams } from './rows/contract.ts'
export type { AvgPoolParams } from './composites/pooling.ts'
export { cubic } from './composites/interpolate.ts'
export { pick, resample, type Taps } from './composites/resample.ts'
export type { AxisParams } from './composites/softmax.ts'
export type { StandardiseParams } from './composites/statistics.ts'
export type { PoolGeometry } from './rows/indexing.ts'
export { unpool } from './rows/pool.ts'
export type { PadParams, SliceParams } from './rows/view.ts'
