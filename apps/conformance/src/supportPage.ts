// What the page does that is asked what the WebGL backend supports.

import { cpu } from '@bp/backend-cpu'
import { webgl } from '@bp/backend-webgl'
import { conformance } from '@bp/testkit'

Object.assign(globalThis, { support: async () => conformance(await webgl({ host: cpu() }), { mode: 'support' }).run() })
