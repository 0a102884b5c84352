// gradcheck on functions that are right, wrong in one mode, wrong at second order, and on inputs it cannot use.

import { cpu } from '@bp/backend-cpu'
import { cos, detach, exp, matmul, mean, sin, sum, take, tanh, topk } from '@bp/ops'
import { expect, test } from 'vitest'
import { customJvp, customVjp, gradcheck, gradgradcheck, mul, numericalGrad, numericalJacobian, type Tensor, tensor, use } from './index.ts'

use(cpu())

const x = tensor([0.3, -0.7, 1.1])

test('several inputs, one of them whole numbers, several results', async () => {
  const f = (a: Tensor, w: Tensor, i: Tensor): Tensor[] => [sum(tanh(matmul(take(a, i), w)), 1), mean(w), i]
  const inputs = [tensor([[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]]), tensor([[1, 2], [3, 4]]), tensor([2, 0], { dtype: 'int32' })]
  const report = await gradcheck(f, inputs)
  expect(report.derivatives).toBe(2 * 3 * 10)
  expect(report.worst).toBeLessThan(0.01)
  expect((await gradgradcheck(f, inputs)).worst).toBeLessThan(0.01)
})

test('results that are not floating-point are left out', async () => {
  expect((await gradcheck(z => topk(z, 2), [x])).derivatives).toBe(2 * 2 * 3)
})

test('a wrong rule is named by mode, element and size', async () => {
  await expect(gradcheck(z => mul(detach(z), exp(z)), [x])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: gradcheck: ∂(result 0[1])/∂(input 0[1]) is -0.34760971087805914 by reverse mode and 0.1489755988293151 by a central difference: off by 0.497, allowed 0.000159. Correct the rule, or move the point away from a kink]`)
  const backwards = customVjp({ forward: (z: Tensor) => [sin(z), z] as const, backward: (z, ct) => [mul(ct, mul(1.01, cos(z)))] as const })
  await expect(gradcheck(backwards, [x], { modes: ['reverse'] })).rejects.toThrow(/reverse mode/)
  const forwards = customJvp({ forward: (z: Tensor) => sin(z), pushforward: ([z], [t]) => mul(t, mul(1.01, cos(z))) })
  await expect(gradcheck(forwards, [x], { modes: ['forward'] })).rejects.toThrow(/forward mode/)
  await expect(gradcheck(z => mul(z, NaN), [x])).rejects.toThrow(/off by NaN/)
})

test('a rule that is right once and wrong twice', async () => {
  const once = customVjp({ forward: (z: Tensor) => [sin(z), z] as const, backward: (z, ct) => [mul(ct, detach(cos(z)))] as const })
  await gradcheck(once, [x])
  await expect(gradgradcheck(once, [x])).rejects.toThrow(/^gradgradcheck: ∂\(gradient by input 0\[2\]\)\/∂\(input 0\[2\]\)/)
})

test('inputs and results are named by their own places, and the worst is named', async () => {
  const f = (i: Tensor, a: Tensor): readonly Tensor[] => [i, mul(take(a, i), detach(exp(take(a, i))))]
  const inputs = [tensor([2, 1], { dtype: 'int32' }), tensor([0, 0, 1])]
  await expect(gradcheck(f, inputs)).rejects.toThrow('∂(result 1[0])/∂(input 1[2]) is 2.718281828459045 by reverse mode')
  await expect(gradgradcheck(f, inputs)).rejects.toThrow(/∂\(gradient by input 1\[2\]\)\/∂\((input 1\[2\]|cotangent of result 1\[0\])\)/)
})

test('nothing to differentiate by, or nothing to differentiate, is an error', async () => {
  await expect(gradcheck(z => z, [tensor([1], { dtype: 'int32' })])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: gradcheck: no input is floating-point, got i32[1]. Give one to differentiate by]`)
  await expect(gradcheck(() => tensor([1], { dtype: 'int32' }), [x])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: gradcheck: no result is floating-point, got i32[1]. There is nothing to differentiate]`)
})

test('numerical Jacobians and gradients', async () => {
  const j = await numericalJacobian(z => mul(z, z), x)
  expect(j.shape).toEqual([3, 3])
  const want = [0.6, 0, 0, 0, -1.4, 0, 0, 0, 2.2]
  Array.from(j.dataSync() as Float64Array).forEach((v, i) => { expect(v).toBeCloseTo(want[i]!, 6) })
  const g = await numericalGrad(z => sum(mul(z, z)), x)
  expect([g.shape, g.dtype]).toEqual([[3], 'float64'])
  Array.from(g.dataSync() as Float64Array).forEach((v, i) => { expect(v).toBeCloseTo(2 * [0.3, -0.7, 1.1][i]!, 6) })
  await expect(numericalGrad(z => z, x)).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: numericalGrad: the function must return a scalar, got f64[3]. Reduce it with sum or mean, or take numericalJacobian]`)
  await expect(numericalJacobian(z => z, tensor(1, { dtype: 'int32' }))).rejects.toThrow(/^numericalJacobian: no input is floating-point/)
})
