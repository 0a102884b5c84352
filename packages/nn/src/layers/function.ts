// A function as a module, for layers that hold nothing but their options.

import type { Tensor } from '@bp/core'
import { Module } from '../module.ts'

/** A module whose forward is a function that it is made with. */
export class FunctionModule<Args extends readonly unknown[] = [x: Tensor], Result = Tensor> extends Module<Args, Result> {
  private readonly compute: (...args: Args) => Result

  constructor(compute: (...args: Args) => Result) {
    super()
    this.compute = compute
  }

  override forward(...args: Args): Result {
    return this.compute(...args)
  }
}
