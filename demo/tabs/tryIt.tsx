import { useEffect, useMemo, useRef } from 'preact/hooks'
import { auName } from '../../src/data/actionUnits.js'
import type { Point } from '../face/align.js'
import { Attention } from '../parts/attention.js'
import { AuBars } from '../parts/auBars.js'
import { useCommands } from '../parts/commands.js'
import { saveModel } from '../parts/download.js'
import { inSight, useDrop, usePaste } from '../parts/drop.js'
import { FileButton } from '../parts/fileButton.js'
import { LineChart } from '../parts/lineChart.js'
import { type Models, modelDetails, modelTitle, useModels } from '../parts/models.js'
import { Replace, useOpenFile } from '../parts/openFile.js'
import { Photo } from '../parts/photo.js'
import { type Moment, useViewing, type View, type Viewing } from '../parts/viewing.js'
import type { ModelId, ModelSummary } from '../worker/tryIt.js'
import { useWorker } from '../workerLink.js'

/** Act 3: one's own pictures, read by the networks of this page. */
export function TryIt() {
  const models = useModels()
  const root = useRef<HTMLDivElement>(null)
  const viewing = useViewing(models.chosen, () => inSight(root.current!))
  const { open, question } = useOpenFile(models, viewing)
  const over = useDrop(root, ({ files }) => files[0] && open(files[0]))
  usePaste(root, open)
  useCameraOnlyInSight(root, viewing)
  const { chosen } = models
  return (
    <div ref={root} class={over ? 'act try-it over' : 'act try-it'}>
      <div class="intro">
        <h2>Try it: give it a face</h2>
        <p>
          A face is found in your picture, cut out, turned upright and read, all of it here. Nothing ever
          leaves this page.
        </p>
      </div>
      <Controls models={models} viewing={viewing} open={open} />
      <div class="views">
        {question && <Replace {...question} />}
        {(!chosen || chosen.aus.length === 0) && <NoClassifier models={models} />}
        <Seen view={viewing.view} viewing={viewing} />
        {chosen && chosen.aus.length > 0 && <Units model={chosen} view={viewing.view} />}
        {chosen && viewing.history.length > 1 && <History aus={chosen.aus} history={viewing.history} />}
      </div>
    </div>
  )
}

/** Nobody wants a camera to run on behind another act. */
function useCameraOnlyInSight(root: { readonly current: HTMLElement | null }, viewing: Viewing): void {
  const latest = useRef(viewing)
  latest.current = viewing
  useEffect(() => {
    const change = () => requestAnimationFrame(() => inSight(root.current!) || latest.current.stopCamera())
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
}

interface ControlsProps {
  readonly models: Models
  readonly viewing: Viewing
  readonly open: (file: File) => void
}

function Controls({ models, viewing, open }: ControlsProps) {
  const { problem, cameraOn, startCamera, stopCamera } = viewing
  return (
    <div class="panel controls">
      <div class="buttons stacked">
        <FileButton label="Choose a photo" accept="image/*" primary choose={open} />
        <button type="button" onClick={cameraOn ? stopCamera : startCamera}>
          {cameraOn ? 'Stop the camera' : 'Use the camera'}
        </button>
      </div>
      <p class="hint">Or drop a photo or a model file on this page, or paste a photo.</p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <ModelChoice models={models} open={open} />
    </div>
  )
}

function ModelChoice({ models, open }: { readonly models: Models; readonly open: (file: File) => void }) {
  const { worker } = useWorker()
  const { all, chosen, choose } = models
  const { busy, problem, send } = useCommands()
  return (
    <fieldset>
      <legend>Model</legend>
      {chosen && (
        <select
          aria-label="Model"
          class="wide"
          value={chosen.id}
          onChange={(event) => choose(event.currentTarget.value as ModelId)}
        >
          {all.map((model) => (
            <option key={model.id} value={model.id}>
              {modelTitle(model)}
            </option>
          ))}
        </select>
      )}
      {chosen && <p class="hint">{modelDetails(chosen)}</p>}
      <div class="buttons stacked">
        <FileButton label="Open a model file" accept=".safetensors" choose={open} />
        {chosen && (
          <button type="button" disabled={busy} onClick={() => send(() => saveModel(worker, chosen.id))}>
            Download this model
          </button>
        )}
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="hint">
        A checkpoint of <code>node dist/train.js</code> works here at once, and what you download here works
        there.
      </p>
    </fieldset>
  )
}

/** Without a classifier there are no AUs to show. */
function NoClassifier({ models: { all, chosen } }: { readonly models: Models }) {
  const shows = 'The encoder shows where it looks, but it knows no action units.'
  if (all.some(({ aus }) => aus.length > 0))
    return <p class="notice">{shows} Choose a classifier among the models to see them.</p>
  return (
    <div class="notice">
      <p>
        <strong>This page has no AU classifier yet.</strong>{' '}
        {chosen ? shows : 'You can see how a face is found and cut out.'} Train a classifier in act 2, or open
        a model file.
      </p>
      <button
        type="button"
        onClick={() => {
          location.hash = 'fineTune'
        }}
      >
        Go to act 2
      </button>
    </div>
  )
}

function Seen({ view, viewing }: { readonly view: View | null; readonly viewing: Viewing }) {
  if (!view)
    return <p class="placeholder">{viewing.busy ? 'Looking for a face …' : 'Your picture appears here.'}</p>
  const { image, live, mirrored, whole, face, crop, look } = view
  return (
    <div class="columns seen" aria-busy={viewing.busy}>
      <figure>
        <figcaption>{live ? 'The camera' : 'The picture'}</figcaption>
        <Photo image={image} face={face} mirrored={mirrored} />
        <p class={face || whole ? 'hint' : 'no-face'} role="status">
          {framing(view)}
        </p>
        {!live && (
          <button type="button" class="quiet" onClick={() => viewing.frame(!whole)}>
            {whole ? 'Find the face' : 'Use the whole picture'}
          </button>
        )}
      </figure>
      {crop && (
        <figure>
          <figcaption>What the encoder sees</figcaption>
          <Attention {...crop} attention={look?.attention ?? null} />
          {look && (
            <p class="hint">
              Right: bright where the last block looks. It is the attention of the patches whose mean the
              classifier reads, averaged over heads.
            </p>
          )}
        </figure>
      )}
    </div>
  )
}

/** What was done to the picture, in words. */
function framing({ face, whole, crop }: View): string {
  if (whole) return 'The whole picture is read, squeezed into a square.'
  if (!face) return 'No face was found in this picture.'
  const [[x, y], [u, v]] = face.corners as readonly [Point, Point]
  const side = Math.round(Math.hypot(u - x, v - y))
  const others = face.faces > 1 ? `${face.faces} faces; the largest is read. ` : ''
  const small = side < crop!.size ? `The face is only ${side} pixels wide: it is read blurred. ` : ''
  return `${others}${small}The square is placed by the eyes and the base of the nose.`
}

function Units({ model, view }: { readonly model: ModelSummary; readonly view: View | null }) {
  const probabilities = view?.look?.probabilities ?? null
  const present = model.aus.filter((_, i) => (probabilities?.[i] ?? 0) >= 0.5)
  return (
    <figure>
      <figcaption>Action units</figcaption>
      <AuBars aus={model.aus} probabilities={probabilities} />
      <p class="hint">
        {probabilities &&
          `${present.length ? `Above one half: ${present.map(unit).join(', ')}. ` : 'None above one half. '}`}
        A bar is the classifier’s probability that the unit is there, not how strong it is. A classifier that
        learnt from rendered faces is often wrong on photographs.
      </p>
    </figure>
  )
}

function unit(au: number): string {
  return `AU ${au} ${auName(au)}`.trim()
}

const tones = ['--tone-plain', '--tone-iat', '--tone-held-out', '--tone-probe'] as const

/** The units that rose highest, over time. */
function History({ aus, history }: { readonly aus: readonly number[]; readonly history: readonly Moment[] }) {
  const { top, data } = useMemo(() => {
    const highest = aus.map((_, i) => Math.max(...history.map(({ probabilities }) => probabilities[i])))
    const top = aus
      .map((_, i) => i)
      .sort((a, b) => highest[b] - highest[a])
      .slice(0, tones.length)
      .sort((a, b) => a - b)
    const columns = top.map((i) => history.map(({ probabilities }) => probabilities[i]))
    return { top, data: [history.map(({ seconds }) => seconds), ...columns] }
  }, [history, aus])
  return (
    <LineChart
      title="The highest action units, over time"
      x="seconds"
      y="probability"
      series={top.map((i, at) => ({ label: `AU ${aus[i]}`, tone: tones[at] }))}
      data={data}
    />
  )
}
