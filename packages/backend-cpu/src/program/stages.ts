// Which pass over a row computes what: an op that needs a reduction's result comes in the pass after it.

import type { Arg, LoopOp, LoopSpec } from './loopSpec.ts'

/** When an op is computed, and whether for each element or once a row. */
export interface Stage {
  readonly pass: number
  readonly once: boolean
}

/** The pass of each op of a loop. */
export function stagesOf({ ops, loads, stores, within }: Pick<LoopSpec, 'ops' | 'loads' | 'stores' | 'within'>): Stage[] {
  const stages: Stage[] = []
  const constantInRow = (arg: Arg): boolean => {
    if (arg.kind === 'constant') return true
    if (arg.kind === 'load') return within !== null && loads[arg.at]!.strides.every((stride, axis) => stride === 0 || !within[axis])
    return isRowValue(ops[arg.at]!, stages[arg.at]!)
  }
  const ready = (arg: Arg): number => {
    if (arg.kind !== 'value') return 0
    const { pass } = stages[arg.at]!
    return ops[arg.at]!.kind === 'reduce' ? pass + 1 : pass
  }
  /** Whether a value is written to every element of a row. */
  const fills = (op: number): boolean => stores.some(store => store.op === op && store.to.strides.some((stride, axis) => stride !== 0 && within![axis]!))
  for (const [i, op] of ops.entries()) {
    if (op.kind === 'map') stages.push({ pass: Math.max(0, ...op.args.map(ready)), once: within !== null && op.args.length > 0 && op.args.every(constantInRow) && !fills(i) })
    else stages.push({ pass: ready(op.arg), once: false })
  }
  return stages
}

/** Whether an op has one value a row: a reduction along it, or an op on such. */
export const isRowValue = (op: LoopOp, { once }: Stage): boolean => op.kind === 'reduce' ? op.reach === 'row' : once
