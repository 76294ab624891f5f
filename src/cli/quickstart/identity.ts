import { chooseForEmbedding, embed2d } from '../../report/embed2d.js'
import type { EmbeddingPlot } from '../../report/reportInput.js'
import type { Report } from '../../report/reportSchema.js'
import { classify } from '../../train/loop/evaluation.js'
import { probeFeatures, probeFloors, probeSubjects } from '../../train/metrics/probeSubjects.js'
import { type FineTuned, type MainJob, stopIfRequested } from './stages.node.js'

const BATCH = 64

export interface IdentityAnalysis {
  readonly probe: Report['identityProbe']
  readonly embedding: { readonly fmae: EmbeddingPlot; readonly fmaeIat: EmbeddingPlot }
}

/** How well the features of both classifiers identify the subject: linear probes, and a map of 20 subjects. */
export async function analyseIdentity(
  job: MainJob,
  fmae: FineTuned,
  fmaeIat: FineTuned,
): Promise<IdentityAnalysis> {
  const { runtime, loader, data, seed } = job
  const probed = probeSubjects(loader.set, seed, data.inFolds)
  const analyse = async ({ run }: FineTuned) => {
    await stopIfRequested(job)
    const { features } = await classify(runtime, run.model, loader, probed.indices, BATCH)
    const { width } = run.config
    const accuracy = probeFeatures(loader.set, probed, features, width, seed)
    const rows = Array.from(probed.indices, (_, row) => features.subarray(row * width, (row + 1) * width))
    return { accuracy, embedding: embeddingOf(rows, subjectsOfRows(job, probed.indices), seed) }
  }
  const plain = await analyse(fmae)
  const adversarial = await analyse(fmaeIat)
  const { labelsOnly, chance } = probeFloors(loader.set, probed)
  return {
    probe: {
      fmae: plain.accuracy.converged,
      fmaeIat: adversarial.accuracy.converged,
      fmaePublished: plain.accuracy.published,
      fmaeIatPublished: adversarial.accuracy.published,
      labelsOnly: labelsOnly!,
      chance,
    },
    embedding: { fmae: plain.embedding, fmaeIat: adversarial.embedding },
  }
}

function subjectsOfRows({ loader }: MainJob, indices: Uint32Array): string[] {
  return Array.from(indices, (index) => loader.set.sample(index).subject!)
}

function embeddingOf(
  rows: readonly Float32Array[],
  subjects: readonly string[],
  seed: number,
): EmbeddingPlot {
  const chosen = chooseForEmbedding(subjects)
  const points = embed2d(
    chosen.map((row) => rows[row]),
    seed,
  )
  return { points, subjects: chosen.map((row) => subjects[row]) }
}
