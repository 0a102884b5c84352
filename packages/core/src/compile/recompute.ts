// Recomputing: a run of a graph's units in less memory, in which values are dropped and computed again before their next use.

import type { Graph, GraphNode, Id } from '../graph.ts'
import { needed } from './simplify.ts'
import type { Slices } from './slices.ts'
import type { Unit, Units } from './units.ts'
import { avalsOf } from './work.ts'

/** How much more may be computed than the graph computes once, before a run counts as impossible. */
const mostWork = 4

/** The graph of a run. */
export interface Run {
  readonly graph: Graph
  /** The most bytes that were in memory at once, by the units' own account. */
  readonly peak: number
  /** The cost of what was computed again; see {@link costOf}. */
  readonly work: number
}

/**
 * Runs the units in the order given, on paper, in `room` bytes. Where the next unit does not fit, values are dropped that a later
 * unit reads; before that unit they are computed again, and what that takes, down to what is there. Dropped first is what costs
 * least for its bytes and for the time until it is read: cost / (bytes · √time), where the cost is that of all dropped values on
 * the way to it. That is the rule of Kirisame et al. 2021 ("Dynamic Tensor Rematerialization"), but with the time to come, which
 * is known here, for the time gone by, as in Belády 1966 ("A Study of Replacement Algorithms for a Virtual-Storage Computer");
 * of time, √time and 1, and of costs with and without those of what hangs on a value, these took least work on three networks.
 *
 * The result computes exactly what the graph does, in the order of the run. `null` where that takes too much work.
 */
export function recompute(graph: Graph, units: Units, slices: Slices, order: readonly Unit[], room: number): Run | null {
  const run = new Running(graph, units, slices, order, room)
  return run.finished ? { graph: run.graph(), peak: run.peak, work: run.work } : null
}

class Running {
  peak = 0
  work = 0
  readonly finished: boolean
  private readonly source: Graph
  private readonly units: Units
  private readonly made: Slices
  private readonly room: number
  /** When each value is read, in order. */
  private readonly uses = new Map<Id, number[]>()
  private readonly inMemory = new Set<Id>()
  private readonly locks = new Map<Id, number>()
  private bytes = 0
  private time = 0

  private readonly nodes: GraphNode[] = []
  /** Where each value of the source was computed last. */
  private readonly now = new Map<Id, Id>()
  private readonly views = new Map<GraphNode, string>()
  /** Behind which fence what lies in no memory was computed. */
  private readonly madeBehind = new Map<Id, number>()
  private next: Id
  private fence = 0
  private turn = 0

  constructor(source: Graph, units: Units, made: Slices, order: readonly Unit[], room: number) {
    this.source = source
    this.units = units
    this.made = made
    this.room = room
    this.next = [...avalsOf(source).keys()].reduce((most, id) => Math.max(most, id), -1) + 1
    order.forEach(({ reads }, time) => { for (const id of reads) this.uses.set(id, [...this.uses.get(id) ?? [], time]) })
    this.finished = order.every(unit => this.runUnit(unit))
  }

  /** The graph of what was run. */
  graph(): Graph {
    const outputs = this.source.outputs.map(id => this.resolve(id))
    const updates = this.source.updates.map(({ variable, id }) => ({ variable, id: this.resolve(id) }))
    return { ...this.source, outputs, updates, nodes: needed(this.nodes, [...outputs, ...updates.map(({ id }) => id)]) }
  }

  private runUnit(unit: Unit): boolean {
    const { nodes, reads, makes } = unit
    const turn = nodes[0]!.fence ?? 0
    if (turn > this.turn) {
      this.turn = turn
      this.fence++
    }
    const dropped = reads.filter(id => !this.inMemory.has(id))
    for (const id of reads) if (this.inMemory.has(id)) this.lock(id, 1)
    if (dropped.length > 0) this.fence++
    for (const id of dropped) {
      if (!this.make(id)) return false
      this.lock(id, 1)
    }
    this.makeRoom(makes)
    for (const node of nodes) this.emit(node)
    if (dropped.length > 0) this.fence++
    for (const id of makes) this.place(id)
    for (const id of reads) this.lock(id, -1)
    this.time++
    for (const id of [...reads, ...makes]) this.dropUnread(id)
    for (const id of this.made.spares.get(unit)!) {
      if (this.bytes + this.made.sizes.get(id)! <= this.room) this.place(id)
      this.dropUnread(id)
    }
    return true
  }

  /** Computes a value again. */
  private make(id: Id): boolean {
    if (this.inMemory.has(id)) return true
    const { nodes, reads, cost } = this.made.slices.get(id)!
    this.work += cost
    if (this.work > mostWork * this.made.cost) return false
    for (const read of reads) {
      if (!this.make(read)) return false
      this.lock(read, 1)
    }
    this.makeRoom([id])
    for (const node of nodes) {
      // what lies in no memory may have been made for another value just now
      if (node.outputs.some(out => out === id || this.madeBehind.get(out) !== this.fence)) this.emit(node, true)
    }
    this.place(id)
    for (const read of reads) {
      this.lock(read, -1)
      this.dropUnread(read)
    }
    return true
  }

  private lock(id: Id, by: number): void {
    this.locks.set(id, (this.locks.get(id) ?? 0) + by)
  }

  private place(id: Id): void {
    if (this.inMemory.has(id)) return
    this.inMemory.add(id)
    this.bytes += this.made.sizes.get(id)!
    this.peak = Math.max(this.peak, this.bytes)
  }

  private drop(id: Id): void {
    this.inMemory.delete(id)
    this.bytes -= this.made.sizes.get(id)!
  }

  /** When a value is read next; `Infinity` if never. */
  private nextUse(id: Id): number {
    return this.uses.get(id)?.find(time => time >= this.time) ?? Infinity
  }

  /** When a value is read next, be it only to compute again what can be made of it. */
  private nextNeed(id: Id): number {
    const use = this.nextUse(id)
    return use < Infinity ? use : Math.min(Infinity, ...this.supported(id).map(child => this.nextUse(child)))
  }

  /** What will be read of that which can be made of a value, by way of spares too. */
  private supported(id: Id): Id[] {
    return (this.made.children.get(id) ?? []).flatMap(child => this.nextUse(child) < Infinity ? child : this.uses.has(child) ? [] : this.supported(child))
  }

  /**
   * Drops a value that no unit will read, unless it is worth more than its bytes: as that of which several others that will be
   * read, larger together, can be made.
   */
  private dropUnread(id: Id): void {
    if (!this.inMemory.has(id) || this.locks.get(id) || this.units.results.has(id) || this.nextUse(id) < Infinity) return
    const bytes = [...new Set(this.supported(id))].reduce((sum, child) => sum + this.made.sizes.get(child)!, 0)
    if (this.room === Infinity || bytes <= this.made.sizes.get(id)!) this.drop(id)
  }

  /** Drops values until what is to be made fits, or nothing is left to drop. */
  private makeRoom(made: readonly Id[]): void {
    const wanted = made.reduce((sum, id) => this.inMemory.has(id) ? sum : sum + this.made.sizes.get(id)!, 0)
    while (this.bytes + wanted > this.room) {
      let worst: Id | undefined
      let least = Infinity
      for (const id of this.inMemory) {
        const size = this.made.sizes.get(id)!
        if (size === 0 || this.locks.get(id) || this.units.results.has(id)) continue
        const need = this.nextNeed(id)
        const worth = need === Infinity ? 0 : this.lossOf(id) / (size * Math.sqrt(need - this.time + 1))
        if (worth < least) {
          least = worth
          worst = id
        }
      }
      if (worst === undefined) return
      this.drop(worst)
    }
  }

  /** What it costs to compute a value again, with the dropped values on the way to it. */
  private lossOf(id: Id): number {
    const seen = new Set<Id>()
    const visit = (value: Id): number => {
      if (seen.has(value)) return 0
      seen.add(value)
      const { reads, cost } = this.made.slices.get(value)!
      return reads.reduce((sum, read) => this.inMemory.has(read) ? sum : sum + visit(read), cost)
    }
    return visit(id)
  }

  /** Writes a node down, with the values as they are now; a second time under new names. */
  private emit(node: GraphNode, again = false): void {
    const inputs = node.inputs.map(id => this.resolve(id))
    const outputs = again ? node.outputs.map(() => this.next++) : node.outputs
    node.outputs.forEach((id, i) => {
      this.now.set(id, outputs[i]!)
      this.madeBehind.set(id, this.fence)
    })
    this.nodes.push({ ...node, inputs, outputs, fence: this.fence })
  }

  /** The present name of a value. */
  private resolve(id: Id): Id {
    const node = this.units.makers.get(id)
    if (!node) return id
    if (this.units.free.has(node)) {
      const key = node.inputs.map(input => this.resolve(input)).join()
      const before = this.views.get(node)
      if (before !== key) {
        this.views.set(node, key)
        this.emit(node, before !== undefined)
      }
    }
    return this.now.get(id)!
  }
}
