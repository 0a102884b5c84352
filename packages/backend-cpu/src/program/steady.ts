// What stays as it is from run to run: constants, variables that a program only reads, and what follows from them alone.

import type { Graph, Id } from '@bp/core/extend'
import { type Group, operandsOf } from './fuse.ts'
import { outsOf } from './steps.ts'

/**
 * The values that are the same in every run until somebody assigns a variable: a normalisation's factors, weights in another
 * order. None in a program that updates variables: what it keeps for the next run would only take its memory.
 */
export function steadyValues(graph: Graph, groups: readonly Group[]): Set<Id> {
  if (graph.updates.length > 0) return new Set()
  const steady = new Set([...graph.constants, ...graph.variables].map(({ id }) => id))
  for (const group of groups) if (isSteady(group, steady)) for (const id of group.steps.flatMap(outsOf)) steady.add(id)
  return steady
}

/** Whether a group makes nothing but such values. */
export const isSteady = (group: Group, steady: ReadonlySet<Id>): boolean => {
  const operands = operandsOf(group)
  return operands.length > 0 && group.steps.every(({ kind }) => kind !== 'island') && operands.every(id => steady.has(id))
}

/** Groups in the same order, but what makes steady values in front, for it runs before all else, and once. */
export function steadyFirst(graph: Graph, groups: readonly Group[]): { readonly groups: readonly Group[]; readonly steady: ReadonlySet<Id> } {
  const steady = steadyValues(graph, groups)
  return { groups: [...groups.filter(group => isSteady(group, steady)), ...groups.filter(group => !isSteady(group, steady))], steady }
}
