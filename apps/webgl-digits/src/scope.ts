// Stands in for core's scope.

export const scope = (): Disposable => ({ [Symbol.dispose]: () => { /* nothing */ } })
