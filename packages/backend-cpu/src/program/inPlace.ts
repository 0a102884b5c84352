// Which variables can be updated where they lie: those whose old elements nobody reads once the new ones are written.

import type { Graph, Id } from '@bp/core/extend'
import { assemble, denseIn, domain, type Group, keptBy, stridesIn } from './fuse.ts'
import { outsOf, type Steps } from './steps.ts'

/** For each result that can be computed in place, the variable in whose place. */
export function inPlaceUpdates(graph: Graph, steps: Steps, groups: readonly Group[]): Map<Id, Id> {
  const out = new Map<Id, Id>()
  graph.updates.forEach(({ variable }, i) => {
    const result = steps.updates[i]!
    const source = graph.variables.find(({ value }) => value === variable)
    if (!source || out.has(result)) return
    const maker = groups.findIndex(({ loop }) => loop?.some(step => outsOf(step).includes(result)))
    if (maker < 0) return
    const reads = (g: Group): boolean => g.steps.some(({ ins }) => ins.some(ref => 'base' in ref && ref.base === source.id))
    if (groups.some((group, g) => g > maker && reads(group)) || steps.outputs.includes(source.id) || steps.updates.includes(source.id)) return
    if (elementwise(groups[maker]!, source.id, result)) out.set(result, source.id)
  })
  return out
}

/** Whether a group reads each element of the variable only to write it, in the same pass. */
function elementwise(group: Group, variable: Id, result: Id): boolean {
  const { space, members } = assemble(group.loop!)!
  // a kernel before the loop reads more than the element that is written
  if (group.steps.some(step => step.kind === 'special' && step.ins.some(ref => 'base' in ref && ref.base === variable))) return false
  const at = members.findIndex(({ step }) => step.out === result)
  if (members[at]!.kept !== null || keptBy(members[at]!) !== 'all' || space.within !== null) return false
  const expected = denseIn(space, 'all')
  return members.every(({ step, span }) => step.ins.every(ref => {
    if (!('base' in ref) || ref.base !== variable) return true
    return ref.layout.offset === 0 && stridesIn(space, ref, domain(step), span).every((stride, axis) => stride === expected[axis])
  }))
}
