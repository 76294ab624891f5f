/**
 * Reads the morphable head: `ict-face.safetensors` (mesh, identity modes, expression shapes) and `facs.json`
 * (which shapes realise which action unit). Everything that can be wrong with the two files is found here.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'

/** A model file that cannot be used; the message names the file and the field. */
export class FaceModelError extends Error {
  override readonly name = 'FaceModelError'
  constructor(file: string, message: string) {
    super(`${file}: ${message}`)
  }
}

const weights = z.record(z.string(), z.number())
const facsSchema = z.object({
  sets: z.object({ bp4d: z.array(z.number().int()), disfa: z.array(z.number().int()) }),
  rules: z.object({ avoid_together: z.array(z.tuple([z.number().int(), z.number().int()])) }),
  aus: z.record(
    z.string(),
    z.object({ name: z.string(), weights, quality: z.string(), lips_closed: weights.optional() }),
  ),
})

/** Action units as weights of expression shapes; see the file's own `about` and `rules`. */
export type Facs = z.infer<typeof facsSchema>

/** The head at rest and everything that moves it. Lengths in centimetres, V vertices. */
export interface FaceModel {
  readonly vertexCount: number
  /** [V, 3] mean face. */
  readonly neutral: Float32Array
  /** [triangles, 3] vertex indices, sorted by part. */
  readonly triangles: Uint32Array
  /** [68] vertex indices of the Multi-PIE landmarks. */
  readonly landmarks: Uint32Array
  /** [100, V, 3] offsets of mode k are `identity[k] * identityScale[k]`. */
  readonly identity: Int16Array
  readonly identityScale: Float32Array
  /** [55, V, 3] offsets of shape e are `expression[e] * expressionScale[e]`. */
  readonly expression: Int16Array
  readonly expressionScale: Float32Array
  /** Names of the 55 shapes, in order. */
  readonly expressions: readonly string[]
  /** Part name → [first, count], of triangles and of vertices. */
  readonly partTriangles: PartRanges
  readonly partVertices: PartRanges
  readonly facs: Facs
}

type PartRanges = Readonly<Record<string, readonly [number, number]>>

const headerEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int()),
  data_offsets: z.tuple([z.number().int(), z.number().int()]),
})
const jsonText = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' })
    return z.NEVER
  }
})
const ranges = jsonText.pipe(z.record(z.string(), z.tuple([z.number().int(), z.number().int()])))
const metadataSchema = z.object({
  expressions: jsonText.pipe(z.array(z.string())),
  part_triangles: ranges,
  part_vertices: ranges,
})

const bytesPerElement: Readonly<Record<string, number>> = { F32: 4, U32: 4, I16: 2, U8: 1 }

async function readModelFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    const reason = code === 'ENOENT' ? 'no such file; --model wants the folder of the ICT face pack' : code
    throw new FaceModelError(file, `cannot be read (${reason})`)
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, file: string, what: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new FaceModelError(file, `${[what, ...(issue?.path ?? [])].join('.')}: ${issue?.message}`)
}

function parseJson(text: string, file: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new FaceModelError(file, `${what} is not JSON (${(cause as Error).message})`)
  }
}

/** The tensors of a safetensors file as typed arrays that share its memory. */
class TensorFile {
  private readonly entries: Readonly<Record<string, unknown>>
  private readonly dataStart: number
  readonly metadata: z.infer<typeof metadataSchema>

  constructor(
    private readonly file: string,
    private readonly bytes: Buffer,
  ) {
    if (bytes.length < 8) throw new FaceModelError(file, `truncated: ${bytes.length} bytes, no header length`)
    const headerBytes = Number(bytes.readBigUInt64LE(0))
    this.dataStart = 8 + headerBytes
    if (this.dataStart > bytes.length)
      throw new FaceModelError(file, `truncated: header of ${headerBytes} bytes, file of ${bytes.length}`)
    const header = parseJson(bytes.toString('utf8', 8, this.dataStart), file, 'header')
    this.entries = parse(z.record(z.string(), z.unknown()), header, file, 'header')
    this.metadata = parse(metadataSchema, this.entries.__metadata__, file, '__metadata__')
  }

  /** Bytes of one tensor, checked against dtype and shape (-1: any length), copied to be aligned. */
  tensor(name: string, dtype: string, shape: readonly number[]): { buffer: ArrayBuffer; shape: number[] } {
    const entry = parse(headerEntry, this.entries[name], this.file, name)
    const fits =
      entry.shape.length === shape.length && shape.every((n, i) => n === -1 || n === entry.shape[i])
    const expected = `${dtype} [${shape.map((n) => (n < 0 ? 'n' : n))}]`
    if (entry.dtype !== dtype || !fits)
      throw new FaceModelError(
        this.file,
        `${name}: got ${entry.dtype} [${entry.shape}], expected ${expected}`,
      )
    const [start, end] = entry.data_offsets
    const wanted = entry.shape.reduce((a, b) => a * b, bytesPerElement[dtype])
    if (end - start !== wanted)
      throw new FaceModelError(this.file, `${name}: ${end - start} bytes, its shape wants ${wanted}`)
    if (this.dataStart + end > this.bytes.length)
      throw new FaceModelError(
        this.file,
        `truncated: ${name} ends at byte ${this.dataStart + end}, the file has ${this.bytes.length}`,
      )
    const from = this.bytes.byteOffset + this.dataStart + start
    return { buffer: this.bytes.buffer.slice(from, from + wanted) as ArrayBuffer, shape: entry.shape }
  }
}

function checkIndices(file: string, name: string, indices: Uint32Array, limit: number): void {
  const worst = indices.reduce((a, b) => Math.max(a, b), 0)
  if (worst >= limit) throw new FaceModelError(file, `${name}: vertex ${worst}, the mesh has ${limit}`)
}

const neededParts = [
  ...['face', 'head_neck', 'mouth_socket', 'eye_socket_L', 'eye_socket_R', 'gums_tongue', 'teeth'],
  ...['sclera_L', 'sclera_R'],
]

function checkNames(file: string, facsFile: string, model: FaceModel): void {
  for (const part of neededParts)
    if (!model.partTriangles[part] || !model.partVertices[part])
      throw new FaceModelError(file, `__metadata__: part ${part} is missing`)
  const known = new Set(model.expressions)
  for (const [au, { weights, lips_closed }] of Object.entries(model.facs.aus))
    for (const shape of Object.keys({ ...weights, ...lips_closed }))
      if (!known.has(shape))
        throw new FaceModelError(facsFile, `aus.${au}: shape ${shape} is not in ict-face.safetensors`)
  for (const au of [...model.facs.sets.bp4d, ...model.facs.sets.disfa])
    if (!model.facs.aus[String(au)]) throw new FaceModelError(facsFile, `sets: AU ${au} has no entry in aus`)
}

/** Reads and checks both files of the folder. Throws `FaceModelError`. */
export async function readFaceModel(folder: string): Promise<FaceModel> {
  const file = join(folder, 'ict-face.safetensors')
  const facsFile = join(folder, 'facs.json')
  const tensors = new TensorFile(file, await readModelFile(file))
  const facsJson = parseJson((await readModelFile(facsFile)).toString('utf8'), facsFile, 'the file')
  const neutral = tensors.tensor('neutral', 'F32', [-1, 3])
  const vertexCount = neutral.shape[0]
  const { expressions, part_triangles, part_vertices } = tensors.metadata
  const floats = (name: string, shape: number[]) =>
    new Float32Array(tensors.tensor(name, 'F32', shape).buffer)
  const indices = (name: string, shape: number[]) =>
    new Uint32Array(tensors.tensor(name, 'U32', shape).buffer)
  const shorts = (name: string, count: number) =>
    new Int16Array(tensors.tensor(name, 'I16', [count, vertexCount, 3]).buffer)
  const identityScale = floats('identity_scale', [-1])
  const model: FaceModel = {
    vertexCount,
    neutral: new Float32Array(neutral.buffer),
    triangles: indices('triangles', [-1, 3]),
    landmarks: indices('landmarks', [68]),
    identity: shorts('identity', identityScale.length),
    identityScale,
    expression: shorts('expression', expressions.length),
    expressionScale: floats('expression_scale', [expressions.length]),
    expressions,
    partTriangles: part_triangles,
    partVertices: part_vertices,
    facs: parse(facsSchema, facsJson, facsFile, 'facs'),
  }
  checkIndices(file, 'triangles', model.triangles, vertexCount)
  checkIndices(file, 'landmarks', model.landmarks, vertexCount)
  checkNames(file, facsFile, model)
  return model
}
