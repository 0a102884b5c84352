// Reads the tensors of one file, wherever it stores them: inside or beside it, dense or sparse, within limits.

import { fail } from '@bp/core/extend'
import type { SparseTensorProto, TensorProto } from '../proto/proto.ts'
import { type ExternalData, type Literal, readStored, type Stored } from '../proto/tensor.ts'
import { Allowance, type ImportLimits } from './limits.ts'
import { readSparse } from './sparse.ts'
import { StringTensor } from './value.ts'

const op = 'importOnnx'

/** How often the bytes of a file beside the model may be read as tensors: more than once where weights are shared, not without end. */
const timesRead = 4

/** The tensors of one file. Each file beside it is asked for once. */
export class StoredTensors {
  private readonly external: ExternalData | undefined
  private readonly files = new Map<string, { readonly bytes: Uint8Array; readonly reads: Allowance }>()
  private readonly sparseBytes: Allowance

  constructor(external: ExternalData | undefined, { sparseBytes }: Required<ImportLimits>) {
    this.external = external && (path => this.file(path, external).bytes)
    this.sparseBytes = new Allowance(sparseBytes, total => `the sparse tensors of the model come to more than ${total} bytes once they are dense. If the file is to be trusted, pass a higher { limits: { sparseBytes } }`)
  }

  /** A tensor that is stored densely; `where` names it in errors. */
  dense(t: TensorProto, where: string): Stored {
    const stored = readStored(op, t, where, this.external)
    const path = t.externalData?.findLast(({ key }) => key === 'location')?.value
    const location: number = t.dataLocation ?? 0
    if (location === 1 && !(stored instanceof StringTensor)) this.files.get(path ?? '')?.reads.take(stored.data.byteLength)
    return stored
  }

  /** A tensor that is stored sparsely. */
  sparse(t: SparseTensorProto, where: string): Literal {
    return readSparse(op, t, where, this.sparseBytes, (message, what) => this.dense(message, what))
  }

  private file(path: string, external: ExternalData): { readonly bytes: Uint8Array; readonly reads: Allowance } {
    const known = this.files.get(path)
    if (known) return known
    const bytes: unknown = external(path)
    if (!(bytes instanceof Uint8Array)) return fail('value', op, `externalData must return the bytes of ${JSON.stringify(path)} as a Uint8Array, got ${bytes instanceof Promise ? 'a Promise; read the files before' : typeof bytes}`)
    const file = { bytes, reads: new Allowance(timesRead * bytes.length, () => `the model reads all of ${JSON.stringify(path)} more than ${timesRead} times. The file is damaged or was made to do harm`) }
    this.files.set(path, file)
    return file
  }
}
