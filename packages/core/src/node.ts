// A node of the graph: one op that was applied, what its backward rule will read, and the nodes its operands came from.

import type { Abstract } from './aval.ts'
import { isFloat } from './dtype.ts'
import type { AnyRow } from './row.ts'
import type { Tensor } from './tensor.ts'

let clock = 0

/** What nodes count as time: a node made later has a larger stamp. */
export const now = (): number => clock

/**
 * One node. The tape is these nodes linked by `edges`, from results back to leaves; a traced graph is the same nodes in
 * the order in which they were made.
 */
export class Node {
  /** `null` in a leaf, a tensor that gradients are accumulated for. */
  readonly row: AnyRow | null
  readonly params: unknown
  /** The operands: tensors where the rule reads them, else only their avals; `null` once freed. */
  xs: Abstract[] | null
  /** The result or results, likewise. */
  ys: Abstract[] | null
  /** For each operand the node that made it, `null` where it needs no gradient. */
  readonly edges: (Node | null)[]
  /** How many results the op has; 1 in a leaf. */
  readonly results: number
  /** Which of the edge's results the operand is; `null` while all are the first. */
  readonly slots: number[] | null
  readonly stamp: number
  /** Sum of the versions of the saved operands: a variable assigned since then makes it differ. */
  readonly version: number
  /** What `backward` has accumulated here, in leaves. */
  grad: Tensor | null = null
  /** Which search last came by, and the place it gave this node; see pull.ts. */
  mark = 0
  place = 0

  constructor(row: AnyRow | null, params: unknown, xs: Abstract[], ys: Abstract[], edges: (Node | null)[], slots: number[] | null, version: number) {
    this.row = row
    this.params = params
    this.xs = xs
    this.ys = ys
    this.results = ys.length
    this.edges = edges
    this.slots = slots
    this.version = version
    this.stamp = ++clock
  }

  /** Forgets the saved values, so that they can be collected. */
  free(): void {
    this.xs = null
    this.ys = null
  }
}

/** The node of a tensor that gradients are accumulated for. */
export const leaf = (x: Abstract): Node => new Node(null, undefined, [], [x.aval], [], null, 0)

/* Hot path: no closures, no spreads. */

/**
 * Notes that `row` made `ys` from `xs`, where an operand requires grad and the row has a derivative. Results that are not
 * floating-point have none.
 */
export function record(row: AnyRow, params: unknown, xs: Tensor[], ys: Tensor | Tensor[]): void {
  if (row.diff.kind === 'zero' || !wanted(row, xs)) return
  const count = xs.length
  const edges = new Array<Node | null>(count)
  let slots: number[] | null = null
  for (let i = 0; i < count; i++) {
    const x = xs[i]!
    edges[i] = x.node
    if (x.slot !== 0 && x.node !== null) {
      slots ??= new Array<number>(count).fill(0)
      slots[i] = x.slot
    }
  }
  const saved = savedOperands(row, xs, edges)
  let version = 0
  for (let i = 0; i < count; i++) version += versionOf(saved[i]!)
  const savesY = row.saves === 'y' || row.saves === 'xy'
  if (Array.isArray(ys)) {
    const node = new Node(row, params, saved, savesY ? ys : ys.map(y => y.aval), edges, slots, version)
    for (let i = 0; i < ys.length; i++) {
      if (!isFloat(ys[i]!.dtype)) continue
      ys[i]!.node = node
      ys[i]!.slot = i
    }
  } else if (isFloat(ys.dtype)) {
    ys.node = new Node(row, params, saved, [savesY ? ys : ys.aval], edges, slots, version)
  }
}

function wanted(row: AnyRow, xs: Tensor[]): boolean {
  const linear = row.diff.kind === 'linear' ? row.diff.transpose : null
  for (let i = 0; i < xs.length; i++) {
    if (xs[i]!.node !== null && linear?.[row.arity === 'n' ? 0 : i] !== null) return true
  }
  return false
}

function savedOperands(row: AnyRow, xs: Tensor[], edges: (Node | null)[]): Abstract[] {
  const saved = new Array<Abstract>(xs.length)
  const diff = row.diff
  if (diff.kind === 'multilinear') {
    // operand i is read by the rules of the others only
    for (let i = 0; i < xs.length; i++) saved[i] = wantedElsewhere(edges, i) ? xs[i]! : xs[i]!.aval
  } else if (diff.kind === 'linear') {
    // only fixed operands (no transpose) can matter to a linear op's rule
    const fixed = row.saves === 'x' && row.arity !== 'n'
    for (let i = 0; i < xs.length; i++) saved[i] = fixed && diff.transpose[i] === null ? xs[i]! : xs[i]!.aval
  } else {
    const savesX = row.saves === 'x' || row.saves === 'xy'
    for (let i = 0; i < xs.length; i++) saved[i] = savesX ? xs[i]! : xs[i]!.aval
  }
  return saved
}

function wantedElsewhere(edges: (Node | null)[], i: number): boolean {
  for (let j = 0; j < edges.length; j++) if (j !== i && edges[j] !== null) return true
  return false
}

/** How often the variable that `x` is has been assigned; 0 for anything else. */
export const versionOf = (x: Abstract): number => 'version' in x ? (x as Tensor).version : 0
