import type { Prediction } from './prediction.js'

/** What the rows of a table depend on besides the predictions. */
export interface TableContext {
  /** AU numbers of the probabilities. */
  readonly aus: readonly number[]
  /** Of each AU: from this probability on it is present. */
  readonly thresholds: readonly number[]
  /** Whether the inputs are videos. */
  readonly ofVideo: boolean
}

type Cell = string | number | null | undefined

/** Name and value of a column. Null and undefined are empty cells. */
export type Column = readonly [name: string, value: (prediction: Prediction) => Cell]

/** Predictions as text, with line ends. */
export interface Table {
  readonly header: string
  readonly row: (prediction: Prediction) => string
}

export interface Format {
  /** Of its files. */
  readonly ending: string
  readonly table: (context: TableContext) => Table
}

/** AUs of OpenFace 2.2: intensities (`_r`) and presences (`_c`), in its order. */
const openFaceIntensities = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45]
const openFacePresences = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45]
/** AUs of py-feat 2.0, in its order. */
const pyFeatUnits = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43]

/** The table of this program: a probability and a presence for each AU. */
function ownColumns({ aus, thresholds }: TableContext): Column[] {
  return [
    ...place,
    ['success', success],
    ['confidence', ({ face }) => face?.confidence],
    ['x', ({ face }) => face?.box.x],
    ['y', ({ face }) => face?.box.y],
    ['width', ({ face }) => face?.box.width],
    ['height', ({ face }) => face?.box.height],
    ...aus.flatMap((au): Column[] => [
      [named(au), probability(au, aus)],
      [`${named(au)}_present`, presence(au, aus, thresholds)],
    ]),
  ]
}

const place: readonly Column[] = [
  ['input', ({ input }) => input],
  ['frame', ({ frame }) => frame],
  ['timestamp', ({ timestamp }) => timestamp],
  ['face_id', ({ faceId, reading }) => reading && faceId],
]

/**
 * The columns of OpenFace 2.2 that a classifier can fill: `_c` is presence. `_r` is intensity from 0 to 5, which a
 * probability is not, so those columns are empty. Frames count from 1, as OpenFace's do.
 */
function openFaceColumns({ aus, thresholds }: TableContext): Column[] {
  const others = aus.filter((au) => !openFacePresences.includes(au))
  return [
    ['frame', ({ frame }) => frame + 1],
    ['face_id', ({ faceId }) => faceId],
    ['timestamp', ({ timestamp }) => timestamp ?? 0],
    ['confidence', ({ face }) => face?.confidence ?? 0],
    ['success', success],
    ...openFaceIntensities.map((au): Column => [`${named(au)}_r`, () => null]),
    ...[...openFacePresences, ...others].map(
      (au): Column => [`${named(au)}_c`, presence(au, aus, thresholds)],
    ),
    ['input', ({ input }) => input],
  ]
}

/** The columns of py-feat's Fex tables that a classifier can fill; those of other AUs are empty. */
function pyFeatColumns({ aus, ofVideo }: TableContext): Column[] {
  const others = aus.filter((au) => !pyFeatUnits.includes(au))
  return [
    ['FaceRectX', ({ face }) => face?.box.x],
    ['FaceRectY', ({ face }) => face?.box.y],
    ['FaceRectWidth', ({ face }) => face?.box.width],
    ['FaceRectHeight', ({ face }) => face?.box.height],
    ['FaceScore', ({ face }) => face?.confidence],
    ...[...pyFeatUnits, ...others].map((au): Column => [named(au), probability(au, aus)]),
    ['FrameHeight', ({ imageSize }) => imageSize?.height],
    ['FrameWidth', ({ imageSize }) => imageSize?.width],
    ['input', ({ input }) => input],
    ['frame', ({ frame }) => frame],
    ...(ofVideo
      ? ([['approx_time', ({ timestamp }) => (timestamp === null ? null : minutes(timestamp))]] as Column[])
      : []),
  ]
}

function success({ reading }: Prediction): number {
  return reading ? 1 : 0
}

function probability(au: number, aus: readonly number[]) {
  const at = aus.indexOf(au)
  return ({ reading }: Prediction): Cell => (reading && at >= 0 ? reading.probabilities[at] : null)
}

function presence(au: number, aus: readonly number[], thresholds: readonly number[]) {
  const at = aus.indexOf(au)
  return ({ reading }: Prediction): Cell =>
    reading && at >= 0 ? Number(reading.probabilities[at] >= thresholds[at]) : null
}

/** `AU01` */
function named(au: number): string {
  return `AU${String(au).padStart(2, '0')}`
}

/** Seconds → `01:05`. */
function minutes(seconds: number): string {
  const padded = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${padded(seconds / 60)}:${padded(seconds % 60)}`
}

/** Six significant digits: more than a probability means, and enough to compare results by. */
function shortened(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(6))
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'string') return csvText(cell)
  return String(shortened(cell))
}

/** A cell of text, in quotes where it must be. */
export function csvText(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Comma-separated values as RFC 4180 has them, with line ends of Unix. */
function csv(columnsOf: (context: TableContext) => readonly Column[]): Format {
  return {
    ending: 'csv',
    table: (context) => {
      const columns = columnsOf(context)
      return {
        header: `${columns.map(([name]) => name).join(',')}\n`,
        row: (prediction) => `${columns.map(([, value]) => cellText(value(prediction))).join(',')}\n`,
      }
    },
  }
}

/** One JSON object a line: what was written before an interruption stays readable. */
const jsonLines: Format = {
  ending: 'jsonl',
  table: ({ aus, thresholds }) => ({
    header: '',
    row: ({ input, frame, timestamp, faceId, face, reading }) => {
      const byUnit = <T>(value: (probability: number, at: number) => T) =>
        reading && Object.fromEntries(aus.map((au, i) => [named(au), value(reading.probabilities[i], i)]))
      const row = {
        input,
        frame,
        timestamp,
        faceId: reading && faceId,
        success: reading !== null,
        confidence: face?.confidence ?? null,
        box: face?.box ?? null,
        points: face?.points ?? null,
        probabilities: byUnit((value) => value),
        present: byUnit((value, i) => value >= thresholds[i]),
      }
      return `${JSON.stringify(row, (_, value) => (typeof value === 'number' ? shortened(value) : value))}\n`
    },
  }),
}

/** One for each `--format`. */
export const formats = {
  csv: csv(ownColumns),
  openface: csv(openFaceColumns),
  pyfeat: csv(pyFeatColumns),
  json: jsonLines,
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof formats
