/**
 * Renders pictures in batches on WebGPU: blend identities → pose → normals → draw into one atlas of
 * supersampled tiles → develop → one readback. Sums run in a fixed order: one adapter, the same floats each time.
 */
import type { FaceModel } from './faceModel.js'
import { cornerTable, packRows, visibleTriangles } from './mesh.js'
import { paintStride, paintVertices } from './paint.js'
import { developPictures, drawFace } from './pictureShaders.js'
import type { Picture } from './pictures.js'
import { blendIdentities, findNormals, peopleAtOnce, poseHeads, workgroupSize } from './poseShaders.js'

const tileFloats = 18 * 4
/** Side of the atlas is at most this many samples; wide enough for 32 tiles of 64 pixels. */
const atlasLimit = 2048
const tilesAtMost = 32

/** Rows of Rz(roll)·Rx(pitch)·Ry(yaw), degrees. */
function rotationRows(pose: Picture['pose']): number[][] {
  const [cy, cp, cr] = [pose.yaw, pose.pitch, pose.roll].map((a) => Math.cos((a * Math.PI) / 180))
  const [sy, sp, sr] = [pose.yaw, pose.pitch, pose.roll].map((a) => Math.sin((a * Math.PI) / 180))
  return [
    [cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy],
    [sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy],
    [-cp * sy, sp, cp * cy],
  ]
}

/** The `Tile` record of `pictureShaders.ts`, in its order. */
function tileRow(picture: Picture): number[] {
  const { camera, light, background } = picture
  const { look } = picture.person
  const [row0, row1, row2] = rotationRows(picture.pose)
  const rows: readonly (readonly number[])[] = [
    [...row0, 0],
    [...row1, 0],
    [...row2, 0],
    [...camera.centre, camera.halfWidth, camera.distance],
    [...light.direction, 0],
    [...light.key, 0],
    [...light.sky, 0],
    [...light.ground, 0],
    [...background.colours[0], background.angle],
    [...background.colours[1], background.offset],
    [...look.skin, look.gloss],
    [...look.lips, look.blush],
    [...look.hair, look.hairDensity],
    [...look.brow, look.browDensity],
    [...look.iris, look.irisRadius],
    [look.browHalfWidth, look.browTaper, look.lidLine, background.softness],
    [...look.textureOffset, look.mottling],
    [look.hairline, look.beard, 0, 0],
  ]
  return rows.flat()
}

type Data = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

/** One compute step: its pipeline, its bindings and its grid over (words or vertices, tiles or people). */
interface Step {
  readonly pipeline: GPUComputePipeline
  readonly group: GPUBindGroup
  readonly workgroups: number
}

/** A renderer of square pictures; create it with `createRenderer`, end it with `destroy`. */
export class FaceRenderer {
  /** Pictures per call of `render` at most. */
  readonly batch: number
  private readonly columns: number
  private readonly atlas: GPUTexture
  private readonly depth: GPUTexture
  private readonly buffers: Record<string, GPUBuffer> = {}
  private readonly identities: Step
  private readonly poses: Step
  private readonly normals: Step
  private readonly develop: Step
  private readonly pipeline: GPURenderPipeline
  private readonly drawGroup: GPUBindGroup
  private readonly indexCount: number

  constructor(
    private readonly device: GPUDevice,
    private readonly model: FaceModel,
    /** Side of a picture in pixels. */
    readonly size: number,
    /** Samples per pixel and axis. */
    private readonly factor: number,
  ) {
    const side = size * factor
    this.columns = Math.max(1, Math.min(8, Math.floor(atlasLimit / side)))
    this.batch = Math.min(tilesAtMost, this.columns * Math.max(1, Math.floor(atlasLimit / side)))
    const lines = Math.ceil(this.batch / this.columns)
    const texture = (format: GPUTextureFormat) =>
      device.createTexture({
        size: [this.columns * side, lines * side],
        format,
        usage: GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.TEXTURE_BINDING,
      })
    this.atlas = texture('rgba16float')
    this.depth = texture('depth32float')
    this.indexCount = this.upload()
    const floats = 3 * model.vertexCount
    const rowWords = Math.ceil(floats / 2)
    this.identities = this.step(
      blendIdentities,
      [floats, rowWords, model.identityScale.length, this.batch],
      ['neutral', 'modes', 'personWeights', 'heads'],
      rowWords,
    )
    const sizes = [floats, rowWords, model.expressions.length, this.batch]
    const poseBindings = ['heads', 'shapes', 'tileWeights', 'personOfTile', 'setBack', 'positions']
    this.poses = this.step(poseHeads, sizes, poseBindings, rowWords)
    this.normals = this.step(
      findNormals,
      sizes,
      ['positions', 'cornerStart', 'corners', 'normals'],
      model.vertexCount,
    )
    this.develop = this.step(
      developPictures,
      [size, factor, this.columns, this.batch],
      ['tiles', this.atlas.createView(), 'pictures'],
      size * size,
    )
    this.pipeline = this.drawPipeline()
    this.drawGroup = device.createBindGroup({
      layout: this.pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: this.buffers.tiles } }],
    })
  }

  private buffer(name: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const flags = usage | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
    this.buffers[name] = this.device.createBuffer({ label: name, size: bytes, usage: flags })
    return this.buffers[name]
  }

  private filled(name: string, data: Data, usage: GPUBufferUsageFlags): void {
    this.device.queue.writeBuffer(this.buffer(name, data.byteLength, usage), 0, data)
  }

  /** Makes all buffers and uploads what never changes. Returns the number of indices. */
  private upload(): number {
    const { model, batch } = this
    const { STORAGE, VERTEX, INDEX } = GPUBufferUsage
    const triangles = visibleTriangles(model)
    const { start, corners } = cornerTable(model.triangles, model.vertexCount)
    const setBack = new Float32Array(model.vertexCount)
    for (const part of ['gums_tongue', 'teeth']) {
      const [first, count] = model.partVertices[part]
      setBack.fill(0.15, first, first + count)
    }
    this.filled('neutral', Float32Array.from(model.neutral), STORAGE)
    this.filled('modes', packRows(model.identity, model.identityScale.length), STORAGE)
    this.filled('shapes', packRows(model.expression, model.expressions.length), STORAGE)
    this.filled('setBack', setBack, STORAGE)
    this.filled('cornerStart', start, STORAGE)
    this.filled('corners', corners, STORAGE)
    this.filled('paint', paintVertices(model), VERTEX)
    this.filled('indices', triangles, INDEX)
    const people = Math.ceil(batch / peopleAtOnce) * peopleAtOnce
    const headBytes = 12 * model.vertexCount
    this.buffer('personWeights', 4 * people * model.identityScale.length, STORAGE)
    this.buffer('tileWeights', 4 * batch * model.expressions.length, STORAGE)
    this.buffer('personOfTile', 4 * batch, STORAGE)
    this.buffer('tiles', 4 * batch * tileFloats, STORAGE)
    this.buffer('heads', batch * headBytes, STORAGE)
    this.buffer('positions', batch * headBytes, STORAGE | VERTEX)
    this.buffer('normals', batch * headBytes, STORAGE | VERTEX)
    const pictureBytes = 12 * batch * this.size * this.size
    this.buffer('pictures', pictureBytes, STORAGE)
    this.buffers.readback = this.device.createBuffer({
      size: pictureBytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    })
    return triangles.length
  }

  private step(
    code: string,
    sizes: readonly number[],
    bindings: readonly (string | GPUTextureView)[],
    items: number,
  ): Step {
    const { device } = this
    const module = device.createShaderModule({ code })
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } })
    const uniform = device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST })
    device.queue.writeBuffer(uniform, 0, Uint32Array.from(sizes))
    const resources = bindings.map((b) => (typeof b === 'string' ? { buffer: this.buffers[b] } : b))
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ buffer: uniform }, ...resources].map((resource, binding) => ({ binding, resource })),
    })
    return { pipeline, group, workgroups: Math.ceil(items / workgroupSize) }
  }

  private drawPipeline(): GPURenderPipeline {
    const module = this.device.createShaderModule({ code: drawFace })
    const triple = (shaderLocation: number): GPUVertexBufferLayout => ({
      arrayStride: 12,
      attributes: [{ shaderLocation, offset: 0, format: 'float32x3' }],
    })
    const paint: GPUVertexBufferLayout = {
      arrayStride: 4 * paintStride,
      attributes: [
        { shaderLocation: 2, offset: 0, format: 'float32x3' },
        { shaderLocation: 3, offset: 12, format: 'float32x4' },
        { shaderLocation: 4, offset: 28, format: 'float32x4' },
      ],
    }
    return this.device.createRenderPipeline({
      layout: 'auto',
      vertex: { module, entryPoint: 'placeCorner', buffers: [triple(0), triple(1), paint] },
      fragment: { module, entryPoint: 'shade', targets: [{ format: 'rgba16float' }] },
      primitive: { topology: 'triangle-list', cullMode: 'back' },
      depthStencil: { format: 'depth32float', depthWriteEnabled: true, depthCompare: 'less' },
    })
  }

  /** Uploads what differs between the pictures; returns how many people are on them. */
  private writeBatch(pictures: readonly Picture[]): number {
    const { model, device, buffers } = this
    const people = [...new Set(pictures.map((p) => p.person))]
    const modeCount = model.identityScale.length
    const personWeights = new Float32Array(people.length * modeCount)
    people.forEach((person, i) => {
      personWeights.set(
        person.modes.map((a, k) => a * model.identityScale[k]),
        i * modeCount,
      )
    })
    const tileWeights = pictures.flatMap((p) => [...p.weights].map((w, e) => w * model.expressionScale[e]))
    const personOfTile = pictures.map((p) => people.indexOf(p.person))
    device.queue.writeBuffer(buffers.personWeights, 0, personWeights)
    device.queue.writeBuffer(buffers.tileWeights, 0, Float32Array.from(tileWeights))
    device.queue.writeBuffer(buffers.personOfTile, 0, Uint32Array.from(personOfTile))
    device.queue.writeBuffer(buffers.tiles, 0, Float32Array.from(pictures.flatMap(tileRow)))
    return people.length
  }

  private draw(encoder: GPUCommandEncoder, count: number): void {
    const pass = encoder.beginRenderPass({
      colorAttachments: [
        { view: this.atlas.createView(), loadOp: 'clear', storeOp: 'store', clearValue: [0, 0, 0, 0] },
      ],
      depthStencilAttachment: {
        view: this.depth.createView(),
        depthLoadOp: 'clear',
        depthStoreOp: 'discard',
        depthClearValue: 1,
      },
    })
    pass.setPipeline(this.pipeline)
    pass.setBindGroup(0, this.drawGroup)
    pass.setIndexBuffer(this.buffers.indices, 'uint32')
    pass.setVertexBuffer(2, this.buffers.paint)
    const side = this.size * this.factor
    const headBytes = 12 * this.model.vertexCount
    for (let tile = 0; tile < count; tile++) {
      const x = (tile % this.columns) * side
      const y = Math.floor(tile / this.columns) * side
      pass.setViewport(x, y, side, side, 0, 1)
      pass.setScissorRect(x, y, side, side)
      pass.setVertexBuffer(0, this.buffers.positions, tile * headBytes, headBytes)
      pass.setVertexBuffer(1, this.buffers.normals, tile * headBytes, headBytes)
      pass.drawIndexed(this.indexCount, 1, 0, 0, tile)
    }
    pass.end()
  }

  /** Renders up to `batch` pictures. Returns [pictures, size, size, 3] grey levels 0…255, not yet rounded. */
  async render(pictures: readonly Picture[]): Promise<Float32Array> {
    const { device, buffers } = this
    const people = this.writeBatch(pictures)
    const encoder = device.createCommandEncoder()
    const compute = (step: Step, rows: number) => {
      const pass = encoder.beginComputePass()
      pass.setPipeline(step.pipeline)
      pass.setBindGroup(0, step.group)
      pass.dispatchWorkgroups(step.workgroups, rows)
      pass.end()
    }
    compute(this.identities, Math.ceil(people / peopleAtOnce))
    compute(this.poses, pictures.length)
    compute(this.normals, pictures.length)
    this.draw(encoder, pictures.length)
    compute(this.develop, pictures.length)
    const bytes = 12 * pictures.length * this.size * this.size
    encoder.copyBufferToBuffer(buffers.pictures, 0, buffers.readback, 0, bytes)
    device.queue.submit([encoder.finish()])
    await buffers.readback.mapAsync(GPUMapMode.READ, 0, bytes)
    const result = new Float32Array(buffers.readback.getMappedRange(0, bytes).slice(0))
    buffers.readback.unmap()
    return result
  }

  destroy(): void {
    for (const buffer of Object.values(this.buffers)) buffer.destroy()
    this.atlas.destroy()
    this.depth.destroy()
  }
}
