/**
 * The library: engine, models and training, in Node and in a browser alike. What only the command line needs (folders, label files, logs) is
 * not in it. Guide for pages: docs/browser.md.
 */

export {
  type Fold,
  type FoldSplit,
  indicesOfSplit,
  indicesOfSubjects,
  makeFolds,
  splitByFold,
  splitPerSubject,
  subjectsOf,
} from './data/folds.js'
export { imageDecoder } from './data/imageDecoder.js'
export { ImageLoader, type ImageLoaderOptions } from './data/imageLoader.js'
export type { ImageDecoder, ImageSample, ImageSet } from './data/imageSet.js'
export type { Source } from './data/source.js'
export { type Standardisation, standardise } from './data/standardise.js'
export { fetchWebDataset } from './data/webDataset.browser.js'
export { NoAdapterError } from './engine/adapterInfo.js'
export { backward, needsGrad, recordOp, withTape } from './engine/autograd.js'
export type { Capabilities } from './engine/capabilities.js'
export { CapturedStep, captureStep } from './engine/capturedStep.js'
export { type OpenOptions, openDevice } from './engine/device.js'
export { DeviceError, LimitError, ShapeError } from './engine/errors.js'
export type { DType, HostNumbers } from './engine/hostArrays.js'
export { add } from './engine/ops/add.js'
export { attention } from './engine/ops/attention.js'
export { bceWithLogits } from './engine/ops/bceWithLogits.js'
export { gelu } from './engine/ops/gelu.js'
export { gradientReversal } from './engine/ops/gradientReversal.js'
export { layerNorm } from './engine/ops/layerNorm.js'
export { linear } from './engine/ops/linear.js'
export { maskedPatchLoss } from './engine/ops/maskedPatchLoss.js'
export { matmul } from './engine/ops/matmul.js'
export { patchify, unpatchify } from './engine/ops/patchify.js'
export { reshape } from './engine/ops/reshape.js'
export { softmaxCrossEntropy } from './engine/ops/softmaxCrossEntropy.js'
export { type Initialisation, ParameterArena, type ParameterSpec } from './engine/parameters.js'
export { type ProfileRow, Profiler } from './engine/profiler.js'
export { PhiloxStream } from './engine/random.js'
export { DropPath, RandomState } from './engine/randomState.js'
export { Runtime } from './engine/runtime.js'
export { Parameter, Tensor } from './engine/tensor.js'
export { UserError } from './errors.js'
export type { FacePoints } from './face/align.js'
export type { Box } from './face/box.js'
export type { Crop } from './face/crop.js'
export type { Pixels } from './face/sample.js'
export { attentionMap } from './model/attentionMap.js'
export { AuClassifier, type ClassifierOutput, classifierParameters } from './model/auClassifier.js'
export type { ClassifierConfig, FmaeConfig, IdentityLoss, VitConfig } from './model/config.js'
export { Fmae, type FmaeOutput, fmaeParameters } from './model/fmae.js'
export { type PresetName, presets } from './model/presets.js'
export {
  Classifier,
  type ClassifierOptions,
  type FaceUnits,
  loadClassifier,
} from './predict/classifier.js'
export {
  type CheckpointInfo,
  encodeCheckpoint,
  type ReadInfo,
  readInfo,
  restoreCheckpoint,
} from './train/checkpoint/checkpoint.js'
export { loadEncoder } from './train/checkpoint/loadModel.js'
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
  type SafetensorsFile,
} from './train/checkpoint/safetensors.js'
export { type LoadReport, loadAll, loadMatching } from './train/checkpoint/trainingState.js'
export { type ClassifierOutputs, classify } from './train/loop/evaluation.js'
export { FineTuning } from './train/loop/fineTuning.js'
export { Pretraining } from './train/loop/pretraining.js'
export { settleVariants, type VariantSettings } from './train/loop/settleVariants.js'
export { type StepRecord, type TrainLoopOptions, trainLoop } from './train/loop/trainLoop.js'
export { type FineTuningData, type FineTuningPlan, makeFineTuning } from './train/makeFineTuning.js'
export { type ActionUnitMetrics, actionUnitMetrics, sigmoid } from './train/metrics/actionUnitMetrics.js'
export { classifierConfig, fmaeConfig, vitConfig } from './train/modelConfig.js'
export { AdamW } from './train/optim/adamw.js'
export { fineTuningRules, pretrainingRules } from './train/optim/parameterGroups.js'
export { learningRateAt } from './train/optim/schedule.js'
export { fineTuneRecipes, pretrainRecipes } from './train/recipes.js'
export {
  type FineTuneSettings,
  fineTuneDefaults,
  type PretrainSettings,
  pretrainDefaults,
} from './train/settings.js'
export type { TrainingRun } from './train/trainingRun.js'
