// What became of a graph, in words: which ops share a loop, which have kernels of their own, which run in TypeScript, and why.

import { describe, type Id } from '@bp/core/extend'
import { type BlocksOf, unfollowed } from './epilogue.ts'
import { assemble, type Group, operandsOf } from './fuse.ts'
import { outsOf, type Step, type Steps } from './steps.ts'

/** What was changed before anything was fused: ops computed again instead of kept, and products that became parts of others. */
export interface Changed {
  readonly repeated: number
  readonly joined: number
}

/** Lines that say what was changed, what was fused, what was not and why. */
export function explain(groups: readonly Group[], { repeated, joined }: Changed, blocksOf: BlocksOf): string[] {
  const loops = groups.flatMap(({ loop }) => loop ? [loop] : [])
  const fused = loops.filter(loop => loop.length > 1)
  const kernels = groups.filter(({ steps }) => steps[0]!.kind === 'special')
  const followed = kernels.filter(({ loop }) => loop).length
  const islands = groups.flatMap(({ steps }) => steps[0]!.kind === 'island' ? steps : [])
  return [
    `${loops.reduce((n, loop) => n + loop.length, 0)} elementwise ops, copies and reductions in ${loops.length} loops, ${fused.length} of them of several ops.`,
    `${kernels.length} ops with kernels of their own${followed === 0 ? '' : `, ${followed} of them with the loop that follows in their blocks`}.`,
    ...joined > 0 ? [`${joined} products are computed as parts of others, which are their sums.`] : [],
    ...repeated > 0 ? [`${repeated} elementwise ops are computed again where they are read late, so that less is kept.`] : [],
    ...counted(unfollowed(groups, blocksOf).map(({ step, why }) => ({ name: nameOf(step), why: `no loop follows in the blocks of a kernel: ${why}` }))),
    ...counted(separate(groups).map(({ step, why }) => ({ name: nameOf(step), why: `a loop hands its result to another by memory: ${why}` }))),
    ...counted(islands.map(step => ({ name: nameOf(step), why: `runs in TypeScript between parts of the program: there is no WebAssembly kernel for ${typesOf(step)}` }))),
  ]
}

/** Reasons with how often each is given and for what, the first few. */
function counted(list: readonly { readonly name: string; readonly why: string }[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, why } of list) names.set(why, [...names.get(why) ?? [], name])
  return [...names].map(([why, all]) => `${all.length} × ${why} (${[...new Set(all)].slice(0, 3).join('; ')}${new Set(all).size > 3 ? '; …' : ''}).`)
}

const nameOf = (step: Step): string => `${step.name} ${describe(step.kind === 'island' ? step.avals[0]! : step.aval)}`
const typesOf = (step: Step): string => step.kind === 'island' ? [...new Set([...step.avals.map(({ dtype }) => dtype), ...step.ins.map(({ dtype }) => dtype)])].join(', ') : ''

/** Values that one loop makes and another reads, and why the two are not one. */
function separate(groups: readonly Group[]): { readonly step: Step; readonly why: string }[] {
  const makers = new Map<Id, { readonly group: Group; readonly step: Step }>()
  for (const group of groups) for (const step of group.loop ?? []) makers.set(step.out, { group, step })
  const seen = new Set<Id>()
  return groups.flatMap(group => group.loop ? operandsOf(group).flatMap(id => {
    const made = makers.get(id)
    if (!made || seen.has(id)) return []
    seen.add(id)
    return { step: made.step, why: whyApart(made.group, group) }
  }) : [])
}

function whyApart(a: Group, b: Group): string {
  if (a.era !== b.era) return 'it is read much later'
  if (a.loop!.length < a.steps.length || b.loop!.length < b.steps.length) return 'one of them follows in the blocks of a kernel'
  return assemble([...a.loop!, ...b.loop!]) ? 'a kernel lies on the way from one to the other' : 'they do not walk the same rows, or one needs what the other has summed over all of them'
}

/** The groups, one op a line. */
export const printGroups = (groups: readonly Group[], { avals }: Steps): string => groups.map(({ steps, loop, space }) => {
  const head = loop && space ? `loop [${space.axes.map((size, axis) => space.within?.[axis] ? `(${size})` : size).join(',')}]${loop.length < steps.length ? ' in blocks of its kernel' : ''}` : steps[0]!.kind
  const lines = steps.map(step => `  ${outsOf(step).map(id => `%${id}: ${describe(avals.get(id)!)}`).join(', ')} = ${step.name}(${step.ins.map(ref => 'base' in ref ? `%${ref.base}` : String(ref.constant)).join(', ')})`)
  return [head, ...lines].join('\n')
}).join('\n')
