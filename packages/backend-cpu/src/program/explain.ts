// What became of a graph, in words: which ops share a loop, which have kernels of their own, which run in TypeScript.

import { describe } from '@bp/core/extend'
import type { Group } from './fuse.ts'
import { outsOf, type Step, type Steps } from './steps.ts'

/** Lines that say what was fused and what was not, and how many ops are computed again instead of kept. */
export function explain(groups: readonly Group[], repeated: number): string[] {
  const loops = groups.flatMap(({ loop }) => loop ? [loop] : [])
  const fused = loops.filter(loop => loop.length > 1)
  const kernels = groups.filter(({ steps }) => steps[0]!.kind === 'special')
  const followed = kernels.filter(({ loop }) => loop).length
  const islands = groups.filter(({ steps }) => steps[0]!.kind === 'island')
  const counts = new Map<string, number>()
  for (const { steps } of islands) counts.set(reason(steps[0]!), (counts.get(reason(steps[0]!)) ?? 0) + 1)
  return [
    `${loops.reduce((n, loop) => n + loop.length, 0)} elementwise ops, copies and reductions in ${loops.length} loops, ${fused.length} of them of several ops.`,
    `${kernels.length} ops with kernels of their own${followed === 0 ? '' : `, ${followed} of them with the loop that follows in their blocks`}.`,
    ...repeated > 0 ? [`${repeated} elementwise ops are computed again where they are read late, so that less is kept.`] : [],
    ...[...counts].map(([text, n]) => `${n} × ${text}`),
  ]
}

const reason = (step: Step): string => {
  const types = [...new Set(step.kind === 'island' ? [...step.avals.map(({ dtype }) => dtype), ...step.ins.map(({ dtype }) => dtype)] : [])].join(', ')
  return `${step.name} (${types}) runs in TypeScript between parts of the program: it has no WebAssembly kernel for these types.`
}

/** The groups, one op a line. */
export const printGroups = (groups: readonly Group[], { avals }: Steps): string => groups.map(({ steps, loop, space }) => {
  const head = loop && space ? `loop [${space.axes.map((size, axis) => space.within?.[axis] ? `(${size})` : size).join(',')}]${loop.length < steps.length ? ' in blocks of its kernel' : ''}` : steps[0]!.kind
  const lines = steps.map(step => `  ${outsOf(step).map(id => `%${id}: ${describe(avals.get(id)!)}`).join(', ')} = ${step.name}(${step.ins.map(ref => 'base' in ref ? `%${ref.base}` : String(ref.constant)).join(', ')})`)
  return [head, ...lines].join('\n')
}).join('\n')
