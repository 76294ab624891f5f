import { change, count, percent, score, setting } from './format.js'
import { runTitles } from './palette.js'
import type { Curve, ReportInput } from './reportInput.js'
import type { FineTuneName, FineTuneReport, Report } from './reportSchema.js'

/**
 * Differences below these can be due to the seed: about the spread over seeds of otherwise equal runs at this size
 * (unseen AUC, best F1, identity probe).
 */
export const seedNoise = { auc: 0.01, f1: 0.02, probe: 0.03 } as const

/** One finding: a label, its main number, and a sentence. All three are derived from the input. */
export interface Verdict {
  readonly label: string
  readonly figure: string
  readonly text: string
}

type FindingsInput = Pick<ReportInput, 'report' | 'lossCurves'>

/** The findings of a run in the order of its stages; stages that did not run are omitted. */
export function verdicts(input: FindingsInput): Verdict[] {
  const { report } = input
  const run = (name: FineTuneName) => report.finetune.find((item) => item.name === name)
  const [scratch, fmae, iat] = [run('scratch'), run('fmae'), run('fmae-iat')]
  return [
    pretrainingVerdict(input),
    ...(scratch && fmae ? [startVerdict(scratch, fmae)] : []),
    ...(fmae ? [shortcutVerdict(fmae, report)] : []),
    ...(fmae && iat ? [iatVerdict(fmae, iat, report)] : []),
  ]
}

function pretrainingVerdict({ report, lossCurves }: FindingsInput): Verdict {
  const { lossFirst, lossLast, steps } = report.pretrain
  const relative = (lossLast - lossFirst) / lossFirst
  const direction = relative < 0 ? 'fell by' : 'rose by'
  const heldOut = lossCurves.pretrainHeldOut?.at(-1)
  const other = heldOut ? ` On held-out subjects it ended at ${score(heldOut[1])}.` : ''
  return {
    label: 'Pretraining: reconstruction of masked patches',
    figure: `loss ${score(lossFirst)} to ${score(lossLast)}`,
    text: `The masked-patch loss ${direction} ${percent(Math.abs(relative))} in ${count(steps)} steps.${other}`,
  }
}

function startVerdict(scratch: FineTuneReport, fmae: FineTuneReport): Verdict {
  const auc = fmae.auc - scratch.auc
  return {
    label: 'Effect of pretraining on AUs',
    figure: `${change(auc)} AUC`,
    text: `On unseen subjects, the AUC is ${score(fmae.auc)} from FMAE and ${score(scratch.auc)} from scratch. F1 at the best threshold changed by ${change(fmae.f1Best - scratch.f1Best)}. ${noiseClause(auc, seedNoise.auc)}`,
  }
}

function shortcutVerdict(fmae: FineTuneReport, report: Report): Verdict {
  const { fmae: probe, chance, labelsOnly } = report.identityProbe
  const gap = fmae.aucSeen - fmae.auc
  return {
    label: 'The identity shortcut in FMAE',
    figure: `gap ${change(gap)} AUC`,
    text: `The AUC is ${score(fmae.aucSeen)} on held-out images of training subjects and ${score(fmae.auc)} on unseen subjects. A probe identifies the subject in ${percent(probe)} of the images from the features, and in ${percent(labelsOnly)} from the true AU labels alone. Chance is ${percent(chance)}.`,
  }
}

function iatVerdict(fmae: FineTuneReport, iat: FineTuneReport, report: Report): Verdict {
  const { fmae: before, fmaeIat: after } = report.identityProbe
  const [probe, auc] = [after - before, iat.auc - fmae.auc]
  const verb = probe < 0 ? 'lowered' : probe > 0 ? 'raised' : 'left'
  const span = probe === 0 ? `at ${score(before)}` : `from ${score(before)} to ${score(after)}`
  return {
    label: `Effect of IAT (λ = ${setting(iat.lambda)})`,
    figure: `probe ${change(probe)}`,
    text: `IAT ${verb} the accuracy of the identity probe ${span}. AUC on unseen subjects changed by ${change(auc)}. The gap between seen and unseen subjects went from ${score(fmae.aucSeen - fmae.auc)} to ${score(iat.aucSeen - iat.auc)}. ${iatJudgement(probe, auc)}`,
  }
}

function iatJudgement(probe: number, auc: number): string {
  if (probe > -seedNoise.probe) return noiseClause(probe, seedNoise.probe, 'probe accuracy')
  if (auc < -seedNoise.auc) return 'IAT also removed AU information.'
  return 'The drop in probe accuracy exceeds the usual spread over seeds. AUC did not drop by more than its own spread.'
}

function noiseClause(difference: number, noise: number, what = 'AUC'): string {
  return Math.abs(difference) < noise
    ? `A difference in ${what} below about ${setting(noise)} can be due to the seed.`
    : `The difference in ${what} exceeds the usual spread over seeds (about ${setting(noise)}), but this is a single run.`
}

/** Fraction of the base-rate entropy above which an AU loss counts as stuck there. */
const STUCK_SHARE = 0.98
const NEAR_GUESSING = 0.55

/**
 * Reasons to distrust a run: AU losses stuck at the base-rate entropy, identity losses above the best constant prediction
 * (the encoder fools the head instead of removing identity), AUC near chance, values that are not finite.
 */
export function findWarnings(
  input: Pick<ReportInput, 'report' | 'lossCurves' | 'baseRateEntropy' | 'identityConstant'>,
): string[] {
  return input.report.finetune.flatMap((run) => {
    const curves = input.lossCurves.finetune[run.name]
    const title = runTitles[run.name]
    if (!curves) return []
    if ([...curves.au, ...curves.id].some(([, value]) => !Number.isFinite(value))) {
      return [`${title}: a loss became NaN or infinite; results after that point are invalid.`]
    }
    const [au, id] = [closingMean(curves.au), closingMean(curves.id)]
    const stuck = au !== null && au >= STUCK_SHARE * input.baseRateEntropy
    const fooling = id !== null && id > input.identityConstant
    const base = `AU loss ended at ${score(au)}; predicting the base rates gives ${score(input.baseRateEntropy)}`
    const head = `identity loss ended at ${score(id)}, above that of the best constant prediction, ${score(input.identityConstant)}`
    if (stuck && fooling) return [`${title}: ${base}, and ${head}. λ = ${setting(run.lambda)} is too large.`]
    if (stuck) return [`${title}: ${base}. Almost nothing was learned about AUs.`]
    if (fooling)
      return [`${title}: ${head}. The encoder fools the identity head instead of removing identity.`]
    return run.auc < NEAR_GUESSING ? [`${title}: unseen AUC ${score(run.auc)} is close to chance (0.5).`] : []
  })
}

/** Mean of the last tenth of a curve, at least one point. */
function closingMean(curve: Curve): number | null {
  const tail = curve.slice(-Math.max(1, Math.ceil(curve.length / 10)))
  return tail.length > 0 ? tail.reduce((sum, [, value]) => sum + value, 0) / tail.length : null
}

/** Mean F1 of always answering "present": 2p/(1+p) for a unit present in a fraction p of the images. */
export function alwaysPresentF1(prevalence: Readonly<Record<string, number>>): number {
  const rates = Object.values(prevalence)
  return rates.reduce((sum, rate) => sum + (2 * rate) / (1 + rate), 0) / Math.max(1, rates.length)
}
