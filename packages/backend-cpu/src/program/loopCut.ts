// How a loop is cut: which axes make rows and which run within them, and into which units threads share it.

import type { DType } from '@bp/core'
import { collapse, type Nest } from '@bp/core/extend'
import type { LoopSpec, Place } from './loopSpec.ts'
import { type Stage, stagesOf } from './stages.ts'

/** A place's strides in elements, by axes of rows and axes within a row. */
interface Steps {
  readonly address: number
  readonly dtype: DType
  readonly rows: readonly number[]
  readonly columns: readonly number[]
}

/** The loop nest as it is walked: neighbouring axes that all places walk alike are one. */
export interface Walk {
  readonly bits: 32 | 64
  readonly rows: readonly number[]
  readonly columns: readonly number[]
  /** Loads, then stores. */
  readonly places: readonly Steps[]
}

/** A loop nest with its rows, passes and units. */
export interface Cut {
  readonly walk: Walk
  readonly stages: readonly Stage[]
  readonly rowCount: number
  readonly columnCount: number
  /** Rows of a unit; where there is one row, columns of a unit. */
  readonly piece: number
  readonly units: number
}

/** Elements that make a unit worth the counting, and more where less is done to each. */
const unitSize = 16384
/** Sums over rows keep a part for each unit, so these are few. */
const columnUnits = 16

const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1)

/** Decides how a loop is walked. With `columns` given, the last axes of that many elements are kept as the columns. */
export function cut(spec: LoopSpec, columns?: number): Cut {
  const walk = walkOf(spec, columns)
  const stages = stagesOf(spec)
  const rowCount = product(walk.rows)
  const columnCount = product(walk.columns)
  const single = rowCount === 1 && walk.columns.length === 1 && spec.ops.every(op => op.kind === 'map' || op.reach === 'all')
  const size = rowCount * columnCount
  if (single) {
    const pieces = Math.max(1, Math.ceil(size / unitSize))
    const piece = Math.ceil(size / pieces / 16) * 16
    return { walk, stages, rowCount, columnCount, piece, units: Math.ceil(size / piece) }
  }
  const most = spec.ops.some(op => op.kind === 'reduce' && op.reach === 'column') ? columnUnits : Infinity
  const pieces = Math.max(1, Math.min(rowCount, most, Math.ceil(size / unitSize)))
  const piece = Math.ceil(rowCount / pieces)
  return { walk, stages, rowCount, columnCount, piece, units: Math.ceil(rowCount / piece) }
}

/** Whether a unit is a range of columns in the only row. */
export const byColumns = ({ rowCount, walk, units, piece, columnCount }: Cut): boolean => rowCount === 1 && walk.columns.length === 1 && (units > 1 || piece >= columnCount)

function walkOf(spec: LoopSpec, columns: number | undefined): Walk {
  const places: readonly Place[] = [...spec.loads, ...spec.stores.map(({ to }) => to)]
  const bits = [...places.map(({ dtype }) => dtype), ...spec.ops.map(({ dtype }) => dtype)].includes('float64') ? 64 : 32
  const axesOf = (within: boolean): number[] => spec.axes.flatMap((_, axis) => isWithin(axis) === within ? axis : [])
  const tail = columns === undefined ? spec.axes.length : tailOf(spec.axes, columns)
  const isWithin = (axis: number): boolean => spec.within ? spec.within[axis]! : axis >= tail
  const nest = (axes: readonly number[]): Nest =>
    collapse(axes.map(axis => spec.axes[axis]!), places.map(({ strides }) => axes.map(axis => strides[axis]!)))
  let rows = nest(axesOf(false))
  let inner = nest(axesOf(true))
  if (spec.within === null && columns === undefined) {
    // the split is free: the last axis that all walk alike is the row
    const all = nest(spec.axes.map((_, axis) => axis))
    rows = { sizes: all.sizes.slice(0, -1), strides: all.strides.map(strides => strides.slice(0, -1)) }
    inner = { sizes: all.sizes.slice(-1), strides: all.strides.map(strides => strides.slice(-1)) }
  }
  return { bits, rows: rows.sizes, columns: inner.sizes, places: places.map(({ address, dtype }, k) => ({ address, dtype, rows: rows.strides[k]!, columns: inner.strides[k]! })) }
}

/** The first of the last axes that together hold `columns` elements. */
function tailOf(axes: readonly number[], columns: number): number {
  let axis = axes.length
  for (let n = 1; n < columns; ) n *= axes[--axis]!
  return axis
}
