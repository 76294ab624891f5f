import { fineTuneSettings, helpOf, pretrainSettings } from '../../src/train/settings.js'
import type { FineTuneSettings, PretrainSettings } from '../protocol.js'
import { Choice, LearningRate, Settings, Slider } from './controls.js'

// The forms of the page. Help texts, types and defaults are those of the command line (src/train/settings.ts).

type Optimization = Pick<PretrainSettings, 'batchSize' | 'baseLearningRate' | 'epochs'>

/** What a form offers. */
interface Offers {
  readonly batches: readonly number[]
  readonly epochs: readonly number[]
}

interface FormProps<Values> extends Offers {
  readonly settings: Values
  /** What has begun keeps its settings. */
  readonly fixed: boolean
  readonly change: (settings: Values) => void
}

/** All that can be set for pretraining. */
export function PretrainForm({ settings, fixed, change, ...offers }: FormProps<PretrainSettings>) {
  const set = (part: Partial<PretrainSettings>) => change({ ...settings, ...part })
  const patch = (value: number) => set({ patchSize: value as PretrainSettings['patchSize'] })
  const help = (name: keyof PretrainSettings) => helpOf(pretrainSettings, name)
  return (
    <Settings fixed={fixed}>
      <Slider
        label="Mask ratio"
        help={help('maskRatio')}
        value={settings.maskRatio}
        min={0.25}
        max={0.9}
        step={0.05}
        text={(value) => `${Math.round(100 * value)}%`}
        change={(maskRatio) => set({ maskRatio })}
      />
      <Choice
        label="Patch size (px)"
        help={help('patchSize')}
        value={settings.patchSize}
        among={[8, 16, 32]}
        change={patch}
      />
      <Choice
        label="Width"
        help={help('width')}
        value={settings.width}
        among={[32, 64, 96, 128, 192]}
        change={(width) => set({ width })}
      />
      <Choice
        label="Depth (blocks)"
        help={help('depth')}
        value={settings.depth}
        among={[1, 2, 4, 6, 8]}
        change={(depth) => set({ depth })}
      />
      <OptimizationFields settings={settings} rates={[-4, -1.5]} set={set} {...offers} />
    </Settings>
  )
}

interface FineTuneFormProps extends FormProps<FineTuneSettings> {
  /** The least λ that can be chosen; 0 turns IAT off. */
  readonly leastLambda: number
}

/** All that can be set for fine-tuning. */
export function FineTuneForm({ settings, fixed, change, leastLambda, ...offers }: FineTuneFormProps) {
  const set = (part: Partial<FineTuneSettings>) => change({ ...settings, ...part })
  return (
    <Settings fixed={fixed}>
      <Slider
        label="Gradient reversal λ"
        help={helpOf(fineTuneSettings, 'lambda')}
        value={settings.lambda}
        min={leastLambda}
        max={4}
        step={0.1}
        text={(value) => (value === 0 ? '0 (off)' : value.toFixed(1))}
        change={(lambda) => set({ lambda })}
      />
      <OptimizationFields settings={settings} rates={[-3, -1]} set={set} {...offers} />
    </Settings>
  )
}

interface OptimizationProps extends Offers {
  readonly settings: Optimization
  /** Powers of ten at the ends of the learning rate's slider. */
  readonly rates: readonly [number, number]
  readonly set: (part: Partial<Optimization>) => void
}

function OptimizationFields({ settings, batches, epochs, rates: [min, max], set }: OptimizationProps) {
  const help = (name: keyof Optimization) => helpOf(pretrainSettings, name)
  return (
    <>
      <Choice
        label="Batch size"
        help={help('batchSize')}
        value={settings.batchSize}
        among={batches}
        change={(batchSize) => set({ batchSize })}
      />
      <LearningRate
        help={help('baseLearningRate')}
        value={settings.baseLearningRate}
        min={min}
        max={max}
        change={(baseLearningRate) => set({ baseLearningRate })}
      />
      <Choice
        label="Epochs"
        help={help('epochs')}
        value={settings.epochs}
        among={epochs}
        change={(number) => set({ epochs: number })}
      />
    </>
  )
}
