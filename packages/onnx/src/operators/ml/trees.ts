// Ensembles of decision trees of ai.onnx.ml, walked in step for all examples and trees, so that they compile.

import { type Tensor, tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { add, amax, amin, any, argMax, broadcastTo, cast, concat, equal, greater, greaterEqual, less, lessEqual, logicalAnd, logicalOr, mean, narrow, notEqual, reshape, select, sub, sum, take, takeAlong } from '@bp/ops'
import type { Attributes } from '../../import/attributes.ts'
import { entries } from '../../import/budget.ts'
import type { ModelNode } from '../../import/load.ts'
import { only, onTensors, type Operator, type Operators } from '../operator.ts'
import { bothScores, constant, given, labelled, labelsOf, rows, transformed, transformNames, transformOf } from './scores.ts'

/** How a node compares a feature with its value; a leaf does not. In the order of their numbers in TreeEnsemble. */
const modes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ', 'BRANCH_MEMBER', 'LEAF'] as const
type Mode = typeof modes[number]

/** All trees as one list of nodes. */
interface Forest {
  readonly roots: readonly number[]
  readonly mode: readonly Mode[]
  readonly feature: readonly number[]
  readonly split: readonly number[]
  readonly yes: readonly number[]
  readonly no: readonly number[]
  readonly missing: readonly boolean[]
  /** Of nodes that test membership, the members. */
  readonly members: readonly (readonly number[])[]
  /** Of leaves, what they add to which target. */
  readonly leaves: readonly (readonly (readonly [target: number, weight: number])[])[]
  readonly depth: number
}

/** How many steps the longest way from a root has. Throws where a way never ends. */
function depthOf({ roots, mode, yes, no }: Omit<Forest, 'depth'>, node: ModelNode): number {
  let depth = 0
  let level = new Set(roots)
  for (; [...level].some(i => mode[i] !== 'LEAF'); depth++) {
    if (depth > mode.length) fail('data', node.operator, 'a branch leads back to itself. The file is damaged')
    level = new Set([...level].flatMap(i => mode[i] === 'LEAF' ? [] : [yes[i]!, no[i]!]))
    for (const i of level) if (!(i >= 0 && i < mode.length)) fail('data', node.operator, `a branch leads to node ${i} of ${mode.length}. The file is damaged`)
  }
  return depth
}

const complete = (forest: Omit<Forest, 'depth'>, node: ModelNode): Forest => ({ ...forest, depth: depthOf(forest, node) })

/** The numbers of an attribute that is a list of floats or, in double precision, a tensor. */
const precise = (attributes: Attributes, name: string): readonly number[] | null => {
  const tensor = attributes.tensor(`${name}_as_tensor`)
  return tensor && tensor.data.length > 0 ? Array.from<number | bigint, number>(tensor.data, Number) : attributes.floats(name)
}

/** The trees of TreeEnsembleClassifier and TreeEnsembleRegressor, whose nodes are named by tree and number. */
function readNamed(attributes: Attributes, node: ModelNode, weightsName: string): Forest {
  const ints = (name: string): readonly number[] => given(attributes.ints(name), name, node)
  const [trees, numbers, features, yes, no] = ['nodes_treeids', 'nodes_nodeids', 'nodes_featureids', 'nodes_truenodeids', 'nodes_falsenodeids'].map(ints) as [readonly number[], ...(readonly number[])[]]
  const mode = given(attributes.strings('nodes_modes'), 'nodes_modes', node) as readonly Mode[]
  for (const name of new Set(mode)) only(node, 'nodes_modes', name, ...modes.filter(known => known !== 'BRANCH_MEMBER'))
  const places = new Map(trees.map((tree, i) => [`${tree}/${numbers![i]}`, i]))
  const child = (list: readonly number[]) => (tree: number, i: number): number => mode[i] === 'LEAF' ? i : places.get(`${tree}/${list[i]}`) ?? -1
  const [whereTrue, whereFalse] = [trees.map(child(yes!)), trees.map(child(no!))]
  const led = new Set([...whereTrue, ...whereFalse].filter((to, i) => to !== i % trees.length))
  const kind = weightsName.startsWith('class') ? 'class' : 'target'
  const [leafTrees, leafNumbers, targets] = [`${kind}_treeids`, `${kind}_nodeids`, `${kind}_ids`].map(ints) as [readonly number[], readonly number[], readonly number[]]
  const weights = given(precise(attributes, weightsName), weightsName, node)
  const leaves = trees.map((): [number, number][] => [])
  targets.forEach((target, i) => leaves[places.get(`${leafTrees[i]}/${leafNumbers[i]}`) ?? fail('data', node.operator, `entry ${i} of ${kind}_nodeids names no node. The file is damaged`)]!.push([target, weights[i]!]))
  const missing = attributes.ints('nodes_missing_value_tracks_true') ?? []
  return complete({
    roots: [...new Set(trees)].map(tree => rootOf(trees, tree, mode, led, node)), mode, feature: features!, split: given(precise(attributes, 'nodes_values'), 'nodes_values', node),
    yes: whereTrue, no: whereFalse, missing: trees.map((_, i) => (missing[i] ?? 0) !== 0), members: [], leaves,
  }, node)
}

/** The first branch of a tree to which no other leads, or its leaf where it has no branch. */
function rootOf(trees: readonly number[], tree: number, mode: readonly Mode[], led: ReadonlySet<number>, node: ModelNode): number {
  const own = trees.flatMap((other, i) => other === tree ? i : [])
  const branches = own.filter(i => mode[i] !== 'LEAF')
  const root = branches.length > 0 ? branches.find(i => !led.has(i)) : own[0]
  return root ?? fail('data', node.operator, `tree ${tree} has no root: a branch leads back to it. The file is damaged`)
}

/** The trees of TreeEnsemble, whose branches lead to nodes or to leaves by their places; leaves follow the nodes in the list here. */
function readPlaced(attributes: Attributes, node: ModelNode): Forest {
  const numbers = (name: string): readonly number[] | null => {
    const tensor = attributes.tensor(name)
    return tensor && Array.from<number | bigint, number>(tensor.data, Number)
  }
  const ints = (name: string): readonly number[] => given(attributes.ints(name), name, node)
  const codes = given(numbers('nodes_modes'), 'nodes_modes', node)
  const count = codes.length
  const targets = ints('leaf_targetids')
  const weights = given(numbers('leaf_weights'), 'leaf_weights', node)
  const [yes, yesLeaf, no, noLeaf] = ['nodes_truenodeids', 'nodes_trueleafs', 'nodes_falsenodeids', 'nodes_falseleafs'].map(ints) as [readonly number[], readonly number[], readonly number[], readonly number[]]
  const withLeaves = <T>(nodes: readonly T[], leaf: (i: number) => T): T[] => [...nodes, ...targets.map((_, i) => leaf(count + i))]
  const lists = membersOf(numbers('membership_values') ?? [])
  let list = 0
  const missing = attributes.ints('nodes_missing_value_tracks_true') ?? []
  return complete({
    roots: ints('tree_roots'), mode: withLeaves(codes.map(code => modes[code] ?? fail('data', node.operator, `nodes_modes holds ${code}. The file is damaged`)), () => 'LEAF'),
    feature: withLeaves(ints('nodes_featureids'), () => 0), split: withLeaves(given(numbers('nodes_splits'), 'nodes_splits', node), () => 0),
    yes: withLeaves(yes.map((to, i) => yesLeaf[i] ? count + to : to), i => i), no: withLeaves(no.map((to, i) => noLeaf[i] ? count + to : to), i => i),
    missing: withLeaves(codes.map((_, i) => (missing[i] ?? 0) !== 0), () => false),
    members: withLeaves(codes.map(code => modes[code] === 'BRANCH_MEMBER' ? lists[list++] ?? [] : []), () => []),
    leaves: withLeaves(codes.map(() => []), i => [[targets[i - count]!, weights[i - count]!]]),
  }, node)
}

/** Lists that NaN ends. */
function membersOf(values: readonly number[]): number[][] {
  const lists: number[][] = [[]]
  for (const value of values) {
    if (Number.isNaN(value)) lists.push([])
    else lists.at(-1)!.push(value)
  }
  return lists
}

/* A node's trees are read once. */
const forests = /* @__PURE__ */ new WeakMap<ModelNode, Forest>()

function forestOf(node: ModelNode, read: () => Forest): Forest {
  const known = forests.get(node)
  if (known) return known
  const made = read()
  forests.set(node, made)
  return made
}

const comparisons: Readonly<Record<Exclude<Mode, 'LEAF' | 'BRANCH_MEMBER'>, (x: Tensor, split: Tensor) => Tensor>> = {
  BRANCH_LEQ: lessEqual, BRANCH_LT: less, BRANCH_GTE: greaterEqual, BRANCH_GT: greater, BRANCH_EQ: equal, BRANCH_NEQ: notEqual,
}

/** The leaf that each example [n, features] reaches in each tree: places in the list of nodes, [n, trees]. */
function leavesOf(x: Tensor, forest: Forest): Tensor {
  const { backend } = x
  const table = (values: readonly number[]): Tensor => tensor(Int32Array.from(values), { backend })
  const [feature, yes, no, mode] = [table(forest.feature), table(forest.yes), table(forest.no), table(forest.mode.map(name => modes.indexOf(name)))]
  const split = constant(forest.split, [forest.split.length], x)
  const missing = forest.missing.includes(true) ? table(forest.missing.map(Number)) : null
  const used = modes.filter((name): name is Exclude<Mode, 'LEAF'> => name !== 'LEAF' && forest.mode.includes(name))
  const width = Math.max(1, ...forest.members.map(list => list.length))
  const members = forest.members.some(list => list.length > 0) ? constant(forest.members.flatMap(list => Array.from({ length: width }, (_, i) => list[i] ?? NaN)), [forest.members.length, width], x) : null
  const compare = (name: Exclude<Mode, 'LEAF'>, value: Tensor, at: Tensor): Tensor => {
    if (name !== 'BRANCH_MEMBER') return comparisons[name](value, take(split, at))
    return members ? any(equal(reshape(value, [...value.shape, 1]), take(members, at)), -1) : notEqual(at, at)
  }
  let at = broadcastTo(table(forest.roots), [x.shape[0]!, forest.roots.length])
  for (let step = 0; step < forest.depth; step++) {
    const value = takeAlong(x, take(feature, at), 1)
    const passes = used.map(name => used.length === 1 ? compare(name, value, at) : logicalAnd(equal(take(mode, at), modes.indexOf(name)), compare(name, value, at))).reduce((a, b) => logicalOr(a, b))
    const goes = missing ? logicalOr(passes, logicalAnd(notEqual(value, value), equal(take(missing, at), 1))) : passes
    at = select(goes, take(yes, at), take(no, at))
  }
  return at
}

/** What the leaves give to each of `count` targets, over all trees: [n, count]. A target that no leaf gives anything has 0. */
function aggregated(x: Tensor, forest: Forest, count: number, how: string, node: ModelNode): Tensor {
  const nothing = how === 'MIN' ? Infinity : how === 'MAX' ? -Infinity : 0
  const extreme = how === 'MIN' ? Math.min : Math.max
  entries(node.operator, count * forest.leaves.length)
  const beyond = forest.leaves.flat().find(([target]) => !(target >= 0 && target < count))
  if (beyond) fail('data', node.operator, `a leaf gives to target ${beyond[0]} of ${count}. The file is damaged`)
  const weights = forest.leaves.flatMap(leaf => {
    const row = new Array<number>(count).fill(nothing)
    for (const [target, weight] of leaf) row[target] = nothing === 0 ? row[target]! + weight : extreme(row[target]!, weight)
    return row
  })
  const given = take(constant(weights, [forest.leaves.length, count], x), leavesOf(x, forest))
  if (how === 'SUM') return sum(given, [1])
  if (how === 'AVERAGE') return mean(given, [1])
  const y = how === 'MIN' ? amin(given, [1]) : amax(given, [1])
  return select(equal(y, nothing), 0, y)
}

/** A row of numbers added to each example's, where there is one. */
const based = (y: Tensor, base: readonly number[] | null): Tensor => base?.length ? add(y, constant(base, [base.length], y)) : y

const regressor: Operator = onTensors(1, ([x], attributes, node) => {
  const values = rows(x!)
  const how = attributes.string('aggregate_function', 'SUM')
  only(node, 'aggregate_function', how, 'SUM', 'AVERAGE', 'MIN', 'MAX')
  const forest = forestOf(node, () => readNamed(attributes, node, 'target_weights'))
  const y = based(aggregated(values, forest, attributes.int('n_targets', 1), how, node), precise(attributes, 'base_values'))
  return cast(transformed(y, transformOf(attributes, node)), 'float32')
})

/**
 * Where all leaves of two classes give to the first, what they give is the score of the second: a probability where none is negative,
 * else by its sign.
 */
const classifier: Operator = onTensors(1, ([x], attributes, node) => {
  const values = rows(x!)
  const labels = labelsOf(attributes, 'classlabels_int64s')
  const forest = forestOf(node, () => readNamed(attributes, node, 'class_weights'))
  const name = transformOf(attributes, node)
  const given = forest.leaves.flat()
  const base = precise(attributes, 'base_values')
  const targets = new Set(given.map(([target]) => target))
  const scores = aggregated(values, forest, Math.max(1, labels.length), 'SUM', node)
  const out = (index: Tensor, y: Tensor): ReturnType<Operator> => [labelled(index, labels), cast(y, 'float32')]
  if (labels.length !== 2 || targets.size !== 1) {
    const all = based(scores, base)
    return out(argMax(all, 1), transformed(all, name))
  }
  const second = targets.has(1)
  const score = based(narrow(scores, 1, second ? 1 : 0, 1), base?.slice(-1) ?? null)
  const positive = given.every(([, weight]) => weight >= 0)
  const index = cast(greater(reshape(score, [values.shape[0]!]), positive ? 0.5 : 0), 'int32')
  if (second) return out(index, transformed(concat([narrow(scores, 1, 0, 1), score], 1), name))
  return out(index, positive && name === 'NONE' ? concat([sub(1, score), score], 1) : bothScores(score, name))
})

/** The aggregations of TreeEnsemble by their numbers. */
const aggregations = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const

const ensemble: Operator = onTensors(1, ([x], attributes, node) => {
  const how = attributes.int('aggregate_function', 1)
  only(node, 'aggregate_function', how, 0, 1, 2, 3)
  const name = attributes.int('post_transform', 0)
  only(node, 'post_transform', name, 0, 1, 2, 3, 4)
  const forest = forestOf(node, () => readPlaced(attributes, node))
  const y = aggregated(rows(x!), forest, attributes.int('n_targets', 1), aggregations[how]!, node)
  return cast(transformed(y, transformNames[name]!), x!.dtype)
})

/** Ensembles of trees by name. */
export const treeEnsembles: Operators = { 'ai.onnx.ml:TreeEnsembleRegressor': regressor, 'ai.onnx.ml:TreeEnsembleClassifier': classifier, 'ai.onnx.ml:TreeEnsemble': ensemble }
