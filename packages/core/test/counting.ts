// A backend of handles over another: it counts those that are live, and throws where one is used that was freed.

import type { Backend, TypedArray } from '@bp/core'
import { type Kernel, owned } from '@bp/core/extend'

/** Stands for a storage of the backend beneath, with which it may be shared. */
export class Handle {
  readonly storage: object
  freed = false
  /** Where it was made. */
  readonly made = new Error('made')

  constructor(storage: object) {
    this.storage = storage
  }
}

/** The backend, and its handles that have not been freed. */
export interface Counting extends Backend<Handle> {
  readonly live: ReadonlySet<Handle>
  /** The most that were live at once since this was set. */
  peak: number
  /** How many handles more are live after `f`. */
  readonly more: (f: () => unknown) => number
}

/** The kernels of `inner`, one by one, on handles. */
export function counting(inner: Backend): Counting {
  const live = new Set<Handle>()
  const make = (storage: object): Handle => {
    const handle = new Handle(storage)
    live.add(handle)
    backend.peak = Math.max(backend.peak, live.size)
    owned(handle, backend)
    return handle
  }
  const use = ({ storage, freed, made }: Handle): object => {
    if (freed) throw new Error('a handle is used after it was freed', { cause: made })
    return storage
  }
  const wrap = (kernel: Kernel): Kernel<Handle> => (xs, p, out) => {
    const result = kernel(xs.map(({ storage, shape, dtype, aval }) => ({ storage: use(storage), shape, dtype, aval })), p, out)
    return Array.isArray(result) ? result.map(make) : make(result)
  }
  const backend: Counting = {
    name: 'counting',
    live,
    peak: 0,
    more: f => {
      const before = live.size
      f()
      return live.size - before
    },
    write: (data, aval) => make(inner.write(data, aval)),
    read: (handle, aval) => inner.read(use(handle), aval),
    readSync: (handle, aval): TypedArray => inner.readSync!(use(handle), aval),
    free: handle => {
      handle.freed = true
      live.delete(handle)
    },
    snapshot: handle => make(inner.snapshot ? inner.snapshot(use(handle)) : use(handle)),
    bytes: handle => inner.bytes(use(handle)),
    kernels: Object.fromEntries(Object.entries(inner.kernels).map(([name, kernel]) => [name, wrap(kernel)])),
  }
  return backend
}
