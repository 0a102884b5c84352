// Tensor: an immutable value on a backend, with the node that made it; Variable: the one thing that can be assigned.

import type { Abstract, Aval } from './aval.ts'
import { backward, type BackwardOptions } from './backward.ts'
import type { Backend } from './backend.ts'
import { type DType, isFloat, type TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import { format, nest, type Nested } from './format.ts'
import { fromHalf } from './half.ts'
import { assignments, current } from './interpreter.ts'
import { leaf, type Node, saver } from './node.ts'
import { innermostScope, kept, regraded, replaced } from './ownership.ts'
import { describe, type Shape, sizeOf } from './shape.ts'

/**
 * An n-dimensional array: a value that never changes, on one backend. Made by {@link tensor}, {@link zeros} and the like.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * const x = tensor([[1, 2], [3, 4]])
 * x.shape // => [2, 2]
 * x.toArray() // => [[1, 2], [3, 4]]
 * ```
 */
export class Tensor implements Abstract {
  /** Shape and dtype, shared with other tensors alike. */
  readonly aval: Aval
  /** The backend's own handle; `null` in a tensor that is being traced. */
  storage: object | null
  readonly backend: Backend
  /** The node that made this tensor; `null` where no gradient is wanted. */
  node: Node | null = null
  /** Which of the node's results this is. */
  slot = 0
  /** How often this has been assigned; always 0 but in a {@link Variable}. */
  version = 0

  constructor(aval: Aval, storage: object | null, backend: Backend) {
    this.aval = aval
    this.storage = storage
    this.backend = backend
  }

  /** The size of each axis; `[]` for a scalar. */
  get shape(): Shape {
    return this.aval.shape
  }

  /** The element type. */
  get dtype(): DType {
    return this.aval.dtype
  }

  /** How many elements. */
  get size(): number {
    return sizeOf(this.aval.shape)
  }

  /** How many axes. */
  get rank(): number {
    return this.aval.shape.length
  }

  /** The tensors that this stands for, in a transform; `null` where it has a storage itself. */
  parts(): readonly Tensor[] | null {
    return null
  }

  /** Whether ops on this tensor are recorded, so that `backward` reaches it. Set it to `true` to make it a leaf. */
  get requiresGrad(): boolean {
    return this.node !== null
  }

  set requiresGrad(on: boolean) {
    if (on && !isFloat(this.dtype)) fail('dtype', 'requiresGrad', `only floating-point tensors have gradients, got ${describe(this)}. Cast it to float32 first`)
    if (!on && !this.isLeaf) fail('grad', 'requiresGrad', 'this tensor is the result of an op and cannot stop requiring grad. Use detach(x) for a copy that does')
    if (!on) this.node = null
    else if (this.node === null) {
      this.node = leaf(this)
      if (this.backend.free) innermostScope()?.leaves.set(this.node, this)
    }
  }

  /** Whether gradients end here: true for tensors that were made by the user, not by an op. */
  get isLeaf(): boolean {
    return this.node?.row == null
  }

  /** The gradient that `backward` has accumulated, or `null`: of leaves, and of tensors that `retainGrad` was called on. */
  get grad(): Tensor | null {
    return this.node?.grad ?? this.node?.hooks?.retainedGrad(this.slot) ?? null
  }

  set grad(value: Tensor | null) {
    if (!this.node) fail('grad', 'grad', 'this tensor does not require grad. Set requiresGrad = true first')
    if (this.backend.free) regraded(this.node, this.node.grad, value)
    this.node.grad = value
    // what is set while tracing means nothing afterwards
    current.grads?.add(this.node)
  }

  /**
   * Computes the gradients of this tensor, a scalar unless `gradient` is given, and adds them to the `.grad` of every leaf.
   *
   * @example
   * ```ts
   * import { tensor, mul } from '@bp/core'
   * const x = tensor(3, { requiresGrad: true })
   * mul(x, x).backward()
   * x.grad // => tensor(6, float32)
   * ```
   */
  backward(options?: BackwardOptions): void {
    backward(this, options)
  }

  /** Copies the elements out, row-major; those of a float16 tensor as bits, see `decodeFloat16`. */
  async data(): Promise<TypedArray> {
    return this.backend.read(this.materialised('data'), this.aval)
  }

  /** The same at once; throws on backends that can only read asynchronously. */
  dataSync(): TypedArray {
    const storage = this.materialised('dataSync')
    if (!this.backend.readSync) return fail('backend', 'dataSync', `the ${this.backend.name} backend reads asynchronously. Use await x.data()`)
    return this.backend.readSync(storage, this.aval)
  }

  /** The value of a tensor with one element, as a number. */
  item(): number {
    if (this.size !== 1) fail('shape', 'item', `needs one element, got ${describe(this)}. Use toArray() or dataSync()`)
    const value = Number(this.dataSync()[0])
    return this.dtype === 'float16' ? fromHalf(value) : value
  }

  /** The elements as nested arrays: numbers, or booleans for `bool`, or bigints for `int64`. */
  toArray(): Nested {
    return nest(this.dataSync(), this.shape, this.dtype)
  }

  /** `tensor([1, 2], float32)`, shortened where it is long. */
  toString(): string {
    return this.storage && this.backend.readSync ? format(this.dataSync(), this.shape, this.dtype) : describe(this)
  }

  private materialised(op: string): object {
    return this.storage ?? fail('data', op, `${describe(this)} has no value: it is being traced, or belongs to a transform that has ended. Read results outside of grad, jvp, vmap, trace or compile, of what the function returns`)
  }
}

/**
 * A tensor that can be given a new value: parameters, running statistics, optimiser state.
 *
 * @example
 * ```ts
 * import { tensor, Variable } from '@bp/core'
 * const count = new Variable(tensor(1))
 * count.assign(tensor(2))
 * count.item() // => 2
 * ```
 */
export class Variable extends Tensor {
  constructor(value: Tensor) {
    super(value.aval, kept(value), value.backend)
    if (this.backend.free) replaced(null, this.storage, this.backend)
  }

  /** Gives the variable a new value of the same shape and dtype. A graph that saved the old one then refuses `backward`. */
  assign(value: Tensor): void {
    if (value.dtype !== this.dtype || value.shape.length !== this.rank || value.shape.some((d, i) => d !== this.shape[i])) {
      fail('shape', 'assign', `the variable is ${describe(this)}, the new value ${describe(value)}. Reshape or cast the value, or make a new Variable`)
    }
    if (value.backend !== this.backend) fail('backend', 'assign', `the variable is on ${this.backend.name}, the new value on ${value.backend.name}. Move it with await to(value, backend)`)
    const chosen = assignments.trial === null ? value : assignments.trial.choose(value, this)
    if (chosen === null) return
    saver?.assigning(this)
    current.assign(this, chosen)
  }
}
