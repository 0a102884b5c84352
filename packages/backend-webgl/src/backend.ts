// The backend around a device: handles that are freed by core, by scopes, or in the end by finalisation.

import type { Backend } from '@bp/core'
import { type Aval, fail, type Graph, type GraphNode, type Kernel, lookUp, type Operand, owned, type Program } from '@bp/core/extend'
import type { Device } from './device/device.ts'
import { type Claim, encodingOf, Handle, type Value } from './device/storage.ts'
import { fromHost, hostFor } from './host.ts'
import { kernelsOf } from './kernels/index.ts'
import type { Holder } from './program/executable.ts'
import { fuserOf } from './program/fused.ts'
import { lower, memoryPlan } from './program/lower.ts'

/** What {@link WebglBackend.memory} counts. */
export interface WebglMemory {
  /** Textures that hold values of tensors, and their bytes. */
  readonly textures: number
  readonly bytes: number
  /** Textures that are kept for later results, and their bytes. */
  readonly pooled: number
  readonly pooledBytes: number
  /** Kernels that were compiled. */
  readonly kernels: number
  /** Storages that nobody has freed yet. */
  readonly handles: number
}

/** The WebGL backend. */
export interface WebglBackend extends Backend<Handle> {
  /** What the adapter calls itself. */
  readonly adapter: string
  /** The `WebGL2RenderingContext`, for what is not done here. Bindings of it are not restored. */
  readonly context: object
  /** Whether the context is lost at this moment. */
  readonly lost: boolean
  /** What is held now. */
  memory(): WebglMemory
}

/** Makes and frees handles. */
export class Handles {
  /** How many there are. */
  count = 0
  private readonly device: Device
  private readonly trace: boolean
  private readonly registry: FinalizationRegistry<Claim>

  constructor(device: Device, trace: boolean) {
    this.device = device
    this.trace = trace
    this.registry = new FinalizationRegistry(claim => {
      if (claim.value === null) return
      if (claim.origin !== undefined) console.warn(`@bp/backend-webgl: a tensor was freed only when it was collected; free it sooner by scope(). It was made ${claim.origin}`)
      this.let(claim)
    })
  }

  /** A new handle on a value. */
  make(value: Value): Handle {
    const handle = new Handle(value, this.trace ? new Error().stack?.split('\n').slice(3).join('\n') : undefined)
    this.registry.register(handle, handle.claim)
    this.count++
    return handle
  }

  /** Frees a handle; a second time is nothing. */
  free({ claim }: Handle): void {
    if (claim.value !== null) this.let(claim)
  }

  /** The value of a handle that is given up for it; nobody holds the value for this handle any more. */
  give({ claim }: Handle): Value {
    const value = this.taken(claim)
    value.holders--
    return value
  }

  private let(claim: Claim): void {
    this.device.release(this.taken(claim))
  }

  /** The value of a claim that ends; it still holds it. */
  private taken(claim: Claim): Value {
    const value = claim.value!
    claim.value = null
    this.count--
    return value
  }
}

/** The backend on a device. */
export function backendOn(device: Device, trace: boolean): WebglBackend {
  const handles = new Handles(device, trace)
  /** A handle that the innermost open scope frees. */
  const result = (value: Value): Handle => {
    const handle = handles.make(value)
    owned(handle, backend)
    return handle
  }
  const wrap = (kernel: Kernel<Value>): Kernel<Handle> => (xs, p, out) => {
    const operands = new Array<Operand<Value>>(xs.length)
    for (let i = 0; i < xs.length; i++) {
      const { storage, aval, shape, dtype } = xs[i]!
      operands[i] = { storage: storage.value, aval, shape, dtype }
    }
    return result(kernel(operands, p, out) as Value)
  }
  const table = kernelsOf(device)
  const kernels = Object.fromEntries(Object.entries(table).map(([name, kernel]) => [name, wrap(kernel)]))
  const backend: WebglBackend = {
    name: 'webgl',
    adapter: device.adapter,
    context: device.gl,
    get lost() { return device.lost },
    memory: () => ({ ...device.counts, handles: handles.count }),
    write(data, aval) {
      if (encodingOf(aval.dtype) !== 'none') return result(device.write(data, aval))
      const host = hostFor(device.host, 'tensor', aval.dtype)
      return result(fromHost(device, host, host.write(data, aval), aval))
    },
    read({ value }, aval) {
      return value.away ? device.host!.read(value.away, aval) : device.read(value)
    },
    readSync({ value }, aval) {
      return value.away ? hostFor(device.host, 'dataSync', aval.dtype).readSync(value.away, aval) : device.readNow(value)
    },
    free: handle => { handles.free(handle) },
    snapshot: ({ value }) => result(value),
    bytes: ({ value }) => value.away ? device.host!.bytes(value.away) : 4 * value.length,
    kernels,
    lower: graph => program(graph),
    plan: graph => memoryPlan(device, graph),
    fuser: fuserOf(graph => program(graph)),
  }
  const holder: Holder = { result, lasting: value => handles.make(value), free: handle => { handles.free(handle) } }
  /** A node's kernel on values; one that is not of this backend works on handles. */
  const kernel = (node: GraphNode, xs: readonly Operand<Value>[]): Value[] => {
    const { row, params, avals } = node
    const own = Object.hasOwn(table, row.name) ? table[row.name]! : null
    const out = avals.length === 1 ? avals[0]! : avals
    if (own) return [own(xs, params as never, out as Aval & Aval[])].flat()
    const other = lookUp(row, backend) ?? fail('backend', row.name, "the webgl backend has no kernel for it, and the op has no decomposition. Add decompose or host to defineOp")
    const operands = xs.map(({ storage, aval, shape, dtype }) => ({ storage: handles.make(storage), aval, shape, dtype }))
    try {
      return [other(operands, params as never, out as Aval & Aval[])].flat().map(made => handles.give(made as Handle))
    } finally {
      for (const { storage } of operands) handles.free(storage)
    }
  }
  const program = (graph: Graph): Program<Handle> => lower({ device, kernel }, holder, graph)
  return backend
}
