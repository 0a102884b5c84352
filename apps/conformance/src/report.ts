// What a run of a suite comes to: cases, counts, the table for people and the JSON for programs.

/** How a case ended. `unsupported` is something not implemented; anything else that is not right is a `fail`. */
export type Status = 'pass' | 'fail' | 'unsupported'

/** One case. */
export interface CaseResult {
  readonly name: string
  readonly status: Status
  /** What failed, what is not supported, or what a case that passes could not check. */
  readonly reason?: string
  /** The largest |got − want| over what is allowed there; at most 1 in a case that passes. */
  readonly maxError?: number
}

/** A whole run, as `--json` writes it. */
export interface Report {
  readonly suite: string
  readonly backend: string
  readonly total: number
  readonly passed: number
  readonly failed: number
  readonly unsupported: number
  readonly seconds: number
  readonly cases: readonly CaseResult[]
}

/** Adds up the cases of a run. */
export function toReport(suite: string, backend: string, cases: readonly CaseResult[], seconds: number): Report {
  const count = (status: Status): number => cases.filter(result => result.status === status).length
  return { suite, backend, total: cases.length, passed: count('pass'), failed: count('fail'), unsupported: count('unsupported'), seconds, cases }
}

/** The report as text: every failure, what is unsupported by reason, and the counts. */
export function toTable({ suite, backend, passed, failed, unsupported, total, seconds, cases }: Report): string {
  const failures = cases.filter(({ status }) => status === 'fail').map(({ name, reason }) => `fail         ${name}: ${reason ?? ''}`)
  const reasons = new Map<string, number>()
  for (const { status, reason = '' } of cases) if (status === 'unsupported') reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const missing = [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, n]) => `unsupported  ${String(n).padStart(4)}  ${reason}`)
  const notes = cases.filter(({ status, reason }) => status === 'pass' && reason !== undefined).map(({ name, reason }) => `note         ${name}: ${reason}`)
  return [...failures, ...missing, ...notes, `${suite} on ${backend}: ${total} cases in ${seconds.toFixed(1)} s: ${passed} passed, ${failed} failed, ${unsupported} unsupported`].join('\n')
}
