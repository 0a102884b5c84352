// Philox is the generator that its authors published.

import { expect, test } from 'vitest'
import { philox } from './philox.ts'

test('philox equals the known answers of its authors (Random123, kat_vectors)', () => {
  const answer = (counter: readonly number[], key: readonly [number, number]): number[] => {
    const words = Int32Array.from(counter)
    philox(words, ...key)
    return Array.from(words, word => word >>> 0)
  }
  expect(answer([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
  const ones = 0xffffffff
  expect(answer([ones, ones, ones, ones], [ones, ones])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd])
})
