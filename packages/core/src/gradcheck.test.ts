// gradcheck on functions that are right, wrong in one mode, wrong at second order, and on inputs it cannot use.

import { cpu } from '@bp/backend-cpu'
import { cos, detach, exp, matmul, mean, sin, sum, take, tanh, topk } from '@bp/ops'
import { expect, test } from 'vitest'
import { customJvp, customVjp, gradcheck, gradgradcheck, mul, numericalJacobian, type Tensor, tensor, use } from './index.ts'

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
  await expect(gradcheck(z => mul(detach(z), exp(z)), [x])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: gradcheck: ∂(result 0[0])/∂(input 0[0]) is 0.4049576631918434 by reverse mode and 1.7548164868153027 by a central difference: off by 1.35, allowed 0.00176. Correct the rule, or move the point away from a kink]`)
  const backwards = customVjp({ forward: (z: Tensor) => [sin(z), z] as const, backward: (z, ct) => [mul(ct, mul(1.01, cos(z)))] as const })
  await expect(gradcheck(backwards, [x], { modes: ['reverse'] })).rejects.toThrow(/reverse mode/)
  const forwards = customJvp({ forward: (z: Tensor) => sin(z), pushforward: ([z], [t]) => mul(t, mul(1.01, cos(z))) })
  await expect(gradcheck(forwards, [x], { modes: ['forward'] })).rejects.toThrow(/forward mode/)
  await expect(gradcheck(z => mul(z, NaN), [x])).rejects.toThrow(/off by NaN/)
})

test('a rule that is right once and wrong twice', async () => {
  const once = customVjp({ forward: (z: Tensor) => [sin(z), z] as const, backward: (z, ct) => [mul(ct, detach(cos(z)))] as const })
  await gradcheck(once, [x])
  await expect(gradgradcheck(once, [x])).rejects.toThrow(/^gradgradcheck: ∂\(result 0\[0\]\)\/∂\(input 0\[0\]\)/)
})

test('nothing to differentiate by is an error', async () => {
  await expect(gradcheck(z => z, [tensor([1], { dtype: 'int32' })])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: gradcheck: no input is floating-point, got i32[1]. Give one to differentiate by]`)
})

test('numerical Jacobians', async () => {
  const j = await numericalJacobian(z => mul(z, z), x)
  expect(j.shape).toEqual([3, 3])
  const want = [0.6, 0, 0, 0, -1.4, 0, 0, 0, 2.2]
  Array.from(j.dataSync() as Float64Array).forEach((v, i) => { expect(v).toBeCloseTo(want[i]!, 6) })
})
