import { change, count, percent, score, setting } from './format.js'
import { runTitles } from './palette.js'
import type { Curve, ReportInput } from './reportInput.js'
import type { FineTuneName, FineTuneReport, Report } from './reportSchema.js'

/**
 * Differences below these are what another seed alone can do: about the spread between seeds of equal runs at this size
 * (unseen AUC, best F1, identity probe).
 */
export const seedNoise = { auc: 0.01, f1: 0.02, probe: 0.03 } as const

/** One finding: a label, the numbers that carry it, and a sentence. All three are made from the input. */
export interface Verdict {
  readonly label: string
  readonly figure: string
  readonly text: string
}

type FindingsInput = Pick<ReportInput, 'report' | 'lossCurves'>

/** The findings of a run in the order of its stages; a stage that did not run is left out. */
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
  const other = heldOut ? ` On people it never saw it ended at ${score(heldOut[1])}.` : ''
  return {
    label: 'Pretraining: rebuilding hidden patches',
    figure: `${score(lossFirst)} → ${score(lossLast)}`,
    text: `In ${count(steps)} steps the masked-patch loss ${direction} ${percent(Math.abs(relative))}.${other}`,
  }
}

function startVerdict(scratch: FineTuneReport, fmae: FineTuneReport): Verdict {
  const auc = fmae.auc - scratch.auc
  const word = auc > 0 ? 'higher' : auc < 0 ? 'lower' : 'no different'
  return {
    label: 'What pretraining gave the action units',
    figure: `${change(auc)} AUC`,
    text: `On unseen people the run that started from FMAE reached an AUC of ${score(fmae.auc)}, ${word} than from scratch (${score(scratch.auc)}); F1 at its best threshold changed by ${change(fmae.f1Best - scratch.f1Best)}. ${noiseClause(auc, seedNoise.auc)}`,
  }
}

function shortcutVerdict(fmae: FineTuneReport, report: Report): Verdict {
  const { fmae: probe, chance, labelsOnly } = report.identityProbe
  const gap = fmae.aucSeen - fmae.auc
  return {
    label: 'The identity shortcut in FMAE',
    figure: `gap ${change(gap)} AUC`,
    text: `New pictures of people it was trained on are read with an AUC of ${score(fmae.aucSeen)}, unseen people with ${score(fmae.auc)}. From its features a probe names the person in ${percent(probe)} of pictures; the true action-unit labels alone allow ${percent(labelsOnly)}, chance is ${percent(chance)}.`,
  }
}

function iatVerdict(fmae: FineTuneReport, iat: FineTuneReport, report: Report): Verdict {
  const { fmae: before, fmaeIat: after } = report.identityProbe
  const [probe, auc] = [after - before, iat.auc - fmae.auc]
  const verb = probe < 0 ? 'lowered' : probe > 0 ? 'raised' : 'left'
  const span = probe === 0 ? `at ${score(before)}` : `from ${score(before)} to ${score(after)}`
  return {
    label: `What IAT changed (λ = ${setting(iat.lambda)})`,
    figure: `probe ${change(probe)}`,
    text: `IAT ${verb} the identity probe ${span} while unseen AUC changed by ${change(auc)} and the gap between seen and unseen people went from ${score(fmae.aucSeen - fmae.auc)} to ${score(iat.aucSeen - iat.auc)}. ${iatJudgement(probe, auc)}`,
  }
}

function iatJudgement(probe: number, auc: number): string {
  if (probe > -seedNoise.probe) return noiseClause(probe, seedNoise.probe, 'the probe')
  if (auc < -seedNoise.auc) return 'Part of what was removed was knowledge of the action units.'
  return 'The drop in the probe is larger than seeds alone usually make; the change in AUC is not a loss beyond that.'
}

function noiseClause(difference: number, noise: number, what = 'AUC'): string {
  return Math.abs(difference) < noise
    ? `A difference in ${what} below about ${setting(noise)} can be the seed alone.`
    : `The difference in ${what} is larger than the usual spread between seeds (about ${setting(noise)}), but one run is one run.`
}

/** Share of the base-rate entropy above which an AU loss counts as stuck there. */
const stuckShare = 0.98
const nearGuessing = 0.55

/**
 * What a reader must know before believing a run: AU losses stuck at the base-rate entropy, identity losses above the best
 * constant answer (the backbone fools the head instead of forgetting people), AUC near guessing, values that are not finite.
 */
export function findWarnings(
  input: Pick<ReportInput, 'report' | 'lossCurves' | 'baseRateEntropy' | 'identityConstant'>,
): string[] {
  return input.report.finetune.flatMap((run) => {
    const curves = input.lossCurves.finetune[run.name]
    const title = runTitles[run.name]
    if (!curves) return []
    if ([...curves.au, ...curves.id].some(([, value]) => !Number.isFinite(value))) {
      return [`${title}: a loss stopped being a finite number; nothing after that point counts.`]
    }
    const [au, id] = [closingMean(curves.au), closingMean(curves.id)]
    const stuck = au !== null && au >= stuckShare * input.baseRateEntropy
    const fooling = id !== null && id > input.identityConstant
    const base = `AU loss ended at ${score(au)}; knowing only how often each unit occurs gives ${score(input.baseRateEntropy)}`
    const head = `identity loss ended at ${score(id)}, above its best constant answer ${score(input.identityConstant)}`
    if (stuck && fooling) return [`${title}: ${base}, and ${head}: λ = ${setting(run.lambda)} is too large.`]
    if (stuck) return [`${title}: ${base}: hardly anything was learnt about the action units.`]
    if (fooling)
      return [`${title}: ${head}: the backbone fools the identity head rather than forgetting people.`]
    return run.auc < nearGuessing
      ? [`${title}: unseen AUC ${score(run.auc)} is close to guessing (0.5).`]
      : []
  })
}

/** Mean of the last tenth of a curve, at least one point. */
function closingMean(curve: Curve): number | null {
  const tail = curve.slice(-Math.max(1, Math.ceil(curve.length / 10)))
  return tail.length > 0 ? tail.reduce((sum, [, value]) => sum + value, 0) / tail.length : null
}

/** Mean F1 of answering "present" to every picture: 2p/(1+p) for a unit present in a share p of them. */
export function alwaysPresentF1(prevalence: Readonly<Record<string, number>>): number {
  const rates = Object.values(prevalence)
  return rates.reduce((sum, rate) => sum + (2 * rate) / (1 + rate), 0) / Math.max(1, rates.length)
}
