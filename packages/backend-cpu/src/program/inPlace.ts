// Which results are written over an operand: one whose old elements nobody reads once the new ones are written.

import { bytesPerElement, type Graph, type Id } from '@bp/core/extend'
import { type Group, operandsOf, readInStep } from './fuse.ts'
import type { Life } from './lifetimes.ts'
import { type Addresses, loopOf } from './loopTasks.ts'
import { stagesOf } from './stages.ts'
import { basesOf, outsOf, type Steps } from './steps.ts'

/** For each result that is written over something, over which value or variable. */
export function inPlaceOf(graph: Graph, steps: Steps, groups: readonly Group[], lives: ReadonlyMap<Id, Life>): Map<Id, Id> {
  const out = new Map<Id, Id>()
  const variables = updated(graph, steps, groups)
  groups.forEach((group, g) => {
    const reads = new Set(operandsOf(group))
    // what is not read here may be written here by anything
    for (const id of group.steps.flatMap(outsOf)) {
      const variable = variables.get(id)
      if (variable !== undefined && !reads.has(variable)) out.set(id, variable)
    }
    if (!group.loop) return
    // a kernel before the loop reads more than the element that is written; its result is read where it is written
    const kernel = group.steps.filter(({ kind }) => kind === 'special')
    const whole = new Set(kernel.flatMap(basesOf))
    const dying = [...[...reads].filter(id => !whole.has(id)), ...kernel.flatMap(outsOf)].filter(id => lives.get(id)?.to === g)
    const free = new Set(dying)
    const results = group.loop.flatMap(step => step.kind === 'map' && lives.has(step.out) && !out.has(step.out) ? step.out : [])
    if (results.every(id => !variables.has(id)) && (dying.length === 0 || results.length === 0)) return
    const overwrites = overwriting(group)
    for (const result of results) {
      const variable = variables.get(result)
      if (variable !== undefined && !whole.has(variable) && overwrites(result, variable)) {
        out.set(result, variable)
        continue
      }
      const { dtype } = steps.avals.get(result)!
      const operand = [...free].find(id => lives.get(id)!.bytes === lives.get(result)!.bytes && bytesPerElement(steps.avals.get(id)!.dtype) === bytesPerElement(dtype) && overwrites(result, id))
      if (operand === undefined) continue
      free.delete(operand)
      out.set(result, operand)
    }
  })
  return out
}

/** For each new value of a variable, the variable, where nothing reads the old value after the group that makes the new one. */
function updated(graph: Graph, steps: Steps, groups: readonly Group[]): Map<Id, Id> {
  const lastRead = new Map<Id, number>()
  const maker = new Map<Id, number>()
  groups.forEach((group, g) => {
    for (const id of operandsOf(group)) lastRead.set(id, g)
    for (const id of group.steps.flatMap(outsOf)) maker.set(id, g)
  })
  const out = new Map<Id, Id>()
  graph.updates.forEach(({ variable }, i) => {
    const result = steps.updates[i]!
    const source = graph.variables.find(({ value }) => value === variable)
    if (!source || out.has(result) || !maker.has(result)) return
    if ((lastRead.get(source.id) ?? -1) > maker.get(result)! || steps.outputs.includes(source.id) || steps.updates.includes(source.id)) return
    out.set(result, source.id)
  })
  return out
}

/** Answers for groups that have been looked at, for these are planned in several orders. */
const known = new WeakMap<Group, (result: Id, operand: Id) => boolean>()
const nowhere: Addresses = { get: () => ({ address: 0, bytes: 0 }) }

/**
 * Whether a loop may write a result over an operand: each element is read only where the result's element is written, no
 * pass after the writing one reads the operand, and within that pass nothing reads it for the first time after the writing.
 */
function overwriting(group: Group): (result: Id, operand: Id) => boolean {
  const before = known.get(group)
  if (before) return before
  const { spec, members } = loopOf(group, nowhere, new Set())
  const space = group.space!
  const stages = stagesOf(spec)
  const overwrites = (result: Id, operand: Id): boolean => {
    const at = members.findIndex(({ step }) => step.out === result)
    if (members[at]!.span !== 'all' || stages[at]!.once) return false
    if (!readInStep(space, members, operand)) return false
    const readers = members.flatMap(({ step }, i) => basesOf(step).includes(operand) ? i : [])
    const { pass } = stages[at]!
    const same = readers.filter(i => stages[i]!.pass === pass)
    return readers.every(i => stages[i]!.pass <= pass) && (same.length === 0 || same[0]! <= at)
  }
  known.set(group, overwrites)
  return overwrites
}
