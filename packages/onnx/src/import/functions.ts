// Functions of a model's own: which nodes call them, what calls come to, and how a call is run.

import { fail } from '@bp/core/extend'
import type { Operator, Operators } from '../operators/operator.ts'
import { Allowance } from './limits.ts'
import { functionKey, type LoadedFunction, type ModelNode } from './load.ts'

/** Finds the function that a node calls; `null` for one whose operator is implemented. */
export type Callees = (node: ModelNode) => LoadedFunction | null

/** The functions of a model, called where there is no implementation of an operator of their name. */
export function calleesOf(functions: readonly LoadedFunction[], table: Operators): Callees {
  const byKey = new Map(functions.map(f => [functionKey(f), f]))
  return node => node.operator === 'Constant' || Object.hasOwn(table, node.operator) ? null : byKey.get(functionKey(node)) ?? null
}

/** The nodes and those of the graphs inside them. */
export const everyNode = (nodes: readonly ModelNode[]): ModelNode[] => nodes.flatMap(node => [node, ...[...node.graphs.values()].flatMap(graph => everyNode(graph.nodes))])

/** Calls and graphs inside one another may be this deep: a run goes as deep on the stack. */
const maxDepth = 64

interface Cost {
  readonly nodes: number
  readonly depth: number
}

/**
 * The functions that nodes call, and those that these call. Throws a `data` error where functions call one another in a circle or too
 * deep, where a call does not fit its function, and where a run would go through more than `limit` nodes, those of a function counted
 * at each call. Each function is looked at once, however often it is called.
 */
export function reachable(nodes: readonly ModelNode[], callees: Callees, limit: number): LoadedFunction[] {
  const costs = new Map<LoadedFunction, Cost>()
  const calling: LoadedFunction[] = []
  const costOf = (list: readonly ModelNode[]): Cost => {
    let [count, deepest] = [0, 0]
    for (const node of list) {
      const f = callees(node)
      const inner = [...f ? [costOfCall(node, f)] : [], ...[...node.graphs.values()].map(graph => costOf(graph.nodes))]
      count += inner.reduce((sum, cost) => sum + cost.nodes, 1)
      deepest = inner.reduce((most, { depth }) => Math.max(most, depth + 1), deepest)
    }
    return { nodes: count, depth: deepest }
  }
  const costOfCall = (node: ModelNode, f: LoadedFunction): Cost => {
    checkCall(node, f)
    const known = costs.get(f)
    if (known) return known
    if (calling.includes(f)) fail('data', 'importOnnx', `functions call one another in a circle: ${[...calling.slice(calling.indexOf(f)), f].map(({ operator }) => operator).join(' → ')}. The file is damaged; export the model again`)
    calling.push(f)
    if (calling.length > maxDepth) tooDeep()
    const cost = costOf(f.nodes)
    calling.pop()
    costs.set(f, cost)
    return cost
  }
  const total = costOf(nodes)
  if (total.depth > maxDepth) tooDeep()
  new Allowance(limit, most => `a run of the model would go through more than ${most} nodes, those of its functions counted at each call. If the file is to be trusted, pass a higher { limits: { nodes } }`).take(total.nodes)
  return [...costs.keys()]
}

function tooDeep(): never {
  fail('data', 'importOnnx', `functions and graphs inside nodes stand in one another deeper than ${maxDepth} levels. The file is damaged or was made to do harm`)
}

function checkCall({ name, operator, inputs, outputs }: ModelNode, f: LoadedFunction): void {
  const check = (what: string, got: number, most: number): void => {
    if (got > most) fail('data', 'importOnnx', `node ${JSON.stringify(name)} calls the function ${operator} with ${got} ${what}, but it has ${most}. The file is damaged`)
  }
  check('inputs', inputs.length, f.inputs.length)
  check('outputs', outputs.length, f.outputs.length)
}

/** The function that a node calls, as an operator: it stands among the node's graphs, under no attribute's name. */
export const call: Operator = (inputs, _attributes, _node, context) => context.run('', inputs)
