// The backward pass: finds the nodes that matter, then applies the chain rule once per node, in reverse order.

import type { Abstract } from './aval.ts'
import { isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { freeing, leave, storagesOf } from './freeing.ts'
import type { Fuser } from './fuser.ts'
import { current, withCasting, withRecording } from './interpreter.ts'
import { isPacked, isTensor, leaf, Node, type NodeHooks, now, observer, versionOf } from './node.ts'
import { enter, handingOut, innermostScope, type Region } from './ownership.ts'
import { type AnyRow, defineOp } from './row.ts'
import { vjpRule } from './rules.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { add, full, zerosLike } from './vector.ts'

/** Results, the cotangents that enter there, and what to do with the graph. */
export interface PullRequest {
  readonly outputs: readonly Tensor[]
  /** One per output; `null` is zero. */
  readonly cts: readonly (Tensor | null)[]
  /** The tensors whose cotangents are asked for; every leaf that is reached where `null`. */
  readonly inputs: readonly Tensor[] | null
  /** Keeps saved values for another pass. */
  readonly retain: boolean
  /** Records the pass itself, so that it can be differentiated again. */
  readonly create: boolean
  /** Nodes made up to this stamp are constants. */
  readonly since: number
}

/** Cotangents of the inputs asked for (`null`: not reached), and of every leaf on the way. */
export interface PullResult {
  readonly inputs: (Tensor | null)[]
  readonly leaves: { readonly node: Node; readonly ct: Tensor }[]
}

/** The nodes below some results, operands before results; each result has a place in one flat list of cotangents. */
interface Order {
  readonly nodes: readonly Node[]
  /** The place of each node's first result. */
  readonly places: readonly number[]
  /** For each node, the places of its operands; -1 where there is nothing to do. */
  readonly operands: readonly (readonly number[])[]
  /** The places of the tensors asked about; -1 where not reached. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly count: number
  /** Whether an edge led to a node made up to `since`. */
  readonly outside: boolean
}

let searches = 0

/**
 * Depth-first search, without recursion. Marks and places in the nodes hold only until it returns: the links are copied
 * out, so that a rule may start a search of its own while the pass is under way.
 */
function order(outputs: readonly Tensor[], inputs: readonly Tensor[], since: number): Order {
  const search = ++searches
  const nodes: Node[] = []
  const stack: Node[] = []
  const next: number[] = []
  let outside = false
  const visit = (node: Node | null): void => {
    if (node === null || node.mark === search) return
    if (node.stamp <= since) {
      outside = true
      return
    }
    node.mark = search
    stack.push(node)
    next.push(0)
  }
  for (const output of outputs) {
    visit(output.node)
    while (stack.length > 0) {
      const top = stack.length - 1
      const node = stack[top]!
      const i = next[top]!++
      if (i < node.edges.length) visit(node.edges[i]!)
      else {
        nodes.push(node)
        stack.length = next.length = top
      }
    }
  }
  let count = 0
  const places = new Array<number>(nodes.length)
  for (let k = 0; k < nodes.length; k++) {
    places[k] = nodes[k]!.place = count
    count += nodes[k]!.results
  }
  const placeOf = (node: Node | null, slot: number): number => node !== null && node.mark === search ? node.place + slot : -1
  const operands = new Array<number[]>(nodes.length)
  for (let k = 0; k < nodes.length; k++) {
    const { edges, slots } = nodes[k]!
    const list = operands[k] = new Array<number>(edges.length)
    for (let i = 0; i < edges.length; i++) list[i] = placeOf(edges[i]!, slots === null ? 0 : slots[i]!)
  }
  const locate = (xs: readonly Tensor[]): number[] => xs.map(x => placeOf(x.node, x.slot))
  return { nodes, places, operands, inputs: locate(inputs), outputs: locate(outputs), count, outside }
}

/** Whether differentiating `outputs` would read anything that was recorded up to `since`. */
export const reachesBefore = (outputs: readonly Tensor[], since: number): boolean => order(outputs, [], since).outside

/**
 * Pulls cotangents back from results to inputs or leaves. The whole graph is checked before the first rule runs: a freed
 * node, or a variable that was assigned since it was saved, is an error. Derivatives are computed in the dtypes of the forward
 * pass, also where `autocast` is on.
 */
export function pull(request: PullRequest): PullResult {
  const graph = order(request.outputs, request.inputs ?? [], request.since)
  const needed = request.inputs === null ? new Uint8Array(graph.count).fill(1) : neededFor(graph)
  check(graph, needed)
  const run = (pass: Region | null): PullResult => withCasting(null, () => withRecording(request.create, () => sweep(request, graph, needed, pass)))
  return request.create ? run(null) : freeing(request.outputs[0]?.backend, 'pass', run, ({ inputs, leaves }) => storagesOf([...inputs, ...leaves.map(({ ct }) => ct)]))
}

/** Marks every place from which an input asked for can be reached. */
function neededFor({ nodes, places, operands, inputs, count }: Order): Uint8Array {
  const needed = new Uint8Array(count)
  for (const place of inputs) if (place >= 0) needed[place] = 1
  for (let k = 0; k < nodes.length; k++) {
    if (operands[k]!.some(place => place >= 0 && needed[place])) needed.fill(1, places[k], places[k]! + nodes[k]!.results)
  }
  return needed
}

/** Whether the pass will run this node's rule: something it depends on is needed. */
function active(graph: Order, k: number, needed: Uint8Array): boolean {
  const list = graph.operands[k]!
  for (let i = 0; i < list.length; i++) if (list[i]! >= 0 && needed[list[i]!]) return true
  return false
}

function check(graph: Order, needed: Uint8Array): void {
  for (let k = 0; k < graph.nodes.length; k++) {
    const node = graph.nodes[k]!
    if (node.row === null || !active(graph, k, needed)) continue
    if (node.xs === null) {
      fail('grad', 'backward', `the graph was freed by an earlier backward pass (at ${node.row.name}). Pass { retainGraph: true } to the earlier backward() or gradients(), or compute the forward pass again`)
    }
    let version = 0
    for (let i = 0; i < node.xs.length; i++) version += versionOf(node.xs[i]!)
    if (version !== node.version) {
      const variable = node.xs.find(x => versionOf(x) > 0)!
      fail('grad', 'backward', `a variable ${describe(variable)} that ${node.row.name} saved was assigned after the forward pass. Call backward before the optimiser's step, or run the forward pass again`)
    }
  }
}

/** One visit per node, results before operands: the chain rule. `pass` frees each cotangent once it has been used, where there is one. */
function sweep(request: PullRequest, graph: Order, needed: Uint8Array, pass: Region | null): PullResult {
  const { nodes, places, operands } = graph
  const cts = new Array<Tensor | null>(graph.count).fill(null)
  const leaves: PullResult['leaves'] = []
  const fuser = current.recording || current.outer !== null ? undefined : request.cts.find(ct => ct !== null)?.backend.fuser
  const found = request.inputs?.map((): Tensor | null => null) ?? []
  const accumulate = (place: number, ct: Tensor): void => {
    const sum = cts[place]
    const total = cts[place] = sum ? add(sum, ct) : ct
    if (pass === null || !sum) return
    pass.hold([total])
    pass.drop([sum, ct])
  }
  graph.outputs.forEach((place, i) => {
    const ct = request.cts[i]
    if (place < 0 || !ct) return
    pass?.hold([ct])
    accumulate(place, ct)
  })
  const askedAt = new Map<number, number[]>()
  graph.inputs.forEach((place, i) => askedAt.set(place, [...askedAt.get(place) ?? [], i]))
  for (let k = nodes.length - 1; k >= 0; k--) {
    const node = nodes[k]!
    const first = places[k]!
    let incoming = cts.slice(first, first + node.results)
    cts.fill(null, first, first + node.results)
    if (!incoming.some(ct => ct !== null)) continue
    const arrived = incoming
    if (node.hooks !== null) incoming = hooked(node, arrived, hooks => hooks.before(arrived))
    if (askedAt.size > 0) {
      incoming.forEach((ct, slot) => askedAt.get(first + slot)?.forEach(i => {
        found[i] = ct
        pass?.hold([ct])
      }))
    }
    if (node.row === null) {
      pass?.hold(incoming)
      leaves.push({ node, ct: incoming[0]! })
    } else if (active(graph, k, needed)) {
      const list = operands[k]!
      const want = list.map(place => place >= 0 && needed[place] === 1)
      const step = pass && enter('step')
      const made = (fuser === undefined ? null : fuseNode(fuser, node, incoming, want)) ?? pullNode(node, incoming, want)
      if (step) keepOnly(made, step, pass)
      const out = node.hooks === null ? made : hooked(node, [...made, ...incoming], hooks => hooks.after(made, incoming))
      if (observer?.pulled) handingOut([...out, ...incoming], () => { observer!.pulled!(node, incoming, out) })
      if (out !== made) pass?.hold(out)
      for (let i = 0; i < out.length; i++) {
        const ct = out[i]
        if (ct && list[i]! >= 0 && needed[list[i]!]) accumulate(list[i]!, ct)
        else if (ct) pass?.drop([ct])
      }
      if (!request.retain) node.free()
    }
    pass?.drop(arrived)
  }
  return { inputs: found, leaves }
}

/** What hooks, which may keep what they are given, make of a node's cotangents. */
function hooked<R>(node: Node, given: readonly (Tensor | null)[], call: (hooks: NodeHooks) => R): R {
  innermostScope()?.touched.add(node)
  return handingOut(given, () => call(node.hooks!))
}

/** Ends the step of a rule, keeping the cotangents that it made. */
function keepOnly(made: readonly (Tensor | null)[], step: Region, pass: Region): void {
  pass.hold(made)
  leave(step, storagesOf(made))
}

/** The rule of one node. */
const pullNode = (node: Node, cts: (Tensor | null)[], want: readonly boolean[]): (Tensor | null)[] =>
  pullRow(node.row!, unpacked(node.xs!), unpacked(node.ys!), node.params, cts, want)

/** The same as one program; `null` where it is to run op by op: linear rules are one op mostly, and products have kernels of their own. */
function fuseNode(fuser: Fuser, node: Node, cts: (Tensor | null)[], want: readonly boolean[]): (Tensor | null)[] | null {
  const row = node.row!
  if (row.diff.kind === 'linear' || row.fuse === 'contract' || !fuser.takes(row.fuse === 'map' ? cts : node.xs!)) return null
  return fuser.backward(row, unpacked(node.xs!), unpacked(node.ys!), node.params, cts, want, pullRow)
}

/** A row's rule; a composite without a pullback of its own is decomposed and pulled back through. */
function pullRow(row: AnyRow, xs: Abstract[], ys: Abstract[], params: unknown, cts: (Tensor | null)[], want: readonly boolean[]): (Tensor | null)[] {
  const zero = (y: Abstract): Tensor => full(y.shape, 0, y.dtype, cts.find(ct => ct !== null)!.backend)
  if (row.diff.kind !== 'composite') return vjpRule(row, xs, ys, params, cts, want, zero)
  const given = cts.map((ct, i) => ct ?? zero(ys[i]!))
  if (row.vjp !== null) return row.vjp(given, xs, ys, params, want)
  const operands = xs.filter(isTensor)
  const moving = operands.flatMap((x, i) => isFloat(x.dtype) ? i : [])
  const { pullback } = pullbackOf(zs => [row.decompose!(operands.map((x, i) => moving.includes(i) ? zs[moving.indexOf(i)]! : x), params)].flat(), moving.map(i => operands[i]!))
  const found = pullback(given)
  return operands.map((_, i) => moving.includes(i) ? found[moving.indexOf(i)]! : null)
}

/** What was saved, fetched from whatever keeps it. */
function unpacked(saved: Abstract[]): Abstract[] {
  for (let i = 0; i < saved.length; i++) if (isPacked(saved[i]!)) return saved.map(x => isPacked(x) ? x.unpack() : x)
  return saved
}

/** y = x: the node of an alias, through which the level outside stays connected. */
const aliasRow = /* @__PURE__ */ defineOp({
  name: 'alias', arity: 1, fuse: 'view',
  infer: ([x]) => x.aval,
  diff: { kind: 'linear', transpose: [ct => ct] },
})

/** The same value as a new tensor whose cotangent can be told from `x`'s own: what a transform differentiates by. */
function alias(x: Tensor): Tensor {
  const y = current.lift(x)
  y.node = x.node === null ? leaf(x) : new Node(aliasRow, undefined, [x.aval], [x.aval], [x.node], [x.slot], 0)
  return y
}

/** A function's results and its reusable pullback; both connected to whatever recorded outside. */
export interface Pulled {
  readonly ys: Tensor[]
  readonly pullback: (cts: readonly (Tensor | null)[], retain?: boolean) => Tensor[]
}

/**
 * Runs `f` on aliases of `xs` and returns its results and their pullback. Nesting is safe without levels, for cotangents
 * are told apart by the alias they belong to: d/dx[x · d/dy(x + y)] = 1.
 */
export function pullbackOf(f: (xs: Tensor[]) => Tensor[], xs: readonly Tensor[]): Pulled {
  const since = now()
  const aliases = xs.map(alias)
  const outputs = withRecording(true, () => f(aliases))
  const outside = reachesBefore(outputs, since)
  const ys = outside && current.recording ? outputs : outputs.map(y => y.node === null ? y : current.lift(y))
  const pullback: Pulled['pullback'] = (cts, retain = true) => {
    const create = current.recording && (outside || cts.some(ct => ct?.node != null))
    const { inputs } = pull({ outputs, cts, inputs: aliases, retain: retain || create, create, since })
    return inputs.map((ct, i) => ct ?? zerosLike(xs[i]!))
  }
  return { ys, pullback }
}
