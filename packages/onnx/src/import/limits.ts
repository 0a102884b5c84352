// What a file may make of itself when it is loaded, where a small one could come to much.

import { fail } from '@bp/core/extend'
import { messageLimit } from '../proto/wire.ts'

/** Bounds of a model's size, for files that are not to be trusted; a model that is may need higher ones. */
export interface ImportLimits {
  /** Messages in the file: nodes, attributes, tensors, sizes of shapes. 2¹⁸ unless given; a node takes three to ten of them. */
  readonly messages?: number
  /** Bytes of all tensors that are stored sparsely, once they are dense. 2²⁷ unless given. */
  readonly sparseBytes?: number
  /** Nodes that a run goes through, those of a function at each call; those of branches and loops once. 2²⁰ unless given. */
  readonly nodes?: number
  /** Steps that all loops take in one run. 2²⁰ unless given. */
  readonly steps?: number
  /** Bytes that loops collect from their steps in one run. 2³⁰ unless given. */
  readonly collected?: number
  /** Numbers that operators lay out one by one in a run, such as the weights of a resized axis. 2²⁴ unless given. */
  readonly entries?: number
}

/** The limits of a file of which nothing is known. */
export const defaultLimits: Required<ImportLimits> = { messages: messageLimit, sparseBytes: 2 ** 27, nodes: 2 ** 20, steps: 2 ** 20, collected: 2 ** 30, entries: 2 ** 24 }

/** So much of something, to be taken bit by bit. */
export class Allowance {
  private left: number
  private readonly total: number
  private readonly refusal: (total: number) => string

  /** `refusal` is the text of the error for who takes more. */
  constructor(total: number, refusal: (total: number) => string) {
    this.left = total
    this.total = total
    this.refusal = refusal
  }

  take(amount: number): void {
    this.left -= amount
    if (!(this.left >= 0)) fail('data', 'importOnnx', this.refusal(this.total))
  }
}
