// What explain says: each reason, of a function that gives it.

import { compile, mul, type Tensor, tensor, use } from '@bp/core'
import { add, cast, cumSum, exp, Generator, matmul, relu, sum, take, transpose } from '@bp/ops'
import { expect, it } from 'vitest'
import { cpu } from '../index.ts'

use(cpu())

const generator = new Generator(1)
const [a, b] = [generator.normal([64, 64]), generator.normal([64, 64])]
/** All lines but the first, which counts what was traced, and the last, which counts bytes. */
const told = (f: (...xs: Tensor[]) => Tensor | Tensor[], ...xs: Tensor[]): string => compile(f).explain(...xs).split('\n').slice(1, -1).join('\n')

it('says which loops follow in the blocks of kernels, and why others do not', () => {
  expect(told((a, b) => relu(add(matmul(a, b), 1)), a, b)).toMatchInlineSnapshot(`
    "2 elementwise ops, copies and reductions in 1 loops, 1 of them of several ops.
    1 ops with kernels of their own, 1 of them with the loop that follows in their blocks."
  `)
  expect(told((a, b) => matmul(matmul(a, b), b), a, b)).toMatchInlineSnapshot(`
    "0 elementwise ops, copies and reductions in 0 loops, 0 of them of several ops.
    2 ops with kernels of their own.
    1 × no loop follows in the blocks of a kernel: only kernels read its result (dot f32[64,64]).
    1 × no loop follows in the blocks of a kernel: nothing reads its result but the caller (dot f32[64,64])."
  `)
  expect(told((a, b) => add(matmul(a, b), transpose(matmul(a, b))), a, b)).toMatchInlineSnapshot(`
    "1 elementwise ops, copies and reductions in 1 loops, 0 of them of several ops.
    1 ops with kernels of their own.
    1 × no loop follows in the blocks of a kernel: the loop that reads its result reads it at other places than its own: transposed, sliced or repeated (dot f32[64,64])."
  `)
  expect(told((a, b) => mul(take(a, tensor([1, 2, 3], { dtype: 'int32' })), b), a, generator.normal([3, 64]))).toMatchInlineSnapshot(`
    "1 elementwise ops, copies and reductions in 1 loops, 0 of them of several ops.
    1 ops with kernels of their own.
    1 × no loop follows in the blocks of a kernel: its kernel does not make its result in blocks (gather f32[3,64])."
  `)
})

it('says why loops are apart, and what has no kernel', () => {
  expect(told(a => mul(exp(a), sum(exp(a))), a)).toMatchInlineSnapshot(`
    "3 elementwise ops, copies and reductions in 2 loops, 1 of them of several ops.
    0 ops with kernels of their own.
    2 × a loop hands its result to another by memory: they do not walk the same rows, or one needs what the other has summed over all of them (exp f32[64,64]; sumTo f32[1,1])."
  `)
  expect(told(a => cast(cumSum(cast(a, 'int32'), 0), 'float32'), a)).toMatchInlineSnapshot(`
    "2 elementwise ops, copies and reductions in 2 loops, 0 of them of several ops.
    0 ops with kernels of their own.
    1 × runs in TypeScript between parts of the program: there is no WebAssembly kernel for int32 (cumSum i32[64,64])."
  `)
})
