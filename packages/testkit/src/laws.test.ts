// Every law on every primitive and composite, on the CPU and on the reference backend.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { allLaws, reference, suite } from './index.ts'

describe.each([['cpu', cpu], ['reference', reference]])('%s', (_name, backend) => {
  beforeAll(() => { use(backend()) })
  afterAll(() => { use(cpu()) })
  suite(test, allLaws())
})
