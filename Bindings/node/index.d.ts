/**
 * CLIP embeddings of images and texts: an interface to libclipcore. Long calls run on threads of Node's pool and return promises;
 * errors have the name of their status as `code`: "CLIP_NOT_FOUND". What a call reads is copied when it begins. `close` gives up
 * an object in any order and while calls run; the garbage collector closes what the program forgot.
 */

export const Tower: { readonly IMAGE: 1; readonly TEXT: 2 };
/** 'int8-fast' is the memory of 'int8' in less time. */
export type Storage = 'f32' | 'f16' | 'bf16' | 'int8' | 'int8-fast';
export type PixelFormat = 'rgb' | 'rgba' | 'bgr' | 'bgra' | 'gray';

/** Version of the library, "major.minor.patch". */
export function version(): string;
/** Version of the library's interface: (major << 16) | minor. */
export function abiVersion(): number;

export interface Long {
  /** Its abort cancels the call, which then fails with the signal's reason. */
  signal?: AbortSignal;
  /** Called on JavaScript's thread as work is done. An exception ends the call, which then fails with it. */
  progress?: (done: number, total: number) => void;
}

export interface RuntimeOptions {
  /** Threads that compute one call, the calling thread included: 1 to 256; 0 is 1. */
  threads?: number;
  /** Plugin files, and folders of them, to load before those of CLIP_PLUGIN_PATH and of the library's own folder. */
  pluginPaths?: string[];
  /** An exception in it is ignored. */
  log?: (level: 'error' | 'warning' | 'info', message: string) => void;
  /** The largest image in pixels; 0: the library's default. */
  maxImagePixels?: number;
  /** A kernel set, such as "x86-64-v3"; none: the fastest. */
  kernels?: string;
}

export interface ModelOptions extends Long {
  /** Bits of Tower; 0: all. */
  towers?: number;
  storage?: Storage;
  /** Unused tensors in the file are a warning. */
  allowExtraTensors?: boolean;
  /** Hold no weights: for training, preprocessing and tokens. */
  withoutWeights?: boolean;
  /** The image tower's input in pixels, both or neither; 0: as the folder says. */
  imageWidth?: number;
  imageHeight?: number;
}

export interface ImageOptions {
  /** Orientation is not applied. */
  asStored?: boolean;
  /** Keep what can be decoded of a damaged file. */
  lenient?: boolean;
  /** Pixels needed of the smaller side: a larger image may be decoded at 1/2, 1/4 or 1/8 of its size. 0: full size. */
  smallerSide?: number;
}

export interface EncodeOptions extends Long {
  /** The tower's output, not scaled to unit length. */
  raw?: boolean;
  /** Cut a text that is too long; else it is CLIP_LIMIT. */
  truncate?: boolean;
  /** CLIP's tokenizer: clean texts as OpenAI's Python does. */
  openaiCleaning?: boolean;
  /** Blend transparent pixels over this 0xRRGGBB; none: alpha is dropped. */
  background?: number;
  /** The sizes that the caller's pixels and tokens were made for; 0: those the model was opened with. */
  imageWidth?: number;
  imageHeight?: number;
  contextLength?: number;
  /** The name of a prompt to put before each text; "": none; undefined: the model's default. */
  prompt?: string;
}

export interface ModelInfo {
  towers: number;
  embeddingWidth: number;
  imageWidth: number;
  imageHeight: number;
  contextLength: number;
  vocabularySize: number;
  hasLogitBias: boolean;
  logitScale: number;
  logitBias: number;
  storage: Storage;
  resizedSide: number;
  layout: 'huggingface' | 'open_clip' | 'clipcore';
  imageParameters: number;
  textParameters: number;
  memoryBytes: number;
}

export interface IndexOptions {
  /** Make the file if it is not there. */
  create?: boolean;
  readOnly?: boolean;
  /** Names what made the embeddings. A new file needs one; none: as the file has it. */
  fingerprint?: string;
  /** A new file needs it; 0: as the file has it. */
  embeddingWidth?: number;
  /** Of a new file: f32, f16 or int8. */
  storage?: Storage;
  /** How long a call waits for another writer; 0: 10 seconds. */
  waitMilliseconds?: number;
}

/** The cosine where entries are compared, else 0. Metadata is empty for none. */
export interface Entry {
  score: number;
  key: Uint8Array;
  metadata: Uint8Array;
}

export interface TrainerOptions {
  recompute?: boolean;
  seed?: number;
  optimizer?: 'adamw' | 'sgd';
  learningRate?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  gradientClip?: number;
  schedule?: 'constant' | 'cosine' | 'linear';
  finalRate?: number;
  warmupSteps?: number;
  totalSteps?: number;
  averageDecay?: number;
  chunk?: number;
}

/**
 * n pairs: image i belongs to text i. Images are given as pixels (preprocessed) or images, texts as tokens or texts; the first of
 * each counts if both are given.
 */
export interface Batch {
  pixels?: Float32Array;
  images?: Image[];
  tokens?: Int32Array;
  texts?: string[];
  options?: EncodeOptions;
}

export interface Metrics {
  /** The share of images and texts that rank their own partner first. */
  accuracy: number;
  loss: number;
  temperature: number;
  gradientNorm: number;
  learningRate: number;
  /** Updates made so far. */
  step: number;
}

/** What models share: worker threads, plugins, log. */
export class Runtime {
  constructor(options?: RuntimeOptions);
  close(): void;
  openModel(folder: string, options?: ModelOptions): Promise<Model>;
  /** Writes random initial weights into a model folder that has its configuration but no weights. */
  initializeModel(folder: string, seed?: number): Promise<void>;
  /** Decodes an image file, by its path or from memory. */
  loadImage(source: string | Uint8Array, options?: ImageOptions): Promise<Image>;
  /** Copies pixels, rows `stride` bytes apart (0: no gap between rows). */
  createImage(pixels: Uint8Array | Uint8ClampedArray, layout: { width: number; height: number; stride?: number; format?: PixelFormat }): Image;
  /** The name endings of the image files that can be read: "jpg", "png". */
  imageEndings(): string[];
  loadPlugin(path: string): Promise<void>;
  unloadPlugin(plugin: string): Promise<void>;
  /** Of a model folder: the same for a copy under another name. */
  fingerprint(folder: string): Promise<string>;
  openIndex(path: string, options?: IndexOptions): Index;
}

/** A decoded image. */
export class Image {
  private constructor();
  close(): void;
  /** With a copy of the pixels, in rows without gaps. */
  describe(): { width: number; height: number; format: PixelFormat; orientation: number; pixels: Uint8Array };
}

/** A CLIP model: an image tower, a text tower, or both. Any number of calls may run at once. */
export class Model {
  private constructor();
  close(): void;
  /** Elements of one embedding. */
  readonly embeddingWidth: number;
  describe(): ModelInfo;
  /** The id of the plugin that built a tower, "" where that tower is not open. */
  encoder(tower: number): string;
  /** Replaces towers (0: all) while calls use the model. No folder: the one each came from; no options: those it was opened with. */
  swap(change?: { towers?: number; folder?: string; options?: ModelOptions }): Promise<void>;
  /** Embeddings, [n, embeddingWidth], each of unit length. */
  encodeImages(images: Image[], options?: EncodeOptions): Promise<Float32Array>;
  encodeTexts(texts: string[], options?: EncodeOptions): Promise<Float32Array>;
  /** The image tower's input: [n, 3, imageHeight, imageWidth]. */
  preprocess(images: Image[], options?: EncodeOptions): Promise<Float32Array>;
  encodePixels(pixels: Float32Array, options?: EncodeOptions): Promise<Float32Array>;
  /** Ids [n, contextLength], and the tokens of each row up to and including the end token [n]. */
  tokenize(texts: string[], options?: EncodeOptions): Promise<{ ids: Int32Array; lengths: Uint32Array }>;
  encodeTokens(ids: Int32Array, options?: EncodeOptions): Promise<Float32Array>;
  /** Logits [n, m]: logit scale * cosine + logit bias. */
  similarity(images: Float32Array, texts: Float32Array): Float32Array;
  /** The probability of each of m texts for each of n images, [n, m]. */
  classify(images: Float32Array, texts: Float32Array): Float32Array;
  createTrainer(options?: TrainerOptions): Promise<Trainer>;
}

/** Embeddings in one file. Keys and metadata are bytes, or strings that are written as UTF-8. */
export class Index {
  private constructor();
  close(): void;
  readonly fingerprint: string;
  describe(): { embeddingWidth: number; storage: Storage; entries: number; changes: number; fileBytes: number; memoryBytes: number };
  /** Adds entries, and replaces those whose keys are there. No embeddings: the entries keep theirs. */
  put(keys: (string | Uint8Array)[], embeddings?: Float32Array, metadata?: (string | Uint8Array)[]): Promise<void>;
  rename(from: (string | Uint8Array)[], to: (string | Uint8Array)[]): Promise<void>;
  /** How many there were. */
  remove(keys: (string | Uint8Array)[]): Promise<number>;
  get(key: string | Uint8Array): Promise<Entry & { embedding: Float32Array }>;
  /** The entries whose keys begin with `prefix`, in the order of their keys' bytes. */
  entries(prefix?: string | Uint8Array): Promise<Entry[]>;
  /** The nearest to `query`, best first: `count` at most (0: 10), and only what scores at least `threshold`. */
  search(query: Float32Array, options?: Long & { count?: number; threshold?: number }): Promise<Entry[]>;
  /** Pairs that score at least `threshold` (0: 0.95), best first, at most `count` (0: 10000). */
  duplicates(options?: Long & { count?: number; threshold?: number }): Promise<[Entry, Entry][]>;
  /** Entries joined by pairs that score at least `threshold` (0: 0.95), directly or through others: the nearest pair first. */
  groups(options?: Long & { threshold?: number }): Promise<Entry[][]>;
}

/** A model's weights in training. Its calls wait for each other. */
export class Trainer {
  private constructor();
  close(): void;
  /** Makes one update from one batch. */
  step(batch: Batch): Promise<Metrics>;
  /** Loss and accuracy of a batch, without an update. */
  evaluate(batch: Batch): Promise<Metrics>;
  setLearningRate(rate: number): Promise<void>;
  /** Writes a checkpoint, and removes all but the last `keep` (0: none is removed). */
  save(folder: string, options?: { keep?: number; note?: string }): Promise<void>;
  /** Continues from a checkpoint, or from the last one of a folder. */
  resume(path: string): Promise<void>;
  /** The note of the checkpoint last resumed from. */
  note(): Promise<string>;
  /** Writes a model folder in the layout that the model was opened in. */
  export(folder: string, options?: Long): Promise<void>;
  /** Gives an open model these weights while calls use it. */
  updateModel(model: Model): Promise<void>;
}
