// Before each test file: every graph that a pass of compile makes is verified.

import { setVerifier, verifyGraph } from '@bp/core/extend'

setVerifier(verifyGraph)
