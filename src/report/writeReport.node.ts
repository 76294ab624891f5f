import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cannotWrite, writeAtomically } from '../atomicWrite.node.js'
import type { ReconstructionSample } from '../train/reconstructions.js'
import { pngDataUri } from './encodePng.node.js'
import { renderReport } from './renderReport.js'
import type { ReportInput } from './reportInput.js'
import { parseReport } from './reportSchema.js'

/**
 * Writes `report.json` (checked against its schema) and `report.html` into a folder, which is created if missing.
 * Images are interleaved RGB. Throws ReportError, before writing anything, if the report does not fit.
 */
export async function writeReport(
  folder: string,
  input: ReportInput<Uint8Array>,
): Promise<{ readonly jsonPath: string; readonly htmlPath: string }> {
  const report = parseReport(input.report)
  const { size, samples } = input.reconstructions
  const encoded = await Promise.all(samples.map((sample) => encodeSample(sample, size)))
  const page = renderReport({
    ...input,
    report,
    reconstructions: { ...input.reconstructions, samples: encoded },
  })
  const jsonPath = join(folder, 'report.json')
  const htmlPath = join(folder, 'report.html')
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw cannotWrite(folder, error)
  })
  await writeText(jsonPath, `${JSON.stringify(report, null, 2)}\n`)
  await writeText(htmlPath, page)
  return { jsonPath, htmlPath }
}

function writeText(path: string, text: string): Promise<void> {
  return writeAtomically(path, [new TextEncoder().encode(text)])
}

async function encodeSample(
  sample: ReconstructionSample<Uint8Array>,
  size: number,
): Promise<ReconstructionSample<string>> {
  const [original, masked, reconstruction] = await Promise.all(
    [sample.original, sample.masked, sample.reconstruction].map((rgb) => pngDataUri(rgb, size)),
  )
  return { original, masked, reconstruction }
}
