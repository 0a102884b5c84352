// Dtypes that the GPU has not: their tensors live on a host backend, whose kernels compute them.

import type { Backend, DType } from '@bp/core'
import { type Aval, fail, type Kernel, type Operand } from '@bp/core/extend'
import type { Device } from './device/device.ts'
import { encodingOf, type Value } from './device/storage.ts'
import { madeOnHost } from './kernels/reduceHost.ts'

/** Whether tensors of a dtype live on the host. */
const away = (dtype: DType): boolean => encodingOf(dtype) === 'none'

/** The host backend for an op; throws where there is none. */
export function hostFor(host: Backend | null, op: string, dtype: DType): Backend & Required<Pick<Backend, 'readSync'>> {
  if (!host) return fail('dtype', op, `the GPU has no ${dtype}. Cast to ${dtype === 'int64' ? 'int32' : 'float32'}, or let another backend have it: webgl({ host: cpu() })`)
  return host as Backend & Required<Pick<Backend, 'readSync'>>
}

/** A value as the host's own storage, copied there where it lies on the GPU. */
function toHost(device: Device, host: Backend, x: Operand<Value>): Operand {
  const { storage: value, aval } = x
  return { storage: value.away ?? host.write(device.readNow(value), aval), aval, shape: x.shape, dtype: x.dtype }
}

/** A storage of the host as a value of this backend. */
export function fromHost(device: Device, host: ReturnType<typeof hostFor>, storage: object, aval: Aval): Value {
  if (!away(aval.dtype)) return device.write(host.readSync(storage, aval), aval)
  const value = device.empty(aval)
  value.away = storage
  return value
}

/** A kernel that leaves operands and results of dtypes that the GPU has not to the host's kernel of the same op. */
export function orOnHost(device: Device, name: string, kernel: Kernel<Value>): Kernel<Value> {
  return (xs, p, out) => {
    let foreign: DType | null = away(out.dtype) ? out.dtype : null
    for (let i = 0; i < xs.length && foreign === null; i++) if (away(xs[i]!.dtype)) foreign = xs[i]!.dtype
    if (foreign === null) return kernel(xs, p, out)
    const host = hostFor(device.host, name, foreign)
    const there = Object.hasOwn(host.kernels, name) ? host.kernels[name]! : madeOnHost(host, name) ?? fail('backend', name, `the ${host.name} backend, which has ${foreign} for the GPU, has no kernel for it`)
    return fromHost(device, host, there(xs.map(x => toHost(device, host, x)), p, out), out)
  }
}
