// The order of units: as in the graph, but what frees more memory than it takes runs as soon as it can.

import type { Graph, Id } from '../graph.ts'
import type { Unit, Units } from './units.ts'

/**
 * Units in an order in which they can run. An optimiser's update of a parameter moves up to where its gradient is made, as
 * nothing else holds the gradient; no update runs before the last that reads the variable's old value, which would cost a copy.
 * No value lives longer than in the order given, or is outweighed by one that dies instead.
 */
export function ordered(graph: Graph, { units, held, results }: Units): Unit[] {
  const makerOf = new Map<Id, Unit>(units.flatMap(unit => unit.makes.map(id => [id, unit] as const)))
  const readersOf = new Map<Id, Set<Unit>>()
  for (const unit of units) for (const id of [...unit.reads, ...unit.given]) readersOf.set(id, (readersOf.get(id) ?? new Set()).add(unit))
  const variableOf = new Map(graph.updates.map(({ variable, id }) => [id, graph.variables.find(({ value }) => value === variable)?.id]))
  const missing = new Map(units.map(unit => [unit, new Set(unit.reads.map(id => makerOf.get(id)!)).size]))
  const ready = new Set(units.filter(unit => missing.get(unit) === 0))
  const out: Unit[] = []
  const onlyReader = (id: Id, unit: Unit): boolean => {
    const readers = readersOf.get(id)
    return !readers || readers.size === 0 || (readers.size === 1 && readers.has(unit))
  }
  const frees = (unit: Unit): boolean => {
    if (unit.makes.some(id => variableOf.get(id) !== undefined && !onlyReader(variableOf.get(id)!, unit))) return false
    const freed = unit.reads.reduce((sum, id) => onlyReader(id, unit) && !results.has(id) ? sum + held.get(id)! : sum, 0)
    return freed > 0 && freed >= unit.makes.reduce((sum, id) => sum + held.get(id)!, 0)
  }
  const run = (unit: Unit): void => {
    out.push(unit)
    ready.delete(unit)
    missing.delete(unit)
    for (const id of [...unit.reads, ...unit.given]) readersOf.get(id)!.delete(unit)
    for (const reader of new Set(unit.makes.flatMap(id => [...readersOf.get(id) ?? []]))) {
      const left = missing.get(reader)! - 1
      missing.set(reader, left)
      if (left === 0) ready.add(reader)
    }
  }
  for (const unit of units) {
    if (missing.has(unit)) run(unit)
    for (let next = [...ready].find(frees); next; next = [...ready].find(frees)) run(next)
  }
  return out
}
