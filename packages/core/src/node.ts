// A node of the graph: one op that was applied, what its backward rule will read, and the nodes its operands came from.

import type { Abstract } from './aval.ts'
import { isFloat } from './dtype.ts'
import type { AnyRow } from './row.ts'
import type { Tensor } from './tensor.ts'

let clock = 0

/** What a node goes by when a pass comes to it: tensor hooks, retained gradients, node hooks; see hooks.ts. */
export interface NodeHooks {
  /** The gradient retained for a result. */
  retainedGrad(slot: number): Tensor | null
  /** All retained gradients. */
  retainedGrads(): Tensor[]
  /** Before the rule: the cotangents that have arrived, one per result, as the rule shall see them. */
  before(cts: (Tensor | null)[]): (Tensor | null)[]
  /** After the rule: the cotangents of the operands, as they shall go on. */
  after(out: (Tensor | null)[], cts: readonly (Tensor | null)[]): (Tensor | null)[]
}

/** Stands in a node for a saved tensor that something else keeps; see saved.ts. */
export interface Packed extends Abstract {
  /** The tensors that are alive for it, as far as it knows. */
  readonly held: readonly Abstract[]
  unpack(): Tensor
}

/** Whether what a node saved is kept by something else. */
export const isPacked = (x: Abstract): x is Packed => 'unpack' in x

/** Whether a saved value is a tensor, not only a shape. */
export const isTensor = (x: Abstract): x is Tensor => 'storage' in x

/** Decides what nodes keep of the tensors that they save. */
export interface Saver {
  save(x: Tensor): Abstract
  /** Told before a variable is given a new value. */
  assigning(variable: Tensor): void
}

/** Sees what is recorded and what is pulled back. */
export interface Observer {
  /** Before an op is recorded: its operands, which may still be made leaves. */
  operands?(xs: readonly Tensor[]): void
  recorded?(node: Node): void
  /** After a rule: what came in and what it made of it. */
  pulled?(node: Node, cts: readonly (Tensor | null)[], out: readonly (Tensor | null)[]): void
}

/** What nodes keep goes through this where it is not `null`. */
export let saver: Saver | null = null

/** Told of all that is recorded and pulled back where it is not `null`. */
export let observer: Observer | null = null

/** Runs `f` with another saver, and comes back, also after a throw. */
export function withSaver<R>(other: Saver | null, f: () => R): R {
  const before = saver
  saver = other
  try {
    return f()
  } finally {
    saver = before
  }
}

/** Sets the observer and returns the one before. */
export function setObserver(other: Observer | null): Observer | null {
  const before = observer
  observer = other
  return before
}

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
  hooks: NodeHooks | null = null

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
  if (row.diff.kind === 'zero') return
  if (observer?.operands) observer.operands(xs)
  if (!wanted(row, xs)) return
  const savesY = row.saves === 'y' || row.saves === 'xy'
  if (Array.isArray(ys)) {
    connect(row, params, xs, savedOperands(row, xs), savesY ? ys.slice() : ys.map(y => y.aval), ys)
  } else if (isFloat(ys.dtype)) {
    ys.node = nodeOf(row, params, xs, savedOperands(row, xs), [savesY ? ys : ys.aval])
  }
}

/** Makes `ys` the results of a node with the operands `xs`, whose rule reads `saved` and `kept`. */
export function connect(row: AnyRow, params: unknown, xs: readonly Tensor[], saved: Abstract[], kept: Abstract[], ys: readonly Tensor[]): void {
  const node = nodeOf(row, params, xs, saved, kept)
  for (let i = 0; i < ys.length; i++) {
    if (!isFloat(ys[i]!.dtype)) continue
    ys[i]!.node = node
    ys[i]!.slot = i
  }
}

function nodeOf(row: AnyRow, params: unknown, xs: readonly Tensor[], saved: Abstract[], kept: Abstract[]): Node {
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
  if (saver !== null) {
    pack(saver, saved)
    pack(saver, kept)
  }
  let version = 0
  for (let i = 0; i < saved.length; i++) version += versionOf(saved[i]!)
  const node = new Node(row, params, saved, kept, edges, slots, version)
  if (observer?.recorded) observer.recorded(node)
  return node
}

/** Variables stay: they are alive anyway, and their versions are checked. */
function pack(to: Saver, values: Abstract[]): void {
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!
    if (isTensor(x) && !('assign' in x)) values[i] = to.save(x)
  }
}

function wanted(row: AnyRow, xs: Tensor[]): boolean {
  const linear = row.diff.kind === 'linear' ? row.diff.transpose : null
  for (let i = 0; i < xs.length; i++) {
    if (xs[i]!.node !== null && linear?.[row.arity === 'n' ? 0 : i] !== null) return true
  }
  return false
}

function savedOperands(row: AnyRow, xs: Tensor[]): Abstract[] {
  const saved = new Array<Abstract>(xs.length)
  const diff = row.diff
  if (diff.kind === 'multilinear') {
    // operand i is read by the rules of the others only
    for (let i = 0; i < xs.length; i++) saved[i] = wantedElsewhere(xs, i) ? xs[i]! : xs[i]!.aval
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

function wantedElsewhere(xs: Tensor[], i: number): boolean {
  for (let j = 0; j < xs.length; j++) if (j !== i && xs[j]!.node !== null) return true
  return false
}

/** How often the variable that `x` is has been assigned; 0 for anything else. */
export const versionOf = (x: Abstract): number => 'version' in x ? (x as Tensor).version : 0
