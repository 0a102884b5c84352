// Ops that a traced program computes twice, computed once: what all parameters of an optimiser share, such as corrected rates.

import { type Id, keyOf } from '@bp/core/extend'
import type { Twin, TwinNode } from './twin.ts'

/** The program without ops that repeat an earlier one at every size at which it was traced. */
export function withoutRepeats(twin: Twin): Twin {
  const stands = new Map<Id, Id>()
  const known = new Map<string, readonly Id[]>()
  const now = (id: Id): Id => stands.get(id) ?? id
  const nodes = twin.nodes.flatMap((original): TwinNode[] => {
    const node = { ...original, inputs: original.inputs.map(now) }
    const key = `${keyOf(node.row)} ${node.inputs.join()} ${node.params.map(keyOf).join(' ')}`
    const before = known.get(key)
    if (!before) {
      known.set(key, node.outputs)
      return [node]
    }
    node.outputs.forEach((id, i) => stands.set(id, before[i]!))
    return []
  })
  return { ...twin, nodes, outputs: twin.outputs.map(now) }
}
