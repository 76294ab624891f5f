import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { hasCode, UserError } from '../errors.js'
import type { Pixels } from '../face/sample.js'
import type { InputImage } from './prediction.js'

/** The magic number, width, height and largest value of a PPM image: `P6\n1280 720\n255\n`. */
const HEADER = /^P6\s(\d+)\s(\d+)\s255\s/
/** Longer than any header. */
const HEADER_BYTES = 32

/** @throws UserError if there is no ffmpeg */
export async function requireFfmpeg(path: string): Promise<void> {
  const child = spawn('ffmpeg', ['-version'], { stdio: 'ignore' })
  const problem = await new Promise<Error | null>((resolve) => {
    child.on('error', resolve)
    child.on('close', () => resolve(null))
  })
  if (problem && hasCode(problem, 'ENOENT'))
    throw new UserError(
      `${path}: reading a video needs ffmpeg, which is not installed. To install it: apt-get install ffmpeg (Debian, Ubuntu), brew install ffmpeg (macOS)`,
    )
  if (problem) throw new UserError(`${path}: ffmpeg does not start (${problem.message})`)
}

/**
 * The frames of a video, one after the other: ffmpeg decodes it, turns it upright, and writes one PPM image for each
 * frame that the file has (no frame is doubled or dropped to even out its rate).
 * @throws Error with what ffmpeg says if it cannot decode the file; the frames before are given
 */
export async function* videoFrames(path: string): AsyncGenerator<InputImage> {
  const { output, times, ended } = startFfmpeg(path)
  const bytes = new ByteReader(output)
  let frame = 0
  try {
    for (; ; frame++) {
      const pixels = await nextFrame(bytes)
      if (!pixels) break
      const timestamp = await times.next()
      yield { input: path, frame, timestamp, content: async () => ({ pixels }) }
    }
  } finally {
    // The reader may have had enough.
    output.destroy()
  }
  const problem = await ended
  if (problem !== null) throw new Error(`ffmpeg cannot decode it (${problem})`)
  if (frame === 0) throw new Error('the video has no frames')
}

function startFfmpeg(path: string) {
  // The filter tells the time of each frame on standard error.
  const args = [
    '-hide_banner',
    '-nostdin',
    '-nostats',
    '-i',
    `file:${path}`,
    '-map',
    '0:v:0',
    '-vf',
    'showinfo',
  ]
  const ppm = ['-fps_mode', 'passthrough', '-f', 'image2pipe', '-c:v', 'ppm', '-pix_fmt', 'rgb24', '-']
  const child = spawn('ffmpeg', [...args, ...ppm], { stdio: ['ignore', 'pipe', 'pipe'] })
  const times = new FrameTimes(child.stderr)
  return { output: child.stdout, times, ended: endOf(child, times) }
}

/** Resolves to what ffmpeg complained of; null if it ended well. */
function endOf(child: ChildProcess, times: FrameTimes): Promise<string | null> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code) => resolve(code === 0 ? null : times.lastLine))
  })
}

/** The times that ffmpeg's showinfo filter tells: lines such as `… n:   3 pts:  6 pts_time:0.1 …`. */
class FrameTimes {
  lastLine = 'no reason given'
  readonly #times: number[] = []
  #wake: (() => void) | null = null
  #ended = false

  constructor(stream: Readable) {
    const lines = createInterface({ input: stream })
    lines.on('line', (line) => {
      const time = /Parsed_showinfo.* n: *\d+ .*pts_time: *(\S+)/.exec(line)?.[1]
      if (time !== undefined) this.#times.push(Number(time))
      else if (!line.includes('Parsed_showinfo') && line.trim() !== '') this.lastLine = line.trim()
      this.#wake?.()
    })
    lines.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
  }

  /** Seconds of the next frame; null if the file does not say. */
  async next(): Promise<number | null> {
    while (this.#times.length === 0 && !this.#ended) {
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
    const time = this.#times.shift()
    return time !== undefined && Number.isFinite(time) ? time : null
  }
}

/** Takes bytes from a stream in pieces of any length. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  /** The next bytes without taking them: fewer than `count` at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#rest.length < count) {
      const { value, done } = await this.#chunks.next()
      if (done) break
      this.#rest = Buffer.concat([this.#rest, value])
    }
    return this.#rest.subarray(0, count)
  }

  /** Exactly `count` bytes; null if the stream ends before. */
  async take(count: number): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(count)
    let filled = Math.min(count, this.#rest.length)
    bytes.set(this.#rest.subarray(0, filled))
    this.#rest = this.#rest.subarray(filled)
    while (filled < count) {
      const { value, done } = await this.#chunks.next()
      if (done) return null
      const wanted = value.subarray(0, count - filled)
      bytes.set(wanted, filled)
      filled += wanted.length
      this.#rest = value.subarray(wanted.length)
    }
    return bytes
  }
}

async function nextFrame(bytes: ByteReader): Promise<Pixels | null> {
  const start = (await bytes.peek(HEADER_BYTES)).toString('latin1')
  const header = HEADER.exec(start)
  if (!header) return null
  await bytes.take(header[0].length)
  const [width, height] = [Number(header[1]), Number(header[2])]
  const data = await bytes.take(3 * width * height)
  return data && { width, height, channels: 3, data }
}
