import t from 'tap'
import type { Prediction } from '../../src/predict/prediction.js'
import { type FormatName, formats } from '../../src/predict/table.js'

const context = { aus: [1, 12, 24], thresholds: [0.5, 0.25, 0.5], ofVideo: true }
const face = {
  box: { x: 1.25, y: 2, width: 30, height: 40 },
  confidence: 0.875,
  points: { leftEye: [1, 2], rightEye: [3, 4], noseBase: [5, 6] },
} as const
const seen: Prediction = {
  input: 'a, "b".mp4',
  frame: 7,
  timestamp: 65.5,
  faceId: 1,
  face,
  reading: { probabilities: Float32Array.of(0.5, 0.25, 0.125), features: new Float32Array(2) },
  imageSize: { width: 640, height: 480 },
}
const empty: Prediction = { ...seen, faceId: 0, face: null, reading: null }

/** As pandas reads it: rows by column; quotes around text with commas. */
function readCsv(text: string): Record<string, string>[] {
  const lines = text.trimEnd().split('\n')
  const cells = (line: string) =>
    line
      .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
      .map((cell) => cell.replace(/^"(.*)"$/, '$1').replaceAll('""', '"'))
  const names = cells(lines[0])
  return lines.slice(1).map((line) => Object.fromEntries(cells(line).map((cell, i) => [names[i], cell])))
}

function written(name: FormatName): string {
  const { header, row } = formats[name].table(context)
  return header + row(seen) + row(empty)
}

t.test('csv: probability and presence of each AU, empty where there is no face', async (t) => {
  const [first, second] = readCsv(written('csv'))
  t.same(first, {
    input: 'a, "b".mp4',
    frame: '7',
    timestamp: '65.5',
    face_id: '1',
    success: '1',
    confidence: '0.875',
    x: '1.25',
    y: '2',
    width: '30',
    height: '40',
    AU01: '0.5',
    AU01_present: '1',
    AU12: '0.25',
    AU12_present: '1',
    AU24: '0.125',
    AU24_present: '0',
  })
  t.match(second, {
    input: 'a, "b".mp4',
    frame: '7',
    face_id: '',
    success: '0',
    x: '',
    AU01: '',
    AU01_present: '',
  })
})

t.test('openface: its columns in its order, presences filled, intensities empty', async (t) => {
  const text = written('openface')
  const [first, second] = readCsv(text)
  t.match(
    text,
    /^frame,face_id,timestamp,confidence,success,AU01_r,AU02_r,.*,AU45_r,AU01_c,.*,AU28_c,AU45_c,AU24_c,input\n/,
  )
  t.match(first, {
    frame: '8',
    face_id: '1',
    success: '1',
    AU01_r: '',
    AU01_c: '1',
    AU02_c: '',
    AU12_c: '1',
    AU24_c: '0',
  })
  t.match(second, { frame: '8', confidence: '0', success: '0', AU01_c: '' })
  t.equal(Object.keys(first).filter((name) => name.endsWith('_r')).length, 17)
})

t.test('pyfeat: names of its Fex tables', async (t) => {
  const [first, second] = readCsv(written('pyfeat'))
  t.match(first, {
    FaceRectX: '1.25',
    FaceRectWidth: '30',
    FaceScore: '0.875',
    AU01: '0.5',
    AU43: '',
    FrameHeight: '480',
    frame: '7',
    approx_time: '01:05',
  })
  t.match(second, { FaceRectX: '', AU01: '', input: 'a, "b".mp4' })
})

t.test('json: one object a line', async (t) => {
  const [first, second] = written('json')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(first, {
    faceId: 1,
    success: true,
    box: face.box,
    probabilities: { AU12: 0.25 },
    present: { AU12: true, AU24: false },
  })
  t.match(second, { faceId: null, success: false, box: null, probabilities: null })
})
