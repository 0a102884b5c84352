// Rewrites that need no arithmetic: nodes that do nothing, nodes that repeat another, nodes that nothing needs.

import type { NodeProto } from '../proto/proto.ts'
import { elementType } from '../proto/elementType.ts'
import { writeTensor } from '../proto/tensor.ts'
import { type Draft, graphsOf, is, readsOf } from './draft.ts'

/** One rewriting of a graph; tells how many places it has changed. */
export type Pass = (draft: Draft) => number

/** Operators whose results differ from run to run, or may. */
export const random: ReadonlySet<string> = /* @__PURE__ */ new Set(['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli', 'Dropout'])

/** Drops the nodes whose results nothing reads. */
export const dead: Pass = draft => {
  const before = draft.nodes.length
  const needed = new Set(draft.outputs)
  draft.nodes = draft.nodes.toReversed().filter(node => {
    if (!node.output?.some(name => needed.has(name))) return false
    for (const name of readsOf(node)) needed.add(name)
    return true
  }).reverse()
  draft.changed()
  return before - draft.nodes.length
}

/** The input that a node only passes on, or `null`. */
function passedOn(node: NodeProto, draft: Draft): string | null {
  const [x] = node.input ?? []
  if (!x || node.domain) return null
  const a = draft.attributes(node)
  switch (node.opType) {
    case 'Identity': return x
    case 'Cast': return draft.type(x) !== null && draft.type(x) === elementType(a.int('to', 0)) ? x : null
    case 'Dropout': return isOff(node, draft) && !node.output?.[1] ? x : null
    case 'Transpose': return a.ints('perm')?.every((axis, i) => axis === i) ? x : null
    case 'Concat': case 'Sum': case 'Max': case 'Min': case 'Mean': return node.input!.length === 1 ? x : null
    case 'Add': case 'Sub': return draft.number(node.input![1]) === 0 && keepsShape(node, draft) ? x : null
    case 'Mul': case 'Div': case 'Pow': return draft.number(node.input![1]) === 1 && keepsShape(node, draft) ? x : null
    default: return null
  }
}

/** Whether the second operand is a scalar, or has no more axes than the first is known to have. */
function keepsShape(node: NodeProto, draft: Draft): boolean {
  const axes = draft.literal(node.input![1])!.shape.length
  return axes === 0 || axes <= (draft.ranks.get(node.input![0]!) ?? 0)
}

/** A Dropout that drops nothing: since version 12 an input says so, before it was only for training. */
const isOff = (node: NodeProto, draft: Draft): boolean => draft.opset < 7
  ? draft.attributes(node).int('is_test', 0) !== 0
  : !node.input![2] || draft.number(node.input![2]) === 0 || draft.number(node.input![1]) === 0

/** Drops nodes that pass their input on: identities, dropout outside of training, sums with 0. */
export const pointless: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    const x = passedOn(node, draft)
    if (x === null || !draft.redirect(node.output![0]!, x)) continue
    draft.replace([node], [])
    count++
  }
  return count
}

/** Shapes that are the same for all inputs as constants. */
export const shapes: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    const sizes = is(node, 'Shape') && (node.attribute ?? []).length === 0 && !draft.outputs.has(node.output![0]!) ? draft.sizes(node.input![0]) : null
    if (!sizes) continue
    draft.constants.set(node.output![0]!, writeTensor(node.output![0]!, { dtype: 'int64', shape: [sizes.length], data: BigInt64Array.from(sizes, BigInt) }))
    draft.replace([node], [])
    count++
  }
  return count
}

/** Joins two transpositions, or two reshapes, that follow each other. */
export const chains: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    const before = draft.maker(node.input?.[0])
    if (!before || node.domain || before.domain || before.opType !== node.opType) continue
    if (node.opType === 'Transpose') {
      const [first, second] = [draft.attributes(before).ints('perm'), draft.attributes(node).ints('perm')]
      if (!first || second?.length !== first.length) continue
      const perm = second.map(axis => first[axis]!)
      node.attribute = node.attribute!.map(attribute => attribute.name === 'perm' ? { ...attribute, ints: perm } : attribute)
    } else if (node.opType !== 'Reshape' || draft.literal(node.input![1])?.data.includes(0n as never) !== false) continue
    node.input = [before.input![0]!, ...node.input!.slice(1)]
    draft.changed()
    count++
  }
  return count
}

/** One node of those that compute the same from the same. */
export const repeats: Pass = draft => {
  const known = new Map<string, NodeProto>()
  let count = 0
  for (const node of [...draft.nodes]) {
    if (random.has(node.opType ?? '') || graphsOf(node).length > 0 || (node.attribute ?? []).some(({ t, sparseTensor }) => t ?? sparseTensor)) continue
    const key = JSON.stringify([node.domain ?? '', node.opType, node.input, (node.output ?? []).map(name => name !== ''), attributesKey(node)])
    const same = known.get(key)
    if (!same) known.set(key, node)
    else if (node.output!.every(name => !draft.outputs.has(name))) {
      node.output!.forEach((name, i) => { if (name !== '') draft.redirect(name, same.output![i]!) })
      draft.replace([node], [])
      count++
    }
  }
  return count
}

const attributesKey = (node: NodeProto): unknown => (node.attribute ?? []).map(({ name, type, f, i, s, floats, ints, strings }) =>
  [name, type, f, String(i), s && Array.from(s), floats, ints?.map(String), strings?.map(text => Array.from(text))]).sort((a, b) => String(a[0]) < String(b[0]) ? -1 : 1)
