// Runs nodes on constants, one by one, as far as each can be run and its results stay within bounds.

import { BpError, noGrad } from '@bp/core'
import { bytesPerElement, sizeOf, trace } from '@bp/core/extend'
import type { Context } from '../operators/operator.ts'
import { TracingRunner } from '../import/abstract.ts'
import { type Work, within } from '../import/budget.ts'
import { OnnxModule } from '../import/module.ts'
import { narrowTo } from '../import/narrow.ts'
import { type Frame, type Results, Runner, type Step, type Values } from '../import/run.ts'
import { Carried, Known, StringTensor, toTensor, type Value } from '../import/value.ts'
import type { Stored } from '../proto/tensor.ts'

/** What folding may do beside its tensors. */
const work: Work = { entries: 2 ** 20, steps: 2 ** 10, collected: 2 ** 24 }

/** One result may have the bytes of all constants and so many more, whatever becomes of it. */
const room = 2 ** 24

/** Bytes of a tensor; 0 of what is none. */
const bytesOf = (value: Value | undefined): number => value && 'size' in value || value instanceof Known || value instanceof Carried ? sizeOf(value.shape) * bytesPerElement(value.dtype) : 0

/** A runner that leaves out what cannot be run, and what would be too large: its shapes are looked at first. */
class Folder extends Runner {
  private readonly looker: Runner
  private readonly most: number

  constructor(variables: ReadonlyMap<string, Value>, most: number) {
    super(null, variables)
    this.looker = new TracingRunner(null, variables)
    this.most = most
  }

  override step(step: Step, values: Values, frame: Frame, recompute: Context['recompute']): Results {
    try {
      let total = 0
      trace(() => {
        total = this.looker.step(step, values, frame, recompute).reduce((sum, value) => sum + bytesOf(value), 0)
        return []
      }, [])
      return total <= this.most ? super.step(step, values, frame, recompute) : []
    } catch (error) {
      if (error instanceof BpError) return []
      throw error
    }
  }
}

/** The values of a model without inputs by name, where they are tensors or strings and could be told. */
export function evaluated(model: OnnxModule, names: readonly string[]): Map<string, Stored> {
  const { steps, variables: kept, narrow, constants } = OnnxModule.partsOf(model)
  const variables = new Map<string, Value>([...kept].map(([name, x]) => [name, narrow.has(name) ? narrowTo(narrow.get(name)!, x) : x]))
  const given: Values = new Map<string, Value | undefined>([...variables, ...constants])
  const most = [...given.values()].reduce((sum, value) => sum + bytesOf(value), room)
  const values = within(work, () => noGrad(() => new Folder(variables, most).run(steps, () => new Map(given))))
  return new Map(names.flatMap(name => {
    const stored = storedOf(values.get(name))
    return stored ? [[name, stored] as const] : []
  }))
}

/** A value as it is stored; `null` of lists and optionals. */
function storedOf(value: Value | undefined): Stored | null {
  if (value instanceof StringTensor) return value
  if (value instanceof Carried) return { type: value.type, ...storedOf(value.carrier) as Exclude<Stored, StringTensor> }
  if (value instanceof Known) return { dtype: value.dtype, shape: value.shape, data: value.data }
  if (!value || !('size' in value)) return null
  const x = toTensor(value)
  return { dtype: x.dtype, shape: x.shape, data: x.dataSync() }
}
